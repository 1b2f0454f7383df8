"""The columns of the result tables, and what makes a row unique in each."""

from typing import Any

import pyarrow as pa

SCHEMA_VERSION = 2
"""Raised when a stored name, or what it means, changes; `versions` says how each is read."""

_TEXT = pa.string()
_WHOLE = pa.int64()
_REAL = pa.float64()

TRIALS: dict[str, pa.DataType] = {
    "trial_id": _TEXT,
    "study": _TEXT,
    "dataset": _TEXT,
    "method": _TEXT,
    "method_version": _WHOLE,
    "seed": _WHOLE,
    "model_num": _WHOLE,
    "steps": _WHOLE,
    "batch_size": _WHOLE,
    "learning_rate": _REAL,
    "num_latents": _WHOLE,
    "evaluation_batches": _WHOLE,
    "status": _TEXT,
    "error": _TEXT,
    "loss": _REAL,
    "reconstruction": _REAL,
    "kl": _REAL,
    "elbo": _REAL,
    "kl_per_latent": pa.list_(_REAL),
    "train_seconds": _REAL,
    "encode_seconds": _REAL,
    "data_source": _TEXT,
    "data_fingerprint": _TEXT,
    "device": _TEXT,
    "host": _TEXT,
    "pack_id": _TEXT,
    "pack_size": _WHOLE,
    "attempt": _WHOLE,
    "attempt_id": _TEXT,
    "teasel_version": _TEXT,
    "jax_version": _TEXT,
    "numpy_version": _TEXT,
    "sklearn_version": _TEXT,
    "finished_at": _TEXT,
}
"""One row per trained model; each hyper-parameter adds a float column of its own."""

SCORES: dict[str, pa.DataType] = {
    "trial_id": _TEXT,
    "representation": _TEXT,
    "metric": _TEXT,
    "score": _TEXT,
    "value": _REAL,
    "num_points": _WHOLE,
    "metric_seed": _WHOLE,
    "metric_version": _TEXT,
    "parameters_hash": _TEXT,
    "parameters": _TEXT,
    "seconds": _REAL,
    "error": _TEXT,
    "attempt": _WHOLE,
}
"""Long: one row per number; a metric that failed has one row with an error and no value."""

CURVES: dict[str, pa.DataType] = {
    "trial_id": _TEXT,
    "step": _WHOLE,
    "loss": _REAL,
    "reconstruction": _REAL,
    "kl": _REAL,
    "regularizer": _REAL,
    "attempt": _WHOLE,
}
"""Losses in nats at about a hundred steps of each training, means over the few steps before."""

PICTURES: dict[str, pa.DataType] = {
    "trial_id": _TEXT,
    "kind": _TEXT,
    "png": pa.binary(),
    "attempt": _WHOLE,
}

FAILURES: dict[str, pa.DataType] = {
    "pack_id": _TEXT,
    "kind": _TEXT,
    "trial_ids": pa.list_(_TEXT),
    "attempt": _WHOLE,
    "cause": _TEXT,
    "exception": _TEXT,
    "traceback": _TEXT,
    "log": _TEXT,
    "at": _TEXT,
}
"""One row per failed attempt, of a training or of a scoring."""

COLUMNS = {
    "trials": TRIALS,
    "scores": SCORES,
    "curves": CURVES,
    "pictures": PICTURES,
    "failures": FAILURES,
}

REQUEST_KEY = ["representation", "metric", "parameters_hash", "metric_seed"]
"""What tells one wanted score of a trial from another (see `scoring.MetricRequest.key`)."""

IDENTITY = {
    "trials": ["trial_id"],
    "scores": ["trial_id", *REQUEST_KEY, "score"],
    "curves": ["trial_id", "step"],
    "pictures": ["trial_id", "kind"],
    "failures": ["pack_id", "kind", "attempt", "at"],
}
"""Two rows that agree in these columns are the same row, written by two attempts: one stands."""


def texts(table: str) -> list[str]:
    """The text columns of a table: few values in many rows, best read as dictionaries."""
    return [name for name, kind in COLUMNS[table].items() if kind == _TEXT]


def score_column(metric: str, score: str) -> str:
    """The wide column of a score.

    >>> score_column("mig", "mig"), score_column("dci", "completeness")
    ('mig', 'dci_completeness')
    """
    return score if score == metric or metric == "unsupervised" else f"{metric}_{score}"


def to_table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    """The rows as an Arrow table with the columns of table `name`.

    A column that the table does not list is a hyper-parameter, or a metric's, and holds floats.
    """
    columns = COLUMNS[name]
    extra = {key: _REAL for row in rows for key in row if key not in columns}
    schema = pa.schema(
        list((columns | extra).items()), metadata={"schema_version": str(SCHEMA_VERSION)}
    )
    return pa.Table.from_pylist(rows, schema=schema)
