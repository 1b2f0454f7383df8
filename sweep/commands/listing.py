"""`teasel methods`, `metrics` and `data`: what a grid may name, and what is there of it."""

import inspect

from ...catalogue import hint
from ...datasets import DATASETS, DataError
from ...metrics import METRICS, Metric
from ...models import METHODS, MethodEntry
from ..trials.references import REFERENCES


def print_methods() -> None:
    """Prints every method with its hyper-parameters, then the references."""
    for name, method in METHODS.items():
        print(f"{name}: {_first_line(method.factory)}")
        for argument, parameter in method.parameters.items():
            by_default = "" if parameter.required else f"; by default {parameter.default:g}"
            print(f"  {argument}: {parameter.bounds}{by_default}")
        print(f"  {_label_and_reference(method)}")
    for name, reference in REFERENCES.items():
        print(f"{name} (reference): {_first_line(reference.function)}")


def _first_line(function: object) -> str:
    """What a docstring says first, without the word that says that a function returns it."""
    line = (inspect.getdoc(function) or "no description").splitlines()[0]
    return line.removeprefix("Returns ").rstrip(".")


def _label_and_reference(entry: MethodEntry | Metric) -> str:
    return f"{entry.label}; {entry.reference}" if entry.reference else entry.label


def print_metrics() -> None:
    """Prints every metric: its version, its parameters and who defined it."""
    for name, metric in METRICS.items():
        values = ", ".join(f"{key}={value}" for key, value in metric.defaults.items())
        print(f"{name} (version {metric.version}): {values}")
        print(f"  {_label_and_reference(metric)}")


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
        DataError: If there is no such data set, or its files cannot be had.
    """
    if name not in DATASETS:
        raise DataError(f"unknown data set '{name}'{hint(name, list(DATASETS))}")
    print(DATASETS[name].prepare())
