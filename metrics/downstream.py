"""Accuracy of predicting factors from codes, by training size (Locatello et al. 2019, section 5.4).

The analysis computes statistical efficiency, the accuracy at 100 points over that at 10,000.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from .arrays import check_split
from .logistic import cross_validated_logistic_regression
from .metric import Count, Metric
from .representation import Representation, Rng, sample_seed
from .trees import boosted_trees

# (training codes, training labels, test codes) -> predicted labels of both
Predictor = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class Accuracies(NamedTuple):
    """The share of correct predictions of each factor, (K,) in [0, 1], on both sets of points."""

    train: np.ndarray
    test: np.ndarray


def downstream_lr(
    train_codes: np.ndarray,
    train_factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    one_vs_rest: bool = False,
) -> Accuracies:
    """Accuracies of logistic regressions with cross-validated regularization strength.

    Args:
        train_codes: (N, D).
        train_factors: Integers (N, K).
        test_codes: (M, D).
        test_factors: Integers (M, K).
        one_vs_rest: Whether each value has its own classifier, as at the time of the paper.

    Raises:
        UndefinedScoreError: If the codes are not finite.
        ValueError: If the arrays are malformed.
    """

    def predict(codes: np.ndarray, labels: np.ndarray, test_codes: np.ndarray):
        classifier = cross_validated_logistic_regression(codes, labels, one_vs_rest)
        return classifier.predict(codes), classifier.predict(test_codes)

    return _accuracies(predict, train_codes, train_factors, test_codes, test_factors)


def downstream_gbt(
    train_codes: np.ndarray,
    train_factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    seed: int = 0,
) -> Accuracies:
    """Accuracies of boosted trees; arguments and errors are as in `downstream_lr`.

    `seed` decides between equally good splits.
    """

    def predict(codes: np.ndarray, labels: np.ndarray, test_codes: np.ndarray):
        trees = boosted_trees(codes, labels, seed)
        return trees.fitted, trees.predict(test_codes)

    return _accuracies(predict, train_codes, train_factors, test_codes, test_factors)


def score_downstream_lr(
    representation: Representation,
    rng: Rng,
    *,
    num_train: tuple[Count, ...] = (10, 100, 1_000, 10_000),
    num_test: Count = 5_000,
    one_vs_rest: bool = False,
) -> dict[str, float]:
    """`downstream_lr` for each training size.

    "1000" is the test accuracy at 1,000 training points, mean over factors. The other names are
    "1000_train", "1000_min_test" and "1000_test_factor_0". With `one_vs_rest` each value has its
    own classifier, as at the time of the paper.
    """
    drawn = _sample(representation, rng, num_train, num_test)
    return _named((len(points[0]), downstream_lr(*points, one_vs_rest)) for points in drawn)


def score_downstream_gbt(
    representation: Representation,
    rng: Rng,
    *,
    num_train: tuple[Count, ...] = (10, 100, 1_000, 10_000),
    num_test: Count = 5_000,
) -> dict[str, float]:
    """`downstream_gbt` for each training size; names are as in `score_downstream_lr`."""
    drawn = _sample(representation, rng, num_train, num_test)
    # Differs from the original: the trees' seed follows `rng`; there it followed no seed at all.
    seed = sample_seed(rng)
    return _named((len(points[0]), downstream_gbt(*points, seed)) for points in drawn)


def _sample(
    representation: Representation, rng: Rng, sizes: tuple[int, ...], num_test: int
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Training codes and factors of each size, each with separate test codes and factors."""
    return [
        (*representation.sample(rng, size), *representation.sample(rng, num_test)) for size in sizes
    ]


def _named(found: Iterable[tuple[int, Accuracies]]) -> dict[str, float]:
    """The scores of each training size, by name."""
    scores: dict[str, float] = {}
    for size, (train, test) in found:
        scores[f"{size}"], scores[f"{size}_train"] = float(test.mean()), float(train.mean())
        for split, values in (("train", train), ("test", test)):
            scores[f"{size}_min_{split}"] = float(values.min())
            for factor, value in enumerate(values):
                scores[f"{size}_{split}_factor_{factor}"] = float(value)
    return scores


def _accuracies(predict: Predictor, *points: Any) -> Accuracies:
    """The accuracies of predicting each factor on the training and on the test points."""
    train_codes, train_factors, test_codes, test_factors = check_split(*points)
    accuracies = []
    for train_labels, test_labels in zip(train_factors.T, test_factors.T, strict=True):
        # Differs from the original: one label in training, an error there, is the only guess.
        fitted = predicted = train_labels[0]
        if train_labels.min() < train_labels.max():
            fitted, predicted = predict(train_codes, train_labels, test_codes)
        accuracies.append((np.mean(fitted == train_labels), np.mean(predicted == test_labels)))
    return Accuracies(*np.transpose(accuracies))


DOWNSTREAM_LR = Metric(
    score_downstream_lr,
    "Locatello et al. 2019, arXiv:1811.12359",
    needs="discrete factors",
    label="Logistic regression",
    labels={f"{size}": f"LR {size}" for size in (10, 100, 1000, 10000)},
)

DOWNSTREAM_GBT = Metric(
    score_downstream_gbt,
    "Locatello et al. 2019, arXiv:1811.12359",
    version=2,
    needs="discrete factors",
    label="Boosted trees",
    labels={f"{size}": f"GBT {size}" for size in (10, 100, 1000, 10000)},
)
