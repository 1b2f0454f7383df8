"""Freezing: a study is written into its results folder when it begins, and only added to later."""

import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from ...version import __version__
from ..grid.grid import Grid, resolve
from ..grid.source import Source
from ..store.compact import fold_older_files
from ..store.results import Results, ResultsError
from ..store.store import StoreError
from ..store.tables import SCHEMA_VERSION
from ..trials.trial import PROTOCOL
from .catalogue import add_names, describe_grid, describe_metrics, no_names


def freeze(results: Results, loaded: Sequence[tuple[Grid, Source]]) -> None:
    """Begins the study in `results`, or adds the grids' cells to the one that is there.

    Files that lack a column which the study has now are folded: of the hyper-parameters of methods
    that join, or in a folder of an earlier version, which becomes one of today's.

    Args:
        results: The folder.
        loaded: Grids with their sources.

    Raises:
        ResultsError: If the folder holds another study, or one with other training settings, or
            the grids are of several; the message lists what differs. Nothing is written then.
        StoreError: If the folder cannot be written.
    """
    before = results.study if results.exists() else None
    after = join_study(loaded, results)
    if after != before or after["schema_version"] < SCHEMA_VERSION:
        results.write_study(after, loaded[-1][1].text)
    fold_older_files(results)


def freeze_metrics(results: Results, names: Sequence[str]) -> None:
    """Adds what today's catalogue says of some metrics, by which a study is scored anew.

    Raises:
        ResultsError: If there is no study.
        StoreError: If the folder cannot be written.
    """
    before = results.study
    if "catalogue" not in before:  # made by hand
        return
    more = _as_stored(no_names() | {"metrics": describe_metrics(names)})
    after: dict[str, Any] = before | {"catalogue": add_names(before["catalogue"], more)}
    if after != before or after["schema_version"] < SCHEMA_VERSION:
        results.write_study(after)
    fold_older_files(results)


def join_study(
    loaded: Sequence[tuple[Grid, Source]], results: Results | None = None
) -> dict[str, Any]:
    """The study that grids make together, and with what a results folder holds, if one is given.

    Raises:
        ResultsError: If they are of several studies, or train differently; says how.
    """
    if results is None:
        return _add_grids(_begin(loaded[0][0]), loaded, loaded[0][1].name)
    if results.exists():
        study = results.study
        missing = {"protocol", "grids", "catalogue"} - study.keys()
        if missing:
            raise ResultsError(
                f"{results.uri}/study.json has no {' and no '.join(sorted(missing))}: it was "
                "written by hand, so it can be read but not added to"
            )
    elif results.store.files("tables/trials"):
        raise ResultsError(f"{results.uri} is damaged: it has tables, but no study.json")
    else:
        study = _begin(loaded[0][0])
    return _add_grids(study, loaded, results.uri)


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


def _begin(grid: Grid) -> dict[str, Any]:
    """A study that has no cells yet."""
    packages = ("jax", "jaxlib", "flax", "optax", "numpy", "scikit-learn", "ray", "pyarrow")
    return {
        "study": grid.study,
        "protocol": PROTOCOL,
        "versions": {"teasel": __version__, "python": platform.python_version()}
        | {package: version(package) for package in packages},
        "grids": [],
        "catalogue": no_names(),
        "schema_version": SCHEMA_VERSION,
    }


def _add_grids(
    study: dict[str, Any], loaded: Sequence[tuple[Grid, Source]], where: str
) -> dict[str, Any]:
    """The study `where` with the grids' cells; an error if they don't belong there."""
    for grid, source in loaded:
        entry = _as_stored({"yaml": source.text, "name": source.name} | resolve(grid))
        differences = _list_differences(study, grid, entry)
        if differences:
            lines = "".join(f"\n  {line}" for line in differences)
            raise ResultsError(f"{where} belongs to another study than {source.name}:{lines}")
        known = [_cells(grid) for grid in study["grids"]]
        if _cells(entry) not in known:
            names = add_names(study["catalogue"], _as_stored(describe_grid(entry)))
            study = study | {"grids": [*study["grids"], entry], "catalogue": names}
        study = study | {"latest": [*known, _cells(entry)].index(_cells(entry))}
    return study


def _as_stored(value: Any) -> Any:
    """A value as the folder will give it back, to be compared with what it holds: no tuples."""
    return json.loads(json.dumps(value))


def _list_differences(study: dict[str, Any], grid: Grid, entry: dict[str, Any]) -> list[str]:
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
