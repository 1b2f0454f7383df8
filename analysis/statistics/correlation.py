"""How scores rank models: Spearman correlations between the columns of a wide table."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from ..frames import DataFrame, pd
from ..labels import counted, label
from ..tables import DISENTANGLEMENT, learned, one_row_per_model, score_names
from .resampling import MIN_SEEDS, bootstrap_error, fewest_seeds, interval, no_interval
from .score_array import score_array

MIN_SETTINGS = 3
"""Two settings are ranked alike or not: that is no correlation."""


def rank_correlation(
    table: DataFrame,
    rows: str | Sequence[str] = DISENTANGLEMENT,
    columns: str | Sequence[str] | None = None,
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
        tables: wide scores by data set, one at least.
        rows: score columns; this and what follows as in `rank_correlation`.
        columns: score columns.
        num_resamples: bootstrap draws.
        rng: NumPy generator.

    Returns:
        The rows of `rank_correlation` for each data set, with the columns dataset, lowest and
        highest. Where two data sets or more have any, data set "average" is the mean over those
        that have the entry, with the lowest and the highest of them.

    Raises:
        ValueError: if two rows of a table are of one model, or a score is unknown.
    """
    rows = score_names(rows, *tables.values())
    columns = rows if columns is None else score_names(columns, *tables.values())
    pairs = list(itertools.product(rows, columns))
    names = list(dict.fromkeys(itertools.chain(*pairs)))
    chosen = tuple([names.index(pair[axis]) for pair in pairs] for axis in (0, 1))
    parts = [_Models(table, names) for table in tables.values()]
    seeds = np.unique(np.concatenate([part.seeds for part in parts]))

    def statistic(counts: np.ndarray) -> np.ndarray:
        each = [part.correlation(counts[np.searchsorted(seeds, part.seeds)]) for part in parts]
        each = np.array(each)[:, *chosen]
        there = np.isfinite(each).sum(axis=0)
        return np.vstack([each, np.nansum(each, axis=0) / np.where(there, there, np.nan)])

    estimate = statistic(np.ones(len(seeds)))
    error = np.full(estimate.shape, np.nan)
    if num_resamples and max(part.num_seeds for part in parts) >= MIN_SEEDS:
        error = bootstrap_error(statistic, len(seeds), num_resamples, rng)
    known = [place for place in range(len(parts)) if np.isfinite(estimate[place]).any()]
    found = []
    for number, dataset in enumerate([*tables, *(["average"] if len(known) > 1 else [])]):
        behind = [number] if number < len(parts) else known
        num_seeds = min(parts[place].num_seeds for place in behind)
        few = no_interval(num_seeds) if num_resamples else ""
        low, high = interval(estimate[number], error[number], num_seeds)
        each = DataFrame(estimate[behind])
        if len(behind) > 1:
            notes = [f"mean over {count} data sets" for count in each.count()]
            notes = ["; ".join(filter(None, [note, few])) for note in notes]
        else:
            notes = [parts[number].why(*pair) or few for pair in pairs]
        columns_here = {
            "dataset": dataset,
            "row": [row for row, _ in pairs],
            "column": [column for _, column in pairs],
            "correlation": estimate[number],
            "low": np.clip(low, -1, 1),
            "high": np.clip(high, -1, 1),
            "num_models": sum(len(parts[place].models) for place in behind),
            "note": notes,
            "lowest": each.min(),
            "highest": each.max(),
        }
        found.append(DataFrame(columns_here))
    return pd.concat(found, ignore_index=True)


class _Models:
    """The models of one data set that its correlations are over."""

    def __init__(self, table: DataFrame, names: Sequence[str]):
        self.models, self._notes = complete_models(table, names)
        self.seeds = self.models["seed"].to_numpy()
        settings = self.models.groupby(["method", "setting"])["seed"].nunique()
        self.num_seeds = settings.min() if len(settings) else 0
        kept = [place for place, name in enumerate(names) if name not in self._notes]
        self._kept = np.ix_(kept, kept)
        self._ranks = _Ranks(self.models[[names[place] for place in kept]].to_numpy(float))
        self._size = len(names)

    def correlation(self, counts: np.ndarray) -> np.ndarray:
        """Between all names, NaN where a score is not kept; model n counts `counts[n]` times."""
        matrix = np.full((self._size, self._size), np.nan)
        matrix[self._kept] = self._ranks.correlation(counts)
        return matrix

    def why(self, row: str, column: str) -> str:
        """Why an entry is missing, or an empty string."""
        return self._notes.get(row) or self._notes.get(column, "")


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
    data = score_array(table, [score])
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
    error = np.full(estimate.shape, np.nan)
    both = np.minimum(data.num_seeds[:, None, :, 0], data.num_seeds[..., 0])
    fewest, shared = fewest_seeds(both), (both > 0).sum(axis=-1)
    if (fewest >= MIN_SEEDS).any():
        error = bootstrap_error(statistic, num_seeds, num_resamples, rng)
    low, high = (np.clip(end, -1, 1) for end in interval(estimate, error, fewest))
    models = np.isfinite(values).sum(axis=(1, 2))
    entries = []
    for i, row in enumerate(data.datasets):
        for j, column in enumerate(data.datasets):
            why = no_interval(fewest[i, j])
            if np.isnan(estimate[i, j]):
                why = "one value for all settings"
            if shared[i, j] < MIN_SETTINGS:
                why = f"{counted(shared[i, j], 'setting')} in common, {MIN_SETTINGS} needed"
            size = models[i] + (models[j] if i != j else 0)
            ends = (low[i, j], high[i, j])
            entries.append((row, column, estimate[i, j], *ends, size, shared[i, j], why))
    names = ["row", "column", "correlation", "low", "high", "num_models", "num_settings", "note"]
    return DataFrame(entries, columns=names)


def complete_models(table: DataFrame, names: Sequence[str]) -> tuple[DataFrame, dict[str, str]]:
    """The trained models that have every score kept, and why other scores are not kept."""
    table = learned(one_row_per_model(table))
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
        if len(complete) < 2:
            notes[str(name)] = "a ranking needs two models"
        elif complete[name].nunique() < 2:
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
