"""The rows of the result tables: one record for each table, its columns and its identity columns.

A table's columns are its record's fields, in order. A field that is None is null in the table.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import pyarrow as pa

from ..trials.request import MetricRequest, RequestKey
from ..trials.trial import Trial

SCHEMA_VERSION = 2
"""Raised when a stored name or its meaning changes.

2: an attempt's id is `attempt_id` in every table; a failure has `exception_type` and `message`, and
names the trials that were `given_up`; a model's seconds are its own, beside its pack's; a score has
the version of its `points` and names the attempt of its model; a model has the `precision` of its
training.
"""


class TrialRow(NamedTuple):
    """One row per trained model.

    The columns described in `Settings` are the training's settings. For the paper's six methods the
    objective `loss` cannot compare settings, because it contains their regularization strengths.

    Attributes:
        trial_id: A hash of everything that determines the model's numbers.
        study: The study that first trained it.
        dataset: A name in the catalogue, or one given in the grid.
        method: A name in the catalogue.
        method_version: Raised when a change of the method's formulas changes its numbers.
        seed: Seed of the initial weights and the batches.
        model_num: The model's number in the paper, if it is one of the paper's models.
        status: "done" or "failed"; `error` gives the reason for a failure.
        error: Why the trial failed; null if it is done.
        loss: The objective, mean over the last evaluation. [nats; less is better]
        reconstruction: Negative log likelihood of an image. [nats; less is better]
        kl: KL from the posterior to the prior, mean over images. [nats; less is better]
        elbo: The evidence lower bound, minus `reconstruction` and `kl`. [nats; more is better]
        bits_per_dimension: Negative bound per pixel and channel; null if the chosen
            likelihood is not a log likelihood. [bits; less is better]
        kl_per_latent: The contribution of each latent to `kl`. [nats]
        train_seconds: The model's share of its pack's training time, including the attempts that
            it resumed from; for a failed model, up to its failure. [seconds]
        encode_seconds: Its share of the time for evaluation, encoding and pictures. [seconds]
        pack_train_seconds: Training time of the whole pack. [seconds]
        pack_encode_seconds: The pack's time for evaluation, encoding and pictures. [seconds]
        data_source: Where the images came from: published files, or rendered.
        data_fingerprint: A hash of the images.
        device: The kind of accelerator or processor.
        host: The machine's name.
        pack_id: A hash of the models that trained together.
        pack_size: The number of models that trained together.
        attempt: The number of the attempt at its pack that trained it, from 1.
        attempt_id: The name of that attempt, which is part of its file names.
        teasel_version: Version of Teasel.
        code: A JSON mapping from Teasel and each package with plug-ins to its version and commit.
        jax_version: Version of JAX.
        numpy_version: Version of NumPy.
        sklearn_version: Version of scikit-learn.
        finished_at: When the row was made, in ISO 8601, UTC.
        hyperparameters: Not a column: each hyper-parameter has its own column of floats.
    """

    trial_id: str
    study: str | None = None
    dataset: str | None = None
    method: str | None = None
    method_version: int | None = None
    seed: int | None = None
    model_num: int | None = None
    steps: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    num_latents: int | None = None
    evaluation_batches: int | None = None
    precision: str | None = None
    network: str | None = None
    width: float | None = None
    activation: str | None = None
    likelihood: str | None = None
    likelihood_scale: float | None = None
    optimizer: str | None = None
    schedule: str | None = None
    warmup_steps: int | None = None
    prior: str | None = None
    prior_components: int | None = None
    posterior: str | None = None
    flow_layers: int | None = None
    kl_estimate: str | None = None
    kl_annealing_steps: int | None = None
    free_bits: float | None = None
    importance_samples: int | None = None
    code_categories: int | None = None
    status: str | None = None
    error: str | None = None
    loss: float | None = None
    reconstruction: float | None = None
    kl: float | None = None
    elbo: float | None = None
    bits_per_dimension: float | None = None
    kl_per_latent: list[float] | None = None
    train_seconds: float | None = None
    encode_seconds: float | None = None
    pack_train_seconds: float | None = None
    pack_encode_seconds: float | None = None
    data_source: str | None = None
    data_fingerprint: str | None = None
    device: str | None = None
    host: str | None = None
    pack_id: str | None = None
    pack_size: int | None = None
    attempt: int | None = None
    attempt_id: str | None = None
    teasel_version: str | None = None
    code: str | None = None
    jax_version: str | None = None
    numpy_version: str | None = None
    sklearn_version: str | None = None
    finished_at: str | None = None
    hyperparameters: Mapping[str, float] = {}

    @classmethod
    def of(cls, trial: Trial, **facts: Any) -> "TrialRow":
        """The row of a trial: its identity, its settings and these facts about it."""
        return cls(
            trial_id=trial.trial_id,
            dataset=trial.dataset,
            method=trial.method,
            method_version=trial.method_version,
            seed=trial.seed,
            hyperparameters=trial.hyperparameters,
            **trial.training._asdict(),
            **facts,
        )


class Scored(NamedTuple):
    """Codes from outside any study, scored in place of a trial."""

    trial_id: str
    dataset: str


class ScoreRow(NamedTuple):
    """One row per score; an undefined metric has one row with an `error` and no `value`.

    Attributes:
        trial_id: The scored model.
        representation: "mean" or "sampled" codes.
        metric: A name in the catalogue.
        score: Name of a score of the metric; for a score of one factor, with the factor's index.
        value: The score; null if it is not defined.
        num_points: Number of points it is computed from; the largest if there are several sizes.
        metric_seed: Seed of the sampled points.
        metric_version: Raised when a change of the metric's formulas changes its numbers.
        parameters_hash: A hash that is equal for scores with the same parameters and version.
        parameters: The metric's parameters, as JSON.
        seconds: Time the metric took for all its scores together. [seconds]
        error: Why the score is not defined.
        attempt: The number of the attempt at scoring that made it, from 1.
        points: The version of the points that `metric_seed` selects on the model's data set.
        model_attempt_id: The attempt that trained the scored model and wrote its codes.
    """

    trial_id: str
    representation: str
    metric: str
    score: str
    value: float | None = None
    num_points: int | None = None
    metric_seed: int | None = None
    metric_version: str | None = None
    parameters_hash: str | None = None
    parameters: str | None = None
    seconds: float | None = None
    error: str | None = None
    attempt: int | None = None
    points: int = 1
    model_attempt_id: str | None = None

    @classmethod
    def of(
        cls, scored: Trial | Scored, request: MetricRequest, score: str, **facts: Any
    ) -> "ScoreRow":
        """The row of one score of a request: the values that determine it, and these facts."""
        return cls(
            trial_id=scored.trial_id,
            score=score,
            num_points=request.num_points,
            metric_version=request.metric_version,
            parameters=json.dumps(request.parameters, sort_keys=True),
            **request.key_on(scored.dataset)._asdict(),
            **facts,
        )


class CurveRow(NamedTuple):
    """Losses at about a hundred steps of each training, each a mean over the few steps before.

    Attributes:
        trial_id: The model.
        step: Number of updates so far.
        loss: The objective. [nats; less is better]
        reconstruction: Negative log likelihood of an image. [nats; less is better]
        kl: KL from the posterior to the prior. [nats; less is better]
        regularizer: The objective without its reconstruction term. [nats]
        attempt: The number of the attempt at its pack that wrote it, from 1.
    """

    trial_id: str
    step: int
    loss: float | None = None
    reconstruction: float | None = None
    kl: float | None = None
    regularizer: float | None = None
    attempt: int | None = None


class PictureRow(NamedTuple):
    """A PNG picture of a model's outputs.

    Attributes:
        trial_id: The model.
        kind: "reconstructions", "traversals" or "interpolations".
        png: The content of the PNG file.
        attempt: The number of the attempt at its pack that rendered it, from 1.
    """

    trial_id: str
    kind: str
    png: bytes
    attempt: int | None = None


class CodeRow(NamedTuple):
    """One model's posterior for one of a data set's fixed points, which keep their order.

    Attributes:
        trial_id: The model.
        mean: Mean of each latent.
        log_variance: Log variance of each latent.
    """

    trial_id: str
    mean: list[float]
    log_variance: list[float]


class PointRow(NamedTuple):
    """One of a data set's fixed points.

    Attributes:
        index: The image's number in the data set.
        factors: The value of each factor; there is no column if the data set has no factors.
    """

    index: int  # pyright: ignore[reportIncompatibleMethodOverride]
    factors: list[int]


class FailureRow(NamedTuple):
    """One row per failed attempt at training or scoring.

    Attributes:
        pack_id: A hash of its trials.
        kind: "train" or "score".
        trial_ids: The trials it was to train or score.
        attempt: The number of the attempt, from 1.
        attempt_id: The attempt's name, which is part of its file names.
        cause: How it ended: a state of an attempt, or "stopped".
        exception_type: The name of the exception's class.
        message: The exception's message.
        traceback: The end of its traceback.
        log: The file with what the attempt printed.
        at: When it ended, in ISO 8601, UTC.
        place: The machine, and the accelerator if it had one, as in "n1, GPU 3".
        given_up: The trials that failed because of it, until a run tries them again.
    """

    pack_id: str
    kind: str
    trial_ids: list[str]
    attempt: int
    attempt_id: str
    cause: str
    exception_type: str | None = None
    message: str | None = None
    traceback: str | None = None
    log: str | None = None
    at: str | None = None
    place: str | None = None
    given_up: list[str] | None = None


Row = TrialRow | ScoreRow | CurveRow | PictureRow | FailureRow | Mapping[str, Any]
"""A record of a table, or a row as it is read: a mapping from column to value."""

_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bytes: pa.binary()}


def _columns(record: type[Any]) -> dict[str, pa.DataType]:
    """The columns for the fields of a record."""
    return {
        name: _arrow_type(kind)
        for name, kind in get_type_hints(record).items()
        if name != "hyperparameters"
    }


def _arrow_type(kind: Any) -> pa.DataType:
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (inner for inner in get_args(kind) if inner is not type(None))
    if get_origin(kind) is list:
        return pa.list_(_arrow_type(get_args(kind)[0]))
    return _ARROW[kind]


COLUMNS: dict[str, dict[str, pa.DataType]] = {
    "trials": _columns(TrialRow),
    "scores": _columns(ScoreRow),
    "curves": _columns(CurveRow),
    "pictures": _columns(PictureRow),
    "failures": _columns(FailureRow),
}
"""The columns of each table, in order. `trials` has one more for each hyper-parameter."""

TRIALS = COLUMNS["trials"]

REQUEST_KEY = list(RequestKey._fields)
"""The columns that distinguish the wanted scores of a trial."""

IDENTITY = {
    "trials": ["trial_id"],
    "scores": ["trial_id", *REQUEST_KEY, "score"],
    "curves": ["trial_id", "step"],
    "pictures": ["trial_id", "kind"],
    "failures": ["pack_id", "kind", "attempt", "at"],
}
"""Rows equal in these columns are one row, written by several attempts; readers keep one."""


def text_columns(table: str) -> list[str]:
    """The text columns of a table: few values in many rows, so best read as dictionaries."""
    return [name for name, kind in COLUMNS[table].items() if kind == pa.string()]


def score_column(metric: str, score: str) -> str:
    """The name of a score's column in a wide table.

    >>> score_column("mig", "mig"), score_column("dci", "completeness")
    ('mig', 'dci_completeness')
    """
    return score if score == metric or metric == "unsupervised" else f"{metric}_{score}"


def study_columns(name: str, study: Mapping[str, Any]) -> list[str]:
    """The columns of table `name` in a study: in `trials` its methods' hyper-parameters, too.

    Args:
        name: trials, scores, curves, pictures or failures.
        study: The content of its ``study.json``; a hand-made one has no grids.
    """
    own = [
        hyperparameter
        for grid in (study.get("grids", ()) if name == "trials" else ())
        for cells in grid["methods"].values()
        for cell in cells
        for hyperparameter in cell["hyperparameters"]
    ]
    return list(dict.fromkeys([*COLUMNS[name], *own]))


def to_table(name: str, rows: Iterable[Row]) -> pa.Table:
    """The rows as an Arrow table with the columns of table `name`.

    A column that the table does not list is a hyper-parameter, and holds floats.

    Args:
        name: trials, scores, curves, pictures or failures.
        rows: The rows of that table.
    """
    by_column = [_by_column(row) for row in rows]
    names = dict.fromkeys([*COLUMNS[name], *(key for row in by_column for key in row)])
    return pa.Table.from_pylist(by_column, schema=schema_of(name, names))


def schema_of(name: str, columns: Iterable[str], coded: Sequence[str] = ()) -> pa.Schema:
    """The schema of table `name` with these columns, in this order; some as dictionaries."""
    kinds = COLUMNS[name] | {each: pa.dictionary(pa.int32(), pa.string()) for each in coded}
    return pa.schema(
        [(column, kinds.get(column, pa.float64())) for column in columns],
        metadata={"schema_version": str(SCHEMA_VERSION)},
    )


def conform(
    name: str, rows: pa.Table, columns: Iterable[str], coded: Sequence[str] = ()
) -> pa.Table:
    """The rows of table `name` with these columns first, null if missing, then other columns.

    The text columns `coded` are dictionaries.
    """
    schema = schema_of(name, dict.fromkeys([*columns, *rows.column_names]), coded)
    arrays = [
        rows[field.name].cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _by_column(row: Row) -> dict[str, Any]:
    columns = dict(row) if isinstance(row, Mapping) else row._asdict()
    hyperparameters = columns.pop("hyperparameters", {})
    return columns | hyperparameters
