"""DCIMIG (Sepliarskaia et al. 2019, arXiv:1910.05587): a separate latent for each factor."""

import numpy as np

from .arrays import check_points, check_varied
from .metric import Count, Metric, of_points
from .mig import top_two_gap
from .mutual_information import classes_of, entropy, mutual_information_matrix


def dcimig(codes: np.ndarray, factors: np.ndarray, num_bins: Count = 20) -> float:
    """How far each factor has a latent with information about it alone, in [0, 1]; 1 is best.

    A latent belongs to the factor with which its mutual information is largest. Its gap is this
    mutual information minus the second largest. The score is the sum of each factor's largest gap
    divided by the sum of the factors' entropies.

    Args:
        codes: (N, D).
        factors: (N, K).
        num_bins: The number of bins, of equal width, for each latent and each non-integer factor.

    Raises:
        UndefinedScoreError: If no factor takes two values, or the codes are not finite.
        ValueError: If the arrays are malformed.

    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> round(dcimig(factors[:, :1], factors), 6)
    0.5
    """
    codes, factors = check_points(codes, factors, continuous=True)
    factors = classes_of(factors, num_bins)
    unit = entropy(factors).sum()
    check_varied("dcimig", unit)
    matrix = mutual_information_matrix(codes, factors, num_bins)
    gaps = np.zeros(factors.shape[1])
    np.maximum.at(gaps, matrix.argmax(axis=1), top_two_gap(matrix.T))
    return float(min(1.0, gaps.sum() / unit))


DCIMIG = Metric(
    of_points(dcimig),
    "Sepliarskaia et al. 2019, arXiv:1910.05587",
    samples_points=False,
    needs="factors",
    label="DCIMIG",
)
