"""InfoMEC: modularity, explicitness and compactness from information (Hsu et al. 2023).

"Disentanglement via latent quantization", arXiv:2305.18378, section 5.
"""

from typing import Annotated, NamedTuple

import numpy as np

from ..catalogue import Bounds
from .arrays import check_points, check_varied
from .logistic import balanced_logistic_regression
from .metric import Count, Metric, of_points
from .mutual_information import entropy
from .regression import in_units_of

_SAME = 1e-12  # distances in units of a latent's range that differ by less do so by rounding
_Share = Annotated[float, Bounds(ge=0, le=1)]


class InfoMEC(NamedTuple):
    """Scores in [0, 1]; 1 is best."""

    modularity: float
    compactness: float
    explicitness: float


def infomec(
    codes: np.ndarray, factors: np.ndarray, num_neighbors: Count = 10, least_range: _Share = 1 / 20
) -> InfoMEC:
    """InfoModularity, InfoCompactness and InfoExplicitness (Hsu et al. 2023).

    Mutual information is in units of the factors' entropies. A latent's modularity is its largest
    mutual information divided by the sum over factors. A factor's compactness is its largest
    divided by the sum over active latents. Both are rescaled so that an even share is 0, which is
    also used if all are 0. Explicitness is the empirical V-information of linear models: the
    information that a logistic regression on all latents, with 100 steps and no penalty, gains over
    a guess on the points it is fitted to. All values of a factor have equal weight in the fit. The
    defaults are those of the authors' code; the paper does not state them.

    Args:
        codes: (N, D).
        factors: Integers (N, K); a factor with one value is left out.
        num_neighbors: As in `latent_information`.
        least_range: A latent whose range is below this fraction of the largest is inactive and
            excluded from modularity and compactness, which thus depend on the scales of latents.

    Raises:
        UndefinedScoreError: If no factor takes two values, or the codes are not finite.
        ValueError: If the arrays are malformed.

    >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> infomec(np.tile(factors, (50, 1)), np.tile(factors, (50, 1)))[:2]
    (1.0, 1.0)
    """
    codes, factors = check_points(codes, factors)
    entropies = entropy(factors)
    factors, entropies = factors[:, entropies > 0], entropies[entropies > 0]
    check_varied("infomec", entropies)
    ranges = np.ptp(codes, axis=0)
    if not ranges.any():
        return InfoMEC(0.0, 0.0, 0.0)
    active = codes[:, ranges >= max(least_range * ranges.max(), np.nextafter(0, 1))]
    information = latent_information(active, factors, num_neighbors) / entropies
    return InfoMEC(
        _largest_share(information),
        _largest_share(information.T),
        _explicitness(in_units_of(codes, codes), factors),
    )


def latent_information(
    codes: np.ndarray, factors: np.ndarray, num_neighbors: int = 10
) -> np.ndarray:
    """Mutual information (D, K) of continuous latents with discrete factors, in nats.

    This is the estimator of Ross 2014, as in scikit-learn's `mutual_info_classif` but without added
    noise. It uses the distance of each point to its k-th neighbour with the same value of the
    factor. If that distance is 0, as for quantized latents, the point counts as in the plug-in
    estimate (Gao et al. 2017).

    Args:
        codes: (N, D).
        factors: Integers (N, K).
        num_neighbors: k.
    """
    codes, factors = check_points(codes, factors)
    information = np.zeros((codes.shape[1], factors.shape[1]))
    for latent, column in enumerate(in_units_of(codes, codes).T):
        order = np.argsort(column, kind="stable")
        for factor in range(factors.shape[1]):
            information[latent, factor] = _information(
                column[order], factors[order, factor], num_neighbors
            )
    return information


def _information(values: np.ndarray, labels: np.ndarray, num_neighbors: int) -> float:
    """The information in nats of sorted values and labels (N,), ignoring labels of one point."""
    from scipy.special import digamma

    labels = np.unique(labels, return_inverse=True)[1]
    counts = np.bincount(labels)
    kept = counts[labels] > 1
    values, labels = values[kept], labels[kept]
    if not len(values):
        return 0.0
    total, local = len(values), np.empty(len(values))
    for label in np.flatnonzero(counts > 1):
        own = values[labels == label]
        num, k = len(own), min(num_neighbors, len(own) - 1)
        distance = np.full(num, np.inf)
        for below in range(k + 1):  # of the k neighbours, so many are smaller
            at = slice(below, num - k + below)
            window = np.maximum(own[at] - own[: num - k], own[k:] - own[at])
            distance[at] = np.minimum(distance[at], window)
        tied = distance <= _SAME
        around = _count(values, own, np.where(tied, _SAME, distance - _SAME))  # but the k-th
        terms = digamma(total) + digamma(k) - digamma(num) - digamma(around)
        same = _count(own, own[tied], _SAME)
        terms[tied] = np.log(total) + np.log(same) - np.log(num) - np.log(around[tied])
        local[labels == label] = terms
    return max(0.0, float(local.mean()))


def _count(values: np.ndarray, centers: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
    """The number of sorted values within a radius of each centre."""
    above = np.searchsorted(values, centers + radius, side="right")
    return above - np.searchsorted(values, centers - radius, side="left")


def _largest_share(information: np.ndarray) -> float:
    """The mean over rows of the largest share of the row's sum: 0 for an even share, 1 for all."""
    num = information.shape[1]
    if num == 1:
        return 1.0
    sums = information.sum(axis=1)
    shares = np.full(len(sums), 1 / num)
    shares[sums > 0] = information[sums > 0].max(axis=1) / sums[sums > 0]
    return float((shares.mean() - 1 / num) / (1 - 1 / num))


def _explicitness(inputs: np.ndarray, factors: np.ndarray) -> float:
    """1 - the log loss of balanced logistic regressions divided by a guess's, mean over factors."""
    deviations = inputs.std(axis=0)
    inputs = (inputs - inputs.mean(axis=0))[:, deviations > 0] / deviations[deviations > 0]
    gained = []
    for labels in factors.T:
        classes, indices = np.unique(labels, return_inverse=True)
        likelihoods = balanced_logistic_regression(inputs, labels).probabilities(inputs)
        likelihoods = likelihoods[np.arange(len(labels)), indices]
        loss = -np.log(np.maximum(likelihoods, np.finfo(float).tiny)).mean()
        gained.append(1 - loss / np.log(len(classes)))
    return float(np.mean(gained))


INFOMEC = Metric(
    of_points(infomec),
    "Hsu et al. 2023, arXiv:2305.18378",
    samples_points=False,
    needs="discrete factors",
    label="InfoMEC",
    labels={
        "modularity": "InfoModularity",
        "compactness": "InfoCompactness",
        "explicitness": "InfoExplicitness",
    },
)
