"""Folding: combines many small files of a results folder into a few, during a run and at its end.

The order is always the same. New files are written first. The manifest is then replaced, if no row
is in the folder twice. Old files are removed last. A process killed in between leaves duplicate
rows, never missing ones. Readers keep one of each, and the next folding removes the duplicates. A
file written meanwhile is not touched. Two processes may fold at once: each removes only files whose
rows it has written itself.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .files import (
    COMPACT,
    concatenate,
    first_rows,
    for_all,
    is_compacted,
    list_files,
    read_file,
    retry_if_folded,
    trial_ids_of,
    version_of,
    without_repeated,
    write_manifest,
)
from .results import CODES_FORMAT, Results
from .store import DamagedFileError, MissingFileError, Store
from .tables import COLUMNS, IDENTITY, SCHEMA_VERSION, conform, schema_of, text_columns

FULL_BYTES = 32 * 2**20
"""A compacted file of this size is not folded again."""

_FILE_BYTES = 128 * 2**20  # of rows in memory, the most for one file
_CODES_SHARE = 8  # a file of codes is so much smaller: for one model's the whole is read


SMALL_TABLES = ("failures", "curves", "scores", "trials")
"""The tables that a driver folds: many small files that every `status`, `plan` or `scores` reads.

Codes and pictures are in one larger file per pack, and a reader needs only one of those. Folding
them would move a study's gigabytes through the driver and save no time.
"""

FEWEST = 64
"""The least number of small files worth folding; with fewer, each attempt keeps its own."""

_MOST = 1000  # of them at once: what earlier runs have left may be many
_LARGE_BYTES = 4 * 2**20  # of a folded file that is left alone until the end

FOLDED = "tables/_columns.json"  # the columns that every older file has; no reader's folder


def fold_small(results: Results, name: str, may: Callable[[str], bool]) -> None:
    """Folds the small files of each table that has many.

    Args:
        results: The results folder.
        name: The prefix of the names of the new files, unique to their writer.
        may: Whether a file may be folded, by its name.

    Raises:
        StoreError: If a file is damaged or the folder cannot be written. Nothing is lost then.
    """
    for table in SMALL_TABLES:
        retry_if_folded(partial(_fold_small, results, table, name, may))


def finish_folding(results: Results) -> None:
    """Folds all files of each small table that has many files, or was folded during the run.

    Raises:
        StoreError: As `fold_small` does.
    """
    for table in SMALL_TABLES:
        loose = list_files(results.store, f"tables/{table}").loose
        if len(loose) >= FEWEST or any(map(is_compacted, loose)):
            compact(results, f"tables/{table}")


def _fold_small(results: Results, table: str, name: str, may: Callable[[str], bool]) -> None:
    store, folder = results.store, f"tables/{table}"
    sizes = store.sizes(folder)
    loose = [file for file in list_files(store, folder).loose if file in sizes and may(file)]
    chosen = choose({file: sizes[file] for file in loose}, FEWEST)
    if not chosen:
        return
    texts = text_columns(table)
    rows = concatenate(for_all(chosen, lambda file: read_file(store, file, None, texts)))
    rows = without_repeated(rows, IDENTITY[table])
    results.write_rows(f"{folder}/{COMPACT}{name}-{uuid.uuid4().hex[:8]}.parquet", rows)
    for_all(chosen, store.remove)


def choose(sizes: Mapping[str, int], fewest: int) -> list[str]:
    """The files to fold into one now, chosen from files with these sizes in bytes.

    Loose files are folded together with folded ones that are no larger than the total so far. A
    row that is written again thus enters a file of at least twice the size, which happens only a
    few times.

    >>> choose({"compact-a": 50, "compact-b": 20, "x": 15, "y": 10}, fewest=2)
    ['compact-b', 'x', 'y']
    >>> choose({"compact-a": 50, "compact-b": 20, "x": 15}, fewest=2)
    []
    """
    loose = [file for file in sizes if not is_compacted(file)][:_MOST]
    if len(loose) < fewest:
        return []
    chosen, total = set(loose), sum(sizes[file] for file in loose)
    for file in sorted(filter(is_compacted, sizes), key=lambda file: sizes[file]):
        if sizes[file] > min(total, _LARGE_BYTES):
            break
        chosen.add(file)
        total += sizes[file]
    return [file for file in sizes if file in chosen]


def fold_older_files(results: Results) -> None:
    """Folds each table with a file that lacks a column which the table now has in this study.

    This happens when methods have joined the study, or an earlier version started it. If the
    process is killed, the next call starts again. A checked file is not checked twice.

    Raises:
        StoreError: If a file is damaged or the folder cannot be written. Nothing is lost then.
    """
    wanted = {table: results.columns(table) for table in COLUMNS}
    try:
        folded = results.store.read_json(FOLDED)
    except (MissingFileError, DamagedFileError):
        folded = {}
    for table in COLUMNS:
        if folded.get(table) != wanted[table] and retry_if_folded(
            partial(_any_lacks, results, table)
        ):
            compact(results, f"tables/{table}")
    if folded != wanted:
        results.store.write_json(FOLDED, wanted)


def _any_lacks(results: Results, table: str) -> bool:
    """Whether a file of a table lacks a column."""
    files = list_files(results.store, f"tables/{table}").files
    return bool(_schema_and_misfits(results, table, files)[1])


def _schema_and_misfits(
    results: Results, table: str, files: Sequence[str]
) -> tuple[pa.Schema, set[str]]:
    """The common schema of a table's files in this study, and the files with another schema."""
    schemas = for_all(files, lambda file: results.store.parquet(file, lambda p: p.schema_arrow))
    today = [schema for schema in schemas if version_of(schema) == SCHEMA_VERSION]
    names = [*results.columns(table), *(name for schema in today for name in schema.names)]
    wanted = schema_of(table, dict.fromkeys(names))
    fits = [version_of(own) == SCHEMA_VERSION and own.equals(wanted) for own in schemas]
    return wanted, {file for file, fit in zip(files, fits, strict=True) if not fit}


def compact(results: Results, folder: str) -> None:
    """Folds all files of one folder, a table or the codes of a data set, with each row once.

    Codes are folded only after their trials are committed. Codes of an attempt that lost to an
    earlier commit are dropped.
    """
    retry_if_folded(lambda: _compact(results, folder))


def _compact(results: Results, folder: str) -> None:
    store = results.store
    found, sizes = list_files(store, folder), store.sizes(folder)
    table = folder.removeprefix("tables/") if folder.startswith("tables/") else ""
    schema, misfits, full_bytes = None, set(), FULL_BYTES if table else FULL_BYTES / _CODES_SHARE
    if table:
        # Loose files are folded anyway; those of trials may have columns that no study.json names.
        asked = found.files if table == "trials" else [*found.compacted]
        schema, misfits = _schema_and_misfits(results, table, asked)
    full = [
        file for file in found.compacted if sizes.get(file, 0) >= full_bytes and file not in misfits
    ]
    old = [file for file in found.files if file not in full]
    if table:
        pieces = _rows(store, table, full, old)
    else:
        attempts = results.attempts()
        old = [file for file in old if is_compacted(file) or _all_committed(store, file, attempts)]
        pieces = _codes(store, found.compacted, full, old, attempts)
    if len(old) < 2 and all(file in found.compacted and file not in misfits for file in old):
        return
    made = {file: found.compacted[file] for file in full}
    columns = None if schema is None else schema.names
    made |= _write(results, folder, f"{uuid.uuid4().hex[:8]}-", pieces, columns)
    write_manifest(store, folder, made)
    for_all(old, store.remove)


def copy_folded(
    source: Results, target: Results, folder: str, change: Callable[[pa.Table], pa.Table]
) -> None:
    """Writes the rows of one folder, each once, into a few files of another results folder.

    Only codes of committed trials are copied. The same rows give the same file names.

    Args:
        source: The results folder to copy from.
        target: The results folder to copy to, with a study and nothing in `folder`.
        folder: The folder of a table, or of the codes of a data set.
        change: A function applied to the rows.
    """
    store, found, columns = source.store, list_files(source.store, folder), None
    if folder.startswith("tables/"):
        table = folder.removeprefix("tables/")
        columns = _schema_and_misfits(source, table, found.files)[0].names
        pieces = _rows(store, table, [], found.files)
    else:
        attempts = source.attempts()
        files = [file for file in found.files if _all_committed(store, file, attempts)]
        pieces = _codes(store, found.compacted, [], files, attempts)
    made = _write(target, folder, "", map(change, pieces), columns)
    if made:
        write_manifest(target.store, folder, made)


def _write(
    results: Results,
    folder: str,
    name: str,
    pieces: Iterable[pa.Table],
    columns: Sequence[str] | None,
) -> dict[str, list[str]]:
    """Writes pieces into as few files as possible; returns their entries for a manifest.

    Args:
        results: The results folder.
        folder: The folder in it.
        name: The part of the file names after their common prefix.
        pieces: Rows of a table, or the codes of one trial each.
        columns: The columns of the table; None for codes.
    """
    made: dict[str, list[str]] = {}
    for number, group in enumerate(_group_for_files(pieces)):
        file, rows = f"{folder}/{COMPACT}{name}{number}.parquet", concatenate(group)
        if columns is not None:
            results.write_rows(file, conform(folder.removeprefix("tables/"), rows, columns))
            made[file] = []
        else:
            options = CODES_FORMAT | {"row_group_size": len(group[0])}
            results.store.write_table(file, rows, **options)
            made[file] = [piece["trial_id"][0].as_py() for piece in group]
    return made


def _rows(store: Store, table: str, full: list[str], old: list[str]) -> Iterator[pa.Table]:
    """The rows of the old files, without those in an earlier or a full file."""
    identity = IDENTITY[table]
    keys = [read_file(store, file, identity, text_columns(table)) for file in (*full, *old)]
    if not keys:
        return
    stands = np.zeros(sum(len(key) for key in keys), bool)
    stands[first_rows(concatenate(keys), identity)] = True
    ends = np.cumsum([len(key) for key in keys])
    for file, end, key in list(zip((*full, *old), ends, keys, strict=True))[len(full) :]:
        yield read_file(store, file).filter(pa.array(stands[end - len(key) : end]))


def _all_committed(store: Store, file: str, attempts: dict[str, tuple[str, str]]) -> bool:
    """Whether all trials in a file of codes are committed."""
    return all(trial_id in attempts for trial_id in store.parquet(file, trial_ids_of))


def _codes(
    store: Store,
    compacted: dict[str, list[str]],
    full: list[str],
    old: list[str],
    attempts: dict[str, tuple[str, str]],
) -> Iterator[pa.Table]:
    """Each trial's codes in the old files, from the attempt named in its row."""
    seen = {trial_id for file in full for trial_id in compacted[file]}
    for file in old:
        attempt_id = file.rpartition("/")[2].removesuffix(".parquet")
        for trial_id, rows in store.parquet(file, _by_trial):
            stands = is_compacted(file) or attempts[trial_id][1] == attempt_id
            if stands and trial_id not in seen:
                seen.add(trial_id)
                yield rows


def _by_trial(parquet: pq.ParquetFile) -> list[tuple[str, pa.Table]]:
    ids = trial_ids_of(parquet)
    return [(trial_id, parquet.read_row_group(group)) for group, trial_id in enumerate(ids)]


def _group_for_files(pieces: Iterable[pa.Table]) -> Iterator[list[pa.Table]]:
    """The pieces grouped into files by size; codes only with codes of the same shape."""
    groups: dict[str, list[pa.Table]] = {}
    for piece in filter(len, pieces):
        of_codes = "mean" in piece.column_names
        most = _FILE_BYTES / _CODES_SHARE if of_codes else _FILE_BYTES
        kind = f"{piece['mean'].type} {len(piece)}" if of_codes else ""
        group = groups.setdefault(kind, [])
        if group and sum(each.nbytes for each in group) + piece.nbytes > most:
            yield groups.pop(kind)
            group = groups.setdefault(kind, [])
        group.append(piece)
    yield from groups.values()
