"""Copies a study from a results folder to a new folder for publication.

Checkpoints, logs and files that can be made again are left out. So is information about people and
machines: host names, folders in file paths and tracebacks.
"""

import re
from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from ...datasets import DataError
from ..store.compact import copy_folded
from ..store.files import FACTORS
from ..store.results import Results
from ..store.store import MissingFileError
from ..store.tables import COLUMNS
from ..trials.data import definition_of

MAY_LACK = ("models", "codes")
"""The parts that a published study may lack."""

_OF_MACHINES = {"trials": ["host"], "failures": ["message", "traceback", "log"]}
"""Columns that are left empty, because they describe machines and determine no number."""

_PATH = re.compile(
    r"(?<=['\"])(?:/|~[\w.-]*/|[A-Za-z]:[\\/])[^'\"\n]*[/\\](?=[^'\"/\\\n]+['\"])"
    r"|(?<![\w.:/\\~)-])"
    r"(?:(?:file://(?:localhost)?)?(?:~[\w.-]*)?/(?:[^\s/'\"\\:,;()]+/)+"
    r"|[A-Za-z]:[\\/](?:[^\s/'\"\\:,;()]+[\\/])+)"
)
"""Matches the folders of an absolute path in a text; a quoted path may contain spaces."""

Clean = Callable[[str], str]


def copy_study(source: Results, target: Results, without: Collection[str] = ()) -> None:
    """Writes the study of a folder into an empty one, in the current version.

    The target records what it leaves out, so that nothing counts as lost.

    Args:
        source: The results folder; no driver may be at work.
        target: The folder to write to.
        without: The parts of `MAY_LACK` to leave out.

    Raises:
        ResultsError: If there is no study.
        StoreError: If a file of it is damaged, or the target cannot be written.
    """
    clean, hosts = _cleaner(source), _pattern_of_hosts(source)
    study = _clean_values(_admit_lacks(source.study, without), clean)
    try:
        text = clean(source.store.read("study.yaml").decode(errors="replace"))
    except MissingFileError:
        text = None
    target.write_study(study, text)
    for table in COLUMNS:
        change = partial(_clean_rows, empty=_OF_MACHINES.get(table, []), clean=clean, hosts=hosts)
        copy_folded(source, target, f"tables/{table}", change)
    if "codes" not in without:
        for folder in source.code_folders():
            copy_folded(source, target, folder, lambda rows: rows)
            _copy_file(source, target, f"{folder}/{FACTORS}")
    if "models" not in without:
        for attempt_id in sorted({attempt_id for _, attempt_id in source.attempts().values()}):
            _copy_file(source, target, source.parameters_name(attempt_id))


def _cleaner(results: Results) -> Clean:
    """A function that removes the folders of absolute paths from a text."""
    grids = results.study.get("grids", [])
    paths = {data["npz"] for grid in grids for data in grid["datasets"] if data.get("npz")}
    known = {str(Path(path).parent) for path in paths} | {str(Path.home())}
    longest = sorted((folder for folder in known if len(folder) > 1), key=len, reverse=True)
    folders = re.compile("|".join(re.escape(folder) + r"[\\/]" for folder in longest) or "(?!)")
    return lambda text: strip_paths(folders.sub("", text))


def strip_paths(text: str) -> str:
    r"""The text with each absolute path reduced to its last name.

    >>> strip_paths("cannot read /home/ann/a.npz or C:\\ann\\b.npz: see https://a.org/b/c or a/b")
    'cannot read a.npz or b.npz: see https://a.org/b/c or a/b'
    """
    return _PATH.sub("", text)


def _pattern_of_hosts(results: Results) -> re.Pattern[str]:
    """Matches the names of the machines that trained the models."""
    hosts = results.table("trials", ["host"])["host"].unique().drop_null().to_pylist()
    named = "|".join(re.escape(host) for host in hosts if host)
    return re.compile(rf"(?<![\w.-])(?:{named})(?![\w-])" if named else "(?!)")


class DataFacts(NamedTuple):
    """A data set of a study, with its licence.

    Attributes:
        name: Its name in the study.
        licence: Its licence, in a few words.
        homepage: The address of its description; empty if unknown.
    """

    name: str
    licence: str
    homepage: str


def describe_data(study: dict[str, Any]) -> list[DataFacts]:
    """The data sets of a study, with their licences according to the catalogue."""
    entries = {data["name"]: data for grid in study.get("grids", []) for data in grid["datasets"]}
    return [_describe(entry) for entry in entries.values()]


def _describe(entry: dict[str, Any]) -> DataFacts:
    name = entry["name"]
    if entry.get("npz"):
        what = f"its owner's; a file with the SHA-256 {entry['sha256']}, not included"
        return DataFacts(name, what, "")
    try:
        status = definition_of(entry).status()
    except (DataError, KeyError):
        return DataFacts(name, "unknown: the package that adds it was not installed", "")
    return DataFacts(name, status.licence, status.homepage)


def _admit_lacks(study: dict[str, Any], without: Collection[str]) -> dict[str, Any]:
    """The study, changed to record that its folder lacks models or codes."""
    if "models" in without and "grids" in study:
        study = study | {"grids": [grid | {"save_models": False} for grid in study["grids"]]}
    if "codes" in without and "catalogue" in study:
        methods = {
            name: facts | {"keeps": [what for what in facts.get("keeps", []) if what != "codes"]}
            for name, facts in study["catalogue"]["methods"].items()
        }
        study = study | {"catalogue": study["catalogue"] | {"methods": methods}}
    return study


def _clean_values(value: Any, clean: Clean) -> Any:
    if isinstance(value, dict):
        return {key: _clean_values(item, clean) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean_values(item, clean) for item in value]
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"(?:/|~|[A-Za-z]:[\\/])[^\n]*[\\/]([^\n\\/]+)", value)  # with spaces
    return whole[1] if whole else clean(value)


def _clean_rows(
    rows: pa.Table, empty: Iterable[str], clean: Clean, hosts: re.Pattern[str]
) -> pa.Table:
    """Rows without information about machines; each distinct text is cleaned once."""
    for place, field in enumerate(rows.schema):
        if field.name in empty:
            rows = rows.set_column(place, field, pa.nulls(len(rows), field.type))
        elif pa.types.is_string(field.type):
            column = rows[field.name].combine_chunks().dictionary_encode()
            texts = column.dictionary.to_pylist()
            cleaned = [clean(text) for text in texts]
            if field.name == "error":
                cleaned = [hosts.sub("HOST", text) for text in cleaned]
            if cleaned != texts:
                values = pa.array(cleaned, pa.string()).take(column.indices)
                rows = rows.set_column(place, field, values)
    return rows


def _copy_file(source: Results, target: Results, name: str) -> None:
    """Copies a file, if it exists."""
    try:
        target.store.write(name, source.store.read(name))
    except MissingFileError:
        return
