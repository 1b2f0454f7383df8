"""`teasel methods`: the methods and references that a grid may name."""

import argparse
import inspect

from ...models import METHODS
from ..trials.references import REFERENCES
from .command_line import DONE, Report, add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel methods`."""
    add_json(parser)


def main(arguments: argparse.Namespace) -> int:
    """Prints every method with its hyper-parameters, then the references."""
    report, methods, references = Report(arguments.json), {}, {}
    for name, method in METHODS.items():
        report.add(f"{name}: {_first_line(method.factory)}")
        for argument, parameter in method.parameters.items():
            by_default = "" if parameter.required else f"; by default {parameter.default:g}"
            report.add(f"  {argument}: {parameter.bounds}{by_default}")
        report.add(
            f"  {method.label}; {method.reference}" if method.reference else f"  {method.label}"
        )
        methods[name] = {
            "description": _first_line(method.factory),
            "label": method.label,
            "reference": method.reference,
            "hyperparameters": {
                argument: {
                    "bounds": str(parameter.bounds),
                    "default": None if parameter.required else parameter.default,
                }
                for argument, parameter in method.parameters.items()
            },
        }
    for name, reference in REFERENCES.items():
        report.add(f"{name} (reference): {_first_line(reference.function)}")
        references[name] = {"description": _first_line(reference.function)}
    report.add(methods=methods, references=references)
    report.end()
    return DONE


def _first_line(function: object) -> str:
    """What a docstring says first, without the word that says that a function returns it."""
    line = (inspect.getdoc(function) or "no description").splitlines()[0]
    return line.removeprefix("Returns ").rstrip(".")
