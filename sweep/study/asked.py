"""What a study asks for, and in which order it lists its models: read from its ``study.json``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...settings import Settings
from ..store.tables import TRIALS
from ..trials.request import MetricRequest, RequestKey


def asked_scores(study: Mapping[str, Any]) -> dict[tuple[str, str], list[RequestKey]]:
    """How each score is to be made, by (representation, metric): as the latest grid says.

    There are several ways where it is made with several seeds, the grid's own first.

    A metric that the latest grid leaves out is to be made as the latest before it says.

    Args:
        study: The content of a ``study.json``; one made by hand asks for nothing.
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
    """The places of some models in the order of the study: data set, method, setting, seed.

    Each as the study lists them, those of a later grid after those before. What it does not list
    comes after that. A study made by hand lists nothing: its rows stay as they are.

    Args:
        study: The content of its ``study.json``.
        rows: Of the table `trials`.
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
    """The place of each name among the distinct ones."""
    return {name: place for place, name in enumerate(dict.fromkeys(names))}
