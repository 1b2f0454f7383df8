"""Effects of a method's hyper-parameters on a score: shares of variance and means."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from pandas import DataFrame

from ..paper_grid import DISENTANGLEMENT
from ..summary import read_setting
from .resampling import (
    explain_no_interval,
    jackknife_error,
    mean_of_finite,
    mean_over_seeds,
    student_interval,
)
from .score_array import ScoreArray, score_array

SEED, REST = "seed", "rest"
HIGHER = "more than two"
"""The interactions of more than two factors, taken together."""

_COLUMNS = [
    *("method", "score", "part", "share", "corrected", "low", "high"),
    *("num_models", "left_out", "note"),
]


class _Factorial(NamedTuple):
    """The scores of one method as a product of factors.

    Attributes:
        values: (levels of each factor, ..., seeds, scores), NaN if there is no model.
        names: the names of the factors: "dataset", then the hyper-parameters that vary.
        levels: the levels of each factor, and last the seeds.
    """

    values: np.ndarray
    names: list[str]
    levels: list[list[str]]


def hyperparameter_importance(
    table: DataFrame, scores: str | Sequence[str] = DISENTANGLEMENT
) -> DataFrame:
    """Shares of each score's variance within a method: hyper-parameters, data set and seed.

    This is an exact decomposition of a complete factorial design (functional ANOVA, Hooker 2007),
    with the data set as a factor. The parts are each factor ("beta"), each interaction of two
    ("beta x dataset"), all other interactions ("more than two"), "seed" (the effect of a seed on
    all settings alike) and "rest" (its effect on some of them). `corrected` is omega squared (Hays
    1963) with the mean square of the rest as error; it can be negative.

    If models are missing, levels are left out until none are, those with the most gaps first.

    Args:
        table: wide scores.
        scores: columns.

    Returns:
        A row per method with at least two settings, score and part; rows of the score "average" are
        means over the scores. Columns: method, score, part, share, corrected, low, high (of
        `corrected`), num_models, left_out (levels in words), note.
    """
    data, found = score_array(table, scores), []
    for method in dict.fromkeys(data.methods):
        design = _arrange(data, method)
        if len(design.names) > 1 or len(design.levels[0]) > 1:
            found += _decompose_method(method, design, data.scores)
    return DataFrame(found, columns=_COLUMNS)


def hyperparameter_means(
    table: DataFrame, scores: str | Sequence[str] = DISENTANGLEMENT
) -> DataFrame:
    """The mean of each score at each value of each hyper-parameter, in total and by seed.

    All settings with that value have the same weight.

    Args:
        table: wide scores.
        scores: columns.

    Returns:
        A row per data set, method, hyper-parameter that varies, value and score: dataset, method,
        hyperparameter, value (in words), score, mean, low, high, by_seed (a mean for each seed),
        num_models, note.
    """
    data, found = score_array(table, scores), []
    for method in dict.fromkeys(data.methods):
        own = np.flatnonzero(data.methods == method)
        settings = [dict(read_setting(data.settings[place][1])) for place in own]
        for name in _varying(settings):
            for value in dict.fromkeys(setting[name] for setting in settings):
                chosen = [
                    int(place)
                    for place, setting in zip(own, settings, strict=True)
                    if setting[name] == value
                ]
                found += _average(data, method, name, value, chosen)
    columns = [
        *("dataset", "method", "hyperparameter", "value", "score", "mean", "low", "high"),
        *("by_seed", "num_models", "note"),
    ]
    return DataFrame(found, columns=columns)


def _average(
    data: ScoreArray, method: str, name: str, value: str, chosen: Sequence[int]
) -> list[tuple]:
    """The rows of `hyperparameter_means` for one value; `chosen` marks the settings with it."""
    values, found = data.values[:, chosen], []  # data sets, settings, seeds, scores
    there = np.isfinite(values)

    def mean(counts: np.ndarray) -> np.ndarray:
        """The mean over seeds, then settings: (data sets, scores)."""
        return mean_of_finite(np.moveaxis(mean_over_seeds(values, counts), 1, 0))

    estimate = mean(np.ones(len(data.seeds)))
    num_seeds = there.sum(axis=2).min(axis=1)
    error = jackknife_error(mean, len(data.seeds))
    low, high = student_interval(estimate, error, num_seeds)
    by_seed = mean_of_finite(np.moveaxis(values, 1, 0))  # data sets, seeds, scores
    for d, dataset in enumerate(data.datasets):
        for s, score in enumerate(data.scores):
            if num := int(there[d, ..., s].sum()):
                dots = by_seed[d, :, s]
                ends = (estimate[d, s], low[d, s], high[d, s])
                note = explain_no_interval(num_seeds[d, s])
                row = (dataset, method, name, value, score, *ends, dots[np.isfinite(dots)])
                found.append((*row, num, note))
    return found


def _varying(settings: Sequence[dict[str, str]]) -> list[str]:
    """The hyper-parameters with at least two values in these settings."""
    names = dict.fromkeys(name for setting in settings for name in setting)
    return [
        name
        for name in names
        if all(name in setting for setting in settings)
        and len({setting[name] for setting in settings}) > 1
    ]


def _arrange(data: ScoreArray, method: str) -> _Factorial:
    """The method's scores by data set, hyper-parameters, seed and score."""
    own = np.flatnonzero(data.methods == method)
    settings = [dict(read_setting(data.settings[place][1])) for place in own]
    names = _varying(settings)
    levels = [list(dict.fromkeys(setting[name] for setting in settings)) for name in names]
    shape = [len(data.datasets), *map(len, levels), len(data.seeds), len(data.scores)]
    values = np.full(shape, np.nan)
    for place, setting in zip(own, settings, strict=True):
        at = tuple(level.index(setting[name]) for name, level in zip(names, levels, strict=True))
        values[(slice(None), *at)] = data.values[:, place]
    seeds = [str(seed) for seed in data.seeds]
    return _Factorial(values, ["dataset", *names], [data.datasets, *levels, seeds])


def _decompose_method(method: str, design: _Factorial, scores: list[str]) -> list[tuple]:
    """The rows of `hyperparameter_importance` for one method."""
    found, averaged = [], []
    for s, score in enumerate(scores):
        values, left_out = _complete(design, s)
        parts = _name_parts(design.names, values.shape[:-1])
        num_seeds, usable = values.shape[-1], values.size > 1 and len(parts) > 2
        if not usable:
            note = "no value of a hyper-parameter has all its models"
            found.append((method, score, "", *[np.nan] * 4, 0, left_out, note))
            continue

        def corrected(counts: np.ndarray, values: np.ndarray = values) -> np.ndarray:
            return _decompose(values[..., counts > 0])[1]

        share, estimate = _decompose(values)
        low, high = student_interval(estimate, jackknife_error(corrected, num_seeds), num_seeds)
        note = explain_no_interval(num_seeds)
        if np.isnan(share[0]):
            note = "one value for all models"
        elif np.isnan(estimate[0]):
            note = "one seed per setting: seeds cannot be distinguished from settings"
        numbers = zip(parts, share, estimate, low, high, strict=True)
        rows = [(method, score, *each, values.size, left_out, note) for each in numbers]
        found += rows
        averaged += rows
    if len({row[1] for row in averaged}) > 1:
        found += _average_parts(method, DataFrame(averaged, columns=_COLUMNS))
    return found


def _average_parts(method: str, rows: DataFrame) -> list[tuple]:
    """The mean over scores of each part that every score has, without an interval."""
    found = []
    for part, own in rows.groupby("part", sort=False):
        if len(own) == rows["score"].nunique():
            means = (own["share"].mean(), own["corrected"].mean(), np.nan, np.nan)
            found.append((method, "average", part, *means, int(own["num_models"].sum()), "", ""))
    return found


def _complete(design: _Factorial, score: int) -> tuple[np.ndarray, str]:
    """The values of one score without levels that have gaps, and what was left out, in words.

    The level with the largest share of gaps is left out first; among equal ones, a seed first.
    """
    values, levels = design.values[..., score], [list(level) for level in design.levels]
    names, gone = [*design.names, SEED], []
    while values.size and not np.isfinite(values).all():
        worst = max(
            (
                (float(share), axis == values.ndim - 1, axis, place)
                for axis in range(values.ndim)
                for place, share in enumerate(
                    np.isnan(values).mean(axis=tuple(set(range(values.ndim)) - {axis}))
                )
            )
        )
        _, _, axis, place = worst
        gone.append(f"{names[axis]}={levels[axis].pop(place)}")
        values = np.delete(values, place, axis=axis)
    return values, ", ".join(gone)


def _name_parts(names: Sequence[str], sizes: Sequence[int]) -> list[str]:
    """The parts of a decomposition, in the order of `_decompose`."""
    varied = [name for name, size in zip(names, sizes, strict=True) if size > 1]
    pairs = [f"{first} x {second}" for first, second in combinations(varied, 2)]
    return [*varied, *pairs, *([HIGHER] if len(varied) > 2 else []), SEED, REST]


def _decompose(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The uncorrected and the corrected shares of each part.

    The effect of a set U of factors is the mean over all others, minus the effects of the subsets
    of U. With n levels of each factor, N values, S seeds and C = N / S settings::

        squares of U      Q = N / C(U) sum effect^2     product of (n - 1) degrees of freedom
        squares of seed   Q = C sum (mean of s - mean)^2            S - 1
        rest              the remaining squares of all values       (C - 1)(S - 1)

        corrected = (Q - degrees E) / (all squares + E), E = rest / (C - 1)(S - 1); for the
        rest, what is left

    Args:
        values: (levels of each factor, ..., seeds), none missing.
    """
    axes = [axis for axis in range(values.ndim - 1) if values.shape[axis] > 1]
    num, num_seeds = values.size, values.shape[-1]
    mean = values.mean()
    total = float(((values - mean) ** 2).sum())
    effects: dict[tuple[int, ...], np.ndarray] = {(): mean}
    squares, freedom, higher = [], [], [0.0, 0]
    for size in range(1, len(axes) + 1):
        for chosen in combinations(axes, size):
            others = tuple(axis for axis in range(values.ndim) if axis not in chosen)
            effect = values.mean(axis=others, keepdims=True)
            for less in range(size):
                for subset in combinations(chosen, less):
                    effect = effect - effects[subset]
            effects[chosen] = effect
            part = float((effect**2).sum()) * num / effect.size
            degrees = int(np.prod([values.shape[axis] - 1 for axis in chosen]))
            if size <= 2:
                squares.append(part)
                freedom.append(degrees)
            else:
                higher = [higher[0] + part, higher[1] + degrees]
    if len(axes) > 2:
        squares.append(higher[0])
        freedom.append(higher[1])
    of_seeds = values.mean(axis=tuple(range(values.ndim - 1))) - mean
    squares.append(float((of_seeds**2).sum()) * num / num_seeds)
    freedom.append(num_seeds - 1)
    rest = max(0.0, total - sum(squares))
    degrees = num - 1 - sum(freedom)
    if total <= 1e-12 * num * mean**2:
        nothing = np.full(len(squares) + 1, np.nan)
        return nothing, nothing
    shares = np.array([*squares, rest]) / total
    if degrees <= 0:
        return shares, np.full(len(shares), np.nan)
    error = rest / degrees
    corrected = (np.array(squares) - np.array(freedom) * error) / (total + error)
    return shares, np.append(corrected, 1 - corrected.sum())
