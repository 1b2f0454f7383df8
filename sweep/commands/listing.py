"""`teasel methods`, `metrics` and `data`: what a grid may name, and what is there of it."""

import inspect

from ...datasets import DATASETS
from ...errors import UnknownNameError
from ...metrics import METRICS
from ...models import METHODS, hyperparameters
from ..trials.references import REFERENCES
from ..trials.request import defaults


def print_methods() -> None:
    """Prints every method with its hyper-parameters, then the references."""
    for name, factory in METHODS.items():
        print(f"{name}: {_first_line(factory)}")
        for argument, (bounds, default) in hyperparameters(factory).items():
            by_default = "" if default is None else f"; by default {default:g}"
            print(f"  {argument}: {bounds}{by_default}")
    for name, encoder in REFERENCES.items():
        print(f"{name} (reference): {_first_line(encoder)}")


def _first_line(function: object) -> str:
    """What a docstring says first, without the word that says that a function returns it."""
    line = (inspect.getdoc(function) or "no description").splitlines()[0]
    return line.removeprefix("Returns ").rstrip(".")


def print_metrics() -> None:
    """Prints every metric: its version, its parameters and who defined it."""
    for name, metric in METRICS.items():
        values = ", ".join(f"{key}={value}" for key, value in defaults(name).items())
        print(f"{name} (version {metric.version}): {values}")
        print(f"  {metric.reference}")


def print_list() -> None:
    """Prints what is there of every data set, and how to get what is missing."""
    for name, dataset in DATASETS.items():
        status = dataset.status()
        size = f"{status.num_images:,} images, {status.num_bytes / 1e6:,.0f} MB"
        print(f"{name}: {status.state}; {size}; {status.licence}")
        for line in (status.homepage, status.advice):
            if line:
                print(f"  {line}")


def prepare(name: str) -> None:
    """Makes the cache of a data set, downloading what is missing, and says what it is.

    Raises:
        UnknownNameError: If there is no such data set.
        DataError: If its files cannot be had.
    """
    if name not in DATASETS:
        raise UnknownNameError("data set", name, DATASETS)
    print(DATASETS[name].prepare())
