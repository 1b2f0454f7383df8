"""`teasel methods`: the methods and references that a grid may name."""

import argparse
import inspect

from ...models import METHODS
from ..trials.references import REFERENCES
from .command_line import DONE, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds nothing: `teasel methods` has no arguments."""


def main(arguments: argparse.Namespace) -> int:
    """Prints every method with its hyper-parameters, then the references."""
    for name, method in METHODS.items():
        show(f"{name}: {_first_line(method.factory)}")
        for argument, parameter in method.parameters.items():
            by_default = "" if parameter.required else f"; by default {parameter.default:g}"
            show(f"  {argument}: {parameter.bounds}{by_default}")
        show(f"  {method.label}; {method.reference}" if method.reference else f"  {method.label}")
    for name, reference in REFERENCES.items():
        show(f"{name} (reference): {_first_line(reference.function)}")
    return DONE


def _first_line(function: object) -> str:
    """What a docstring says first, without the word that says that a function returns it."""
    line = (inspect.getdoc(function) or "no description").splitlines()[0]
    return line.removeprefix("Returns ").rstrip(".")
