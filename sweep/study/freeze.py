"""Freezing: a study is written into its results folder when it begins, and only added to later."""

import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from ...settings import Settings
from ...version import __version__
from ..grid.grid import Grid, resolve
from ..grid.source import Source
from ..store.compact import fold_older_files
from ..store.files import FACTORS
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
        if before and before["grids"] != after["grids"][: len(before["grids"])]:  # begun anew
            for folder in results.code_folders():  # points of a data set that is another one now
                results.store.remove(f"{folder}/{FACTORS}")
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

    A folder in which nothing has been trained yet takes any grid of its study's name: one that
    doesn't go with those before begins the study anew.

    Raises:
        ResultsError: If they are of several studies, or train differently; says how.
    """
    if results is None:
        return _add_grids(_begin(loaded[0][0]), loaded, loaded[0][1].name)
    if results.exists():
        study = _study_of(results)
    elif results.store.files("tables/trials") and not results.store.exists("quarantine/study.json"):
        raise ResultsError(f"{results.uri} is damaged: it has tables, but no study.json")
    else:
        study = _begin(loaded[0][0])
    if study["study"] == loaded[0][0].study and not results.store.files("tables/trials"):
        try:
            return _add_grids(study, loaded, results.uri)
        except ResultsError:
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
        differences = _list_differences(study, entry, PROTOCOL)
        if differences:
            lines = "".join(f"\n  {line}" for line in differences)
            raise ResultsError(f"{where} belongs to another study than {source.name}:{lines}")
        if _place(entry, study) == len(study["grids"]):
            names = add_names(study["catalogue"], _as_stored(describe_grid(entry)))
            study = study | {"grids": [*study["grids"], entry], "catalogue": names}
        study = study | {"latest": _place(entry, study)}
    return study


def unite_studies(folders: Sequence[Results]) -> dict[str, Any]:
    """The study of which several folders hold parts; the latest grid is the first folder's.

    Raises:
        ResultsError: If they are of several studies, or train differently; says how.
    """
    first, *others = folders
    study = _study_of(first)
    for folder in others:
        other = _study_of(folder)
        for entry in other["grids"]:
            differences = _list_differences(study, entry, other["protocol"], "one", "the other")
            if differences:
                lines = "".join(f"\n  {line}" for line in differences)
                raise ResultsError(f"{first.uri} and {folder.uri} are of two studies:{lines}")
            if _place(entry, study) == len(study["grids"]):
                study["grids"] = [*study["grids"], entry]
        study["catalogue"] = add_names(study["catalogue"], other["catalogue"])
    return study


def _study_of(results: Results) -> dict[str, Any]:
    """The study of a folder, to which cells can be added.

    Raises:
        ResultsError: If there is none, or it was written by hand.
    """
    study = results.study
    missing = {"protocol", "grids", "catalogue"} - study.keys()
    if missing:
        raise ResultsError(
            f"{results.uri}/study.json has no {' and no '.join(sorted(missing))}: it was "
            "written by hand, so it can be read but not added to"
        )
    return study


def _place(entry: dict[str, Any], study: dict[str, Any]) -> int:
    """Where a study has a grid's cells; behind its grids, if it lacks them."""
    known = [_cells(grid) for grid in study["grids"]]
    return [*known, _cells(entry)].index(_cells(entry))


def _as_stored(value: Any) -> Any:
    """A value as the folder will give it back, to be compared with what it holds: no tuples."""
    return json.loads(json.dumps(value))


def _list_differences(
    study: dict[str, Any],
    entry: dict[str, Any],
    protocol: int,
    this: str = "the study",
    that: str = "the grid",
) -> list[str]:
    """What keeps a grid out of the study: another name, protocol or training."""
    wanted = {"study": entry["study"], "protocol": protocol}
    found = [
        f"{key}: {this} has {study[key]!r}, {that} {wanted[key]!r}"
        for key in wanted
        if study[key] != wanted[key]
    ]
    for known in study["grids"]:
        files = {data["name"]: data.get("sha256") for data in known["datasets"]}
        for data in entry["datasets"]:
            old, new = files.get(data["name"], data.get("sha256")), data.get("sha256")
            if old != new:
                found.append(f"{data['name']}: {this} has the file {old}, {that} {new}")
        for method, cells in entry["methods"].items():
            old = known["methods"].get(method)
            if old:
                own, other = _fixed_settings(old), _fixed_settings(cells)
                found += [
                    f"{method}, {name}: {this} has {own[name]}, {that} {other[name]}"
                    for name in own.keys() & other.keys()
                    if own[name] != other[name]
                ]
    return list(dict.fromkeys(found))


def _fixed_settings(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """The training settings that all cells of a method have in common; the others are swept."""
    columns = zip(*(Settings(**cell["training"]) for cell in cells), strict=True)
    values = dict(zip(Settings._fields, map(set, columns), strict=True))
    return {name: found.pop() for name, found in values.items() if len(found) == 1}


def _cells(entry: dict[str, Any]) -> dict[str, Any]:
    """What an entry asks for, however its YAML was written."""
    keys = ("datasets", "seeds", "methods", "training", "exclude", "metrics", "save_models")
    return {key: entry.get(key) for key in keys}
