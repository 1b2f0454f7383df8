"""Dependence between latents; needs no factors (Locatello et al. 2019, section 5.2)."""

from typing import NamedTuple

import numpy as np

from .arrays import check_codes
from .metric import Count, Metric
from .mutual_information import discretize, mutual_information
from .representation import Representation, Rng
from .undefined import UndefinedScoreError


class UnsupervisedScores(NamedTuple):
    """Dependence between latents: 0 if they are independent; in nats if not normalised."""

    gaussian_total_correlation: float
    gaussian_wasserstein_correlation: float
    gaussian_wasserstein_correlation_norm: float
    mutual_info_score: float


def unsupervised_scores(codes: np.ndarray, num_bins: int = 20) -> UnsupervisedScores:
    """Total and Wasserstein correlation of a Gaussian fit, and mean mutual information.

    Args:
        codes: (N, D), N >= 2.
        num_bins: Equal-width bins of each latent for the mutual information.

    >>> independent = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    >>> max(unsupervised_scores(independent))
    0.0
    """
    codes = check_codes(codes)
    if len(codes) < 2:
        raise UndefinedScoreError("a covariance needs two points, got one")
    # From the first point, so that the covariance of a constant latent is zero without rounding.
    shifted = codes - codes[0]
    covariance = np.atleast_2d(np.cov(shifted, rowvar=False))
    wasserstein, variance = wasserstein_correlation(covariance), float(np.trace(covariance))
    return UnsupervisedScores(
        total_correlation(covariance),
        wasserstein,
        wasserstein / variance if variance > 0 else 0.0,
        _mean_information(discretize(codes, num_bins)),
    )


def total_correlation(covariance: np.ndarray) -> float:
    """Total correlation in nats of a Gaussian with this covariance (D, D): -1/2 log det of R.

    R is the correlation matrix. Exactly dependent latents have an infinite total correlation, but
    the eigenvalues of R are limited from below by its rounding, so the result is a large number.

    >>> round(total_correlation(np.array([[2.0, 1.0], [1.0, 2.0]])), 6)
    0.143841
    """
    deviations = np.sqrt(np.diag(covariance))
    # Differs from the original: a constant latent, NaN there, depends on nothing.
    varied = deviations > 0
    if not varied.any():
        return 0.0
    scale = deviations[varied]
    correlation = covariance[np.ix_(varied, varied)] / np.outer(scale, scale)
    # Differs from the original: of a singular covariance it gave the logarithm of rounding errors.
    rounding = len(correlation) * np.finfo(np.float64).eps
    eigenvalues = np.maximum(np.linalg.eigvalsh(correlation), rounding)
    return float(max(0.0, -0.5 * np.sum(np.log(eigenvalues))))


def wasserstein_correlation(covariance: np.ndarray) -> float:
    """Squared Wasserstein distance of a Gaussian to the product of its marginals.

    Args:
        covariance: (D, D), C. The distance is 2 tr C - 2 tr (diag(C)^1/2 C diag(C)^1/2)^1/2.
    """
    deviations = np.sqrt(np.diag(covariance))
    product = covariance * np.outer(deviations, deviations)
    roots = np.sqrt(np.maximum(np.linalg.eigvalsh(product), 0))
    return float(max(0.0, 2 * np.trace(covariance) - 2 * np.sum(roots)))


def _mean_information(bins: np.ndarray) -> float:
    """The mutual information of two different columns of labels (N, D), mean over pairs."""
    num_latents = bins.shape[1]
    if num_latents == 1:
        return 0.0
    information = mutual_information(bins, bins)
    pairs = num_latents * (num_latents - 1)
    return float((information.sum() - np.trace(information)) / pairs)


def score_unsupervised(
    representation: Representation, rng: Rng, *, num_train: Count = 10_000, num_bins: Count = 20
) -> dict[str, float]:
    """`unsupervised_scores` of `num_train` points."""
    codes, _ = representation.sample(rng, num_train)
    return unsupervised_scores(codes, num_bins)._asdict()


UNSUPERVISED = Metric(
    score_unsupervised,
    "Locatello et al. 2019, arXiv:1811.12359",
    needs="nothing",
    label="Unsupervised scores",
    labels={
        "gaussian_total_correlation": "Total corr.",
        "gaussian_wasserstein_correlation": "Wasserstein corr.",
        "gaussian_wasserstein_correlation_norm": "Wasserstein corr. (norm.)",
        "mutual_info_score": "Mutual info.",
    },
    units=dict.fromkeys(["gaussian_total_correlation", "mutual_info_score"], "nats"),
)
