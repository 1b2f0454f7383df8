"""Compares two studies: which of their numbers agree, as far as seeds can tell."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas import DataFrame
from scipy import stats

from ..paper_grid import DISENTANGLEMENT
from ..tables import split_by
from .resampling import EXACT, MIN_SEEDS, explain_no_interval, jackknife_error, mean_over_seeds
from .score_array import ScoreArray, score_array


def judge(
    difference: float, allowed: float, obstacles: Sequence[str] = (), caveat: str = ""
) -> tuple[str, str]:
    """Whether two numbers agree, and why.

    Args:
        difference: the difference of the numbers.
        allowed: the largest difference that counts as agreement.
        obstacles: the reasons why they cannot be compared.
        caveat: a note for numbers that differ.

    >>> judge(0.02, 0.05), judge(0.02, 0.05, ["3 seeds"])
    (('agrees', 'within 0.050'), ('not comparable', '3 seeds'))
    """
    if obstacles:
        return "not comparable", "; ".join(dict.fromkeys(obstacles))
    if abs(difference) <= allowed + EXACT:
        return "agrees", f"within {allowed:.3f}"
    return "differs", caveat


def compare_studies(table: DataFrame, scores: str | Sequence[str] = DISENTANGLEMENT) -> DataFrame:
    """The mean of every score in every cell of two studies, and whether the two agree.

    A cell is a data set, a method and a setting that both have. The interval of the difference is
    Student's, with the error of a jackknife that leaves a seed out of both studies at once. It thus
    holds for studies with equal seeds and for studies with different seeds.

    Args:
        table: wide scores of two studies, `scores([one, other], wide=True)`.
        scores: columns.

    Returns:
        A row per cell and score: dataset, method, setting, score; each study's mean, spread over
        seeds and number of seeds (first, first_spread, first_seeds, second, ...); difference
        (second minus first), low, high; p_value (that it is 0) and p_adjusted (Holm 1979: for all
        rows together); num_same, the number of models with equal seeds whose scores are equal to
        the last bit; comparison ("agrees", "differs", "not comparable") and why.

    Raises:
        ValueError: if the table does not hold two studies.
    """
    studies = list(table["study"].unique()) if "study" in table else []
    if len(studies) != 2:
        raise ValueError(
            "expected the wide scores of two studies, scores([one, other], wide=True), got those "
            f"of {', '.join(studies) or 'one, without a column study'}"
        )
    one, other = (score_array(rows, scores) for rows in split_by(table, "study").values())
    cells = [
        (dataset, setting)
        for dataset in one.datasets
        for setting in one.settings
        if dataset in other.datasets and setting in other.settings
    ]
    seeds = sorted({*one.seeds, *other.seeds})
    first, second = (_align(data, cells, seeds) for data in (one, other))

    def difference(counts: np.ndarray) -> np.ndarray:
        return mean_over_seeds(second, counts) - mean_over_seeds(first, counts)

    apart, error = difference(np.ones(len(seeds))), jackknife_error(difference, len(seeds))
    sizes = [np.isfinite(values).sum(axis=1) for values in (first, second)]
    fewest = np.minimum(*sizes)
    freedom = np.where(fewest >= MIN_SEEDS, fewest - 1, np.nan)
    half = stats.t.ppf(0.975, freedom) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2 * stats.t.sf(np.abs(apart) / error, freedom)
    p_value = np.where(error < EXACT, np.where(np.abs(apart) < EXACT, 1.0, 0.0), p_value)
    columns = {
        "dataset": [dataset for dataset, _ in cells for _ in one.scores],
        "method": [method for _, (method, _) in cells for _ in one.scores],
        "setting": [setting for _, (_, setting) in cells for _ in one.scores],
        "score": one.scores * len(cells),
        **_describe("first", first, sizes[0]),
        **_describe("second", second, sizes[1]),
        "difference": apart.ravel(),
        "low": (apart - half).ravel(),
        "high": (apart + half).ravel(),
        "p_value": np.where(np.isnan(freedom), np.nan, p_value).ravel(),
        "num_same": (first == second).sum(axis=1).ravel(),
    }
    found = DataFrame(columns)[fewest.ravel() > 0].reset_index(drop=True)
    found.insert(found.columns.get_loc("p_value") + 1, "p_adjusted", _adjust(found["p_value"]))
    obstacles = np.minimum(found["first_seeds"], found["second_seeds"]).map(explain_no_interval)
    allowed = found["high"] - found["difference"]
    verdicts = [
        judge(apart, half, list(filter(None, [why])))
        for apart, half, why in zip(found["difference"], allowed, obstacles, strict=True)
    ]
    return found.assign(
        comparison=[verdict for verdict, _ in verdicts], why=[why for _, why in verdicts]
    )


def _align(data: ScoreArray, cells: list, seeds: list[int]) -> np.ndarray:
    """The scores (cells, seeds, scores) of these cells and seeds; NaN if missing."""
    values = np.full((len(cells), len(seeds), len(data.scores)), np.nan)
    columns = np.searchsorted(seeds, data.seeds)
    for row, (dataset, setting) in enumerate(cells):
        place = data.datasets.index(dataset), data.settings.index(setting)
        values[row, columns] = data.values[place]
    return values


def _describe(name: str, values: np.ndarray, sizes: np.ndarray) -> dict[str, np.ndarray]:
    means = mean_over_seeds(values, np.ones(values.shape[1]))
    squares = np.nansum((values - means[:, None]) ** 2, axis=1)
    spreads = np.sqrt(squares / np.where(sizes > 1, sizes - 1, np.nan))
    return {name: means.ravel(), f"{name}_spread": spreads.ravel(), f"{name}_seeds": sizes.ravel()}


def _adjust(p_values: pd.Series) -> np.ndarray:
    """Holm's adjusted p-values; NaN if missing."""
    order = p_values.dropna().sort_values()
    steps = order.to_numpy() * np.arange(len(order), 0, -1)
    adjusted = pd.Series(np.minimum(np.maximum.accumulate(steps), 1), order.index)
    return adjusted.reindex(p_values.index).to_numpy(float)
