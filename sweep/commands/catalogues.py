"""`teasel list`: what a grid can name, by kind, with the entries of installed packages."""

import argparse
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from .command_line import DONE, Report, add_json

Facts = dict[str, Any]


class Kind(NamedTuple):
    """A kind of entry that a grid can name.

    Attributes:
        what: A description of the kind.
        describe: Returns the facts of each entry by name, grouped by the name of the group.
    """

    what: str
    describe: Callable[[], dict[str, dict[str, Facts]]]


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
        for group, entries in KINDS[arguments.what].describe().items():
            for name, entry in entries.items():
                _add_entry(report, group, name, entry)
            facts: dict[str, Any] = {group: entries}
            report.add("", **facts)
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


def _methods() -> dict[str, dict[str, Facts]]:
    from ...models import METHODS
    from ..trials.references import REFERENCES

    methods = {
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
    references = {
        name: {"description": _first_line(entry.function)} for name, entry in REFERENCES.items()
    }
    return {"methods": methods, "references": references}


def _metrics() -> dict[str, dict[str, Facts]]:
    from ...metrics import METRICS

    metrics = {
        name: {
            "description": _first_line(metric.function),
            "label": metric.label,
            "reference": metric.reference,
            "version": metric.version,
            "parameters": metric.defaults,
        }
        for name, metric in METRICS.items()
    }
    return {"metrics": metrics}


def _networks() -> dict[str, dict[str, Facts]]:
    from ...models import NETWORKS

    return {
        "networks": {
            name: {"description": network.label, "cost": network.cost}
            for name, network in NETWORKS.items()
        }
    }


def _likelihoods() -> dict[str, dict[str, Facts]]:
    from ...models import LIKELIHOODS

    return {
        "likelihoods": {
            name: {
                "description": _first_line(entry.function),
                "reference": entry.reference,
                "settings": ["likelihood_scale"] if entry.scaled else [],
            }
            for name, entry in LIKELIHOODS.items()
        }
    }


def _priors() -> dict[str, dict[str, Facts]]:
    from ...models import PRIORS

    return {
        "priors": {
            name: {
                "description": _first_line(prior.log_density),
                "reference": prior.reference,
                "settings": list(prior.settings),
            }
            for name, prior in PRIORS.items()
        }
    }


def _first_line(function: object) -> str:
    """The first line of a docstring, without a leading "Returns"."""
    line = (inspect.getdoc(function) or "").partition("\n")[0]
    return line.removeprefix("Returns ").rstrip(".")


KINDS = {
    "methods": Kind("methods and references, with hyper-parameters", _methods),
    "metrics": Kind("metrics, with parameters and their defaults", _metrics),
    "networks": Kind("networks, for the setting `network`", _networks),
    "likelihoods": Kind("likelihoods, for the setting `likelihood`", _likelihoods),
    "priors": Kind("priors, for the setting `prior`", _priors),
}
"""What can be listed. `teasel data list` lists the data sets."""
