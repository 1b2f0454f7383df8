"""The meaning of the names in a study's tables, as stored in its folder.

It is copied from the catalogues when a grid is frozen. The folder can thus be read where a method,
a metric or a data set is not installed, and keeps its meaning if a catalogue changes.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from ...datasets import DataError
from ...metrics import find_metric
from ...models import METHODS
from ...words import readable
from ..grid.expand import Resolved
from ..store.tables import score_column
from ..trials.data import definition_of
from ..trials.references import REFERENCES


class MethodFacts(TypedDict):
    """A method, or a reference."""

    label: str  # its name for people
    colour: str  # as "#rrggbb", or ""
    reference: str  # who published it, and where; or ""
    trained: bool  # whether it can be: an untrained network and a reference cannot
    keeps: list[str]  # "parameters" (with losses, curves and pictures), "codes"


class MetricFacts(TypedDict):
    """A metric."""

    label: str
    reference: str
    version: str  # of its code
    defaults: dict[str, Any]  # its parameters where a grid gives none
    labels: dict[str, str]  # the name for people of each of its scores, by wide column
    lower_is_better: list[str]  # the wide columns of which less is better


class DatasetFacts(TypedDict):
    """A data set."""

    label: str
    factors: list[str]  # the names of the reported ones, as far as they are known


class CatalogueSection(TypedDict):
    """The section `catalogue` of a ``study.json``: all names that the study uses."""

    methods: dict[str, MethodFacts]
    metrics: dict[str, MetricFacts]
    datasets: dict[str, DatasetFacts]


def describe_grid(grid: Resolved) -> CatalogueSection:
    """The current catalogue entries for the names in a grid."""
    return {
        "methods": {name: _describe_method(name, grid) for name in grid["methods"]},
        "metrics": describe_metrics(request["metric"] for request in grid["metrics"]),
        "datasets": {data["name"]: _describe_dataset(data) for data in grid["datasets"]},
    }


def describe_metrics(names: Iterable[str]) -> dict[str, MetricFacts]:
    """The current catalogue entries for some metrics."""
    found: dict[str, MetricFacts] = {}
    for name in dict.fromkeys(names):
        metric = find_metric(name)
        found[name] = {
            "label": metric.label,
            "reference": metric.reference,
            "version": str(metric.version),
            "defaults": metric.defaults,
            "labels": {score_column(name, score): text for score, text in metric.labels.items()},
            "lower_is_better": [score_column(name, score) for score in metric.lower_is_better],
        }
    return found


def add_names(before: CatalogueSection, more: CatalogueSection) -> CatalogueSection:
    """Both sections together; `more` wins for names in both."""
    return {
        "methods": before["methods"] | more["methods"],
        "metrics": before["metrics"] | more["metrics"],
        "datasets": before["datasets"] | more["datasets"],
    }


def no_names() -> CatalogueSection:
    """The section of a study without cells."""
    return {"methods": {}, "metrics": {}, "datasets": {}}


def _describe_method(name: str, grid: Resolved) -> MethodFacts:
    if name in REFERENCES:
        entry, trained = REFERENCES[name], False
        keeps = ["codes"] if entry.keeps_codes else []
    else:
        entry, keeps = METHODS[name], ["parameters", "codes"]
        trained = entry(**grid["methods"][name][0]["hyperparameters"]).trainable
    return {
        "label": entry.label,
        "colour": entry.colour,
        "reference": entry.reference,
        "trained": trained,
        "keeps": keeps,
    }


def _describe_dataset(data: Mapping[str, Any]) -> DatasetFacts:
    """The facts about a data set of the catalogue, or a user's file, which may be elsewhere."""
    try:
        entry = definition_of(data)
    except DataError:
        return {"label": readable(data["name"]), "factors": []}
    factors = [factor.name for factor in entry.grid if not factor.hidden]
    return {"label": entry.label, "factors": factors}
