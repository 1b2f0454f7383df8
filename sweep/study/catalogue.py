"""The meaning of the names in a study's tables, as stored in its folder.

It is copied from the catalogues when a grid is frozen. The folder can thus be read where a method,
a metric or a data set is not installed, and keeps its meaning if a catalogue changes.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ...datasets import DataError
from ...metrics import find_metric
from ...models import METHODS
from ...words import readable
from ..grid.expand import Resolved
from ..store.tables import score_column
from ..trials.data import definition_of
from ..trials.references import REFERENCES

Facts = dict[str, Any]
"""What is known of a name.

A method has its label, colour ("#rrggbb" or ""), reference, whether it is trained, and what it
keeps: "parameters" (with losses, curves and pictures), "codes". A metric has its label, reference,
version and default parameters, and by wide column the labels of its scores and those of which less
is better. A data set has its label, and the names of its reported factors as far as they are known.
"""

CatalogueSection = dict[str, dict[str, Facts]]
"""The section `catalogue` of a ``study.json``: its "methods", "metrics" and "datasets" by name."""


def describe_grid(grid: Resolved) -> CatalogueSection:
    """The current catalogue entries for the names in a grid."""
    return {
        "methods": {name: _describe_method(name, grid) for name in grid["methods"]},
        "metrics": describe_metrics(request["metric"] for request in grid["metrics"]),
        "datasets": {data["name"]: _describe_dataset(data) for data in grid["datasets"]},
    }


def describe_metrics(names: Iterable[str]) -> dict[str, Facts]:
    """The current catalogue entries for some metrics."""
    found: dict[str, Facts] = {}
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
    return {kind: before[kind] | more[kind] for kind in before}


def no_names() -> CatalogueSection:
    """The section of a study without cells."""
    return {"methods": {}, "metrics": {}, "datasets": {}}


def _describe_method(name: str, grid: Resolved) -> Facts:
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


def _describe_dataset(data: Mapping[str, Any]) -> Facts:
    """The facts about a data set of the catalogue, or a user's file, which may be elsewhere."""
    try:
        entry = definition_of(data)
    except DataError:
        return {"label": readable(data["name"]), "factors": []}
    factors = [factor.name for factor in entry.grid if not factor.hidden]
    return {"label": entry.label, "factors": factors}
