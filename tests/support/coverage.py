"""How often intervals hold the truth, on made studies: for tests and benchmarks."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pandas import DataFrame

from ...analysis.paper.figures import figure_3
from ...analysis.statistics.correlation import dataset_correlation, rank_correlations
from ...analysis.statistics.importance import importance
from ...analysis.statistics.improvement import probability_of_improvement
from ...analysis.statistics.transfer import table_1, unsupervised_selection
from ...analysis.tables import split_by
from .synthetic import synthetic_scores

SCORES = ["mig", "sap", "modularity"]

ESTIMATORS: dict[str, tuple[Callable[[DataFrame], DataFrame], str]] = {
    "rank_correlations": (
        lambda table: rank_correlations(
            split_by(table, "dataset"), SCORES, num_resamples=200
        ).query("row < column"),
        "correlation",
    ),
    "figure_3": (lambda table: figure_3(table, SCORES), "value"),
    "figure_3, by setting": (lambda table: figure_3(table, SCORES, "setting"), "value"),
    "importance": (lambda table: importance(table, SCORES), "corrected"),
    "probability_of_improvement": (
        lambda table: probability_of_improvement(table, "mig").query("row < column"),
        "probability",
    ),
    "dataset_correlation": (
        lambda table: (
            dataset_correlation(table, "mig")
            .query("row < column")
            .assign(low=lambda found: found["corrected_low"])
            .assign(high=lambda found: found["corrected_high"])
        ),
        "corrected",
    ),
    "table_1": (lambda table: table_1(table, SCORES), "success"),
    "unsupervised_selection": (
        lambda table: unsupervised_selection(table, {"sap": 1}, ["mig", "modularity"]),
        "success",
    ),
}
"""Every function that gives intervals, for wide scores with `SCORES`, and its estimates' column."""

STUDY: dict[str, Any] = {
    "columns": SCORES,
    "seed_share": 0.05,
    "noise_share": 0.36,
    "correlation": 0.5,
}
"""Arguments of `synthetic_scores` for a study like a real one, but for the shape of its scores."""

SHAPES: dict[str, dict[str, Any]] = {
    "gaussian": {},
    "skewed": {"skewed": True},
    "collapsed": {"collapsed": 1 / 3},
    "seldom": {"collapsed": 0.05},
}
"""Scores as they are: few models are good, and a third of them tell nothing, or one in twenty."""


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
