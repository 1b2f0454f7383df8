"""Disentanglement, Completeness, Informativeness (Eastwood and Williams 2018)."""

from typing import NamedTuple

import numpy as np

from .arrays import are_continuous, check_split
from .metric import Metric, of_points
from .regression import in_units_of, r_squared
from .trees import boosted_regression, boosted_trees


class DCI(NamedTuple):
    """Scores in [0, 1] and the importance (D, K) of each latent for each factor.

    A factor's importances sum to 1, or are all 0 if no latent helps. Informativeness is the mean
    over factors of the accuracy, or of R^2, at most 1, for a non-integer factor.
    """

    disentanglement: float
    completeness: float
    importance: np.ndarray
    informativeness_train: float
    informativeness_test: float


def dci(
    train_codes: np.ndarray,
    train_factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    seed: int = 0,
) -> DCI:
    """The three scores of Eastwood and Williams 2018, by boosted trees as in the paper.

    Args:
        train_codes: (N, D).
        train_factors: (N, K); a non-integer factor is predicted by regression trees.
        test_codes: (M, D).
        test_factors: (M, K).
        seed: Decides between equally good splits; matters for discrete or duplicated
            codes.

    Raises:
        ValueError: If the arrays are malformed.
    """
    train_codes, train_factors, test_codes, test_factors = check_split(
        train_codes, train_factors, test_codes, test_factors, continuous=True
    )
    continuous = are_continuous(train_factors, test_factors)
    importance = np.zeros((train_codes.shape[1], train_factors.shape[1]))
    accuracy = np.ones((2, train_factors.shape[1]))
    for factor, (train_labels, test_labels) in enumerate(
        zip(train_factors.T, test_factors.T, strict=True)
    ):
        # Differs from the original: a factor with one value, an error there, needs no latent.
        if train_labels.min() == train_labels.max():
            accuracy[1, factor] = np.mean(test_labels == train_labels[0])
            continue
        if continuous[factor]:
            # In units of its range, since trees do not split nodes of tiny residuals.
            targets = in_units_of(train_labels, train_labels)
            trees = boosted_regression(train_codes, targets, seed)
            accuracy[0, factor] = r_squared(trees.fitted, targets)
            truth = in_units_of(train_labels, test_labels)
            accuracy[1, factor] = r_squared(trees.predict(test_codes), truth)
            importance[:, factor] = trees.importance
            continue
        trees = boosted_trees(train_codes, train_labels, seed)
        importance[:, factor] = trees.importance
        accuracy[0, factor] = np.mean(trees.fitted == train_labels)
        accuracy[1, factor] = np.mean(trees.predict(test_codes) == test_labels)
    train_accuracy, test_accuracy = accuracy.mean(axis=1)
    return DCI(
        disentanglement(importance),
        completeness(importance),
        importance,
        float(train_accuracy),
        float(test_accuracy),
    )


def disentanglement(importance: np.ndarray) -> float:
    """How far each latent depends on one factor: 1 - entropy of its row, weighted by its share.

    >>> disentanglement(np.eye(2)) > 0.999999
    True
    """
    return _concentration(np.asarray(importance))


def completeness(importance: np.ndarray) -> float:
    """How far each factor is captured by one latent: 1 - entropy of its column, weighted."""
    return _concentration(np.asarray(importance).T)


def _concentration(importance: np.ndarray) -> float:
    """The mean over rows, weighted by their sums, of 1 - entropy relative to its maximum."""
    share = importance + 1e-11
    share = share / share.sum(axis=1, keepdims=True)
    # Differs from the original: with one column, 0/0 there, a row's entropy is 0.
    unit = np.log(max(importance.shape[1], 2))
    scores = 1 + np.sum(share * np.log(share), axis=1) / unit
    weights = importance.sum(axis=1)
    if weights.sum() == 0:
        weights = np.ones_like(weights)
    return float(np.average(scores, weights=weights))


# Differs from the original: the trees' seed follows `rng`; there it followed no seed at all.
DCI_SCORES = Metric(
    of_points(dci, num_test=5_000),
    "Eastwood and Williams 2018, openreview.net/forum?id=By-7dz-AZ",
    version=2,
    needs="factors",
    label="DCI",
    labels={
        "disentanglement": "DCI disent.",
        "completeness": "DCI compl.",
        "informativeness_test": "DCI inform.",
    },
)
