"""What a score depends on: the method, its setting, or the seed."""

from collections.abc import Sequence

import numpy as np

from ..frames import DataFrame, pd
from ..tables import DISENTANGLEMENT
from .resampling import fewest_seeds, interval, jackknife_error, no_interval
from .score_array import ScoreArray, score_array

PARTS = ("method", "setting", "seed")


def importance(table: DataFrame, scores: str | Sequence[str] = DISENTANGLEMENT) -> DataFrame:
    """Shares of each score's variance due to method, setting within method, and seed.

    A nested decomposition per data set and score. The plain share of a sum of squares is what
    least squares on one-hot columns explain; with few seeds it is far above zero by chance, so
    `corrected` gives omega squared (Hays 1963) beside it, which may be below zero. "seed" is all
    the rest: the seed and its interplay with the setting.

    Omega squared takes seeds for nested, but they are crossed: what a seed does to all settings
    alike moves no difference between settings, yet is taken off as if it did. So with S seeds
    `corrected` of method and setting together is too low by about 1 / S of that effect's share.

    Args:
        table: wide scores.
        scores: columns.

    Returns:
        A row per data set, score and part. With ``method`` empty: shares over all methods;
        otherwise the shares of setting and seed within that method alone. The rows of data set
        "average" average the others, over data sets and scores. Columns: dataset, score, method,
        part, share, corrected, low, high (of `corrected`), num_models, note.
    """
    data = score_array(table, scores)
    if not data.datasets:
        return DataFrame(columns=_COLUMNS)
    groups = ["", *dict.fromkeys(data.methods)]

    def statistic(counts: np.ndarray) -> np.ndarray:
        shares = np.stack([_shares(data, counts, group) for group in groups])
        average = np.full((len(groups), 1, 1, 3, 2), np.nan)
        if shares.shape[1] * shares.shape[2] > 1:
            average = _mean(shares)
        return np.concatenate([shares.reshape(len(groups), -1, 3, 2), average[:, 0, :]], axis=1)

    estimate = statistic(np.ones(len(data.seeds)))
    error = jackknife_error(lambda counts: statistic(counts)[..., 1], len(data.seeds))
    num_seeds = np.array([_fewest_seeds(data, group) for group in groups])
    low, high = interval(estimate[..., 1], error, num_seeds[..., None])
    names = [(dataset, score) for dataset in data.datasets for score in data.scores]
    names.append(("average", "average"))
    counted = np.array([_count(data, group) for group in groups])
    rows = [
        [
            *(*name, group, part, *estimate[g, n, p], low[g, n, p], high[g, n, p]),
            *(counted[g, n], _why(estimate[g, n, p], counted[g, n], num_seeds[g, n])),
        ]
        for n, name in enumerate(names)
        for g, group in enumerate(groups)
        for p, part in enumerate(PARTS)
        if not (group and part == "method") and not (n == len(names) - 1 and len(names) == 2)
    ]
    return DataFrame(rows, columns=_COLUMNS)


_COLUMNS = [
    *("dataset", "score", "method", "part", "share", "corrected", "low", "high"),
    *("num_models", "note"),
]


def _mean(shares: np.ndarray) -> np.ndarray:
    finite = np.isfinite(shares)
    total = np.where(finite, shares, 0).sum(axis=(1, 2), keepdims=True)
    with np.errstate(invalid="ignore"):
        return total / finite.sum(axis=(1, 2), keepdims=True)


def _count(data: ScoreArray, group: str) -> np.ndarray:
    chosen = data.values[:, (data.methods == group) | (group == "")]
    counts = np.isfinite(chosen).sum(axis=(1, 2))
    return np.append(counts, counts.max(axis=1).sum())


def _fewest_seeds(data: ScoreArray, group: str) -> np.ndarray:
    chosen = data.num_seeds[:, (data.methods == group) | (group == "")]
    each = fewest_seeds(np.moveaxis(chosen, 2, 1)).ravel()
    return np.append(each, fewest_seeds(each))


def _why(shares: np.ndarray, num_models: int, num_seeds: int) -> str:
    if num_models == 0:
        return "no model has this score"
    if np.isnan(shares[0]):
        return "one value for all models"
    if np.isnan(shares[1]):
        return "one seed per setting: seeds cannot be told from settings"
    return no_interval(num_seeds)


def _shares(data: ScoreArray, counts: np.ndarray, group: str) -> np.ndarray:
    """(data sets, scores, parts, [plain, corrected]) with each seed counting so often."""
    chosen = (data.methods == group) | (group == "")
    values = np.moveaxis(data.values[:, chosen], 3, 1)  # data sets, scores, settings, seeds
    methods = (data.methods[chosen] == np.unique(data.methods[chosen])[:, None]).astype(float)
    weights = np.isfinite(values) * counts
    values = np.where(weights > 0, values, 0.0)
    cell_size, cell_sum = weights.sum(axis=-1), (weights * values).sum(axis=-1)
    method_size, method_sum = cell_size @ methods.T, cell_sum @ methods.T
    size, total = cell_size.sum(axis=-1), cell_sum.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cell_mean = np.nan_to_num(cell_sum / cell_size)
        method_mean = np.nan_to_num(method_sum / method_size)
        mean = total / size
        squares = [
            (method_size * (method_mean - mean[..., None]) ** 2).sum(axis=-1),
            (cell_size * (cell_mean - method_mean @ methods) ** 2).sum(axis=-1),
            (weights * (values - cell_mean[..., None]) ** 2).sum(axis=(-1, -2)),
        ]
        num_methods, num_cells = (method_size > 0).sum(axis=-1), (cell_size > 0).sum(axis=-1)
        freedom = [num_methods - 1, num_cells - num_methods, size - num_cells]
        all_squares = sum(squares)
        all_squares = np.where(all_squares > 1e-12 * size * mean**2, all_squares, np.nan)
        error = np.where(freedom[2] > 0, squares[2] / freedom[2], np.nan)
        plain = np.stack(squares, axis=-1) / all_squares[..., None]
        explained = (
            np.stack([squares[part] - freedom[part] * error for part in (0, 1)], axis=-1)
            / (all_squares + error)[..., None]
        )
    corrected = np.concatenate([explained, 1 - explained.sum(axis=-1, keepdims=True)], axis=-1)
    return np.stack([plain, corrected], axis=-1)


def parts_of_bar(summary: DataFrame) -> DataFrame:
    """The shares over all methods as parts of one bar per data set and score.

    Args:
        summary: of `importance`, over all methods.

    Returns:
        The summary with the column width: `corrected` where that is above zero, else 0, divided by
        what this makes of all three parts, so that they fill the bar.
    """
    width = summary["corrected"].clip(lower=0)
    bar = width.groupby([summary["dataset"], summary["score"]]).transform("sum")
    return summary.assign(width=width / bar)


def variance_explained(
    table: DataFrame, scores: str | Sequence[str] = DISENTANGLEMENT
) -> DataFrame:
    """The share of variance explained by method, and by method and setting together (figure 3).

    Returns:
        A row per data set and score, and their average, and explanation: dataset, score, row
        ("method", "method and setting"), column ("average" or the data set), share, corrected,
        low, high (of `corrected`), num_models, note.
    """
    parts = importance(table, scores).query("method == ''")
    of_method = parts[parts["part"] == "method"].assign(row="method")
    seed = parts[parts["part"] == "seed"]
    both = seed.assign(
        row="method and setting",
        share=1 - seed["share"],
        corrected=1 - seed["corrected"],
        low=1 - seed["high"],
        high=1 - seed["low"],
    )
    joined = (
        pd.concat([of_method, both])
        .sort_index(kind="stable")
        .assign(column=lambda rows: rows["dataset"])
    )
    order = ["dataset", "score", "row", "column", "share", "corrected", "low", "high"]
    return joined[[*order, "num_models", "note"]].reset_index(drop=True)
