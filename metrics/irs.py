"""Interventional Robustness Score (Suter et al. 2019, arXiv:1811.00007)."""

from typing import Annotated

import numpy as np

from ..catalogue import Bounds
from .arrays import check_points
from .metric import Count, Metric
from .mutual_information import discretize
from .representation import Representation, Rng


def irs(codes: np.ndarray, factors: np.ndarray, quantile: float = 0.99) -> float:
    """How little each latent changes while one factor is fixed, at most 1 (Suter et al. 2019).

    It is the mean over latents, weighted by their largest deviation, of the best factor in
    `irs_matrix`; 0 if every latent is constant. It is between -1 and 0 if latents deviate more from
    the means of their groups than from the overall mean.

    Args:
        codes: (N, D).
        factors: Integers (N, K).
        quantile: The quantile of deviations within a group; 1 is their maximum.
    """
    codes, factors = check_points(codes, factors)
    matrix, deviations = irs_matrix(codes, factors, quantile), _largest_deviations(codes)
    if not deviations.any():
        return 0.0
    return float(np.average(matrix.max(axis=1), weights=deviations))


def irs_matrix(codes: np.ndarray, factors: np.ndarray, quantile: float = 0.99) -> np.ndarray:
    """1 - the deviation (D, K) of each latent from its mean among points that share a factor.

    A deviation is the given quantile of a group, mean over groups, in units of the latent's largest
    deviation from its overall mean. Factors are grouped into at most 20 bins of equal width, as in
    the paper's code. A constant latent gets zeros.
    """
    codes, factors = check_points(codes, factors)
    largest = _largest_deviations(codes)
    matrix = np.zeros((codes.shape[1], factors.shape[1]))
    moving = largest > 0
    for factor, groups in enumerate(discretize(factors).T):
        within = []
        for group in np.unique(groups):
            members = codes[groups == group]
            away = np.abs(members - members.mean(axis=0))
            within.append(np.quantile(away, quantile, axis=0))
        matrix[moving, factor] = 1 - np.mean(within, axis=0)[moving] / largest[moving]
    return matrix


def _largest_deviations(codes: np.ndarray) -> np.ndarray:
    """The largest distance (D,) of each latent from its mean; exactly 0 for a constant latent."""
    deviations = np.abs(codes - codes.mean(axis=0)).max(axis=0)
    return np.where(codes.min(axis=0) < codes.max(axis=0), deviations, 0)


def score_irs(
    representation: Representation,
    rng: Rng,
    *,
    num_train: Count = 10_000,
    quantile: Annotated[float, Bounds(ge=0, le=1)] = 0.99,
) -> dict[str, float]:
    """`irs` of `num_train` points, and the number of latents that are not constant."""
    codes, factors = representation.sample(rng, num_train)
    # Differs from the original: counts the latents that vary; there, it summed their codes.
    num_active_dims = np.sum(codes.min(axis=0) < codes.max(axis=0))
    return {"irs": irs(codes, factors, quantile), "num_active_dims": float(num_active_dims)}


IRS = Metric(
    score_irs,
    "Suter et al. 2019, arXiv:1811.00007",
    version=2,
    needs="discrete factors",
    label="IRS",
)
