"""The results folder: what is finished, and nothing else, in Parquet, JSON and safetensors."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow.compute import field

from .. import TeaselError
from .scoring import RequestKey
from .store import Store, StoreError
from .tables import COLUMNS, IDENTITY, REQUEST_KEY, SCHEMA_VERSION, to_table


class ResultsError(TeaselError):
    """A results folder does not fit the request; says what was found and what was expected."""


class Results:
    """A folder of results, read and added to.

    Every file is immutable and named after the attempt that wrote it, so writers never meet;
    where an attempt was repeated, readers keep one of its rows: a trial's numbers are the same.

    Args:
        uri: A local path, or an object store's URI.

    Raises:
        StoreError: If the URI is not understood.
    """

    def __init__(self, uri: str | Path) -> None:
        self.store = Store(uri)
        self.uri = self.store.uri

    def exists(self) -> bool:
        """Whether a study has been begun here."""
        return self.store.exists("study.json")

    @property
    def study(self) -> dict[str, Any]:
        """The frozen study: name, protocol, resolved grids, versions.

        Raises:
            ResultsError: If there is none, or it was written by a newer version.
        """
        if not self.exists():
            raise ResultsError(f"{self.uri}: no results here (there is no study.json)")
        study = json.loads(self.store.read("study.json"))
        if study["schema_version"] > SCHEMA_VERSION:
            raise ResultsError(
                f"{self.uri}: written by a newer version of teasel (tables of version "
                f"{study['schema_version']}, this one reads up to {SCHEMA_VERSION})"
            )
        return study

    def write_study(self, study: dict[str, Any], grid_text: str) -> None:
        """Freezes the study: its JSON, and the YAML it came from."""
        self.store.write("study.yaml", grid_text.encode())
        text = json.dumps(study | {"schema_version": SCHEMA_VERSION}, indent=1)
        self.store.write("study.json", text.encode())

    # Tables

    def add(self, table: str, part: str, rows: list[dict[str, Any]]) -> None:
        """Commits rows as the file `part` of `table`; no rows, no file.

        Raises:
            StoreError: If the store refuses; nothing is then half written.
        """
        if rows:
            self.store.write_table(f"tables/{table}/{part}.parquet", to_table(table, rows))

    def table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """All rows of a table, each once; an empty table if there are none.

        Args:
            name: trials, scores, curves, pictures or failures.
            columns: Only these (and what identifies a row).
        """
        wanted = None if columns is None else list(dict.fromkeys([*IDENTITY[name], *columns]))
        parts = [
            _read_part(self.store, file, wanted)
            for file in self.store.files(f"tables/{name}", ".parquet")
        ]
        if not parts:
            return to_table(name, []).select(wanted or list(COLUMNS[name]))
        whole = pa.concat_tables(parts, promote_options="default")
        return _latest(whole, IDENTITY[name])

    def done(self) -> dict[str, str]:
        """The status ("done" or "failed") of every trained trial."""
        trials = self.table("trials", ["status"])
        return dict(zip(trials["trial_id"].to_pylist(), trials["status"].to_pylist(), strict=True))

    def scored(self) -> dict[str, set[RequestKey]]:
        """The keys of the requests that have score or error rows, by trial_id."""
        names = ["trial_id", *REQUEST_KEY]
        rows = self.table("scores", names).select(names).group_by(names).aggregate([])
        found: dict[str, set[RequestKey]] = {}
        for trial_id, *key in zip(*(rows[name].to_pylist() for name in names), strict=True):
            found.setdefault(trial_id, set()).add(tuple(key))  # type: ignore[arg-type]
        return found

    # Representations

    def add_codes(
        self, dataset: str, part: str, codes: Iterable[tuple[str, np.ndarray, np.ndarray]]
    ) -> None:
        """Keeps the posterior of the study's fixed points: one row group per trial.

        Args:
            dataset: The data set's name.
            part: The attempt's name.
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
                f"representations/{dataset}/{part}.parquet",
                pa.concat_tables(tables),
                row_group_size=len(tables[0]),
                use_dictionary=["trial_id"],
                use_byte_stream_split=["mean.list.element", "log_variance.list.element"],
            )

    def add_points(self, dataset: str, indices: np.ndarray, factors: np.ndarray) -> None:
        """Keeps the fixed points of a data set once: image index (N,) and factors (N, K)."""
        name = f"representations/{dataset}/factors.parquet"
        if not self.store.exists(name):
            self.store.write_table(name, pa.table({"index": indices, "factors": _vectors(factors)}))

    def representation(self, trial_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Means (N, D), log variances (N, D) and factors (N, K) of a trial's fixed points.

        Raises:
            ResultsError: If no such trial has been trained here.
        """
        row = self._trial(trial_id)
        folder = f"representations/{row['dataset']}"
        codes = _row_group_of(self.store, f"{folder}/{row['part']}.parquet", trial_id)
        factors = self.store.parquet(f"{folder}/factors.parquet").read(["factors"])["factors"]
        return _matrix(codes["mean"]), _matrix(codes["log_variance"]), _matrix(factors)

    def part_of(self, trial_id: str) -> str:
        """The name of the attempt that trained a trial.

        Raises:
            ResultsError: If no such trial has been trained here.
        """
        return self._trial(trial_id)["part"]

    def _trial(self, trial_id: str) -> dict[str, Any]:
        trials = self.table("trials", ["dataset", "part"])
        rows = trials.filter(field("trial_id") == trial_id).to_pylist()
        if not rows:
            raise ResultsError(f"{self.uri}: no trained trial {trial_id!r}")
        return rows[0]

    def parameters_name(self, part: str) -> str:
        """The file of a pack's trained parameters."""
        return f"models/{part}.safetensors"


def _read_part(store: Store, file: str, columns: list[str] | None) -> pa.Table:
    parquet = store.parquet(file)
    version = int((parquet.schema_arrow.metadata or {}).get(b"schema_version", b"1"))
    if version > SCHEMA_VERSION:
        raise ResultsError(f"{store.uri}/{file}: written by a newer version of teasel")
    if columns is not None:
        columns = [name for name in columns if name in parquet.schema_arrow.names]
    try:
        return parquet.read(columns)
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(f"cannot read {store.uri}/{file}: {error}") from error


def _latest(table: pa.Table, identity: list[str]) -> pa.Table:
    """The rows of `table`, of the same ones only the last, in order."""
    order = pa.array(np.arange(len(table)))
    last = table.append_column("_row", order).group_by(identity).aggregate([("_row", "max")])
    if len(last) == len(table):
        return table
    return table.take(np.sort(last["_row_max"].to_numpy()))


def _vectors(matrix: np.ndarray) -> pa.FixedSizeListArray:
    flat = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    width = column.type.list_size
    return column.combine_chunks().flatten().to_numpy().reshape(-1, width)


def _row_group_of(store: Store, file: str, trial_id: str) -> pa.Table:
    parquet = store.parquet(file)
    for group in range(parquet.num_row_groups):
        statistics = parquet.metadata.row_group(group).column(0).statistics
        if statistics is not None and statistics.min == trial_id:
            return parquet.read_row_group(group)
    raise ResultsError(f"{store.uri}/{file}: holds no codes of trial {trial_id}")
