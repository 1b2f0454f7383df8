"""Accuracy of predicting factors from codes, by training size (Locatello et al. 2019, section 5.4).

Statistical efficiency, the accuracy at 100 points over that at 10,000, is left to the analysis.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from .arrays import checked
from .logistic import cross_validated_logistic_regression
from .metric import Count
from .representation import Representation, Rng, draw_integers
from .trees import boosted_trees


class Classifier(Protocol):
    """Anything that predicts labels."""

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Labels (N,) of inputs (N, D)."""
        ...


def score_downstream_lr(
    representation: Representation,
    rng: Rng,
    *,
    num_train: tuple[Count, ...] = (10, 100, 1_000, 10_000),
    num_test: Count = 5_000,
) -> dict[str, float]:
    """Accuracy of logistic regressions whose strength is cross-validated, for each training size.

    "1000" is the test accuracy at 1,000 training points, mean over factors; the other names say
    how they differ: "1000_train", "1000_min_test", "1000_test_factor_0".
    """
    return _accuracies(
        representation, rng, num_train, num_test, lambda: cross_validated_logistic_regression
    )


def score_downstream_gbt(
    representation: Representation,
    rng: Rng,
    *,
    num_train: tuple[Count, ...] = (10, 100, 1_000, 10_000),
    num_test: Count = 5_000,
) -> dict[str, float]:
    """Accuracy of boosted trees, for each training size; named as `score_downstream_lr`'s."""

    def seeded() -> Callable[[np.ndarray, np.ndarray], Classifier]:
        # Differs from the original: the trees' seed follows `rng`; there it followed none.
        seed = int(draw_integers(rng, 2**31 - 1))
        return lambda inputs, labels: boosted_trees(inputs, labels, seed)

    return _accuracies(representation, rng, num_train, num_test, seeded)


def _accuracies(
    representation: Representation,
    rng: Rng,
    sizes: tuple[int, ...],
    num_test: int,
    classifier: Callable[[], Callable[[np.ndarray, np.ndarray], Classifier]],
) -> dict[str, float]:
    # All points are drawn first: fitting takes nothing out of their turn at `rng`.
    drawn = [
        (
            checked(*representation.sample(rng, size)),
            checked(*representation.sample(rng, num_test)),
        )
        for size in sizes
    ]
    fit = classifier()
    scores: dict[str, float] = {}
    for size, (train, test) in zip(sizes, drawn, strict=True):
        accuracy = np.array(
            [
                _factor_accuracy(fit, train[0], train[1][:, factor], test[0], test[1][:, factor])
                for factor in range(train[1].shape[1])
            ]
        )
        scores[f"{size}"] = float(accuracy[:, 1].mean())
        for column, split in enumerate(("train", "test")):
            if split == "train":
                scores[f"{size}_train"] = float(accuracy[:, column].mean())
            scores[f"{size}_min_{split}"] = float(accuracy[:, column].min())
            for factor, value in enumerate(accuracy[:, column]):
                scores[f"{size}_{split}_factor_{factor}"] = float(value)
    return scores


def _factor_accuracy(
    fit: Callable[[np.ndarray, np.ndarray], Classifier],
    train_codes: np.ndarray,
    train_labels: np.ndarray,
    test_codes: np.ndarray,
    test_labels: np.ndarray,
) -> tuple[float, float]:
    """Accuracy of one factor on the training and on the test points."""
    # Differs from the original: one label in training, an error there, is the only guess.
    if train_labels.min() == train_labels.max():
        return 1.0, float(np.mean(test_labels == train_labels[0]))
    classifier = fit(train_codes, train_labels)
    return (
        float(np.mean(classifier.predict(train_codes) == train_labels)),
        float(np.mean(classifier.predict(test_codes) == test_labels)),
    )
