"""Spearman correlations between columns of a wide table: how scores rank models."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from pandas import DataFrame

from ...words import format_count
from ..names import PAPER_NAMES
from ..paper_grid import DISENTANGLEMENT
from ..tables import check_models, check_scores, drop_references
from .contest import Contest, hold_contest
from .resampling import (
    MIN_SEEDS,
    Statistic,
    bootstrap_error,
    explain_no_interval,
    fewest_seeds,
    jackknife_error,
    mean_of_finite,
    student_interval,
)
from .score_array import score_array

MIN_SETTINGS = 3
"""The fewest settings for a correlation; two can only be in the same or the opposite order."""


LEAST_RELIABLE = 0.1
"""The least reliability; with less, nearly all differences between settings are noise."""


def rank_correlation(
    table: DataFrame,
    rows: str | Sequence[str] = DISENTANGLEMENT,
    columns: str | Sequence[str] | None = None,
    num_resamples: int = 1000,
    rng: np.random.Generator | None = None,
) -> DataFrame:
    """Spearman's rank correlation of every score in `rows` with every score in `columns`.

    All entries of one result are over the same models: those that have every score. A score that
    half of the models lack is left out first, so that one unfinished metric does not empty the
    table. Its entries are NaN, and `note` says why.

    Args:
        table: wide scores, one row per model. References such as "untrained" are ignored.
        rows: score columns.
        columns: score columns; those of `rows` if None.
        num_resamples: bootstrap draws of seeds, jointly over all cells; 0 for no intervals.
        rng: NumPy generator; if None, every call uses the same draws.

    Returns:
        A row per pair: row, column, correlation, low, high, num_models, note.
    """
    found = rank_correlations({"": table}, rows, columns, num_resamples, rng)
    return found.drop(columns=["dataset", "lowest", "highest"])


def rank_correlations(
    tables: Mapping[str, DataFrame],
    rows: str | Sequence[str],
    columns: str | Sequence[str] | None = None,
    num_resamples: int = 1000,
    rng: np.random.Generator | None = None,
) -> DataFrame:
    """`rank_correlation` of each data set, and their mean, with seeds drawn jointly.

    Args:
        tables: wide scores by data set, for at least one.
        rows: score columns; this and the following arguments are as in `rank_correlation`.
        columns: score columns.
        num_resamples: bootstrap draws.
        rng: NumPy generator.

    Returns:
        The rows of `rank_correlation` for each data set, with the columns dataset, lowest and
        highest. If at least two data sets have entries, data set "average" is the mean over those
        that have the entry, with the lowest and the highest of them.

    Raises:
        ValueError: if two rows of a table are of one model, or a score is unknown.
    """
    rows = check_scores(rows, *tables.values())
    columns = rows if columns is None else check_scores(columns, *tables.values())
    pairs = list(itertools.product(rows, columns))
    samples, correlate, num_all_seeds = _sample(tables, pairs)
    estimate = correlate(np.ones(num_all_seeds))
    error = np.full(estimate.shape, np.nan)
    if num_resamples and max(sample.num_seeds for sample in samples) >= MIN_SEEDS:
        error = bootstrap_error(correlate, num_all_seeds, num_resamples, rng)

    def explain(num_seeds: int) -> str:
        return explain_no_interval(num_seeds) if num_resamples else ""

    found = []
    for number, (dataset, sample) in enumerate(zip(tables, samples, strict=True)):
        ends = student_interval(estimate[number], error[number], sample.num_seeds)
        notes = sample.explain(explain(sample.num_seeds))
        found.append(_tabulate(dataset, pairs, estimate[number], ends, [sample], notes))
        found[-1]["lowest"] = found[-1]["highest"] = estimate[number]
    known = np.flatnonzero(np.isfinite(estimate[:-1]).any(axis=1))
    if len(known) > 1:
        behind = [samples[place] for place in known]
        num_seeds = min(sample.num_seeds for sample in behind)
        ends = student_interval(estimate[-1], error[-1], num_seeds)
        counts = np.isfinite(estimate[known]).sum(axis=0)
        notes = [f"mean over {count} data sets" for count in counts]
        notes = ["; ".join(filter(None, [note, explain(num_seeds)])) for note in notes]
        average = _tabulate("average", pairs, estimate[-1], ends, behind, notes)
        each = DataFrame(estimate[known])
        found.append(average.assign(lowest=each.min(), highest=each.max()))
    return pd.concat(found, ignore_index=True)


CHANCE = "chance"
"""The name in a contest of a score that says nothing."""


def compare_correlations(
    tables: Mapping[str, DataFrame], rows: Sequence[str], columns: Sequence[str] | None = None
) -> Contest:
    """The contest between correlations, averaged over data sets, and `CHANCE`, which is 0.

    Args:
        tables: wide scores by data set, for at least one.
        rows: score columns.
        columns: score columns, over which each row is averaged. If None, the contest is between
            the pairs of `rows`, named "row, column".
    """
    if columns is None:
        pairs = list(itertools.combinations(rows, 2))
        names, width = [", ".join(pair) for pair in pairs], 1
    else:
        pairs = list(itertools.product(rows, columns))
        names, width = list(rows), len(columns)
    samples, correlate, num_seeds = _sample(tables, pairs)

    def average(counts: np.ndarray) -> np.ndarray:
        found = correlate(counts)[-1].reshape(len(names), width)
        return np.append(mean_of_finite(found.T), 0.0)

    behind = [sample.num_seeds for sample in samples if len(sample.models)]
    return hold_contest([*names, CHANCE], average, num_seeds, min(behind, default=0))


def _sample(
    tables: Mapping[str, DataFrame], pairs: Sequence[tuple[str, str]]
) -> "tuple[list[_Sample], Statistic, int]":
    """The models of data sets, correlations of pairs by counts of seeds, and the number of seeds.

    The correlations are for each data set, followed by their mean: (data sets + 1, pairs).
    """
    samples = [_Sample(table, pairs) for table in tables.values()]
    seeds = np.unique(np.concatenate([sample.seeds for sample in samples]))
    places = [np.searchsorted(seeds, sample.seeds) for sample in samples]

    def correlate(counts: np.ndarray) -> np.ndarray:
        each = [sample.correlate(counts[at]) for sample, at in zip(samples, places, strict=True)]
        return np.vstack([*each, mean_of_finite(np.array(each))])

    return samples, correlate, len(seeds)


def _tabulate(
    dataset: str,
    pairs: Sequence[tuple[str, str]],
    correlation: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
    behind: "Sequence[_Sample]",
    notes: Sequence[str],
) -> DataFrame:
    """The correlations of some pairs as rows of a table, with the number of models `behind` them.

    A score with itself is 1 by definition, and has no interval.
    """
    with_itself = np.array([row == column for row, column in pairs])
    low, high = (np.where(with_itself, np.nan, np.clip(end, -1, 1)) for end in ends)
    return DataFrame(
        {
            "dataset": dataset,
            "row": [row for row, _ in pairs],
            "column": [column for _, column in pairs],
            "correlation": correlation,
            "low": low,
            "high": high,
            "num_models": sum(len(sample.models) for sample in behind),
            "note": notes,
        }
    )


class _Sample:
    """The models of one data set, and the correlations of pairs of scores over them."""

    def __init__(self, table: DataFrame, pairs: Sequence[tuple[str, str]]):
        names = list(dict.fromkeys(itertools.chain(*pairs)))
        self.models, self._why_not = select_complete_models(table, names)
        self.seeds = self.models["seed"].to_numpy()
        settings = self.models.groupby(["method", "setting"])["seed"].nunique()
        self.num_seeds = int(settings.min()) if len(settings) else 0
        kept = [name for name in names if name not in self._why_not]
        self._ranks = Ranks(self.models[kept].to_numpy(float))
        self._pairs = pairs
        # The place of each pair in the matrix of the scores kept; of no use where one is not kept.
        self._known = np.array([row in kept and column in kept for row, column in pairs], bool)
        known = [pair for pair, is_known in zip(pairs, self._known, strict=True) if is_known]
        self._rows = [kept.index(row) for row, _ in known]
        self._columns = [kept.index(column) for _, column in known]

    def correlate(self, counts: np.ndarray) -> np.ndarray:
        """The correlation of each pair (NaN if a score is not kept); model n counts `counts[n]`."""
        found = np.full(len(self._pairs), np.nan)
        found[self._known] = self._ranks.correlate(counts)[self._rows, self._columns]
        return found

    def explain(self, otherwise: str) -> list[str]:
        """Why each pair has no correlation, or else a note on all pairs."""
        return [
            self._why_not.get(row) or self._why_not.get(column) or otherwise
            for row, column in self._pairs
        ]


def dataset_correlation(
    table: DataFrame, score: str, num_resamples: int = 200, rng: np.random.Generator | None = None
) -> DataFrame:
    """Spearman's correlation of one score between data sets, over settings (figure 4).

    It is over settings in both data sets, of means over seeds. Over single models it would be far
    lower, because models of one setting with different seeds differ too. With few seeds the means
    are noisy, which lowers it. `corrected` is divided by sqrt(reliability of one x reliability of
    the other), as in Spearman (1904): an estimate for so many seeds that no noise is left.

    Args:
        table: wide scores.
        score: a column.
        num_resamples: bootstrap draws of seeds, jointly over all cells.
        rng: NumPy generator; if None, every call uses the same draws.

    Returns:
        A row per pair of data sets: row, column, correlation, low, high (for as many other seeds),
        corrected, corrected_low, corrected_high, num_models (of both), num_settings, note.
        `corrected` is missing if a reliability is below `LEAST_RELIABLE`.
    """
    data = score_array(table, [score])
    values = data.values[..., 0]
    num_seeds = values.shape[-1]

    def correlate(counts: np.ndarray) -> np.ndarray:
        return _correlate_settings(values, counts)

    def correct(counts: np.ndarray) -> np.ndarray:
        reliable = _find_reliability(values, counts)
        reliable = np.where(reliable < LEAST_RELIABLE, np.nan, reliable)
        return correlate(counts) / np.sqrt(np.outer(reliable, reliable))

    every_seed = np.ones(num_seeds)
    estimate, corrected = correlate(every_seed), correct(every_seed)
    both = np.minimum(data.num_seeds[:, None, :, 0], data.num_seeds[..., 0])
    fewest, shared = fewest_seeds(both), (both > 0).sum(axis=-1)
    errors = np.full((2, *estimate.shape), np.nan)
    if (fewest >= MIN_SEEDS).any():
        errors[0] = bootstrap_error(correlate, num_seeds, num_resamples, rng)
        errors[1] = jackknife_error(correct, num_seeds)
    ends = [
        np.clip(end, -1, 1)
        for numbers, error in zip((estimate, corrected), errors, strict=True)
        for end in (student_interval(numbers, error, fewest))
    ]
    num_models = np.isfinite(values).sum(axis=(1, 2))
    entries = []
    for i, row in enumerate(data.datasets):
        for j, column in enumerate(data.datasets):
            note = explain_no_interval(fewest[i, j])
            if np.isnan(estimate[i, j]):
                note = "one value for all settings"
            if shared[i, j] < MIN_SETTINGS:
                note = f"{format_count(shared[i, j], 'setting')} in common, {MIN_SETTINGS} needed"
            size = num_models[i] + (num_models[j] if i != j else 0)
            low, high, *others = (end[i, j] if i != j else np.nan for end in ends)
            without_noise = np.clip(corrected[i, j], -1, 1)
            numbers = (estimate[i, j], low, high, without_noise, *others)
            entries.append((row, column, *numbers, size, shared[i, j], note))
    names = ["row", "column", "correlation", "low", "high", "corrected", "corrected_low"]
    names += ["corrected_high", "num_models", "num_settings", "note"]
    return DataFrame(entries, columns=names)


def _find_reliability(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The share of the variance of settings' means over seeds that is not noise of these seeds.

    A seed's effect on all settings alike does not change their ranks, so it is not noise.

    Args:
        values: (data sets, settings, seeds), NaN if there is no model.
        counts: (seeds,), 0 or 1.
    """
    there = np.isfinite(values) * counts
    known = np.where(there > 0, values, 0)
    sizes = there.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = known.sum(axis=2) / sizes
        rest = np.where(there > 0, known - means[..., None], 0)
        rest = rest - (rest.sum(axis=1) / there.sum(axis=1))[:, None]
        squares = np.where(there > 0, rest**2, 0).sum(axis=(1, 2))
        settings, seeds = ((there.sum(axis=axis) > 0).sum(axis=1) for axis in (2, 1))
        freedom = there.sum(axis=(1, 2)) - settings - seeds + 1
        noise = squares / np.where(freedom > 0, freedom, np.nan)
        each = np.where(sizes > 0, 1 / sizes, 0).sum(axis=1) / settings
        deviations = np.where(sizes > 0, means - (np.nansum(means, axis=1) / settings)[:, None], 0)
        spread = (deviations**2).sum(axis=1) / np.where(settings > 1, settings - 1, np.nan)
        return 1 - noise * each / np.where(spread > 0, spread, np.nan)


def _correlate_settings(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Correlations between data sets of settings' means over seeds, seed s counting `counts[s]`.

    Args:
        values: (data sets, settings, seeds), NaN if there is no model.
        counts: (seeds,).
    """
    weights = np.isfinite(values) * counts
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(weights > 0, values, 0) @ counts / weights.sum(axis=-1)
    num_datasets, num_settings = means.shape
    if np.isfinite(means).all() and num_settings >= MIN_SETTINGS:
        return spearman(means.T)
    matrix = np.full((num_datasets, num_datasets), np.nan)
    for i, j in itertools.combinations_with_replacement(range(num_datasets), 2):
        both = np.isfinite(means[i]) & np.isfinite(means[j])
        if both.sum() >= MIN_SETTINGS:
            matrix[i, j] = matrix[j, i] = spearman(means[[i, j]][:, both].T)[0, 1]
    return matrix


def select_complete_models(
    table: DataFrame, names: Sequence[str]
) -> tuple[DataFrame, dict[str, str]]:
    """The trained models that have every score that is kept, and why others are not kept."""
    table = drop_references(check_models(table))
    values = table.reindex(columns=list(names)).to_numpy(float)
    scored = np.isfinite(values)
    kept = 2 * scored.sum(axis=0) > len(values)
    label = PAPER_NAMES.label
    notes = {
        name: f"{label(name)}: scored for {count:,} of {len(values):,} models"
        for name, count, keep in zip(names, scored.sum(axis=0), kept, strict=True)
        if not keep
    }
    complete = table.loc[np.all(scored[:, kept], axis=1)]
    for name in np.array(names)[kept]:
        if len(complete) < 2:
            notes[str(name)] = "a ranking needs two models"
        elif complete[name].nunique() < 2:
            notes[str(name)] = f"{label(name)}: one value for all models"
    return complete, notes


def spearman(values: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation (M, M) of the columns of `values` (N, M), finite.

    Ties share their mean rank; a constant column has no correlation (NaN).

    >>> spearman(np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]))[0, 1].round(6)
    np.float64(-1.0)
    """
    return Ranks(values).correlate(np.ones(len(values)))


class Ranks:
    """The order of the rows in every column, sorted once for all resamples."""

    def __init__(self, values: np.ndarray):
        columns = list(zip(np.sort(values, axis=0).T, values.T, strict=True))
        self._order = values.argsort(axis=0).T.copy()
        self._below, self._upto = (
            [np.searchsorted(ordered, column, side) for ordered, column in columns]
            for side in ("left", "right")
        )

    def correlate(self, counts: np.ndarray) -> np.ndarray:
        """Spearman's correlation where row n occurs `counts[n]` times, a whole number."""
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
