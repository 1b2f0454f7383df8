"""The Parquet files of one folder: a few folded ones, and loose ones written since."""

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .store import MissingFileError, Store, newer
from .tables import COLUMNS, IDENTITY, SCHEMA_VERSION, CodeRow
from .versions import ADDED, stored_columns, upgrade_table

MANIFEST = "_manifest.json"  # readers of whole folders leave out what begins with an underscore
COMPACT = "compact-"  # how the names of compacted files begin
FACTORS = "factors.parquet"  # beside the codes of a data set

_PATIENCE = 5  # compactions that end between a listing and the reading of what it names
_AT_ONCE = 16  # files that are read, or removed

Read = TypeVar("Read")


class Files(NamedTuple):
    """The files of a folder.

    Attributes:
        compacted: The files in the manifest, in which no row is repeated. For codes, each with the
            trial_ids of its row groups.
        loose: All others: first those folded by a driver during a run, then those of attempts.
    """

    compacted: dict[str, list[str]]
    loose: list[str]

    @property
    def files(self) -> list[str]:
        """All files. Of equal rows, readers keep the first in this order."""
        return [*self.compacted, *self.loose]


def list_files(store: Store, folder: str) -> Files:
    """The Parquet files of a folder, with their entries in the manifest.

    A long listing is made page by page, and can miss both a file that is folded meanwhile and the
    new file that replaces it. A second listing then has the new file.
    """
    found = sorted({*store.files(folder, ".parquet"), *store.files(folder, ".parquet")})
    # Read after the listing: what was folded and removed while that was made stands in it. Of two
    # compactions at once the slower one may name a file that the other has folded and removed.
    compacted = {
        file: trial_ids
        for file, trial_ids in manifest(store, folder).items()
        if file in found or store.exists(file)
    }
    others = {*compacted, f"{folder}/{FACTORS}"}
    loose = [file for file in found if file not in others]
    return Files(compacted, sorted(loose, key=lambda file: not is_compacted(file)))


def manifest(store: Store, folder: str) -> dict[str, list[str]]:
    """The compacted files of a folder, each with the trial_ids of its row groups if it has codes.

    Raises:
        DamagedFileError: If the manifest is damaged, or names a file not made by `teasel compact`.
    """
    name = f"{folder}/{MANIFEST}"
    try:
        files = store.read_json(name)["files"]
    except MissingFileError:
        return {}
    for file in files:
        if not re.fullmatch(rf"{COMPACT}[\w-]+\.parquet", file):
            raise store.damaged(name, f"it names {file!r}")
    return {f"{folder}/{file}": trial_ids for file, trial_ids in files.items()}


def write_manifest(store: Store, folder: str, compacted: dict[str, list[str]]) -> None:
    """Replaces a folder's manifest."""
    files = {file.removeprefix(f"{folder}/"): ids for file, ids in compacted.items()}
    store.write_json(f"{folder}/{MANIFEST}", {"files": files}, indent=0)


def retry_if_folded(read: Callable[[], Read]) -> Read:
    """The result of listing and reading a folder, repeated if a file was folded in between.

    Raises:
        MissingFileError: If a file is listed repeatedly but is never there.
    """
    for _ in range(_PATIENCE - 1):
        try:
            return read()
        except MissingFileError:
            continue
    return read()


def read_table(
    store: Store,
    folder: str,
    columns: list[str] | None,
    identity: list[str],
    dictionaries: Sequence[str] = (),
) -> pa.Table | None:
    """All rows of a folder, each once; None if there are none.

    Args:
        store: The store.
        folder: The folder in it.
        columns: The columns to read, where a file has them.
        identity: Columns that identify a row; of rows equal in them, only the first is kept.
        dictionaries: Text columns to read as dictionaries.
    """

    def read() -> pa.Table | None:
        found = list_files(store, folder)
        tables = for_all(found.files, lambda file: read_file(store, file, columns, dictionaries))
        if not tables:
            return None
        whole = concatenate(tables)
        return without_repeated(whole, identity) if found.loose else whole

    return retry_if_folded(read)


def for_all(files: Sequence[str], do: Callable[[str], Read]) -> list[Read]:
    """The result of `do` for each file, computed in parallel."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(do, files))


def read_file(
    store: Store, file: str, columns: list[str] | None = None, dictionaries: Sequence[str] = ()
) -> pa.Table:
    """The rows of one file, or those of `columns` that it has.

    Args:
        store: The store.
        file: The name of the file.
        columns: The columns to read, where the file has them.
        dictionaries: The columns to read as dictionaries.

    Raises:
        MissingFileError: If the file does not exist.
        StoreError: If it cannot be read, is damaged, or is of a newer version.
    """
    coded = [name for name in dictionaries if columns is None or name in columns]
    name = f"{store.uri}/{file}"
    return store.parquet(file, lambda each: read_rows(each, name, columns), read_dictionary=coded)


def read_rows(parquet: pq.ParquetFile, file: str, columns: list[str] | None = None) -> pa.Table:
    """The rows of an open file of a table or of codes, converted to the current version.

    Args:
        parquet: The file.
        file: Its name, which contains the name of its table.
        columns: The columns to read, where the file has them.

    Raises:
        ValueError: If the file does not belong to this table.
        NewerVersionError: If it is of a newer version.
    """
    folder, table = file.split("/")[-3:-1]
    table, schema = table if folder == "tables" else "", parquet.schema_arrow
    version = version_of(schema)
    if version > SCHEMA_VERSION:
        raise newer(file, version)
    needed = IDENTITY[table] if table else ("trial_id",)
    _check_columns(schema, (name for name in needed if (version, name) not in ADDED))
    stored = None
    if columns is not None:
        stored = [name for name in stored_columns(table, version, columns) if name in schema.names]
    rows = upgrade_table(table, version, parquet.read(stored, use_threads=False), file, columns)
    rows = _as_known(rows, table).replace_schema_metadata({"schema_version": str(SCHEMA_VERSION)})
    if columns is None:
        return rows
    return rows.select([name for name in columns if name in rows.column_names])


def _check_columns(schema: pa.Schema, names: Iterable[str]) -> None:
    for name in names:
        if name not in schema.names:
            raise ValueError(f"it does not belong here: it has no column {name}")


def _as_known(rows: pa.Table, table: str) -> pa.Table:
    """The rows cast to the types of the table's columns; hyper-parameter columns to floats.

    Raises:
        ValueError: If they cannot be cast.
    """
    for place, field in enumerate(rows.schema if table else ()):
        kind = COLUMNS[table].get(field.name, pa.float64() if table == "trials" else field.type)
        if field.type not in (kind, pa.dictionary(pa.int32(), kind)):
            if pa.types.is_primitive(field.type) != pa.types.is_primitive(kind):
                raise ValueError(
                    f"it does not belong here: its column {field.name} is {field.type}"
                )
            rows = rows.set_column(place, field.name, rows[field.name].cast(kind))
    return rows


def version_of(schema: pa.Schema) -> int:
    """The version of Teasel's tables with which a file was written."""
    version = (schema.metadata or {}).get(b"schema_version", b"1")
    return int(version) if version.isdigit() else 0


def concatenate(tables: Sequence[pa.Table]) -> pa.Table:
    """The rows of all tables; a missing column is filled with null."""
    whole = pa.concat_tables(tables, promote_options="default").unify_dictionaries()
    return whole.replace_schema_metadata({"schema_version": str(SCHEMA_VERSION)})


def trial_ids_of(parquet: pq.ParquetFile) -> list[str]:
    """The trial of each row group of a file of codes.

    Raises:
        ValueError: If it is not a file of codes.
    """
    _check_columns(parquet.schema_arrow, CodeRow._fields)
    groups = map(parquet.metadata.row_group, range(parquet.num_row_groups))
    ids: list[Any] = [getattr(group.column(0).statistics, "min", None) for group in groups]
    if not all(isinstance(each, str) for each in ids):
        raise ValueError("it does not name the trials of its codes")
    return ids


def compacted_codes(store: Store, folder: str) -> dict[str, str]:
    """The compacted file that holds the codes of each trial."""
    found = list_files(store, folder)
    unnamed = {
        file: store.parquet(file, trial_ids_of) for file in found.loose if is_compacted(file)
    }
    return {each: file for file, ids in (unnamed | found.compacted).items() for each in ids}


def is_compacted(file: str) -> bool:
    """Whether `teasel compact` wrote this file. Without a manifest entry it may be unfinished."""
    return file.rpartition("/")[2].startswith(COMPACT)


def without_repeated(table: pa.Table, identity: list[str]) -> pa.Table:
    """The rows without repetitions of earlier rows."""
    first = first_rows(table, identity)
    return table if len(first) == len(table) else table.take(first)


def first_rows(table: pa.Table, identity: list[str]) -> np.ndarray:
    """The indices, in order, of the rows that repeat no earlier row."""
    return np.sort(np.unique(row_numbers(table, identity), return_index=True)[1])


def group_rows(table: pa.Table, columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The group of each row (N,), equal for rows that agree in `columns`, and each group's first.

    Groups are in the order of their first rows. Meant for few groups of many rows.

    >>> group_rows(pa.table({"a": ["y", "x", "y"], "b": [1, 1, 1]}), ["a", "b"])
    (array([0, 1, 0]), array([0, 1]))
    """
    groups = pa.array(row_numbers(table, columns)).dictionary_encode()
    group_of = groups.indices.to_numpy().astype(np.int64)
    first = np.empty(len(groups.dictionary), np.int64)
    first[group_of[::-1]] = np.arange(len(table))[::-1]
    return group_of, first


def row_numbers(table: pa.Table, columns: list[str]) -> np.ndarray:
    """A number for each row, equal for rows that agree in `columns`; small if values are few.

    >>> row_numbers(pa.table({"a": ["x", "y", "x"], "b": [1, 1, 1]}), ["a", "b"])
    array([0, 2, 0])
    """
    numbers, count = np.zeros(len(table), np.int64), 1
    for name in columns:
        values = table[name].combine_chunks().dictionary_encode()
        radix = len(values.dictionary) + 1  # one more for null
        if count * radix >= 2**62:
            numbers = np.unique(numbers, return_inverse=True)[1]
            count = int(numbers.max(initial=0)) + 1
        numbers *= radix
        numbers += values.indices.fill_null(radix - 1).to_numpy()
        count *= radix
    return numbers
