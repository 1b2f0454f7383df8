"""What a score depends on: the method, its setting, or the seed."""

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
    chosen = [(data.methods == group) | (group == "") for group in groups]

    def decompose(counts: np.ndarray) -> np.ndarray:
        """(groups, data sets x scores and their average, parts, [plain, corrected])."""
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
    """The contest between scores, of which the seed and the rest explain most.

    By the corrected share over all methods, averaged over data sets.
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
    """The models with a score in (data sets, settings, seeds, scores): each, and their average."""
    counts = np.isfinite(values).sum(axis=(1, 2))
    return np.append(counts, counts.max(axis=1).sum())


def _fewest_seeds(num_seeds: np.ndarray) -> np.ndarray:
    """The fewest of (data sets, settings, scores): behind each share, and behind their average."""
    each = fewest_seeds(np.moveaxis(num_seeds, 2, 1)).ravel()
    return np.append(each, fewest_seeds(each))


def _explain_missing(shares: np.ndarray, num_models: int, num_seeds: int) -> str:
    if num_models == 0:
        return "no model has this score"
    if np.isnan(shares[0]):
        return "one value for all models"
    if np.isnan(shares[1]):
        return "one seed per setting: seeds cannot be told from settings"
    return explain_no_interval(num_seeds)


def _decompose(values: np.ndarray, methods: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The shares of variance (data sets, scores, parts, [plain, corrected]).

    With x the score of seed s in setting c of method m, w how often it counts, means weighted by w,
    N the sum of all w, C settings and M methods::

        squares of method   Q1 = sum w (mean of m - mean of all)^2    M - 1 degrees of freedom
        squares of setting  Q2 = sum w (mean of c - mean of m)^2      C - M
        squares of seed     Q3 = sum w (x - mean of c)^2              N - C

        plain = Q / (Q1 + Q2 + Q3)
        corrected = (Q - degrees E) / (Q1 + Q2 + Q3 + E), E = Q3 / (N - C); of the seed, the rest

    Args:
        values: (data sets, settings, seeds, scores), NaN where there is no model.
        methods: of each setting.
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
    return explain_variance(importance(table, scores))


def explain_variance(summary: DataFrame) -> DataFrame:
    """What `variance_explained` gives, of a summary of `importance`."""
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
