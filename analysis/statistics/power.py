"""The number of seeds that a comparison needs."""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from pandas import DataFrame
from scipy import stats

from ..paper_grid import DISENTANGLEMENT
from .score_array import score_array

MOST_SEEDS = 1_000_000


def seeds_needed(
    table: DataFrame,
    scores: str | Sequence[str] = DISENTANGLEMENT,
    deltas: Sequence[float] = (0.01, 0.02, 0.05, 0.1),
    power: float = 0.8,
    level: float = 0.05,
) -> DataFrame:
    """Seeds per setting that a t-test needs if the true means of two settings differ by `delta`.

    They follow from the spread over seeds in these results, pooled over settings. Settings share
    their seeds, so a seed's effect on all settings alike cancels in a paired comparison. Both
    counts are returned.

    Args:
        table: wide scores.
        scores: columns.
        deltas: differences of means, in units of the score.
        power: the probability of detecting the difference.
        level: the level of the two-sided test.

    Returns:
        A row per data set, score and delta: spread (standard deviation over seeds), num_seeds,
        num_seeds_paired, num_models, note. A count is NaN if it cannot be computed.
    """
    data = score_array(table, scores)
    rows = []
    for i, dataset in enumerate(data.datasets):
        for j, score in enumerate(data.scores):
            values = data.values[i, :, :, j]
            spread, paired = _spread(values), _paired_spread(values)
            note = "" if np.isfinite(spread) else "no setting has two seeds with this score"
            if not note and np.isnan(paired):
                note = "no two seeds are shared by two settings"
            for delta in deltas:
                counts = [
                    count_seeds(delta / scale if scale else np.inf, groups, power, level)
                    for scale, groups in ((spread, 2), (paired, 1))
                ]
                size = np.isfinite(values).sum()
                rows.append((dataset, score, delta, spread, *counts, size, note))
    names = ["dataset", "score", "delta", "spread", "num_seeds", "num_seeds_paired", "num_models"]
    return DataFrame(rows, columns=[*names, "note"])


def _spread(values: np.ndarray) -> float:
    """Standard deviation over seeds, pooled over the settings of (settings, seeds)."""
    counts = np.isfinite(values).sum(axis=1, keepdims=True)
    means = np.nansum(values, axis=1, keepdims=True) / np.maximum(counts, 1)
    freedom = np.maximum(counts - 1, 0).sum()
    return float(np.sqrt(np.nansum((values - means) ** 2) / freedom)) if freedom else np.nan


def _paired_spread(values: np.ndarray) -> float:
    """Standard deviation over seeds of the difference between two settings, over all pairs.

    A pair is weighted by the degrees of freedom of the seeds that both settings have.
    """
    squares = freedom = 0
    for place, one in enumerate(values):
        apart = values[place + 1 :] - one
        seeds = np.isfinite(apart).sum(axis=1)
        apart = apart[seeds > 1]
        squares += (np.nanvar(apart, axis=1) * seeds[seeds > 1]).sum()
        freedom += (seeds[seeds > 1] - 1).sum()
    return float(np.sqrt(squares / freedom)) if freedom else np.nan


def count_seeds(effect: float, groups: int, power: float, level: float) -> float:
    """The fewest seeds that detect an effect, in standard deviations, with the wanted power."""
    if np.isnan(effect):
        return np.nan

    def enough(num_seeds: int) -> bool:
        freedom = groups * (num_seeds - 1)
        shift = effect * np.sqrt(num_seeds / groups)
        critical = stats.t.ppf(1 - level / 2, freedom)
        # Far out the noncentral t is numerically undefined, and the power is 1.
        return bool(shift > 30 or stats.nct.sf(critical, freedom, shift) >= power)

    if not enough(MOST_SEEDS):
        return np.inf
    counts = range(2, MOST_SEEDS + 1)
    return float(counts[bisect_left(counts, True, key=enough)])
