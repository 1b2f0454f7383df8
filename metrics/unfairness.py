"""Unfairness of predictions (Locatello et al. 2019, arXiv:1905.13662, section 3)."""

from typing import NamedTuple

import numpy as np

from .arrays import check_split
from .metric import Metric, of_points
from .trees import boosted_trees
from .undefined import UndefinedScoreError


class Unfairness(NamedTuple):
    """Total variation in [0, 1]: the mean and the largest over pairs of factors; less is better."""

    mean: float
    max: float


def unfairness(
    train_codes: np.ndarray,
    train_factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    seed: int = 0,
) -> Unfairness:
    """The mean and the largest of `unfairness_matrix` (Locatello et al. 2019).

    Args:
        train_codes: (N, D).
        train_factors: Integers (N, K).
        test_codes: (M, D).
        test_factors: Integers (M, K).
        seed: The seed for choosing between equally good splits.

    Raises:
        UndefinedScoreError: If fewer than two factors take two values in training and testing, or
            the codes are not finite.
        ValueError: If the arrays are malformed.
    """
    matrix = unfairness_matrix(train_codes, train_factors, test_codes, test_factors, seed)
    pairs = matrix[np.isfinite(matrix)]
    if not len(pairs):
        raise UndefinedScoreError(
            "unfairness needs two factors with two values in training and testing each"
        )
    return Unfairness(float(pairs.mean()), float(pairs.max()))


def unfairness_matrix(
    train_codes: np.ndarray,
    train_factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    seed: int = 0,
) -> np.ndarray:
    """How far predictions of each target depend on each sensitive factor, (K, K); NaN for itself.

    As in the paper, boosted trees predict a target from all latents, whatever the sensitive factor.
    An entry is the total variation between all predictions of the test points and those where the
    sensitive factor has one value, averaged over its values. If a value has few points, this alone
    makes it larger than 0.
    """
    train_codes, train_factors, test_codes, test_factors = check_split(
        train_codes, train_factors, test_codes, test_factors
    )
    matrix = np.full((train_factors.shape[1],) * 2, np.nan)
    varied = np.minimum(np.ptp(train_factors, axis=0), np.ptp(test_factors, axis=0)) > 0
    for target in np.flatnonzero(varied) if varied.sum() > 1 else ():
        trees = boosted_trees(train_codes, train_factors[:, target], seed)
        predicted = np.searchsorted(trees.classes, trees.predict(test_codes))
        for sensitive in np.flatnonzero(varied):
            if sensitive == target:
                continue
            values = np.unique(test_factors[:, sensitive], return_inverse=True)[1]
            counts = np.zeros((values.max() + 1, len(trees.classes)))
            np.add.at(counts, (values, predicted), 1)
            shares = counts / counts.sum(axis=1, keepdims=True)
            away = np.abs(shares - counts.sum(axis=0) / len(predicted)).sum(axis=1) / 2
            matrix[target, sensitive] = away.mean()
    return matrix


UNFAIRNESS = Metric(
    of_points(unfairness, num_test=5_000),
    "Locatello et al. 2019, arXiv:1905.13662",
    lower_is_better=("mean", "max"),
    samples_points=False,
    needs="discrete factors",
    label="Unfairness",
    labels={"mean": "Unfairness", "max": "Unfairness (largest)"},
)
