"""`teasel merge`: merges results folders of one study, made on several machines."""

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
    parser.add_argument(
        "results", metavar="DIR", nargs="+", help="results folders of one study to merge"
    )
    parser.add_argument(
        "--into", metavar="DIR", required=True, help="target: a new folder, or one of this study"
    )


def main(arguments: argparse.Namespace) -> int:
    """Merges the folders and prints how many trained trials the target holds."""
    num_trials = merge(arguments.results, arguments.into)
    folders = format_count(len(arguments.results), "folder")
    show(f"{arguments.into}: {format_count(num_trials, 'trained trial')} from {folders}")
    return DONE


def merge(sources: Sequence[str | Path], into: str | Path) -> int:
    """Merges results folders of one study; returns how many trained trials they have together.

    The sources are not changed. If the merge is killed, the target is incomplete, and the same call
    resumes. A result that is in several folders is in the target once.

    Args:
        sources: The folders.
        into: The target: a new folder, or one of this study.

    Raises:
        ResultsError: If they are of several studies, or their results disagree. Nothing is
            written then.
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
    """The text of the latest grid, from the first folder that has one."""
    for folder in folders:
        try:
            return folder.store.read("study.yaml").decode()
        except MissingFileError:
            continue
    return None


def _check_rows(folders: Sequence[Results]) -> None:
    """Checks that results which are in several folders agree.

    Raises:
        ResultsError: If they differ; the message says where.
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
                lines.append(f"{dataset}: the images differ (`data_fingerprint`)")
    if lines:
        shown = "".join(f"\n  {line}" for line in first_lines(lines, _MOST_LINES))
        where = " and ".join(folder.uri for folder in folders)
        raise ResultsError(
            f"{where} disagree. Remove these trials from one of them with `teasel forget`:{shown}"
        )


def _list_copies(sources: Sequence[Results], target: Results) -> list[tuple[Results, str, str]]:
    """The files to copy: the source, the name there and the name in the target.

    A file that an interrupted merge has copied already is left out.

    Raises:
        ResultsError: If two folders have different files where one name means one content.
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
                        f"{file} differs between {holder.uri} and {source.uri}: one was changed "
                        "after it was copied from the other, for example by `teasel forget`"
                    )
                if holder is not None:
                    digest = hashlib.sha256(source.store.read(file)).hexdigest()[:8]
                    name = f"{file.removesuffix('.parquet')}-{digest}.parquet"
                if name not in found:
                    found[name] = source
                    copies.append((source, file, name))
    return copies


def _files(results: Results) -> Iterator[tuple[str, list[str]]]:
    """The files of a study, folder by folder, in the order in which to copy them."""
    for folder in (*results.code_folders(), *_FOLDERS, *(f"tables/{each}" for each in _TABLES)):
        suffix = ".parquet" if folder.startswith(("tables/", "representations/")) else ""
        files = results.store.files(folder, suffix)
        yield folder, sorted(files, key=lambda file: file.endswith(".json"))  # an index comes last


def _same(one: Results, other: Results, file: str) -> bool:
    """Whether a file is the same in two folders; Parquet files are compared by their rows."""
    if one.store.read(file) == other.store.read(file):
        return True
    if not file.endswith(".parquet"):
        return False
    rows, others = (each.store.parquet(file, pq.ParquetFile.read) for each in (one, other))
    return rows.equals(others)
