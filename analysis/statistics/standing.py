"""Which setting scores best on a data set, and how far training leads from untrained networks."""

from typing import NamedTuple

import numpy as np
from pandas import DataFrame

from ..names import PAPER_NAMES, Names
from ..tables import check_models, drop_references
from .contest import Contest, hold_contest
from .resampling import fewest_seeds, jackknife_error, student_interval
from .score_array import score_array


class Distance(NamedTuple):
    """The mean score of trained models, of untrained networks, and the difference's interval."""

    trained: float
    untrained: float
    low: float
    high: float
    num_seeds: int


def compare_settings(table: DataFrame, score: str, names: Names = PAPER_NAMES) -> Contest:
    """The contest between the settings of one data set, by their mean scores over seeds.

    Its names are "method: setting". Where less of the score is better, its numbers are negative.

    Args:
        table: wide scores of one data set.
        score: a column.
        names: whether less of the score is better, and which methods are references.
    """
    data = score_array(drop_references(table, names), [score])
    values = names.sign(score) * data.values[0, :, :, 0]
    there = np.isfinite(values)
    values = np.where(there, values, 0.0)

    def average(counts: np.ndarray) -> np.ndarray:
        size = there @ counts
        return values @ counts / np.where(size, size, np.nan)

    settings = [f"{method}: {setting}" for method, setting in data.settings]
    fewest = int(fewest_seeds(there.sum(axis=1)))
    return hold_contest(settings, average, len(data.seeds), fewest, limit=np.inf)


def distance_from_untrained(
    table: DataFrame, score: str, names: Names = PAPER_NAMES
) -> Distance | None:
    """How far the mean of all trained models is from that of the untrained networks.

    Args:
        table: wide scores of one data set, references among them.
        score: a column.
        names: which methods are references.

    Returns:
        None where there are no trained models, or no untrained networks.
    """
    rows = check_models(table).dropna(subset=[score])
    groups = [drop_references(rows, names), rows[rows["method"] == "untrained"]]
    if any(group.empty for group in groups):
        return None
    seeds = sorted({seed for group in groups for seed in group["seed"]})
    sums, sizes = (
        np.array(
            [group.groupby("seed")[score].agg(how).reindex(seeds).fillna(0) for group in groups]
        )
        for how in ("sum", "size")
    )

    def difference(counts: np.ndarray) -> np.ndarray:
        size = sizes @ counts
        means = sums @ counts / np.where(size, size, np.nan)
        return means[:1] - means[1:]

    every = np.ones(len(seeds))
    num_seeds = min(int(group["seed"].nunique()) for group in groups)
    low, high = student_interval(
        difference(every), jackknife_error(difference, len(seeds)), num_seeds
    )
    trained, untrained = (sums @ every) / (sizes @ every)
    return Distance(trained, untrained, float(low[0]), float(high[0]), num_seeds)
