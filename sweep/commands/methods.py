"""`teasel methods`: the methods and references that a grid may name."""

import argparse
import inspect

from ...models import METHODS, hyperparameters
from ..trials.references import REFERENCES
from .command_line import DONE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds nothing: `teasel methods` has no arguments."""


def main(arguments: argparse.Namespace) -> int:
    """Prints every method with its hyper-parameters, then the references."""
    for name, factory in METHODS.items():
        print(f"{name}: {_first_line(factory)}")
        for argument, (bounds, default) in hyperparameters(factory).items():
            by_default = "" if default is None else f"; by default {default:g}"
            print(f"  {argument}: {bounds}{by_default}")
    for name, encoder in REFERENCES.items():
        print(f"{name} (reference): {_first_line(encoder)}")
    return DONE


def _first_line(function: object) -> str:
    """What a docstring says first, without the word that says that a function returns it."""
    line = (inspect.getdoc(function) or "no description").splitlines()[0]
    return line.removeprefix("Returns ").rstrip(".")
