"""A study in its results folder: frozen when begun, and only ever added to."""

import json
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

from ... import __version__
from ..grid.grid import Grid, check_grid, resolved
from ..grid.source import Source, read_yaml
from ..store.results import Results, ResultsError
from ..store.store import StoreError
from ..trials.references import select_requests
from ..trials.request import MetricRequest, RequestKey
from ..trials.trial import PROTOCOL, Trial
from .remaining import WantedTrial


def freeze(results: Results, loaded: Sequence[tuple[Grid, Source]]) -> None:
    """Begins the study in `results`, or adds the grids' cells to the one that is there.

    Args:
        results: The folder.
        loaded: Grids with their sources.

    Raises:
        ResultsError: If the folder holds another study, or one with other training settings, or
            the grids are of several; the message lists what differs. Nothing is written then.
        StoreError: If the folder cannot be written.
    """
    before = results.study if results.exists() else None
    after = joint_study(loaded, results)
    if after != before:
        results.write_study(after, loaded[-1][1].text)


def joint_study(
    loaded: Sequence[tuple[Grid, Source]], results: Results | None = None
) -> dict[str, Any]:
    """The study that grids make together, and with what a results folder holds, if one is given.

    Raises:
        ResultsError: If they are of several studies, or train differently; says how.
    """
    if results is None:
        return _added(_begun(loaded[0][0]), loaded, loaded[0][1].name)
    if results.exists():
        study = results.study
        missing = {"protocol", "grids"} - study.keys()
        if missing:
            raise ResultsError(
                f"{results.uri}/study.json has no {' and no '.join(sorted(missing))}: it was made "
                f"by hand, can be read, and not be added to"
            )
    elif results.store.files("tables/trials"):
        raise ResultsError(f"{results.uri}: has tables but no study.json; it is damaged")
    else:
        study = _begun(loaded[0][0])
    return _added(study, loaded, results.uri)


def _begun(grid: Grid) -> dict[str, Any]:
    """A study that has no cells yet."""
    packages = ("jax", "jaxlib", "flax", "optax", "numpy", "scikit-learn", "ray", "pyarrow")
    return {
        "study": grid.study,
        "protocol": PROTOCOL,
        "versions": {"teasel": __version__, "python": platform.python_version()}
        | {package: version(package) for package in packages},
        "grids": [],
    }


def _added(
    study: dict[str, Any], loaded: Sequence[tuple[Grid, Source]], where: str
) -> dict[str, Any]:
    """The study `where` with the grids' cells; an error if they don't belong there."""
    for grid, source in loaded:
        # As the folder will give it back, to be compared with what it holds: lists, no tuples.
        entry = json.loads(json.dumps({"yaml": source.text, "name": source.name} | resolved(grid)))
        differences = _differences(study, grid, entry)
        if differences:
            lines = "".join(f"\n  {line}" for line in differences)
            raise ResultsError(f"{where}: belongs to another study than {source.name}{lines}")
        if all(_cells(known) != _cells(entry) for known in study["grids"]):
            study = study | {"grids": [*study["grids"], entry]}
    return study


def frozen_grids(results: Results) -> list[Grid]:
    """The grids that a results folder was asked for, in the order they came.

    Raises:
        ResultsError: If there is no study.
    """
    grids = []
    for entry in results.study.get("grids", []):
        source = read_yaml(entry["yaml"], f"{results.uri}/study.yaml")
        # As they were found then: a user's file may have moved since, its hash stays.
        source.value["datasets"] = entry["datasets"]
        source.value.pop("resources", None)  # of the runs then; today's bounds need not hold
        grids.append(check_grid(source))
    return grids


def work(grids: Iterable[Grid]) -> list[WantedTrial]:
    """Every trial of several grids once, in order, with the scores that those naming it want."""
    found: dict[str, Trial] = {}
    requests: dict[str, dict[RequestKey, MetricRequest]] = {}
    for grid in grids:
        asked = grid.requests()
        of_method = {
            method: {request.key: request for request in select_requests(method, asked)}
            for method in grid.chosen_methods
        }
        for trial in grid.trials():
            found.setdefault(trial.trial_id, trial)
            requests.setdefault(trial.trial_id, {}).update(of_method[trial.method])
    return [
        WantedTrial(trial, tuple(requests[trial_id].values())) for trial_id, trial in found.items()
    ]


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


def _differences(study: dict[str, Any], grid: Grid, entry: dict[str, Any]) -> list[str]:
    """What keeps the grid out of the study: another name, protocol or training."""
    wanted = {"study": grid.study, "protocol": PROTOCOL}
    found = [
        f"{key}: the study has {study[key]!r}, the grid {wanted[key]!r}"
        for key in wanted
        if study[key] != wanted[key]
    ]
    for known in study["grids"]:
        files = {data["name"]: data.get("sha256") for data in known["datasets"]}
        for data in entry["datasets"]:
            old, new = files.get(data["name"], data.get("sha256")), data.get("sha256")
            if old != new:
                found.append(f"{data['name']}: the study has the file {old}, the grid {new}")
        for method, cells in entry["methods"].items():
            old = known["methods"].get(method)
            if old:
                found += _training_differences(method, old[0]["training"], cells[0]["training"])
    return list(dict.fromkeys(found))


def _training_differences(method: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [
        f"{method}, {name}: the study has {old[name]}, the grid {new[name]}"
        for name in new
        if old[name] != new[name]
    ]


def _cells(entry: dict[str, Any]) -> dict[str, Any]:
    """What an entry asks for, however its YAML was written."""
    keys = ("datasets", "seeds", "methods", "training", "exclude", "metrics", "save_models")
    return {key: entry.get(key) for key in keys}
