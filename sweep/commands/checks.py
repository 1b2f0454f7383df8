"""Finds what is damaged, missing, duplicate or not a number in a results folder."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...storage import read_tensors_header
from ..store.files import (
    FACTORS,
    MANIFEST,
    concatenate,
    is_compacted,
    list_files,
    manifest,
    read_rows,
    retry_if_folded,
)
from ..store.results import Results, read_factors
from ..store.store import DamagedFileError, MissingFileError, NewerVersionError, is_plain
from ..store.tables import IDENTITY, text_columns, to_table
from ..study.study import Study, read_study

NUMBERS = {
    "trials": ["loss", "reconstruction", "kl", "elbo"],
    "scores": ["value"],
    "curves": ["loss", "reconstruction", "kl", "regularizer"],
    "pictures": [],
    "failures": [],
}
"""Columns of numbers, which must be equal in every attempt at the same work."""

_BOUND = ("reconstruction", "kl", "elbo")
"""A model has all of these or none."""

_TRIALS = ["dataset", "method", "status", "steps", "attempt_id"]


class Findings(NamedTuple):
    """What is wrong with a results folder.

    Attributes:
        lines: The findings, by kind.
        damaged: Files whose content is not what was written, or belongs elsewhere.
        lost: Trained trials whose codes or parameters are gone, with the attempts that wrote them.
        unsealed: Files without a digest, written by an earlier version or another program.
    """

    lines: dict[str, list[str]]
    damaged: list[str]
    lost: dict[str, str]
    unsealed: set[str]


def verify(results: Results) -> Findings:
    """Reads every file of a results folder and checks the tables against each other.

    A study may be running: the files of a trial are written before its row in `trials`, and are
    looked for after the row was read.

    Raises:
        ResultsError: If there is no study.
        NewerVersionError: If the study is of a newer version.
        StoreError: If the store cannot be reached.
    """
    return retry_if_folded(lambda: _Check(results).run())


class _Check:
    """One check of a results folder."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._store = results.store
        self._found = Findings(defaultdict(list), [], {}, results.store.unsealed)

    def run(self) -> Findings:
        study = self._try("study.json", lambda: read_study(self._results))
        self._small_files()
        scores, trials = self._table("scores", ["error"]), self._table("trials", _TRIALS)
        curves, pictures, _ = (self._table(name) for name in ("curves", "pictures", "failures"))
        self._numbers(scores.filter(pc.field("error").is_null()), "scores")
        done = trials.filter(pc.field("status") == "done")
        if study is None:  # nothing says what there should be
            self._codes(done.slice(0, 0))
            return self._found
        models = done.filter(_keeps(study, "parameters"))
        self._numbers(models, "trials")
        self._lack("row", scores, _ids(trials), "rows gone")
        self._lack(
            "curve", models.filter(pc.field("steps") > 0), _ids(curves), "pictures or curves gone"
        )
        self._lack("pictures", models, _ids(pictures), "pictures or curves gone")
        self._codes(done.filter(_keeps(study, "codes")))
        if study.save_models:
            self._models(models)
        return self._found

    def _small_files(self) -> None:
        """Checks the other files, all of which can be made again."""
        store = self._store
        for folder in ("checkpoints", "codes", "running", "running/drivers", "tables"):
            for file in store.files(folder):
                self._try(
                    file, partial(store.read_json if file.endswith(".json") else store.read, file)
                )

    def _try(self, file: str, look: Callable[[], Any]) -> Any:
        """The result of `look`; None if the file is missing, or if it is damaged (a finding)."""
        try:
            return self._try_listed(file, look) if is_plain(file) else None
        except MissingFileError:
            return None

    def _try_listed(self, file: str, look: Callable[[], Any]) -> Any:
        """The result of `look`; None, with a finding, if the file is damaged.

        Raises:
            MissingFileError: If the file was folded after it was listed.
        """
        try:
            return look()
        except DamagedFileError as error:
            self._damaged(file, error.reason)
        except NewerVersionError as error:
            self._say("newer", f"{file}: {str(error).partition(': ')[2]}")
        return None

    def _say(self, kind: str, line: str) -> None:
        self._found.lines[kind].append(line)

    def _read(self, file: str, look: Callable[[pq.ParquetFile], Any]) -> Any:
        """The result of `look` for a listed Parquet file; None, with a finding, if damaged."""
        return self._try_listed(file, lambda: self._store.parquet(file, look))

    def _damaged(self, file: str, reason: str) -> None:
        self._found.damaged.append(file)
        self._say("damaged", f"{file}: {reason}")

    def _files(self, folder: str) -> list[str]:
        """The files of a folder. A file that is missing but in its manifest is a finding."""
        named = self._try(f"{folder}/{MANIFEST}", lambda: manifest(self._store, folder))
        if named is None:  # damaged: nothing says what was folded
            found = self._store.files(folder, ".parquet")
            return [file for file in found if not file.endswith(f"/{FACTORS}")]
        files = list_files(self._store, folder).files
        gone = [file for file in named if file not in files]
        for file in gone and manifest(self._store, folder):  # another one, if they were folded
            if file in gone:
                self._damaged(file, "the file is missing, but a manifest names it")
        return files

    # Rows

    def _table(self, name: str, columns: Iterable[str] = ()) -> pa.Table:
        """The rows of a table, with its identity columns, its numbers and these columns."""
        wanted = [*IDENTITY[name], *NUMBERS[name], *columns]
        found = [to_table(name, []).select(wanted)]
        for file in self._files(f"tables/{name}"):
            rows = self._read(file, partial(read_rows, file=file))
            if rows is not None:
                rows = rows.select([column for column in wanted if column in rows.column_names])
                found.append(_as_dictionaries(rows, text_columns(name)))
        found[0] = _as_dictionaries(found[0], text_columns(name))
        whole = concatenate(found)
        self._repeated(whole, name)
        return whole

    def _repeated(self, table: pa.Table, name: str) -> None:
        """Finds rows that two attempts wrote, and rows where their numbers differ."""
        extra, lines = compare_repeated(table, name)
        if extra:
            self._say("rows that stand twice", f"tables/{name}: {extra:,}")
        for line in lines:
            self._say("rows that disagree", line)

    def _numbers(self, table: pa.Table, name: str) -> None:
        bound = [number for number in NUMBERS[name] if number in _BOUND]
        no_bound = pc.scalar(bool(bound))
        for number in bound:
            no_bound &= pc.field(number).is_null()
        for number in NUMBERS[name]:
            null = pc.field(number).is_null()
            bad = pc.field(number).is_nan() | (null & ~no_bound if number in bound else null)
            for row in table.filter(bad).select(IDENTITY[name]).to_pylist():
                which = ", ".join(str(value) for value in row.values())
                self._say("no number", f"tables/{name}: {which}: {number}")

    def _lack(self, what: str, table: pa.Table, there: set[str], kind: str) -> None:
        """Finds trials of `table` that are not in `there`."""
        for trial_id in sorted(_ids(table) - there):
            self._say(kind, f"trial {trial_id} has no {what}")

    # Codes and parameters

    def _codes(self, trials: pa.Table) -> None:
        kept: set[tuple[str, str]] = set()
        for folder in self._results.code_folders():
            for file in self._files(folder):
                attempt_id = (
                    "" if is_compacted(file) else file.rpartition("/")[2][: -len(".parquet")]
                )
                for trial_id, finite in self._read(file, _codes_of) or ():
                    kept.add((attempt_id, trial_id))
                    if not finite and trial_id in _ids(trials):
                        self._say("no number", f"{file}: codes of trial {trial_id}")
            factors = f"{folder}/{FACTORS}"
            if self._try(factors, partial(self._store.parquet, factors, read_factors)) is None:
                self._say("points gone", factors)
                trained = trials.filter(pc.field("dataset") == folder.rpartition("/")[2])
                for row in trained.sort_by("steps").slice(0, 1).to_pylist():  # writes them again
                    self._found.lost[row["trial_id"]] = row["attempt_id"]
        for row in trials.to_pylist():
            if not {("", row["trial_id"]), (row["attempt_id"], row["trial_id"])} & kept:
                self._gone(row["trial_id"], "codes", row["attempt_id"])

    def _models(self, trials: pa.Table) -> None:
        by_attempt: dict[str, list[str]] = defaultdict(list)
        for row in trials.to_pylist():
            by_attempt[row["attempt_id"]].append(row["trial_id"])
        for attempt_id, trial_ids in by_attempt.items():
            file = f"models/{attempt_id}.safetensors"
            kept = self._try(file, partial(self._parameters, file)) or set()
            for trial_id in trial_ids:
                if trial_id not in kept:
                    self._gone(trial_id, "parameters", attempt_id)

    def _gone(self, trial_id: str, what: str, attempt_id: str) -> None:
        self._found.lost[trial_id] = attempt_id
        self._say("gone", f"trial {trial_id}: its {what}, written by the attempt {attempt_id}")

    def _parameters(self, file: str) -> set[str]:
        """The trials in a file of parameters, read from its header."""
        content = self._store.read(file)
        try:
            header = read_tensors_header(lambda num: content[:num], len(content))
        except ValueError as error:
            raise self._store.damaged(file, f"its header is not valid: {error}") from error
        if len(content) != header.num_bytes:
            size = f"it has {len(content):,} bytes and should have {header.num_bytes:,}"
            raise self._store.damaged(file, size)
        return {name.partition("/")[0] for name in header.names}


def _keeps(study: Study, what: str) -> pc.Expression:
    """The filter for rows of `trials` whose method keeps its parameters, or its codes."""
    facts = study.catalogue["methods"].items()
    without = [name for name, each in facts if what not in each.get("keeps", ())]
    return ~pc.field("method").isin(pa.array(without, pa.string()))


def compare_repeated(table: pa.Table, name: str) -> tuple[int, list[str]]:
    """The number of duplicate rows in a table, and a line for each whose numbers differ."""
    identity, numbers = IDENTITY[name], NUMBERS[name]
    extremes = [(number, kind) for number in numbers for kind in ("min", "max")]
    counted = table.append_column("_row", pa.array(np.arange(len(table))))
    counted = counted.group_by(identity).aggregate([("_row", "count"), *extremes])
    extra = len(table) - len(counted)
    counted = counted.filter(pc.field("_row_count") > 1)
    lines = []
    for number in numbers:
        least, most = f"{number}_min", f"{number}_max"
        for row in counted.filter(pc.field(least) != pc.field(most)).to_pylist():
            which = ", ".join(str(row[column]) for column in identity)
            what = f"{number} is {row[least]:.6g} and {row[most]:.6g}"
            lines.append(f"tables/{name}: {which}: {what}")
    return extra, lines


def _ids(table: pa.Table) -> set[str]:
    return set(table["trial_id"].unique().to_pylist())


def _as_dictionaries(table: pa.Table, columns: Iterable[str]) -> pa.Table:
    for place, name in enumerate(table.column_names):
        if name in columns and not pa.types.is_dictionary(table[name].type):
            table = table.set_column(place, name, table[name].dictionary_encode())
    return table


def _codes_of(parquet: pq.ParquetFile) -> list[tuple[str, bool]]:
    """The trial of each row group, and whether its codes contain no NaN."""
    found = []
    for group in range(parquet.num_row_groups):
        rows = parquet.read_row_group(group)
        values = (rows[name].combine_chunks().flatten() for name in ("mean", "log_variance"))
        finite = not any(np.isnan(column.to_numpy()).any() for column in values)
        found.append((rows["trial_id"][0].as_py(), finite))
    return found
