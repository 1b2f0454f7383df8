"""`teasel compact`: many small files of a results folder folded into few.

For each folder: write the new files, replace the manifest, remove the old files. Whoever is killed
in between leaves rows that stand twice, never rows that stand nowhere; readers keep one of each,
and the next time what was left over is folded too. A file that is written meanwhile is not touched,
and of two compactions at once each removes only what it has written anew itself.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from .files import (
    COMPACT,
    consistently,
    first_rows,
    is_compacted,
    joined,
    list_files,
    read_file,
    trial_ids_of,
    write_manifest,
)
from .results import CODES_FORMAT, Results
from .store import Store
from .tables import IDENTITY, texts

FULL_BYTES = 32 * 2**20
"""A compacted file of this size is left as it is from then on."""

_FILE_BYTES = 128 * 2**20  # of rows in memory, the most for one file


def compact(results: Results, folder: str) -> None:
    """Folds the files of one folder, a table or the codes of a data set; each row once.

    Codes stay where they are until the trials they belong to are committed, and codes of an
    attempt that another one came before are dropped.
    """
    consistently(lambda: _compact(results, folder))


def _compact(results: Results, folder: str) -> None:
    store = results.store
    found, sizes = list_files(store, folder), store.sizes(folder)
    full = [file for file in found.compacted if sizes.get(file, 0) >= FULL_BYTES]
    old = [file for file in found.files if file not in full]
    if folder.startswith("tables/"):
        pieces = _rows(store, folder.removeprefix("tables/"), full, old)
    else:
        attempts = results.attempts()
        old = [file for file in old if is_compacted(file) or _committed(store, file, attempts)]
        pieces = _codes(store, found.compacted, full, old, attempts)
    if len(old) < 2 and all(file in found.compacted for file in old):
        return
    made = {file: found.compacted[file] for file in full}
    name = uuid.uuid4().hex[:8]
    for number, group in enumerate(_grouped(pieces)):
        file = f"{folder}/{COMPACT}{name}-{number}.parquet"
        made[file] = _write(store, file, group)
    write_manifest(store, folder, made)
    for file in old:
        store.remove(file)


def _rows(store: Store, table: str, full: list[str], old: list[str]) -> Iterator[pa.Table]:
    """The rows of the old files, without those that stand before them or in a full one."""
    identity = IDENTITY[table]
    keys = [read_file(store, file, identity, texts(table)) for file in (*full, *old)]
    if not keys:
        return
    stands = np.zeros(sum(len(key) for key in keys), bool)
    stands[first_rows(joined(keys), identity)] = True
    ends = np.cumsum([len(key) for key in keys])
    for file, end, key in list(zip((*full, *old), ends, keys, strict=True))[len(full) :]:
        yield read_file(store, file).filter(pa.array(stands[end - len(key) : end]))


def _committed(store: Store, file: str, attempts: dict[str, tuple[str, str]]) -> bool:
    """Whether all trials of a file of codes have their rows."""
    return all(trial_id in attempts for trial_id in trial_ids_of(store, file))


def _codes(
    store: Store,
    compacted: dict[str, list[str]],
    full: list[str],
    old: list[str],
    attempts: dict[str, tuple[str, str]],
) -> Iterator[pa.Table]:
    """Each trial's codes of the old files, those of the attempt that its row names."""
    seen = {trial_id for file in full for trial_id in compacted[file]}
    for file in old:
        attempt_id = file.rpartition("/")[2].removesuffix(".parquet")
        parquet = store.parquet(file)
        for group, trial_id in enumerate(trial_ids_of(store, file)):
            stands = is_compacted(file) or attempts[trial_id][1] == attempt_id
            if stands and trial_id not in seen:
                seen.add(trial_id)
                with store.reading(file):
                    yield parquet.read_row_group(group)


def _grouped(pieces: Iterable[pa.Table]) -> Iterator[list[pa.Table]]:
    """The pieces, as many to a file as fit; codes of one width."""
    group: list[pa.Table] = []
    size = 0
    for piece in pieces:
        size += piece.nbytes
        if group and (size > _FILE_BYTES or not _together(group[0], piece)):
            yield group
            group, size = [], piece.nbytes
        if len(piece):
            group.append(piece)
    if group:
        yield group


def _together(first: pa.Table, second: pa.Table) -> bool:
    return "mean" not in first.column_names or (first.schema, len(first)) == (
        second.schema,
        len(second),
    )


def _write(store: Store, file: str, group: Sequence[pa.Table]) -> list[str]:
    """Writes a compacted file, and returns the trial_ids of its row groups if it holds codes."""
    if "mean" not in group[0].column_names:
        store.write_table(file, joined(group))
        return []
    store.write_table(file, joined(group), row_group_size=len(group[0]), **CODES_FORMAT)
    return [piece["trial_id"][0].as_py() for piece in group]
