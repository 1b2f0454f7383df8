"""MIG-sup (Li et al. 2020, arXiv:2002.10549): the gap of each latent between factors."""

from typing import Annotated

import numpy as np

from ..catalogue import Bounds
from .arrays import check_points, check_varied
from .metric import Count, Metric, of_points
from .mig import top_two_gap
from .mutual_information import classes_of, entropy, mutual_information_matrix


def mig_sup(
    codes: np.ndarray,
    factors: np.ndarray,
    num_bins: Count = 20,
    least_variance: Annotated[float, Bounds(ge=0)] = 0.01,
) -> float:
    """How far each latent has information about one factor only, in [0, 1] (Li et al. 2020).

    It is the mean over active latents of the mutual information with the best factor minus that
    with the second best, each divided by the factor's entropy; 0 if there are no active latents.

    Args:
        codes: (N, D).
        factors: (N, K); a factor with one value is left out.
        num_bins: The number of bins, of equal width, for each latent and each non-integer factor.
        least_variance: A latent whose variance is not larger is inactive. The default is from the
            authors' code, for the means of a VAE whose prior has a variance of 1.

    Raises:
        UndefinedScoreError: If no factor takes two values, or the codes are not finite.
        ValueError: If the arrays are malformed.

    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> mig_sup(factors[:, [0, 0, 1]], factors)
    1.0
    """
    codes, factors = check_points(codes, factors, continuous=True)
    factors = classes_of(factors, num_bins)
    entropies = entropy(factors)
    varied = entropies > 0
    check_varied("mig_sup", varied)
    active = codes[:, codes.var(axis=0) > least_variance]
    if not active.shape[1]:
        return 0.0
    matrix = mutual_information_matrix(active, factors[:, varied], num_bins) / entropies[varied]
    return float(top_two_gap(matrix.T).mean())


MIG_SUP = Metric(
    of_points(mig_sup),
    "Li et al. 2020, arXiv:2002.10549",
    samples_points=False,
    needs="factors",
    label="MIG-sup",
)
