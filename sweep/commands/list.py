"""`teasel list`: what a grid can name, by kind, with the entries of installed packages."""

import argparse
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .command_line import DONE, Report, add_json

Facts = dict[str, Any]
Entries = dict[str, Facts]


class Kind(NamedTuple):
    """A kind of entry that a grid can name.

    Attributes:
        what: A description of the kind.
        groups: Functions that return the facts of each entry by name, by the name of the group.
    """

    what: str
    groups: dict[str, Callable[[], Entries]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel list`."""
    parser.add_argument(
        "what",
        metavar="WHAT",
        nargs="?",
        choices=tuple(KINDS),
        help=f"what to list: {', '.join(KINDS)}",
    )
    add_json(parser)


def main(arguments: argparse.Namespace) -> int:
    """Prints every entry of one kind, or the available kinds."""
    report = Report(arguments.json)
    if arguments.what is None:
        for name, kind in KINDS.items():
            report.add(f"{name}: {kind.what}")
        report.add(kinds={name: kind.what for name, kind in KINDS.items()})
    else:
        for group, describe in KINDS[arguments.what].groups.items():
            entries = describe()
            for name, entry in entries.items():
                _add_entry(report, group, name, entry)
            report.add("", **{group: entries})
    report.end()
    return DONE


def _add_entry(report: Report, group: str, name: str, facts: Facts) -> None:
    version = f" (version {facts['version']})" if "version" in facts else ""
    mark = " (reference)" if group == "references" else version
    report.add(": ".join(filter(None, [f"{name}{mark}", facts["description"]])))
    for argument, about in facts.get("hyperparameters", {}).items():
        default = about["default"]
        by_default = "" if default is None else f"; default {default:g}"
        report.add(f"  {argument}: {about['bounds']}{by_default}")
    if values := ", ".join(f"{key}={value}" for key, value in facts.get("parameters", {}).items()):
        report.add(f"  {values}")
    if settings := ", ".join(facts.get("settings", ())):
        report.add(f"  reads {settings}")
    if words := "; ".join(filter(None, [facts.get("label"), facts.get("reference")])):
        report.add(f"  {words}")


def _methods() -> Entries:
    from ...models import METHODS

    return {
        name: {
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
        for name, method in METHODS.items()
    }


def _references() -> Entries:
    from ..trials.references import REFERENCES

    return _describe(REFERENCES, "function")


def _metrics() -> Entries:
    from ...metrics import METRICS

    facts = {name: name for name in ("label", "reference", "version")}
    return _describe(METRICS, "function", **facts, parameters="defaults")


def _networks() -> Entries:
    from ...models import NETWORKS

    return {
        name: {"description": network.label, "cost": network.cost}
        for name, network in NETWORKS.items()
    }


def _likelihoods() -> Entries:
    from ...models import LIKELIHOODS

    return _describe(LIKELIHOODS, "function", reference="reference", settings="settings")


def _priors() -> Entries:
    from ...models import PRIORS

    return _describe(PRIORS, "log_density", reference="reference", settings="settings")


def _describe(catalogue: Mapping[str, object], function: str, **facts: str) -> Entries:
    """Each entry's facts: the first line of a function of it, and attributes by their keys."""
    return {
        name: {"description": _first_line(getattr(entry, function))}
        | {key: getattr(entry, attribute) for key, attribute in facts.items()}
        for name, entry in catalogue.items()
    }


def _first_line(function: object) -> str:
    """The first line of a docstring, without a leading "Returns"."""
    line = (inspect.getdoc(function) or "").partition("\n")[0]
    return line.removeprefix("Returns ").rstrip(".")


KINDS = {
    "methods": Kind(
        "methods and references, with hyper-parameters",
        {"methods": _methods, "references": _references},
    ),
    "metrics": Kind("metrics, with parameters and their defaults", {"metrics": _metrics}),
    "networks": Kind("networks, for the setting `network`", {"networks": _networks}),
    "likelihoods": Kind("likelihoods, for the setting `likelihood`", {"likelihoods": _likelihoods}),
    "priors": Kind("priors, for the setting `prior`", {"priors": _priors}),
}
"""What can be listed. `teasel data list` lists the data sets."""
