"""The probability that a run of one method is better than a run of another."""

import numpy as np
from pandas import DataFrame

from ..names import PAPER_NAMES, Names
from .resampling import (
    explain_no_interval,
    fewest_seeds,
    jackknife_error,
    mean_of_finite,
    student_interval,
)
from .score_array import score_array


def probability_of_improvement(
    table: DataFrame, score: str, names: Names = PAPER_NAMES
) -> DataFrame:
    """The probability that a run of one method scores better than another's; ties count half.

    Both runs are drawn at random (Agarwal et al. 2021, arXiv:2108.13264).

    Args:
        table: wide scores of one data set, or of several, which are averaged.
        score: a column.
        names: whether less of the score is better.

    Returns:
        A row per pair of methods: row, column, probability (that a run of `row` has the better
        score), low, high, num_models (runs of both), note.
    """
    data = score_array(table, [score])
    methods = list(dict.fromkeys(data.methods))
    runs = [
        [_Runs(values[data.methods == method]) for method in methods]
        for values in data.values[..., 0] * names.sign(score)
    ]
    pairs = [(i, j) for i in range(len(methods)) for j in range(len(methods))]
    comparisons = [[_Comparison(of[i], of[j]) for i, j in pairs] for of in runs]

    def estimate(counts: np.ndarray) -> np.ndarray:
        return mean_of_finite(
            np.array([[pair.probability(counts) for pair in of] for of in comparisons])
        )

    nothing = np.full(len(pairs), np.nan)
    probability = estimate(np.ones(len(data.seeds))) if comparisons else nothing
    error = jackknife_error(estimate, len(data.seeds)) if comparisons else nothing
    settings = data.num_seeds[..., 0]
    each = np.array([fewest_seeds(settings[:, data.methods == method]) for method in methods])
    num_seeds = [int(fewest_seeds(np.minimum(each[i], each[j]))) for i, j in pairs]
    ends = student_interval(probability, error, np.array(num_seeds))
    low, high = (np.clip(end, 0, 1) for end in ends)
    sizes = [
        sum(len(of[i].values) + (len(of[j].values) if i != j else 0) for of in runs)
        for i, j in pairs
    ]
    return DataFrame(
        {
            "row": [methods[i] for i, _ in pairs],
            "column": [methods[j] for _, j in pairs],
            "probability": probability,
            "low": low,
            "high": high,
            "num_models": sizes,
            "note": [
                "no run has this score" if np.isnan(chance) else explain_no_interval(fewest)
                for chance, fewest in zip(probability, num_seeds, strict=True)
            ],
        }
    )


class _Runs:
    """The scores of one method on one data set in ascending order, and the seed of each."""

    def __init__(self, values: np.ndarray):
        seeds = np.broadcast_to(np.arange(values.shape[1]), values.shape)[np.isfinite(values)]
        values = values[np.isfinite(values)]
        self.values, self.seeds = values[values.argsort()], seeds[values.argsort()]


class _Comparison:
    """All pairs of a run of one method and a run of another."""

    def __init__(self, one: _Runs, other: _Runs):
        self._seeds = one.seeds, other.seeds
        self._places = [
            np.searchsorted(other.values, one.values, side) for side in ("left", "right")
        ]

    def probability(self, counts: np.ndarray) -> float:
        """The share of pairs in which the first is higher; seed s counts `counts[s]` times."""
        one, other = (counts[seeds] for seeds in self._seeds)
        beaten = np.concatenate([[0.0], np.cumsum(other)])
        pairs = one.sum() * beaten[-1]
        below, upto = (beaten[places] for places in self._places)
        return one @ (below + upto) / (2 * pairs) if pairs else np.nan
