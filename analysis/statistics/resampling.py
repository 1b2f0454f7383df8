"""Intervals for the results that other seeds would give.

Seeds are crossed with settings, not nested in them: seed 7 gives every method and setting the same
initial weights and batches. A seed is thus drawn, or left out, in all cells of a study at once.

A statistic here is a function of how often each seed counts: `statistic(counts)`, counts (S,).
Both errors below lead to the interval estimate ± t(S - 1) x error, because percentiles of a
bootstrap are too narrow for the few seeds of a study. `benchmarks/analysis.py` measures the
coverage.
"""

import math
from collections.abc import Callable, Iterable

import numpy as np
from scipy import stats

MIN_SEEDS = 10
"""The fewest seeds for an interval. With fewer, t has few degrees and the error is uncertain."""

EXACT = 1e-9
"""Numbers that differ by less are equal up to rounding."""

Statistic = Callable[[np.ndarray], np.ndarray]


def bootstrap_error(
    statistic: Statistic,
    num_seeds: int,
    num_resamples: int = 1000,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """The standard error of a statistic, from seeds drawn with replacement (Efron 1979).

    Multiplied by sqrt(S / (S - 1)), as the variance of S draws from S seeds is too small by that
    (Hesterberg 2015). For statistics that a repeated seed does not bias: means, correlations.

    Args:
        statistic: a function of the counts (S,) of each seed.
        num_seeds: S.
        num_resamples: the number of draws.
        rng: NumPy generator; if None, every call uses the same draws.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    draws = rng.multinomial(num_seeds, np.full(num_seeds, 1 / num_seeds), size=num_resamples)
    values = np.array([statistic(counts.astype(float)) for counts in draws])
    return values.std(axis=0, ddof=1) * np.sqrt(num_seeds / (num_seeds - 1))


def jackknife_error(statistic: Statistic, num_seeds: int) -> np.ndarray:
    """The standard error of a statistic, from leaving out one seed at a time (Tukey 1958).

    It is for statistics that compare a seed with another: shares of variance, transfer to an
    independent seed. A bootstrap would bias them, because it compares a seed with itself. With more
    than 100 seeds, a hundredth is left out at a time.

    Args:
        statistic: a function of the counts (S,) of each seed, here 0 or 1.
        num_seeds: S; the error is NaN with fewer than two.
    """
    if num_seeds < 2:
        return statistic(np.ones(num_seeds)) * np.nan
    groups = np.arange(num_seeds) % min(num_seeds, 100)
    values = np.array([statistic((groups != left_out) * 1.0) for left_out in np.unique(groups)])
    return np.sqrt((len(values) - 1) * values.var(axis=0))


def mean_of_finite(values: np.ndarray) -> np.ndarray:
    """The mean of finite values along the first axis; NaN if there are none.

    >>> mean_of_finite(np.array([[1.0, np.nan], [3.0, np.nan]]))
    array([ 2., nan])
    """
    there = np.isfinite(values).sum(axis=0)
    return np.nansum(values, axis=0) / np.where(there, there, np.nan)


def mean_over_seeds(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The mean (..., scores) of finite values (..., seeds, scores), NaN where there are none.

    Args:
        values: (..., seeds, scores), NaN where there is no model.
        counts: (seeds,), how often each seed counts.

    >>> mean_over_seeds(np.array([[1.0, np.nan], [4.0, np.nan]]), np.array([2, 1]))
    array([ 2., nan])
    """
    weights = np.isfinite(values) * counts[:, None]
    total = weights.sum(axis=-2)
    return (np.nan_to_num(values) * weights).sum(axis=-2) / np.where(total, total, np.nan)


def fewest_seeds(counts: np.ndarray) -> np.ndarray:
    """The smallest nonzero count of seeds (..., settings), or 0 if all are 0.

    In an unfinished study some settings have many seeds and others few. An interval is no better
    than the worst of its components.

    >>> fewest_seeds(np.array([[50, 2, 0], [0, 0, 0]]))
    array([2, 0])
    """
    fewest = counts.min(axis=-1, initial=np.iinfo(int).max, where=counts > 0)
    return np.where(counts.any(axis=-1), fewest, 0)


def student_interval(
    estimate: np.ndarray, error: np.ndarray, num_seeds: np.ndarray | int, fewest: int = MIN_SEEDS
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of the 95 % Student interval with S - 1 degrees of freedom.

    If all seeds give 0, 1 or -1, the error is zero, but another seed may differ. The interval then
    extends 3 / S inwards, as for S trials without a failure (the rule of three, Hanley 1983).

    Args:
        estimate: any shape.
        error: its standard error.
        num_seeds: S, see `fewest_seeds`.
        fewest: the fewest seeds for an interval; with fewer, both ends are NaN.
    """
    num_seeds = np.asarray(num_seeds)
    freedom = np.where(num_seeds >= fewest, num_seeds - 1, np.nan)
    half = stats.t.ppf(0.975, freedom) * error
    low, high = estimate - half, estimate + half
    still = half < EXACT
    rare = 3 / np.where(num_seeds > 3, num_seeds, 3)
    low = np.where(still & (np.abs(estimate - 1) < EXACT), estimate - rare, low)
    at_least = (np.abs(estimate) < EXACT) | (np.abs(estimate + 1) < EXACT)
    return low, np.where(still & at_least, estimate + rare, high)


def explain_no_interval(num_seeds: int, fewest: int = MIN_SEEDS) -> str:
    """Why no interval is shown, or an empty string if it is.

    >>> explain_no_interval(5), explain_no_interval(50)
    ('no interval with fewer than 10 seeds (here 5)', '')
    """
    if num_seeds >= fewest:
        return ""
    return f"no interval with fewer than {fewest} seeds (here {num_seeds})"


def join_notes(notes: Iterable[str]) -> str:
    """Joins distinct notes; of several on too few seeds, only the one with the fewest is kept.

    >>> join_notes([explain_no_interval(5), "", "one model", explain_no_interval(4)])
    'no interval with fewer than 10 seeds (here 4); one model'
    """
    found: dict[str, str] = {}
    for note in sorted(filter(None, set(notes)), key=_count_here):
        found.setdefault(note.split(" (here ")[0], note)
    return "; ".join(found.values())


def _count_here(note: str) -> float:
    _, told, count = note.partition(" (here ")
    return int(count.rstrip(")")) if told else math.inf
