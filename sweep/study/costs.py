"""The cost of a trial in seconds and bytes: measured medians, or else the table below.

The table approximates what benchmarks/RESULTS.md measured on one core of an x86 server CPU, except
for encoding rates, which are assumed. It can tell an hour from a month, but not 10 hours from 12.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from ...models import METHODS, NETWORKS
from ..store.results import Results
from ..trials.data import definition
from ..trials.references import REFERENCES
from ..trials.request import MetricRequest
from ..trials.trial import Trial
from .remaining import WantedTrial

STEPS_PER_SECOND = 9.8
"""Updates per second of beta-VAE with batch 64 and one channel, on one CPU core."""

THREE_CHANNELS_COST = 1.7


class Rates(NamedTuple):
    """Batches evaluated per second, and images encoded per second."""

    evaluations: float
    encodings: float


ON_CPU = Rates(evaluations=30.0, encodings=4000.0)
ON_ACCELERATOR = Rates(evaluations=900.0, encodings=1_264_000.0)
"""Encoding as measured on one H200 with 2,048 images at a time; evaluation counted as three times
the encoding of 256 at a time."""

SCORE_SECONDS = {
    "downstream_lr": 14.0,
    "reduced_downstream": 10.0,
    "strong_generalization": 9.5,
    "downstream_gbt": 7.4,
    "dci": 4.8,
    "beta_vae_score": 1.7,
}
"""CPU seconds of a metric at the paper's size; 1 for metrics not listed."""

_COSTLY = ("batch_size", "network", "width")
"""The settings with the largest effect on the seconds of a step."""

Measured = Mapping[tuple[Any, ...], float]
"""Seconds per model-step, by `cell_of`."""

_PAPER_POINTS = 10_000
_STORED_POINTS = 15_000
_PARAMETER_BYTES = 4 * 700_000
_OTHER_BYTES = 100_000  # rows, curves and pictures of one trial


class Cost(NamedTuple):
    """Slot seconds to train and encode, core seconds to score, and bytes of results."""

    train_seconds: float
    score_seconds: float
    num_bytes: float


def cost(
    untrained: Sequence[WantedTrial],
    unscored: Sequence[WantedTrial],
    save_models: bool,
    measured: Measured,
    rates: Rates = ON_CPU,
) -> Cost:
    """The cost of the remaining work.

    Args:
        untrained: Trials to train and score.
        unscored: Trials to score.
        save_models: Whether parameters are saved.
        measured: The result of `measured_seconds`.
        rates: Rates of the work after the last step.
    """
    train = sum(train_seconds(trial, measured, rates) for trial, _ in untrained)
    score = sum(
        score_seconds(request) for _, requests in (*untrained, *unscored) for request in requests
    )
    kept = sum(
        2 * 4 * _STORED_POINTS * trial.training.num_latents
        + (_PARAMETER_BYTES if save_models else 0)
        + _OTHER_BYTES
        for trial, _ in untrained
    )
    return Cost(train, score, kept)


def cell_of(trial: Trial) -> tuple[Any, ...]:
    """The key of trials whose steps take equally long: data set, method and some settings."""
    settings = (getattr(trial.training, name) for name in _COSTLY)
    return (trial.dataset, trial.method, *settings)


def measured_seconds(results: Results, on_cpu: bool) -> Measured:
    """The median seconds per model-step by `cell_of`, on CPUs or else on accelerators."""
    cell = ("dataset", "method", *_COSTLY)
    columns = [*cell, "steps", "train_seconds", "device", "status"]
    seconds: dict[tuple[Any, ...], list[float]] = {}
    for row in results.table("trials", columns).to_pylist():
        whole = row["steps"] and row["status"] == "done"
        if whole and (row["device"] == "cpu") == on_cpu:
            step = row["train_seconds"] / row["steps"]
            seconds.setdefault(tuple(row[name] for name in cell), []).append(step)
    return {found: median(values) for found, values in seconds.items()}


def score_seconds(request: MetricRequest) -> float:
    """CPU seconds of one score, by the table above."""
    share = (request.num_points or _PAPER_POINTS) / _PAPER_POINTS
    return share * SCORE_SECONDS.get(request.metric, 1.0)


def relative_step(trial: Trial) -> float:
    """The cost of an update, relative to beta-VAE's with batch 64, one channel and 64 x 64."""
    side, _, num_channels = definition(trial).image_shape
    channels = 1 + (THREE_CHANNELS_COST - 1) * (num_channels - 1) / 2
    known = METHODS.get(trial.method)
    cost = (known.cost if known else 1.0) * _relative_network(trial)
    return cost * channels * (side / 64) ** 2 * trial.training.batch_size / 64


def _relative_network(trial: Trial) -> float:
    """The cost of its network, relative to the paper's.

    Most of it is proportional to the width, because the layers next to the image do the most work.
    """
    network = NETWORKS.get(trial.training.network)
    return (network.cost if network else 1.0) * trial.training.width


def train_seconds(trial: Trial, measured: Measured, rates: Rates = ON_CPU) -> float:
    """Seconds to train one model, evaluate it and encode every image."""
    if trial.method in REFERENCES:
        return 0.0
    step = measured.get(cell_of(trial))
    if step is None:
        step = relative_step(trial) / STEPS_PER_SECOND
    return trial.training.steps * step + after_seconds(trial, rates)


def after_seconds(trial: Trial, rates: Rates) -> float:
    """Seconds from the last step of one training until every image is encoded."""
    evaluation = trial.training.evaluation_batches / rates.evaluations
    encoding = definition(trial).num_images / rates.encodings
    return _relative_network(trial) * (evaluation + encoding)
