"""Explicitness (Ridgeway and Mozer 2018, arXiv:1802.05312, section 3)."""

from typing import NamedTuple

import numpy as np

from .arrays import check_split, check_varied
from .logistic import logistic_regression
from .metric import Metric, of_points
from .undefined import UndefinedScoreError


class Explicitness(NamedTuple):
    """Mean area under the ROC curve on the training and on the test points, in [0, 1]."""

    train: float
    test: float


def explicitness(
    train_codes: np.ndarray,
    train_factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    one_vs_rest: bool = False,
) -> Explicitness:
    """How well a linear classifier predicts each factor from the codes (Ridgeway and Mozer 2018).

    It is the area under the ROC curve of each value against the rest, averaged over values and then
    over factors. Chance is 0.5 and is not rescaled to 0.

    Args:
        train_codes: (N, D).
        train_factors: Integers (N, K).
        test_codes: (M, D).
        test_factors: Integers (M, K).
        one_vs_rest: Whether to use a classifier for each value, as at the time of the paper,
            instead of one for all. This lowers the score; published values use it.

    Raises:
        UndefinedScoreError: If no factor takes two values in training and testing, or the codes
            are not finite.
        ValueError: If the arrays are malformed.
    """
    train_codes, train_factors, test_codes, test_factors = check_split(
        train_codes, train_factors, test_codes, test_factors
    )
    center, scale = train_codes.mean(axis=0), train_codes.std(axis=0)
    # Differs from the original: a constant latent, 0/0 and an error there, tells nothing.
    varied = (train_codes.min(axis=0) < train_codes.max(axis=0)) & (scale > 0)
    if not varied.any():
        return Explicitness(0.5, 0.5)
    train_inputs = (train_codes[:, varied] - center[varied]) / scale[varied]
    test_inputs = (test_codes[:, varied] - center[varied]) / scale[varied]
    areas = []
    for train_labels, test_labels in zip(train_factors.T, test_factors.T, strict=True):
        # Differs from the original: a factor with one value, an error there, is left out.
        if min(np.ptp(train_labels), np.ptp(test_labels)) == 0:
            continue
        classifier = logistic_regression(train_inputs, train_labels, one_vs_rest)
        areas.append(
            [
                _mean_roc_area(classifier.probabilities(inputs), labels, classifier.classes)
                for inputs, labels in ((train_inputs, train_labels), (test_inputs, test_labels))
            ]
        )
    check_varied("explicitness", len(areas))
    train, test = np.mean(areas, axis=0)
    return Explicitness(float(train), float(test))


def _mean_roc_area(scores: np.ndarray, labels: np.ndarray, classes: np.ndarray) -> float:
    """The area under the ROC curve of each class against the rest, mean over classes.

    It is computed by ranks (Mann and Whitney 1947); ties count one half.
    """
    from scipy.stats import rankdata

    # Differs from the original: by value, not by place, where the points hold a class of their own.
    positive = labels[:, None] == classes
    num_positive = positive.sum(axis=0)
    # Differs from the original: a class missing from these points, an error there, is left out.
    seen = (num_positive > 0) & (num_positive < len(labels))
    if not seen.any():
        raise UndefinedScoreError(
            "explicitness needs two values that training and testing share, got none"
        )
    ranks = rankdata(scores[:, seen], axis=0)
    num_positive = num_positive[seen]
    above = np.sum(ranks * positive[:, seen], axis=0) - num_positive * (num_positive + 1) / 2
    return float(np.mean(above / (num_positive * (len(labels) - num_positive))))


EXPLICITNESS = Metric(
    of_points(explicitness, num_test=5_000),
    "Ridgeway and Mozer 2018, arXiv:1802.05312",
    needs="discrete factors",
    label="Explicitness",
    labels={"test": "Explicitness"},
)
