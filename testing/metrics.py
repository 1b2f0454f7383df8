"""The checks that every metric must pass for any codes, as a function for tests."""

import inspect
from typing import Any, get_args, get_origin

import numpy as np

from ..catalogue import Bounds
from ..metrics import (
    METRICS,
    Metric,
    Representation,
    Rng,
    TableRepresentation,
    UndefinedScoreError,
    adopt_metric,
    sample_integers,
)
from .require import require, require_pieces

_SIZES = (3, 4)
_GRID = np.stack(np.unravel_index(np.arange(12), _SIZES), axis=1)
_STANDARD = (_GRID - _GRID.mean(axis=0)) / _GRID.std(axis=0)
_CODES = {
    "the factors themselves": _STANDARD,
    "every latent twice": np.concatenate([_STANDARD, _STANDARD], axis=1),
    "a constant latent": np.concatenate([_STANDARD, np.full((12, 1), 0.1)], axis=1),
    "constant codes": np.full((12, 3), 0.1),
    "a single latent": _STANDARD[:, :1],
    "float32 codes": _STANDARD.astype(np.float32),
}
_FEW = 200
_MOST_KEPT = 15_000


def check_metric(metric: str | Metric) -> None:
    """Checks everything that Teasel expects of a metric, in well under a second if it is cheap.

    It must have a reference, and parameters with types, bounds and defaults. Codes of any kind must
    have finite scores, and codes that are not finite must be refused. A score must depend only on
    its seed.

    Args:
        metric: A name in `METRICS`, or an entry.

    Raises:
        AssertionError: If something is missing or wrong; the message says what, and how to fix it.
    """
    name, entry = _find(metric)
    require_pieces(f"the metric {name}", missing_pieces(entry))
    if entry.of_model:
        return  # what it does to a model is for tests of its own
    for kind, codes in _CODES.items():
        _check_scores(name, _score(entry, _table(codes)), f"of {kind}")
    for sizes in ((1, 12), (12,)):
        _check_odd_factors(name, entry, sizes)
    for value in (np.nan, np.inf, 1e200):
        _check_refusal(name, entry, value)
    _check_seed(name, entry)
    if not entry.samples_points:
        _check_kept_points(name, entry)
    _check_needs(name, entry)


def missing_pieces(metric: Metric) -> list[str]:
    """What a metric still lacks, with how to add each."""
    missing = []
    if not metric.reference:
        missing.append("a reference: Metric(function, 'Chen et al. 2018, arXiv:1802.04942')")
    if not inspect.getdoc(metric.function):
        missing.append("a docstring that says what its scores are")
    if metric.version < 1:
        missing.append(f"a version of at least 1, not {metric.version}")
    if "num_train" not in metric.parameters and not metric.of_model:
        missing.append("the parameter num_train, the number of points it uses: 'num_train: Count'")
    for name, parameter in metric.parameters.items():
        kind = get_args(parameter.kind)[0] if get_origin(parameter.kind) else parameter.kind
        if parameter.required:
            missing.append(f"a default of {name}")
        if kind in (int, float) and parameter.bounds == Bounds():
            missing.append(f"bounds of {name}: '{name}: Annotated[int, Bounds(ge=1)]'")
    return missing


def _find(metric: str | Metric) -> tuple[str, Metric]:
    if not isinstance(metric, str):
        name = getattr(getattr(metric, "function", metric), "__name__", "metric")
        return name, adopt_metric(name, metric)
    require(metric in METRICS, f"there is no metric {metric!r}; there are {', '.join(METRICS)}")
    return metric, METRICS[metric]


def _table(
    codes: np.ndarray, log_variances: np.ndarray | None = None, sizes: tuple[int, ...] = _SIZES
) -> TableRepresentation:
    def indices_of(factors: np.ndarray, rng: Rng) -> np.ndarray:
        return np.asarray(np.ravel_multi_index(tuple(factors.T), sizes))

    return TableRepresentation(codes, log_variances, sizes, indices_of)


def _score(metric: Metric, representation: Representation, rng: Rng | None = None) -> Any:
    """The scores of a few points."""
    few = {
        name: tuple(min(size, _FEW) for size in value[:2])
        if isinstance(value, tuple)
        else min(value, _FEW)
        for name, value in metric.defaults.items()
        if name.startswith("num_")
    }
    return metric(representation, np.random.default_rng(0) if rng is None else rng, **few)


def _check_scores(name: str, scores: Any, of: str) -> None:
    require(
        isinstance(scores, dict) and bool(scores),
        f"{name} gave {scores!r} {of}; expected a dict from the scores' names to their values",
    )
    for score, value in scores.items():
        require(
            isinstance(score, str) and isinstance(value, float) and bool(np.isfinite(value)),
            f"{name} gave {score!r}: {value!r}, a {type(value).__name__}, {of}; expected a finite "
            f"float: convert by float(...), and define the score where a division fails",
        )


def _check_odd_factors(name: str, metric: Metric, sizes: tuple[int, ...]) -> None:
    what = "of a single factor" if len(sizes) == 1 else "where a factor has one value only"
    table = _table(_STANDARD, sizes=sizes)
    try:
        scores = _score(metric, table)
    except UndefinedScoreError as error:
        require(bool(str(error)), f"{name} raised an UndefinedScoreError without a reason {what}")
    except Exception as error:
        raise AssertionError(
            f"{name} raised {error!r} {what}; expected scores, or a "
            f"teasel.metrics.UndefinedScoreError that says why not"
        ) from error
    else:
        _check_scores(name, scores, what)


def _check_refusal(name: str, metric: Metric, value: float) -> None:
    codes = _STANDARD.copy()
    codes[::2, 1] = value
    how = "call teasel.metrics.check_codes(codes) first"
    try:
        scores = _score(metric, _table(codes))
    except UndefinedScoreError as error:
        require(
            "finite" in str(error),
            f"{name} refused codes with {value} by {error!r}, which does not say that they are not "
            f"finite: {how}",
        )
    except Exception as error:
        raise AssertionError(
            f"{name} raised {error!r} on codes with {value}; expected an UndefinedScoreError: {how}"
        ) from error
    else:
        raise AssertionError(
            f"{name} gave {scores} of codes with {value}; expected an UndefinedScoreError that "
            f"says they are not finite, as float32 too: {how}"
        )


def _check_seed(name: str, metric: Metric) -> None:
    noisy = _table(_STANDARD, np.full(_STANDARD.shape, -1.0))
    for kind in (np.random.RandomState, np.random.default_rng):
        first, second = (_score(metric, noisy, kind(3)) for _ in range(2))
        require(
            first == second,
            f"{name} gave {first} and then {second} from the same {kind.__name__}(3): draw from "
            f"the rng that is given, and from nothing else",
        )


class _OtherFactors(TableRepresentation):
    """A representation of data that offers only what a metric says it needs."""

    def __init__(self, needs: str) -> None:
        super().__init__(_STANDARD, None, _SIZES, lambda which, rng: which)
        self._factors = {
            "nothing": np.empty((12, 0), np.int64),
            "factors": _GRID / 7,
            "discrete factors": _GRID,
        }[needs]
        self.factor_sizes = _SIZES[: self._factors.shape[1]]

    def sample(self, rng: Rng, num: int) -> tuple[np.ndarray, np.ndarray]:
        which = sample_integers(rng, 12, num)
        return _STANDARD[which], self._factors[which]

    def encode(self, factors: np.ndarray, rng: Rng) -> np.ndarray:
        raise AssertionError("it calls encode, which needs all combinations")


def _check_needs(name: str, metric: Metric) -> None:
    """Checks that a metric works with only what it says it needs."""
    if metric.needs == "all combinations":
        return
    try:
        scores = _score(metric, _OtherFactors(metric.needs))
    except Exception as error:
        raise AssertionError(
            f"{name} says that it needs {metric.needs!r}, and raised {error!r} on such data; "
            f"expected scores, or needs='all combinations'"
        ) from error
    _check_scores(name, scores, f"of data that offer {metric.needs}")


class _KeptPoints:
    """A representation of a model's saved points, which can only sample."""

    def __init__(self, name: str) -> None:
        self._name, self._table, self._taken = name, _table(_STANDARD), 0
        self.factor_sizes = _SIZES

    def sample(self, rng: Rng, num: int) -> tuple[np.ndarray, np.ndarray]:
        self._taken += num
        require(
            self._taken <= _MOST_KEPT,
            f"{self._name} samples {self._taken:,} points; a metric with samples_points=False gets "
            f"at most {_MOST_KEPT:,}: take fewer by default, or leave samples_points out",
        )
        return self._table.sample(rng, num)

    def encode(self, factors: np.ndarray, rng: Rng) -> np.ndarray:
        raise AssertionError(
            f"{self._name} calls encode; a metric with samples_points=False can only sample: "
            f"leave samples_points out"
        )


def _check_kept_points(name: str, metric: Metric) -> None:
    """Checks a metric on saved points with its defaults, which set the number of points."""
    _check_scores(name, metric(_KeptPoints(name), np.random.default_rng(0)), "of kept points")
