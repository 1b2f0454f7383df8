"""Mutual Information Gap (Chen et al. 2018, arXiv:1802.04942, section 4)."""

import numpy as np

from .arrays import check_points, check_varied
from .metric import Count, Metric, of_points
from .mutual_information import classes_of, entropy, mutual_information_matrix


def mig(codes: np.ndarray, factors: np.ndarray, num_bins: Count = 20) -> float:
    """The Mutual Information Gap in [0, 1] (Chen et al. 2018, equation 6).

    It is the mean over factors of the mutual information with the best latent minus that with the
    second best, divided by the factor's entropy.

    Args:
        codes: (N, D).
        factors: (N, K).
        num_bins: The number of bins, of equal width, for each latent and each non-integer factor.

    Raises:
        UndefinedScoreError: If no factor takes two values, or the codes are not finite.
        ValueError: If the arrays are malformed.

    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> mig(factors, factors)
    1.0
    """
    codes, factors = check_points(codes, factors, continuous=True)
    factors = classes_of(factors, num_bins)
    entropies = entropy(factors)
    # Differs from the original: a factor with one value, 0/0 there, is left out of the mean.
    varied = entropies > 0
    check_varied("mig", varied)
    gaps = top_two_gap(mutual_information_matrix(codes, factors[:, varied], num_bins))
    return float(np.mean(gaps / entropies[varied]))


def top_two_gap(matrix: np.ndarray) -> np.ndarray:
    """The largest minus the second largest entry of each column of (D, K), shape (K,)."""
    ordered = np.sort(matrix, axis=0)
    # Differs from the original: with one latent, an error there, nothing competes with it.
    second = ordered[-2] if len(ordered) > 1 else 0.0
    return ordered[-1] - second


MIG = Metric(of_points(mig), "Chen et al. 2018, arXiv:1802.04942", needs="factors", label="MIG")
