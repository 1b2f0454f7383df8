"""How scores rank models: Spearman correlations between the columns of a wide table."""

import itertools
from collections.abc import Sequence

import numpy as np

from .cube import cube
from .frames import DataFrame
from .labels import label
from .resampling import bootstrap_error, interval, no_interval
from .tables import DISENTANGLEMENT, learned

MIN_SETTINGS = 3
"""Two settings are ranked alike or not: that is no correlation."""


def rank_correlation(
    table: DataFrame,
    rows: Sequence[str] = DISENTANGLEMENT,
    columns: Sequence[str] | None = None,
    num_resamples: int = 1000,
    rng: np.random.Generator | None = None,
) -> DataFrame:
    """Spearman's rank correlation of every score in `rows` with every score in `columns`.

    All entries of one result are over the same models: those that have every score. A score that
    half of the models lack is left out first, so that one metric still to be computed does not
    empty the table; its entries are NaN, and `note` says why.

    Args:
        table: wide scores, one row per model. References such as "untrained" are ignored.
        rows: score columns.
        columns: score columns; those of `rows` if None.
        num_resamples: bootstrap draws of seeds, jointly over all cells; 0 for no intervals.
        rng: NumPy generator; the same draws at every call if None.

    Returns:
        A row per pair: row, column, correlation, low, high, num_models, note.
    """
    columns = rows if columns is None else columns
    names = list(dict.fromkeys([*rows, *columns]))
    models, notes = complete_models(table, names)
    kept = [name for name in names if name not in notes]
    values, seeds = models[kept].to_numpy(float), models["seed"].to_numpy()
    estimate = spearman(values)
    low = high = np.full(estimate.shape, np.nan)
    numbers, which = np.unique(seeds, return_inverse=True)
    if num_resamples and kept and not no_interval(len(numbers)):
        resampled = _Ranks(values)
        error = bootstrap_error(
            lambda counts: resampled.correlation(counts[which]), len(numbers), num_resamples, rng
        )
        low, high = (np.clip(end, -1, 1) for end in interval(estimate, error, len(numbers)))
    entries = []
    for row in rows:
        for column in columns:
            if why := notes.get(row) or notes.get(column):
                numbers_here = (np.nan, np.nan, np.nan)
            else:
                place = kept.index(row), kept.index(column)
                numbers_here = (estimate[place], low[place], high[place])
                why = no_interval(len(numbers)) if num_resamples else ""
            entries.append((row, column, *numbers_here, len(models), why))
    names = ["row", "column", "correlation", "low", "high", "num_models", "note"]
    return DataFrame(entries, columns=names)


def dataset_correlation(
    table: DataFrame,
    score: str,
    num_resamples: int = 200,
    rng: np.random.Generator | None = None,
) -> DataFrame:
    """Spearman's correlation of one score between data sets, over settings (figure 4).

    Of the mean over seeds of every setting that both data sets have. Over single models it would
    be far lower: two models of one setting and different seeds differ too.

    Args:
        table: wide scores.
        score: a column.
        num_resamples: bootstrap draws of seeds, jointly over all cells.
        rng: NumPy generator; the same draws at every call if None.

    Returns:
        A row per pair of data sets: row, column, correlation, low, high, num_models (of both),
        num_settings, note.
    """
    data = cube(table, [score])
    values = data.values[..., 0]
    num_datasets, _, num_seeds = values.shape

    def statistic(counts: np.ndarray) -> np.ndarray:
        weights = np.isfinite(values) * counts
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.where(weights > 0, values, 0) @ counts / weights.sum(axis=-1)
        if np.isfinite(means).all() and means.shape[1] >= MIN_SETTINGS:
            return spearman(means.T)
        matrix = np.full((num_datasets, num_datasets), np.nan)
        for i, j in itertools.combinations_with_replacement(range(num_datasets), 2):
            both = np.isfinite(means[i]) & np.isfinite(means[j])
            if both.sum() >= MIN_SETTINGS:
                matrix[i, j] = matrix[j, i] = spearman(means[[i, j]][:, both].T)[0, 1]
        return matrix

    estimate = statistic(np.ones(num_seeds))
    low = high = np.full(estimate.shape, np.nan)
    note = no_interval(num_seeds)
    if not note:
        error = bootstrap_error(statistic, num_seeds, num_resamples, rng)
        low, high = (np.clip(end, -1, 1) for end in interval(estimate, error, num_seeds))
    there = np.isfinite(values).any(axis=-1).astype(int)
    shared = there @ there.T
    models = np.isfinite(values).sum(axis=(1, 2))
    entries = []
    for i, row in enumerate(data.datasets):
        for j, column in enumerate(data.datasets):
            few = f"{shared[i, j]} settings in common, {MIN_SETTINGS} needed"
            constant = "one value for all settings" if np.isnan(estimate[i, j]) else note
            why = few if shared[i, j] < MIN_SETTINGS else constant
            size = models[i] + (models[j] if i != j else 0)
            ends = (low[i, j], high[i, j])
            entries.append((row, column, estimate[i, j], *ends, size, shared[i, j], why))
    names = ["row", "column", "correlation", "low", "high", "num_models", "num_settings", "note"]
    return DataFrame(entries, columns=names)


def complete_models(table: DataFrame, names: Sequence[str]) -> tuple[DataFrame, dict[str, str]]:
    """The trained models that have every score kept, and why other scores are not kept."""
    table = learned(table)
    values = table.reindex(columns=list(names)).to_numpy(float)
    scored = np.isfinite(values)
    kept = 2 * scored.sum(axis=0) > len(values)
    notes = {
        name: f"{label(name)}: scored for {count:,} of {len(values):,} models"
        for name, count, keep in zip(names, scored.sum(axis=0), kept, strict=True)
        if not keep
    }
    complete = table[scored[:, kept].all(axis=1)]
    for name in np.array(names)[kept]:
        if complete[name].nunique() < 2:
            notes[str(name)] = f"{label(name)}: one value for all models"
    return complete, notes


def spearman(values: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation (M, M) of the columns of `values` (N, M), finite.

    Ties share their mean rank; a column of one value correlates with nothing (NaN).

    >>> spearman(np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]))[0, 1].round(6)
    np.float64(-1.0)
    """
    return _Ranks(values).correlation(np.ones(len(values)))


class _Ranks:
    """The order of the rows in every column, sorted once for all resamples."""

    def __init__(self, values: np.ndarray):
        columns = list(zip(np.sort(values, axis=0).T, values.T, strict=True))
        self._order = values.argsort(axis=0).T.copy()
        self._below, self._upto = (
            [np.searchsorted(ordered, column, side) for ordered, column in columns]
            for side in ("left", "right")
        )

    def correlation(self, counts: np.ndarray) -> np.ndarray:
        """Spearman's correlation where row n stands `counts[n]` times, a whole number."""
        counts = counts.astype(np.int64)  # whose running sums are six times as fast as floats'
        ranks = np.empty(self._order.shape)
        total = np.zeros(len(counts) + 1, np.int64)
        for rank, order, below, upto in zip(
            ranks, self._order, self._below, self._upto, strict=True
        ):
            np.cumsum(counts.take(order), out=total[1:])
            rank[:] = total.take(below) + total.take(upto)  # twice the mean rank of ties
        ranks -= total[-1]
        ranks *= np.sqrt(counts)
        covariance = ranks @ ranks.T
        scale = np.sqrt(np.diag(covariance))
        scale = np.where(scale > 0, scale, np.nan)
        return np.clip(covariance / np.outer(scale, scale), -1, 1)
