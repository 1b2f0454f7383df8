"""How far a score depends on the method, its setting and the seed."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas import DataFrame

from ..paper_grid import DISENTANGLEMENT
from .contest import Contest, hold_contest
from .resampling import (
    explain_no_interval,
    fewest_seeds,
    jackknife_error,
    mean_of_finite,
    student_interval,
)
from .score_array import score_array

PARTS = ("method", "setting", "seed")


def importance(table: DataFrame, scores: str | Sequence[str] = DISENTANGLEMENT) -> DataFrame:
    """Shares of each score's variance due to method, setting within method, and seed.

    This is a nested decomposition per data set and score. The uncorrected share of a sum of squares
    is what least squares on one-hot columns explain. With few seeds it is far above zero by chance,
    so `corrected` adds omega squared (Hays 1963), which can be negative. "seed" is all the rest:
    the seed and its interaction with the setting.

    Omega squared assumes that seeds are nested, but they are crossed. A seed's effect on all
    settings alike does not change differences between settings, but is subtracted as if it did.
    With S seeds, `corrected` of method and setting together is thus too low by about 1 / S of that
    effect's share.

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
    chosen = [(data.methods == group) | (group == "") for group in groups]

    def decompose(counts: np.ndarray) -> np.ndarray:
        """The shares (groups, data sets x scores and average, parts, [uncorrected, corrected])."""
        shares = np.stack(
            [_decompose(data.values[:, own], data.methods[own], counts) for own in chosen]
        )
        shares = shares.reshape(len(groups), -1, 3, 2)
        average = mean_of_finite(shares.swapaxes(0, 1))
        return np.concatenate([shares, average[:, None]], axis=1)

    estimate = decompose(np.ones(len(data.seeds)))
    error = jackknife_error(lambda counts: decompose(counts)[..., 1], len(data.seeds))
    num_seeds = np.array([_fewest_seeds(data.num_seeds[:, own]) for own in chosen])
    low, high = student_interval(estimate[..., 1], error, num_seeds[..., None])
    num_models = np.array([_count_models(data.values[:, own]) for own in chosen])
    names = [(dataset, score) for dataset in data.datasets for score in data.scores]
    if len(names) > 1:
        names.append(("average", "average"))
    rows = []
    for n, name in enumerate(names):
        for g, group in enumerate(groups):
            for p, part in enumerate(PARTS):
                if group and part == "method":
                    continue  # within one method there is nothing to tell methods apart
                entry = estimate[g, n, p]
                note = _explain_missing(entry, num_models[g, n], num_seeds[g, n])
                ends = (low[g, n, p], high[g, n, p])
                rows.append((*name, group, part, *entry, *ends, num_models[g, n], note))
    return DataFrame(rows, columns=_COLUMNS)


def compare_seed_shares(table: DataFrame, scores: str | Sequence[str]) -> Contest:
    """The contest between scores by the share that the seed and the rest explain.

    It is the corrected share over all methods, averaged over data sets.
    """
    data = score_array(table, scores)

    def seed_shares(counts: np.ndarray) -> np.ndarray:
        return mean_of_finite(_decompose(data.values, data.methods, counts)[..., 2, 1])

    fewest = int(fewest_seeds(data.num_seeds.ravel()))
    return hold_contest(data.scores, seed_shares, len(data.seeds), fewest)


_COLUMNS = [
    *("dataset", "score", "method", "part", "share", "corrected", "low", "high"),
    *("num_models", "note"),
]


def _count_models(values: np.ndarray) -> np.ndarray:
    """The numbers of models from (data sets, settings, seeds, scores): each, and the average."""
    counts = np.isfinite(values).sum(axis=(1, 2))
    return np.append(counts, counts.max(axis=1).sum())


def _fewest_seeds(num_seeds: np.ndarray) -> np.ndarray:
    """The fewest seeds, from (data sets, settings, scores), behind each share and their average."""
    each = fewest_seeds(np.moveaxis(num_seeds, 2, 1)).ravel()
    return np.append(each, fewest_seeds(each))


def _explain_missing(shares: np.ndarray, num_models: int, num_seeds: int) -> str:
    if num_models == 0:
        return "no model has this score"
    if np.isnan(shares[0]):
        return "one value for all models"
    if np.isnan(shares[1]):
        return "one seed per setting: seeds cannot be distinguished from settings"
    return explain_no_interval(num_seeds)


def _decompose(values: np.ndarray, methods: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The shares of variance (data sets, scores, parts, [uncorrected, corrected]).

    Let x be the score of seed s in setting c of method m, and w how often it counts. Means are
    weighted by w, N is the sum of all w, and there are C settings and M methods::

        squares of method   Q1 = sum w (mean of m - mean of all)^2    M - 1 degrees of freedom
        squares of setting  Q2 = sum w (mean of c - mean of m)^2      C - M
        squares of seed     Q3 = sum w (x - mean of c)^2              N - C

        plain = Q / (Q1 + Q2 + Q3)
        corrected = (Q - degrees E) / (Q1 + Q2 + Q3 + E), E = Q3 / (N - C); for the seed, the rest

    Args:
        values: (data sets, settings, seeds, scores), NaN if there is no model.
        methods: the method of each setting.
        counts: how often each seed counts.
    """
    values = np.moveaxis(values, 3, 1)  # data sets, scores, settings, seeds
    is_of = (methods == np.unique(methods)[:, None]).astype(float)  # methods, settings
    weights = np.isfinite(values) * counts
    values = np.where(weights > 0, values, 0.0)
    setting_size, setting_sum = weights.sum(axis=-1), (weights * values).sum(axis=-1)
    method_size, method_sum = setting_size @ is_of.T, setting_sum @ is_of.T
    size, total = setting_size.sum(axis=-1), setting_sum.sum(axis=-1)
    num_methods, num_settings = (method_size > 0).sum(axis=-1), (setting_size > 0).sum(axis=-1)
    freedom = [num_methods - 1, num_settings - num_methods, size - num_settings]
    with np.errstate(invalid="ignore", divide="ignore"):
        setting_mean = np.nan_to_num(setting_sum / setting_size)
        method_mean = np.nan_to_num(method_sum / method_size)
        mean = total / size
        squares = [
            (method_size * (method_mean - mean[..., None]) ** 2).sum(axis=-1),
            (setting_size * (setting_mean - method_mean @ is_of) ** 2).sum(axis=-1),
            (weights * (values - setting_mean[..., None]) ** 2).sum(axis=(-1, -2)),
        ]
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


def scale_to_bars(summary: DataFrame) -> DataFrame:
    """The shares over all methods as parts of one bar per data set and score.

    Args:
        summary: the summary from `importance`, over all methods.

    Returns:
        The summary with the column width: `corrected`, or 0 if that is negative, divided by the sum
        over all three parts, so that they fill the bar.
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
    return explain_variance(importance(table, scores))


def explain_variance(summary: DataFrame) -> DataFrame:
    """The result of `variance_explained`, from a summary of `importance`."""
    parts = summary.query("method == ''")
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
