"""Wanted scores and the order of models in a study, read from its ``study.json``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...settings import Settings
from ..store.tables import TRIALS
from ..trials.request import MetricRequest, RequestKey


def asked_scores(study: Mapping[str, Any]) -> dict[tuple[str, str], list[RequestKey]]:
    """The requests for each (representation, metric), as in the latest grid.

    There are several if a score has several seeds, the grid's own first.

    A metric that the latest grid leaves out is requested as in the latest grid that has it.

    Args:
        study: The content of a ``study.json``; a hand-made one requests nothing.
    """
    grids = list(study.get("grids", ()))
    latest = [grids[study["latest"]]] if "latest" in study else []
    found: dict[tuple[str, str], list[RequestKey]] = {}
    for grid in [*grids, *latest]:
        own: dict[tuple[str, str], list[RequestKey]] = {}
        for request in (MetricRequest(**each) for each in grid["metrics"]):
            own.setdefault((request.representation, request.metric), []).append(request.key)
        found |= own
    return found


def study_order(study: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """The order of some models by the study's data sets, methods, settings and seeds, as indices.

    Each follows the order in the study, with later grids after earlier ones. Names that the study
    does not list come last. A hand-made study lists nothing, so its rows keep their order.

    Args:
        study: The content of its ``study.json``.
        rows: Rows of the table `trials`.
    """
    grids = study.get("grids", ())
    if not grids:
        return list(range(len(rows)))
    cells = [
        (method, cell)
        for grid in grids
        for method, of_method in grid["methods"].items()
        for cell in of_method
    ]
    datasets = _places(data["name"] for grid in grids for data in grid["datasets"])
    methods = _places(method for method, _ in cells)
    settings = _places(
        (
            *(method, cell.get("version", 1), *Settings(**cell["training"])),
            frozenset(cell["hyperparameters"].items()),
        )
        for method, cell in cells
    )
    seeds = _places(seed for grid in grids for seed in grid["seeds"])

    def key(row: Mapping[str, Any]) -> tuple[Any, ...]:
        names = [str(row["dataset"]), str(row["method"])]
        own = {name: row[name] for name in row if name not in TRIALS and row[name] is not None}
        setting = (
            *(row["method"], row.get("method_version"), *map(row.get, Settings._fields)),
            frozenset(own.items()),
        )
        return (
            *(datasets.get(names[0], len(datasets)), names[0]),
            *(methods.get(names[1], len(methods)), names[1]),
            *(settings.get(setting, len(settings)), sorted(own.items())),
            *(seeds.get(row["seed"], len(seeds)), row["seed"] or 0),
            row["trial_id"],
        )

    keys = [key(row) for row in rows]
    return sorted(range(len(rows)), key=keys.__getitem__)


def _places(names: Iterable[Any]) -> dict[Any, int]:
    """The index of each name among the distinct names."""
    return {name: place for place, name in enumerate(dict.fromkeys(names))}
