"""`teasel merge`: unites results folders of one study, made on several machines."""

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ...words import first_lines, format_count
from ..schedule.drivers import at_work, check_idle
from ..store.compact import compact
from ..store.results import Results, ResultsError
from ..store.store import MissingFileError
from ..store.tables import COLUMNS, IDENTITY
from ..study.freeze import check_writable, unite_studies
from .checks import NUMBERS, compare_repeated
from .command_line import DONE, show
from .run import new_run_id

_MOST_LINES = 10

# What others name stands before them: a row of trials says that all else of it is there.
_FOLDERS = ("models", "logs", "checkpoints")
_TABLES = ("curves", "pictures", "failures", "scores", "trials")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel merge`."""
    parser.add_argument("results", metavar="DIR", nargs="+", help="results folders of one study")
    parser.add_argument(
        "--into", metavar="DIR", required=True, help="a new folder, or one of this study"
    )


def main(arguments: argparse.Namespace) -> int:
    """Unites the folders, and prints what has become of them."""
    num_trials = merge(arguments.results, arguments.into)
    folders = format_count(len(arguments.results), "folder")
    show(f"{arguments.into}: {format_count(num_trials, 'trained trial')} of {folders}")
    return DONE


def merge(sources: Sequence[str | Path], into: str | Path) -> int:
    """Unites results folders of one study; returns how many trained trials they have together.

    The folders stay as they are. Whoever is killed leaves a folder without the rest of its study:
    the same call goes on. What several folders have made stands once afterwards.

    Args:
        sources: The folders.
        into: Where to: a new folder, or one of this study.

    Raises:
        ResultsError: If they are of several studies, or disagree in what they have made; nothing
            is written then.
        DriverError: If a driver is at work on one of them.
        StoreError: If a folder cannot be read or written.
    """
    target = Results(into)
    given = [Results(source) for source in sources]
    others = [folder for folder in given if folder.uri != target.uri]
    folders = [target, *others] if target.exists() else others
    study = unite_studies(folders)
    for folder in others:
        check_idle(folder)
    _check_rows(folders)
    copies = _list_copies(others, target)
    target.store.make()
    check_writable(target)
    with at_work(target, new_run_id()):
        for source, file, name in copies:
            target.store.write(name, source.store.read(file))
        text = _grid_text(folders)
        target.write_study(study, text)
        for table in COLUMNS:
            compact(target, f"tables/{table}")
    return len(target.statuses())


def _grid_text(folders: Sequence[Results]) -> str | None:
    """The latest grid as it was written, of the first folder that has it."""
    for folder in folders:
        try:
            return folder.store.read("study.yaml").decode()
        except MissingFileError:
            continue
    return None


def _check_rows(folders: Sequence[Results]) -> None:
    """Looks whether folders that have made the same have made it alike.

    Raises:
        ResultsError: If not; says where.
    """
    lines: list[str] = []
    for name in ("trials", "scores"):
        columns = [*IDENTITY[name], *NUMBERS[name]]
        rows = [folder.table(name, columns) for folder in folders]
        lines += compare_repeated(pa.concat_tables(rows), name)[1]
    images: dict[str, set[str]] = {}
    for folder in folders:
        rows = folder.table("trials", ["dataset", "data_fingerprint"]).to_pylist()
        for dataset in {row["dataset"] for row in rows}:
            own = {row["data_fingerprint"] for row in rows if row["dataset"] == dataset} - {None}
            if own and own.isdisjoint(images.setdefault(dataset, own)):
                lines.append(f"{dataset}: the images are others (`data_fingerprint`)")
    if lines:
        shown = "".join(f"\n  {line}" for line in first_lines(lines, _MOST_LINES))
        where = " and ".join(folder.uri for folder in folders)
        raise ResultsError(f"{where} disagree; `teasel forget` takes trials out of one:{shown}")


def _list_copies(sources: Sequence[Results], target: Results) -> list[tuple[Results, str, str]]:
    """What is to be copied: whose file, its name, and its name at the target.

    A file that is there already, as a killed merge leaves it, is left out.

    Raises:
        ResultsError: If two folders have different files by one name that says what they hold.
    """
    found: dict[str, Results] = {file: target for _, files in _files(target) for file in files}
    copies: list[tuple[Results, str, str]] = []
    for source in sources:
        for folder, files in _files(source):
            for file in files:
                holder, name = found.get(file), file
                if holder is not None and _same(holder, source, file):
                    continue
                if holder is not None and not folder.startswith("tables/"):
                    raise ResultsError(
                        f"{holder.uri} and {source.uri} have different files {file}: one has been "
                        "changed since it was copied from the other, as `teasel forget` does"
                    )
                if holder is not None:
                    digest = hashlib.sha256(source.store.read(file)).hexdigest()[:8]
                    name = f"{file.removesuffix('.parquet')}-{digest}.parquet"
                if name not in found:
                    found[name] = source
                    copies.append((source, file, name))
    return copies


def _files(results: Results) -> Iterator[tuple[str, list[str]]]:
    """The files that make up a study, folder by folder, in the order in which to copy them."""
    for folder in (*results.code_folders(), *_FOLDERS, *(f"tables/{each}" for each in _TABLES)):
        suffix = ".parquet" if folder.startswith(("tables/", "representations/")) else ""
        files = results.store.files(folder, suffix)
        yield folder, sorted(files, key=lambda file: file.endswith(".json"))  # an index comes last


def _same(one: Results, other: Results, file: str) -> bool:
    """Whether two folders have the same file; of Parquet, the same rows."""
    if one.store.read(file) == other.store.read(file):
        return True
    if not file.endswith(".parquet"):
        return False
    rows, others = (each.store.parquet(file, pq.ParquetFile.read) for each in (one, other))
    return rows.equals(others)
