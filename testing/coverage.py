"""How often intervals hold the truth, on made studies: for tests and benchmarks."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..analysis.frames import DataFrame
from ..analysis.statistics.importance import importance
from .synthetic import synthetic_scores


def coverage(
    estimate: Callable[[DataFrame], DataFrame],
    value: str,
    rng: np.random.Generator,
    num_seeds: int,
    num_studies: int = 200,
    truth: np.ndarray | None = None,
    **study: Any,
) -> np.ndarray:
    """How often each interval of a table holds the truth, over many made studies.

    What is taken for the truth must be known far better than one study can tell: an error of a
    third of an interval's half-width lowers its coverage by a tenth.

    Args:
        estimate: from wide scores to a table with `value`, low and high.
        value: its column of estimates.
        rng: NumPy generator.
        num_seeds: of the studies.
        num_studies: how many are made; all of the same true means.
        truth: of every row; if None, the mean of what the same function finds in four studies of
            2,000 seeds each.
        study: arguments of `synthetic_scores`; `means` among them.
    """
    if truth is None:
        large = [estimate(synthetic_scores(rng, num_seeds=2000, **study))[value] for _ in range(4)]
        truth = np.mean(large, axis=0)
    held = []
    for _ in range(num_studies):
        found = estimate(synthetic_scores(rng, num_seeds=num_seeds, **study))
        held.append((found["low"] <= truth) & (truth <= found["high"]))
    return np.mean(held, axis=0)


def true_shares(means: np.ndarray, columns: Sequence[str], rest: float = 0.41) -> np.ndarray:
    """The true shares, row by row of `importance`, of studies of these means.

    Of two seeds at a cell's mean plus and minus the deviation, the plain shares are the true ones.

    Args:
        means: (data sets, 36, len(columns)).
        columns: score columns.
        rest: variance of what seeds and noise do.
    """
    table = synthetic_scores(np.random.default_rng(0), means, 2, columns, noise_share=0.0)
    sides = np.where(table["seed"] == 0, 1, -1)[:, None]
    table[list(columns)] += np.sqrt(rest) * sides
    return importance(table, columns)["share"].to_numpy()
