"""Linear relations of codes and factors: R^2 of a linear regression, and correlations."""

import numpy as np

from .arrays import check_split, check_varied
from .metric import Count, Metric
from .representation import Representation, Rng


def linear_r2(
    train_codes: np.ndarray,
    train_factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
) -> np.ndarray:
    """R^2 (K,) on the test points of a linear regression of each factor on all latents, at most 1.

    More is better. The mean as prediction has 0, and a worse regression is negative. It is NaN for
    a factor with one value in training or testing.

    Args:
        train_codes: (N, D).
        train_factors: (N, K), any numbers.
        test_codes: (M, D).
        test_factors: (M, K).

    Raises:
        UndefinedScoreError: If the codes are not finite.
        ValueError: If the arrays are malformed.
    """
    train_codes, train_factors, test_codes, test_factors = check_split(
        train_codes, train_factors, test_codes, test_factors, continuous=True
    )
    train, test = in_units_of(train_codes, train_codes), in_units_of(train_codes, test_codes)
    targets, truth = (
        in_units_of(train_factors, factors) for factors in (train_factors, test_factors)
    )
    weights = np.linalg.lstsq(np.column_stack([train, np.ones(len(train))]), targets, rcond=None)[0]
    predicted = np.column_stack([test, np.ones(len(test))]) @ weights
    scores = np.full(targets.shape[1], np.nan)
    for factor in np.flatnonzero((np.ptp(targets, axis=0) > 0) & (np.ptp(truth, axis=0) > 0)):
        scores[factor] = r_squared(predicted[:, factor], truth[:, factor])
    return scores


def in_units_of(train: np.ndarray, table: np.ndarray) -> np.ndarray:
    """A table (M, A) minus the means of another (N, A), divided by its ranges; constants are 0.

    It uses ranges, because the squares of very small or large numbers exceed float64.
    """
    ranges = np.ptp(train, axis=0)
    unit = np.where(ranges > 0, ranges, np.inf)
    return (table - train.mean(axis=0)) / unit


def r_squared(predicted: np.ndarray, truth: np.ndarray) -> float:
    """1 - the squared error of predictions (N,) divided by that of the truth's mean.

    If the truth has one value, it is 1 for exact predictions and otherwise 0.
    """
    error = np.sum((truth - predicted) ** 2)
    if truth.min() == truth.max():
        return float(error == 0)
    return float(1 - error / np.sum((truth - truth.mean()) ** 2))


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson's correlations (A, B) of the columns of (N, A) and (N, B); 0 for a constant."""
    return np.clip(_unit_columns(first).T @ _unit_columns(second), -1, 1)


def _unit_columns(table: np.ndarray) -> np.ndarray:
    """The columns (N, A) minus their means, scaled to length 1; zeros for a constant column."""
    away = in_units_of(table, table)
    length = np.linalg.norm(away, axis=0)
    return away / np.where(length > 0, length, 1)


def score_linear_r2(
    representation: Representation, rng: Rng, *, num_train: Count = 10_000, num_test: Count = 5_000
) -> dict[str, float]:
    """The mean of `linear_r2` over factors that vary, and the lowest value."""
    train, test = (representation.sample(rng, num) for num in (num_train, num_test))
    scores = linear_r2(*train, *test)
    scores = scores[np.isfinite(scores)]
    check_varied("linear_r2", len(scores))
    return {"linear_r2": float(scores.mean()), "min": float(scores.min())}


LINEAR_R2 = Metric(
    score_linear_r2,
    "R^2 of ordinary least squares",
    samples_points=False,
    needs="factors",
    label="Linear R2",
    labels={"linear_r2": "Linear R2"},
)
