"""How scores rank models: Spearman correlations between the columns of a wide table."""

from collections.abc import Iterator, Sequence

import numpy as np

from .frames import DataFrame
from .labels import label
from .tables import DISENTANGLEMENT, learned


def rank_correlation(
    table: DataFrame,
    rows: Sequence[str] = DISENTANGLEMENT,
    columns: Sequence[str] | None = None,
) -> DataFrame:
    """Spearman's rank correlation of every score in `rows` with every score in `columns`.

    All entries of one result are over the same models: those that have every score. A score that
    half of the models lack is left out first, so that one metric still to be computed
    does not empty the table; its entries are NaN, and `note` says why.

    Args:
        table: wide scores, one row per model. References such as "untrained" are ignored.
        rows: score columns.
        columns: score columns; those of `rows` if None.

    Returns:
        A row per pair: row, column, correlation, num_models, note.
    """
    columns = rows if columns is None else columns
    names = list(dict.fromkeys([*rows, *columns]))
    values, notes = complete_scores(table, names)
    kept = [name for name in names if name not in notes]
    matrix = DataFrame(spearman(values), kept, kept).reindex(index=names, columns=names)
    pairs = [(row, column) for row in rows for column in columns]
    return DataFrame(
        {
            "row": [row for row, _ in pairs],
            "column": [column for _, column in pairs],
            "correlation": [matrix.at[pair] for pair in pairs],
            "num_models": len(values),
            "note": [notes.get(row) or notes.get(column, "") for row, column in pairs],
        }
    )


def complete_scores(table: DataFrame, names: Sequence[str]) -> tuple[np.ndarray, dict[str, str]]:
    """The (N, M) values of the models that have every score kept, and why others are not kept."""
    values = learned(table).reindex(columns=list(names)).to_numpy(float)
    scored = np.isfinite(values)
    kept = 2 * scored.sum(axis=0) > len(values)
    notes = {
        name: f"{label(name)}: scored for {count:,} of {len(values):,} models"
        for name, count, keep in zip(names, scored.sum(axis=0), kept, strict=True)
        if not keep
    }
    values = values[scored[:, kept].all(axis=1)][:, kept]
    for name, column in zip(np.array(names)[kept], values.T, strict=True):
        if len(np.unique(column)) < 2:
            notes[name] = f"{label(name)}: one value for all models"
    constant = [name in notes for name in np.array(names)[kept]]
    return values[:, np.logical_not(constant)], notes


def spearman(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Spearman's rank correlation (M, M) of the columns of `values`, ties sharing their mean rank.

    Args:
        values: (N, M), finite.
        weights: (N,) how often each row counts; once if None. A bootstrap resample is a vector
            of counts, so that nothing is sorted twice.

    >>> spearman(np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]))[0, 1].round(6)
    np.float64(-1.0)
    """
    weights = np.ones(len(values)) if weights is None else weights
    return next(_spearman_resampled(values, [weights]))


def _spearman_resampled(
    values: np.ndarray, resamples: Sequence[np.ndarray] | Iterator[np.ndarray]
) -> Iterator[np.ndarray]:
    order = [np.unique(column, return_inverse=True)[1] for column in values.T]
    for weights in resamples:
        ranks = np.empty((len(order), len(weights)))
        for rank, codes in zip(ranks, order, strict=True):
            counts = np.bincount(codes, weights)
            rank[:] = (np.cumsum(counts) - counts / 2)[codes]
        ranks -= (ranks @ weights / weights.sum())[:, None]
        covariance = (ranks * weights) @ ranks.T
        scale = np.sqrt(np.diag(covariance))
        with np.errstate(invalid="ignore", divide="ignore"):
            yield np.clip(covariance / np.outer(scale, scale), -1, 1)
