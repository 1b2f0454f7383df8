"""How often a run of one method beats a run of another."""

import numpy as np

from ..frames import DataFrame
from .resampling import fewest_seeds, interval, jackknife_error, no_interval
from .score_array import score_array


def probability_of_improvement(table: DataFrame, score: str) -> DataFrame:
    """How often a run of one method beats a run of another, both drawn at random (ties: half).

    Args:
        table: wide scores of one data set or of several, which are then averaged.
        score: a column.

    Returns:
        A row per pair of methods: row, column, wins (the chance that a run of `row` has the
        higher score), low, high, num_models (runs of both), note.
    """
    data = score_array(table, [score])
    methods = list(dict.fromkeys(data.methods))
    runs = [
        [_Runs(values[data.methods == method]) for method in methods]
        for values in data.values[..., 0]
    ]
    pairs = [(i, j) for i in range(len(methods)) for j in range(len(methods))]
    duels = [[_Duel(of[i], of[j]) for i, j in pairs] for of in runs]

    def statistic(counts: np.ndarray) -> np.ndarray:
        wins = np.array([[duel.wins(counts) for duel in of] for of in duels])
        there = np.isfinite(wins).sum(axis=0)
        return np.nansum(wins, axis=0) / np.where(there, there, np.nan)

    wins = statistic(np.ones(len(data.seeds))) if duels else np.full(len(pairs), np.nan)
    error = jackknife_error(statistic, len(data.seeds)) if duels else wins
    settings = data.num_seeds[..., 0]
    each = np.array([fewest_seeds(settings[:, data.methods == method]) for method in methods])
    num_seeds = [int(fewest_seeds(np.minimum(each[i], each[j]))) for i, j in pairs]
    low, high = (np.clip(end, 0, 1) for end in interval(wins, error, np.array(num_seeds)))
    sizes = [
        sum(len(of[i].values) + (len(of[j].values) if i != j else 0) for of in runs)
        for i, j in pairs
    ]
    return DataFrame(
        {
            "row": [methods[i] for i, _ in pairs],
            "column": [methods[j] for _, j in pairs],
            "wins": wins,
            "low": low,
            "high": high,
            "num_models": sizes,
            "note": [
                "no run has this score" if np.isnan(won) else no_interval(fewest)
                for won, fewest in zip(wins, num_seeds, strict=True)
            ],
        }
    )


class _Runs:
    """The scores of one method on one data set in ascending order, and the seed of each."""

    def __init__(self, values: np.ndarray):
        seeds = np.broadcast_to(np.arange(values.shape[1]), values.shape)[np.isfinite(values)]
        values = values[np.isfinite(values)]
        self.values, self.seeds = values[values.argsort()], seeds[values.argsort()]


class _Duel:
    """All pairs of a run of one method and a run of another."""

    def __init__(self, one: _Runs, other: _Runs):
        self._seeds = one.seeds, other.seeds
        self._places = [
            np.searchsorted(other.values, one.values, side) for side in ("left", "right")
        ]

    def wins(self, counts: np.ndarray) -> float:
        """The share that the one wins, where seed s counts `counts[s]` times."""
        one, other = (counts[seeds] for seeds in self._seeds)
        beaten = np.concatenate([[0.0], np.cumsum(other)])
        pairs = one.sum() * beaten[-1]
        below, upto = (beaten[places] for places in self._places)
        return one @ (below + upto) / (2 * pairs) if pairs else np.nan
