"""Removes trials from a results folder, with everything that was made from them.

A file shared with other trials is rewritten without them. The rows of `trials` are removed first. A
process killed after that leaves trials without a row: a run makes them again, or the same call
resumes.
"""

from collections.abc import Callable, Collection

import pyarrow as pa
import pyarrow.compute as pc
from safetensors.numpy import load, save

from ...storage import UNSEALED, read_tensors_header
from . import checkpoints, code_tables
from .files import list_files, read_file, trial_ids_of, write_manifest
from .results import CODES_FORMAT, Results


def forget(results: Results, trial_ids: Collection[str]) -> None:
    """Removes trials with their scores, codes, models and all other files.

    No driver may be at work.

    Raises:
        StoreError: If the folder cannot be written.
    """
    gone = frozenset(trial_ids)
    ids = pa.array(sorted(gone), pa.string())
    others = ~pc.field("trial_id").isin(ids)
    _rewrite_table(results, "trials", gone, lambda rows: rows.filter(others))
    checkpoints.forget_trials(results, gone)
    code_tables.forget_all(results, gone)
    for table in ("scores", "curves", "pictures"):
        _rewrite_table(results, table, gone, lambda rows: rows.filter(others))
    for folder in results.code_folders():
        _forget_codes(results, folder, gone)
    for file, size in results.store.sizes("models", ".safetensors").items():
        _forget_parameters(results, file, size, gone)
    _rewrite_table(results, "failures", gone, lambda rows: _without(rows, gone), "trial_ids")


def forget_undefined(results: Results, trial_ids: Collection[str]) -> None:
    """Removes the rows of these trials for undefined scores."""
    ids = pa.array(sorted(trial_ids), pa.string())
    kept = pc.field("error").is_null() | ~pc.field("trial_id").isin(ids)
    _rewrite_table(results, "scores", trial_ids, lambda rows: rows.filter(kept))


def take_back(results: Results, trial_ids: Collection[str]) -> None:
    """Forgets that these trials were given up, so that they are tried again."""
    _rewrite_table(
        results,
        "failures",
        trial_ids,
        lambda rows: _strike(rows, "given_up", trial_ids),
        "given_up",
    )


def _without(failures: pa.Table, gone: Collection[str]) -> pa.Table:
    """Failed attempts without these trials. Attempts that had no other trials are left out."""
    for column in {"trial_ids", "given_up"}.intersection(failures.column_names):
        failures = _strike(failures, column, gone)
    return failures.filter(pa.array([bool(row) for row in failures["trial_ids"].to_pylist()]))


def _strike(rows: pa.Table, column: str, gone: Collection[str]) -> pa.Table:
    """The rows, with some trials removed from a column of lists."""
    left = [[each for each in row or () if each not in gone] for row in rows[column].to_pylist()]
    kind = rows.schema.field(column).type
    return rows.set_column(rows.column_names.index(column), column, pa.array(left, kind))


def _rewrite_table(
    results: Results,
    table: str,
    trial_ids: Collection[str],
    change: Callable[[pa.Table], pa.Table],
    names: str = "trial_id",
) -> None:
    """Rewrites the files of a table that name some of these trials in the column `names`."""
    folder = f"tables/{table}"
    for file in list_files(results.store, folder).files:
        rows = read_file(results.store, file, [names])
        if names not in rows.column_names:  # older than the column
            continue
        found = rows[names]
        if pa.types.is_list(found.type):
            found = pc.list_flatten(found)  # type: ignore[attr-defined]
        if any(each in trial_ids for each in found.unique().to_pylist()):
            _put(results, folder, file, change(read_file(results.store, file)))


def _forget_codes(results: Results, folder: str, gone: Collection[str]) -> None:
    for file in list_files(results.store, folder).files:
        before = results.store.parquet(file, trial_ids_of)
        left = [trial_id for trial_id in before if trial_id not in gone]
        if len(left) < len(before):
            rows = read_file(results.store, file)
            others = rows.filter(pc.field("trial_id").isin(pa.array(left, pa.string())))
            size = len(rows) // len(before)  # of each trial's row group
            _put(results, folder, file, others, left, row_group_size=size, **CODES_FORMAT)


def _put(
    results: Results,
    folder: str,
    file: str,
    rows: pa.Table,
    trial_ids: list[str] | None = None,
    **options: object,
) -> None:
    """Rewrites a file, or removes it if it has no rows; then updates a manifest that names it."""
    compacted = list_files(results.store, folder).compacted
    if len(rows) and folder.startswith("tables/"):
        results.write_rows(file, rows)
    elif len(rows):
        results.store.write_table(file, rows, **options)
    if file in compacted:
        kept = {name: ids for name, ids in compacted.items() if name != file or len(rows)}
        if len(rows) and trial_ids is not None:
            kept[file] = trial_ids
        write_manifest(results.store, folder, kept)
    if not len(rows):
        results.store.remove(file)


def _forget_parameters(results: Results, file: str, size: int, gone: frozenset[str]) -> None:
    """Removes trials from a file of models, which is verified if its header names one of them."""
    store = results.store
    try:
        header = read_tensors_header(lambda num: store.read(file, num), size)
    except ValueError as error:
        raise store.damaged(file, str(error)) from error
    if gone.isdisjoint(name.partition("/")[0] for name in header.names):
        return
    tensors = load(store.read(file))
    left = {name: tensors[name] for name in tensors if name.partition("/")[0] not in gone}
    if left:
        store.write(file, save(left, {"digest": UNSEALED}))
    else:
        store.remove(file)
