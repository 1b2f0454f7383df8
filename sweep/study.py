"""A study in its results folder: frozen when begun, and only ever added to."""

import platform
from importlib.metadata import version
from typing import Any

from .. import __version__
from .grid import Grid, check_grid, resolved
from .results import Results, ResultsError
from .scoring import MetricRequest
from .store import StoreError
from .trials import PROTOCOL, Trial
from .yaml_source import Source, read_yaml

_MUST_AGREE = ("study", "protocol")


def freeze(results: Results, grid: Grid, source: Source) -> None:
    """Begins the study in `results`, or adds the grid's cells to the one that is there.

    Raises:
        ResultsError: If the folder holds another study, or one with other training settings; the
            message lists what differs. Nothing is written then.
        StoreError: If the folder cannot be written.
    """
    entry = {"yaml": source.text, "name": source.name} | resolved(grid)
    if not results.exists():
        if results.store.files("tables/trials"):
            raise ResultsError(f"{results.uri}: has tables but no study.json; it is damaged")
        results.write_study(_header(grid) | {"grids": [entry]}, source.text)
        return
    study = results.study
    differences = _differences(study, grid, entry)
    if differences:
        raise ResultsError(
            f"{results.uri}: belongs to another study\n"
            + "\n".join(f"  {line}" for line in differences)
        )
    cells = _cells(entry)
    if all(_cells(known) != cells for known in study["grids"]):
        results.write_study(study | {"grids": [*study["grids"], entry]}, source.text)


def frozen_grids(results: Results) -> list[Grid]:
    """The grids that a results folder was asked for, in the order they came.

    Raises:
        ResultsError: If there is no study.
    """
    grids = []
    for entry in results.study["grids"]:
        source = read_yaml(entry["yaml"], f"{results.uri}/study.yaml")
        # As they were found then: a user's file may have moved since, its hash stays.
        source.value["datasets"] = entry["datasets"]
        grids.append(check_grid(source))
    return grids


def all_trials(grids: list[Grid]) -> list[Trial]:
    """The trials of several grids, each once, in order."""
    return list({trial.trial_id: trial for grid in grids for trial in grid.trials()}.values())


def all_requests(grids: list[Grid]) -> list[MetricRequest]:
    """The scores that several grids want, each once."""
    return list({request.key: request for grid in grids for request in grid.requests()}.values())


def check_writable(results: Results) -> None:
    """Puts a small file into the folder and takes it away.

    Raises:
        StoreError: If that cannot be done; says why.
    """
    try:
        results.store.write("running/probe", b"")
        results.store.remove("running/probe")
    except OSError as error:
        raise StoreError(f"cannot write to {results.uri}: {error}") from error


def _header(grid: Grid) -> dict[str, Any]:
    packages = ("jax", "jaxlib", "flax", "optax", "numpy", "scikit-learn", "ray", "pyarrow")
    return {
        "study": grid.study,
        "protocol": PROTOCOL,
        "versions": {"teasel": __version__, "python": platform.python_version()}
        | {package: version(package) for package in packages},
    }


def _differences(study: dict[str, Any], grid: Grid, entry: dict[str, Any]) -> list[str]:
    """What keeps the grid out of the study: another name, protocol or training."""
    wanted = {"study": grid.study, "protocol": PROTOCOL}
    found = [
        f"{key}: the folder has {study[key]!r}, the grid {wanted[key]!r}"
        for key in _MUST_AGREE
        if study[key] != wanted[key]
    ]
    for known in study["grids"]:
        for method, cells in entry["methods"].items():
            old = known["methods"].get(method)
            if old:
                found += _training_differences(method, old[0]["training"], cells[0]["training"])
    return list(dict.fromkeys(found))


def _training_differences(method: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [
        f"{method}, {name}: the folder has {old[name]}, the grid {new[name]}"
        for name in new
        if old[name] != new[name]
    ]


def _cells(entry: dict[str, Any]) -> dict[str, Any]:
    """What an entry asks for, however its YAML was written."""
    keys = ("datasets", "seeds", "methods", "training", "exclude", "metrics")
    return {key: entry[key] for key in keys}
