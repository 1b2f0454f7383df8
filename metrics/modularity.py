"""Modularity (Ridgeway and Mozer 2018, arXiv:1802.05312, section 3)."""

import numpy as np

from .metric import Count, Metric, of_points
from .mutual_information import mutual_information_matrix


def modularity(codes: np.ndarray, factors: np.ndarray, num_bins: Count = 20) -> float:
    """How far each latent informs about one factor only, in [0, 1] (Ridgeway and Mozer 2018).

    The mean is over all latents. A dead but noisy latent thus counts as much as a used one, and the
    bias of counting, which is larger for factors with many values, makes it look modular.

    Args:
        codes: (N, D).
        factors: (N, K).
        num_bins: The number of bins, of equal width, for each latent and each non-integer factor.
    """
    return modularity_of_information(mutual_information_matrix(codes, factors, num_bins))


def modularity_of_information(information: np.ndarray) -> float:
    """The modularity of a mutual information matrix (D, K), any unit.

    >>> modularity_of_information(np.array([[2.0, 0.0], [1.0, 1.0]]))
    0.5
    """
    squared = np.asarray(information, np.float64) ** 2
    largest, others = squared.max(axis=1), squared.shape[1] - 1
    told = largest > 0
    strayed = squared[told].sum(axis=1) - largest[told]
    scores = np.zeros(len(squared))
    # Differs from the original: a single factor, 0/0 there, cannot be mixed with another.
    scores[told] = 1 - strayed / (largest[told] * max(others, 1))
    return float(scores.mean())


MODULARITY = Metric(
    of_points(modularity),
    "Ridgeway and Mozer 2018, arXiv:1802.05312",
    needs="factors",
    label="Modularity",
)
