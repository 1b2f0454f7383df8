"""Freezing: writes a study into its results folder at the start, and only adds to it later."""

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
    """Starts the study in `results`, or adds the grids' cells to the existing one.

    Files that lack a column of the study are folded. Columns are missing when methods with new
    hyper-parameters join, or in a folder of an earlier version, which is converted.

    Args:
        results: The folder.
        loaded: Grids with their sources.

    Raises:
        ResultsError: If the folder holds another study or different training settings, or if the
            grids are of several studies. The message lists the differences; nothing is written.
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
    """Adds the current catalogue entries of metrics with which a study is rescored.

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
    """The study made of the grids and, if given, of what a results folder holds.

    A folder without trained models accepts any grid with its study's name. If the grid contradicts
    the earlier ones, the study starts again.

    Raises:
        ResultsError: If they are of several studies or train differently; the message says how.
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
    """Writes a small file to the folder and removes it.

    Raises:
        StoreError: If this fails; the message says why.
    """
    try:
        results.store.write("running/probe", b"")
        results.store.remove("running/probe")
    except OSError as error:
        raise StoreError(f"cannot write to {results.uri}: {error}") from error


def _begin(grid: Grid) -> dict[str, Any]:
    """A study without cells."""
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
    """The study `where` with the grids' cells added; an error if they don't belong there."""
    for grid, source in loaded:
        entry = _as_stored({"yaml": source.text, "name": source.name} | resolve(grid))
        if lines := _list_differences(study, entry, PROTOCOL):
            raise ResultsError(f"{where} belongs to a different study than {source.name}:{lines}")
        if _place(entry, study) == len(study["grids"]):
            names = add_names(study["catalogue"], _as_stored(describe_grid(entry)))
            study = study | {"grids": [*study["grids"], entry], "catalogue": names}
        study = study | {"latest": _place(entry, study)}
    return study


def unite_studies(folders: Sequence[Results]) -> dict[str, Any]:
    """The study whose parts are in several folders; its latest grid is the first folder's.

    Raises:
        ResultsError: If they are of several studies or train differently; the message says how.
    """
    first, *others = folders
    study = _study_of(first)
    for folder in others:
        other = _study_of(folder)
        for entry in other["grids"]:
            if lines := _list_differences(study, entry, other["protocol"], "one", "the other"):
                raise ResultsError(f"{first.uri} and {folder.uri} hold different studies:{lines}")
            if _place(entry, study) == len(study["grids"]):
                study["grids"] = [*study["grids"], entry]
        study["catalogue"] = add_names(study["catalogue"], other["catalogue"])
    return study


def _study_of(results: Results) -> dict[str, Any]:
    """The study of a folder, for adding cells.

    Raises:
        ResultsError: If there is no study, or it was written by hand.
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
    """The index of a grid's cells in a study; the number of its grids if it lacks them."""
    known = [_cells(grid) for grid in study["grids"]]
    return [*known, _cells(entry)].index(_cells(entry))


def _as_stored(value: Any) -> Any:
    """A value as read back from the folder, without tuples, for comparison with its content."""
    return json.loads(json.dumps(value))


def _list_differences(
    study: dict[str, Any],
    entry: dict[str, Any],
    protocol: int,
    this: str = "the study",
    that: str = "the grid",
) -> str:
    """What keeps a grid out of the study, in lines: name, protocol or training settings."""
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
    return "".join(f"\n  {line}" for line in dict.fromkeys(found))


def _fixed_settings(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """The training settings shared by all cells of a method; the others are swept."""
    columns = zip(*(Settings(**cell["training"]) for cell in cells), strict=True)
    values = dict(zip(Settings._fields, map(set, columns), strict=True))
    return {name: found.pop() for name, found in values.items() if len(found) == 1}


def _cells(entry: dict[str, Any]) -> dict[str, Any]:
    """The cells of a grid's entry, however its YAML was written."""
    keys = ("datasets", "seeds", "methods", "training", "exclude", "metrics", "save_models")
    return {key: entry.get(key) for key in keys}
