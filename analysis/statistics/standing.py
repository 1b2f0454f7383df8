"""The best setting on a data set, and the difference between trained and untrained networks."""

from typing import NamedTuple

import numpy as np
from pandas import DataFrame

from ..names import PAPER_NAMES, Names
from ..tables import MODEL, check_models, check_scores, drop_references
from .contest import Contest, hold_contest
from .resampling import fewest_seeds, jackknife_error, mean_over_seeds, student_interval
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

    Its names are "method: setting". If less of the score is better, its numbers are negated.

    Args:
        table: wide scores of one data set.
        score: a column.
        names: whether less of the score is better, and which methods are references.

    Raises:
        ValueError: if there are several data sets, two rows are of one model, or the score is
            unknown.
    """
    data = score_array(drop_references(_check_one_dataset(table), names), [score])
    if not data.datasets:
        return hold_contest([], lambda counts: np.empty(0), 0, 0)
    values = names.sign(score) * data.values[0]

    def average(counts: np.ndarray) -> np.ndarray:
        return mean_over_seeds(values, counts)[:, 0]

    settings = [f"{method}: {setting}" for method, setting in data.settings]
    fewest = int(fewest_seeds(data.num_seeds[0, :, 0]))
    return hold_contest(settings, average, len(data.seeds), fewest, limit=np.inf)


def distance_from_untrained(
    table: DataFrame, score: str, names: Names = PAPER_NAMES
) -> Distance | None:
    """The difference between the means of all trained models and of untrained networks.

    Args:
        table: wide scores of one data set, including references.
        score: a column.
        names: which methods are references.

    Returns:
        None if there are no trained models or no untrained networks.

    Raises:
        ValueError: if there are several data sets, two rows are of one model, or the score is
            unknown.
    """
    check_scores(score, table)
    rows = check_models(_check_one_dataset(table)).reindex(columns=[*MODEL, score]).dropna()
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


def _check_one_dataset(table: DataFrame) -> DataFrame:
    """Checks that a table has one data set, because means over several would be meaningless."""
    given = list(table["dataset"].unique())
    if len(given) > 1:
        raise ValueError(
            f"models of {', '.join(given)}: expected models of one data set, as in "
            f"table[table['dataset'] == {given[0]!r}]"
        )
    return table
