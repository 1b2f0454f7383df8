"""The results folder: finished work only, in Parquet, JSON and safetensors files."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...errors import TeaselError, hint
from ...settings import Settings
from ...words import html_table
from ..trials.request import RequestKey
from .files import (
    FACTORS,
    compacted_codes,
    group_rows,
    read_file,
    read_table,
    retry_if_folded,
    trial_ids_of,
)
from .store import MissingFileError, Store
from .tables import (
    IDENTITY,
    REQUEST_KEY,
    SCHEMA_VERSION,
    TRIALS,
    Row,
    conform,
    study_columns,
    text_columns,
    to_table,
)
from .versions import upgrade_study

if TYPE_CHECKING:
    from ...models import TrainedModel

CODES_FORMAT: dict[str, Any] = {
    "use_dictionary": ["trial_id"],
    "use_byte_stream_split": ["mean.list.element", "log_variance.list.element"],
}
"""Parquet options for codes, which take half the space of the defaults."""


class ResultsError(TeaselError):
    """A results folder does not fit the request; the message says what was found and expected."""


class ParametersError(ResultsError):
    """A trial has no parameters, because they were not saved or the trial failed."""


class Results:
    """A folder of results, for reading and adding.

    Every file is immutable and named after the attempt that wrote it, so writers never conflict. If
    work was repeated, readers keep one of the rows, because a trial's numbers are the same.

    Args:
        uri: A local path, or an object store's URI.

    Attributes:
        store: The files.
        uri: The address, for messages, without the secrets in the store's `uri_with_secrets`.

    Raises:
        StoreError: If the URI is not understood.
    """

    def __init__(self, uri: str | Path) -> None:
        self.store = Store(uri)
        self.uri = self.store.uri
        self._trained: dict[str, tuple[str, str]] = {}
        self._compacted: dict[str, dict[str, str]] = {}

    def exists(self) -> bool:
        """Whether a study has been started here."""
        return self.store.exists("study.json")

    def _repr_html_(self) -> str:
        """A summary of the folder, for a notebook."""
        if not self.exists():
            return html_table(self.uri, ["no study has been started here"], [])
        status = Counter(self.statuses().values())
        rows = [("study", self.study["study"]), *sorted(status.items())]
        rows.append(("scores", f"{len(self.table('scores', ['score'])):,}"))
        return html_table(self.uri, ["", "models, or rows"], rows)

    @property
    def study(self) -> dict[str, Any]:
        """The frozen study: name, protocol, resolved grids, versions and catalogue.

        A study of an earlier version is converted to the current one, except its `schema_version`.

        Raises:
            ResultsError: If there is none.
            StoreError: If it is damaged, or was written by a newer version.
        """
        if not self.exists():
            raise ResultsError(f"{self.uri}: no results here (there is no study.json)")
        study = self.store.read_json("study.json")
        if wrong := _misplaced(study):
            raise self.store.damaged("study.json", wrong)
        return upgrade_study(study)

    def write_study(self, study: dict[str, Any], grid_text: str | None = None) -> None:
        """Freezes the study: writes its JSON, and the YAML it came from if that has changed."""
        self.store.make()
        if grid_text is not None:
            self.store.write("study.yaml", grid_text.encode())
        self.store.write_json("study.json", study | {"schema_version": SCHEMA_VERSION}, indent=1)

    # Tables

    def add(self, table: str, name: str, rows: Sequence[Row]) -> None:
        """Commits rows as the file `name` of `table`; no rows, no file.

        Raises:
            StoreError: If the store refuses. No file is then half written.
        """
        if rows:
            self.write_rows(f"tables/{table}/{name}.parquet", to_table(table, rows))

    def write_rows(self, file: str, rows: pa.Table) -> None:
        """Writes rows as a file of a table, with all columns that the table has in this study.

        A driver may add methods at the same moment, and then fold the files it sees. So the columns
        are checked again after writing, and either of the two finds a missing column.

        Raises:
            StoreError: If the store refuses; nothing is then half written.
        """
        table, written = file.split("/")[1], None
        while (columns := self.columns(table)) != written:
            self.store.write_table(file, conform(table, rows, columns))
            written = columns

    def columns(self, table: str) -> list[str]:
        """The columns that a table has in this study, in order."""
        known = table == "trials" and self.exists()
        return study_columns(table, self.study if known else {})

    def table(
        self, name: str, columns: list[str] | None = None, *, coded: bool = False
    ) -> pa.Table:
        """All rows of a table, each once; an empty table if there are none.

        A column that no file has is null, because the rows are older than the column.

        Args:
            name: trials, scores, curves, pictures or failures.
            columns: The columns to read, besides those that identify a row.
            coded: Whether text columns are dictionaries, which take a fraction of the memory.
        """
        wanted = None if columns is None else list(dict.fromkeys([*IDENTITY[name], *columns]))
        coded_columns = text_columns(name) if coded else []
        whole = read_table(self.store, f"tables/{name}", wanted, IDENTITY[name], coded_columns)
        rows = to_table(name, []).select([]) if whole is None else whole
        return conform(name, rows, wanted or self.columns(name), coded_columns)

    def rows_of(self, table: str, name: str) -> list[dict[str, Any]]:
        """The rows that an attempt has committed.

        There are none if it has not, or if `teasel compact` has folded them since. Repeating the
        attempt then gives the same numbers, and readers keep one of the rows.
        """
        try:
            return read_file(self.store, f"tables/{table}/{name}.parquet").to_pylist()
        except MissingFileError:
            return []

    def statuses(self) -> dict[str, str]:
        """The status ("done" or "failed") of every trained trial."""
        trials = self.table("trials", ["status"])
        return dict(zip(trials["trial_id"].to_pylist(), trials["status"].to_pylist(), strict=True))

    def scored_requests(self) -> dict[str, frozenset[RequestKey]]:
        """The keys of the requests that have score or error rows, by trial_id."""
        names = ["trial_id", *REQUEST_KEY]
        rows = read_table(self.store, "tables/scores", names, names, text_columns("scores"))
        return {} if rows is None else requests_by_trial(rows)

    # Representations

    def code_folders(self) -> list[str]:
        """The folders with codes, one for each data set."""
        return self.store.folders("representations")

    def add_codes(
        self, dataset: str, attempt_id: str, codes: Iterable[tuple[str, np.ndarray, np.ndarray]]
    ) -> None:
        """Writes the posterior at the study's fixed points, one row group per trial.

        Args:
            dataset: The data set's name.
            attempt_id: The attempt's name.
            codes: trial_id, means (N, D), log variances (N, D) for each trial.
        """
        tables = [
            pa.table(
                {
                    "trial_id": pa.array([trial_id] * len(mean)),
                    "mean": _vectors(mean),
                    "log_variance": _vectors(log_variance),
                }
            )
            for trial_id, mean, log_variance in codes
        ]
        if tables:
            self.store.write_table(
                f"representations/{dataset}/{attempt_id}.parquet",
                pa.concat_tables(tables),
                row_group_size=len(tables[0]),
                **CODES_FORMAT,
            )

    def add_points(self, dataset: str, indices: np.ndarray, factors: np.ndarray) -> None:
        """Writes the fixed points of a data set, once: image index (N,) and factors (N, K)."""
        name = f"representations/{dataset}/{FACTORS}"
        if not self.store.exists(name):
            kept = {"factors": _vectors(factors)} if factors.shape[1] else {}
            self.store.write_table(name, pa.table({"index": indices} | kept))

    def representation(self, trial_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Means (N, D), log variances (N, D) and factors (N, K) of a trial's fixed points.

        Raises:
            ResultsError: If no such trial has been trained here.
        """
        dataset, attempt_id = self._attempt_of(trial_id)
        folder = f"representations/{dataset}"
        codes = retry_if_folded(lambda: self._codes(folder, attempt_id, trial_id))
        return *codes, self.store.parquet(f"{folder}/{FACTORS}", read_factors)

    def attempt_id_of(self, trial_id: str) -> str:
        """The name of the attempt that trained a trial.

        Raises:
            ResultsError: If no such trial has been trained here.
        """
        return self._attempt_of(trial_id)[1]

    def attempts(self) -> dict[str, tuple[str, str]]:
        """The data set of every trained trial, and the name of the attempt that trained it."""
        columns = self.table("trials", ["dataset", "attempt_id"]).to_pydict()
        attempts = zip(columns["dataset"], columns["attempt_id"], strict=True)
        return dict(zip(columns["trial_id"], attempts, strict=True))

    def _attempt_of(self, trial_id: str) -> tuple[str, str]:
        """The data set of a trial, and the name of the attempt that trained it."""
        if trial_id not in self._trained:
            self._trained = self.attempts()
        if trial_id not in self._trained:
            nearest = hint(trial_id, list(self._trained))
            raise ResultsError(f"{self.uri}: no trained trial {trial_id!r}{nearest}")
        return self._trained[trial_id]

    def _codes(self, folder: str, attempt_id: str, trial_id: str) -> tuple[np.ndarray, np.ndarray]:
        """The row group of a trial, in its attempt's file or where `teasel compact` put it."""
        try:
            return _codes_of(self.store, f"{folder}/{attempt_id}.parquet", trial_id)
        except MissingFileError:
            file = self._compacted.get(folder, {}).get(trial_id)
            if file is None:
                self._compacted[folder] = compacted_codes(self.store, folder)
                file = self._compacted[folder].get(trial_id)
            if file is None:
                raise
        try:
            return _codes_of(self.store, file, trial_id)
        except MissingFileError:
            self._compacted.pop(folder)
            raise

    def parameters_name(self, attempt_id: str) -> str:
        """The file of a pack's trained parameters."""
        return f"models/{attempt_id}.safetensors"

    def model(self, trial_id: str) -> "TrainedModel":
        """The trained model of a trial, which encodes, decodes and can be saved as one file.

        Raises:
            ResultsError: If there is no such model, its parameters were not saved, or its method is
                not installed.
            StoreError: If its file is damaged.
        """
        from ...datasets import DATASETS
        from ...models import METHODS, Model, TrainedModel

        self.attempt_id_of(trial_id)  # raises where there is none
        table = self.table("trials")
        (row,) = table.filter(pc.field("trial_id") == trial_id).slice(0, 1).to_pylist()
        settings = Settings(**{name: row[name] for name in Settings._fields})
        own = {name: row[name] for name in row if name not in TRIALS and row[name] is not None}
        if row["method"] not in METHODS:
            raise ResultsError(
                f"{self.uri}: trial {trial_id} has no model: no method called {row['method']} is "
                "installed"
            )
        parameters, shape = self.parameters(trial_id)
        if shape is None and row["dataset"] in DATASETS:
            shape = DATASETS[row["dataset"]].image_shape
        if shape is None:
            raise ResultsError(
                f"{self.uri}: the image shape of trial {trial_id} is unknown: "
                f"{row['dataset']} is not installed"
            )
        model = Model.of(settings, shape)
        return TrainedModel(METHODS[row["method"]], own, model, parameters, trial_id)

    def parameters(self, trial_id: str) -> tuple[Any, tuple[int, ...] | None]:
        """The trained parameters of a trial, and the image shape (H, W, C), if that was saved.

        Raises:
            ParametersError: If its parameters were not saved.
            ResultsError: If the trial was not trained here.
            StoreError: If their file is damaged.
        """
        try:
            pack, shape = _read_pack(self, self.attempt_id_of(trial_id))
        except MissingFileError as error:
            raise ParametersError(
                f"{self.uri}: the parameters of trial {trial_id} were not saved (save_models is "
                "false), so its model cannot be used"
            ) from error
        if trial_id not in pack:
            raise ParametersError(f"{self.uri}: trial {trial_id} has failed and has no parameters")
        return pack[trial_id], shape


def requests_by_trial(rows: pa.Table) -> dict[str, frozenset[RequestKey]]:
    """The keys of the requests that these rows of scores answer, by trial_id."""
    request, example = group_rows(rows, REQUEST_KEY)
    columns = (rows[name].take(example).to_pylist() for name in REQUEST_KEY)
    keys = [RequestKey(*key) for key in zip(*columns, strict=True)]
    trial, one_of_trial = group_rows(rows, ["trial_id"])
    trial_ids = rows["trial_id"].take(one_of_trial).to_pylist()
    found = np.zeros((len(trial_ids), len(keys)), bool)
    found[trial, request] = True

    @cache  # many trials have the same requests, and share a set
    def keys_where(is_found: bytes) -> frozenset[RequestKey]:
        return frozenset(compress(keys, is_found))

    return {each: keys_where(row.tobytes()) for each, row in zip(trial_ids, found, strict=True)}


@lru_cache(maxsize=1)  # trials that are looked at one after the other mostly trained together
def _read_pack(results: Results, attempt_id: str) -> tuple[dict[str, Any], tuple[int, ...] | None]:
    """The parameters of a pack by trial ID, and the shape of its images."""
    from ...models import image_shape_of, parameters_from_bytes

    content = results.store.read(results.parameters_name(attempt_id))
    return parameters_from_bytes(content), image_shape_of(content)


def _vectors(matrix: np.ndarray) -> pa.FixedSizeListArray:
    flat = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    if not pa.types.is_fixed_size_list(column.type):
        raise ValueError("it does not belong here: its vectors do not have one common width")
    width = column.type.list_size
    return column.combine_chunks().flatten().to_numpy().reshape(-1, width)


def read_factors(parquet: pq.ParquetFile) -> np.ndarray:
    """The factors (N, K) of the fixed points; K is 0 if there is no column of factors."""
    if parquet.schema_arrow.names == ["index"]:
        return np.empty((parquet.metadata.num_rows, 0), np.int64)
    return _matrix(parquet.read(["factors"])["factors"])


def _codes_of(store: Store, file: str, trial_id: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log variance of one trial."""

    def look(parquet: pq.ParquetFile) -> tuple[np.ndarray, np.ndarray]:
        ids = trial_ids_of(parquet)
        if trial_id not in ids:
            raise ResultsError(f"{store.uri}/{file}: holds no codes of trial {trial_id}")
        rows = parquet.read_row_group(ids.index(trial_id))
        return _matrix(rows["mean"]), _matrix(rows["log_variance"])

    return store.parquet(file, look)


def _misplaced(study: dict[str, Any]) -> str | None:
    """The first invalid index or name in a study's grids and scores; None if there is none."""
    grids = study.get("grids", [])
    if not 0 <= study.get("latest", 0) < max(1, len(grids)):
        return "latest is not the index of a grid"
    known = study.get("catalogue", {}).get("methods", {})
    for grid in grids if study["schema_version"] >= 2 else ():
        if "requests_of" not in grid:
            return "a grid lacks requests_of"
        if not all({"trained", "keeps"} <= known.get(name, {}).keys() for name in grid["methods"]):
            return "the catalogue lacks a method"
        for key in ("requests_of", "requests_on"):
            for places in grid.get(key, {}).values():
                if any(not 0 <= place < len(grid["metrics"]) for place in places):
                    return f"{key} has an index that is not of a score"
    return None
