"""Expands a resolved grid into trials and the scores wanted of them.

A resolved grid holds plain JSON values with every default filled in (`grid.resolve`). Expanding it
needs no catalogue, so a method, a metric or a data set need not be installed.
"""

from collections.abc import Mapping
from typing import Any

from ...settings import Settings
from ..trials.request import MetricRequest
from ..trials.trial import DataFile, Trial, Variant

Resolved = Mapping[str, Any]
"""A resolved grid."""

Cell = tuple[str, str]
"""The names of a data set and a method."""


def trials_of(grid: Resolved) -> list[Trial]:
    """All trials except exclusions, in the order of data set, method, setting and seed."""
    every = (
        Trial(
            dataset["name"],
            method,
            cell["hyperparameters"],
            seed,
            training,
            DataFile.of(dataset),
            cell.get("version", 1),
            Variant.of_entry(dataset),
        )
        for dataset in grid["datasets"]
        for method, cells in grid["methods"].items()
        for cell in cells
        for training in [Settings(**cell["training"])]
        for seed in grid["seeds"]
    )
    return [trial for trial in every if not any(meets(trial, rule) for rule in grid["exclude"])]


def requests_of(grid: Resolved) -> dict[Cell, list[MetricRequest]]:
    """The scores wanted of the models of each data set and method."""
    everything = [
        MetricRequest(**request | {"parameters": _with_tuples(request["parameters"])})
        for request in grid["metrics"]
    ]
    every = range(len(everything))
    of, on = grid["requests_of"], grid.get("requests_on", {})
    chosen = {data["name"]: set(on.get(data["name"], every)) for data in grid["datasets"]}
    return {
        (name, method): [everything[place] for place in of.get(method, every) if place in places]
        for name, places in chosen.items()
        for method in grid["methods"]
    }


def meets(trial: Trial, rule: Mapping[str, Any]) -> bool:
    """Whether a trial matches an exclusion: one of the listed values for each of its keys."""
    facts = trial.facts
    return all(
        name in facts and facts[name] in (wanted if isinstance(wanted, list) else [wanted])
        for name, wanted in rule.items()
    )


def _with_tuples(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with the tuples of the metric's signature, which JSON lacks."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in parameters.items()
    }
