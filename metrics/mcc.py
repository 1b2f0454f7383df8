"""Mean correlation coefficient (Hyvarinen and Morioka 2016, arXiv:1605.06336, section 6)."""

from typing import NamedTuple

import numpy as np

from .arrays import check_points, check_varied
from .metric import Metric, of_points
from .regression import correlations


class MCC(NamedTuple):
    """Mean absolute correlations in [0, 1], 1 for the best: Pearson's, and Spearman's of ranks."""

    pearson: float
    spearman: float


def mcc(codes: np.ndarray, factors: np.ndarray) -> MCC:
    """How far each factor corresponds to its own latent (Hyvarinen and Morioka 2016).

    Each factor is assigned a latent and each latent at most one factor, such that the sum of
    absolute correlations is largest. The mean is over factors; a factor without a latent counts as
    0. The order, sign and scale of latents do not matter. With ranks, monotonic functions of
    latents do not matter either.

    Args:
        codes: (N, D).
        factors: (N, K), any numbers; a factor with one value is left out.

    Raises:
        UndefinedScoreError: If no factor takes two values, or the codes are not finite.
        ValueError: If the arrays are malformed.

    >>> round(mcc(np.array([[0.0], [1.0], [8.0]]), np.array([[2], [1], [0]])).spearman, 9)
    1.0
    """
    from scipy.stats import rankdata

    codes, factors = check_points(codes, factors, continuous=True)
    factors = factors[:, factors.min(axis=0) < factors.max(axis=0)]
    check_varied("mcc", factors.shape[1])
    ranks = rankdata(codes, axis=0), rankdata(factors, axis=0)
    return MCC(_matched(correlations(codes, factors)), _matched(correlations(*ranks)))


def _matched(matrix: np.ndarray) -> float:
    """The mean over columns of the absolute values (D, K) chosen by the best assignment."""
    from scipy.optimize import linear_sum_assignment

    matrix = np.abs(matrix)
    chosen = linear_sum_assignment(matrix, maximize=True)
    return float(min(1.0, matrix[chosen].sum() / matrix.shape[1]))


MCC_SCORES = Metric(
    of_points(mcc),
    "Hyvarinen and Morioka 2016, arXiv:1605.06336",
    samples_points=False,
    needs="factors",
    label="MCC",
    labels={"pearson": "MCC", "spearman": "MCC (ranks)"},
)
