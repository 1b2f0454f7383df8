"""Accuracy at values missing from training (Locatello et al. 2020, arXiv:2002.02886)."""

from typing import NamedTuple

import numpy as np

from .arrays import check_split
from .downstream import downstream_gbt
from .metric import Count, Metric, of_points
from .undefined import UndefinedScoreError


class StrongGeneralization(NamedTuple):
    """Test accuracy in [0, 1] at untrained values, and the loss of accuracy; means over factors."""

    accuracy: float
    lost: float


def strong_generalization(
    train_codes: np.ndarray,
    train_factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    num_draws: Count = 1,
    seed: int = 0,
) -> StrongGeneralization:
    """Accuracy of boosted trees for each factor where another factor has a value not trained on.

    For each factor, another one and a value of it are drawn. Trees are trained on points without
    the value and tested on points with it. The loss is relative to trees trained on all points. The
    original trains on the points of one value and tests on all others.

    Args:
        train_codes: (N, D).
        train_factors: Integers (N, K).
        test_codes: (M, D).
        test_factors: Integers (M, K).
        num_draws: The number of draws of another factor and value; scores vary if there are few.
        seed: The seed of these draws and of the choices between equally good splits.

    Raises:
        UndefinedScoreError: If there is no other factor with two values in training, one of them
            in testing, or the codes are not finite.
        ValueError: If the arrays are malformed.
    """
    train_codes, train_factors, test_codes, test_factors = check_split(
        train_codes, train_factors, test_codes, test_factors
    )

    def accuracy(train: np.ndarray | slice, test: np.ndarray, target: int) -> float:
        labels = train_factors[train, target][:, None], test_factors[test, target][:, None]
        points = (train_codes[train], labels[0], test_codes[test], labels[1])
        return downstream_gbt(*points, seed).test[0]

    rng, found = np.random.default_rng(seed), []
    values = [
        np.intersect1d(train, test) if np.ptp(train) else train[:0]
        for train, test in zip(train_factors.T, test_factors.T, strict=True)
    ]
    for target in range(len(values)):
        others = [other for other in range(len(values)) if other != target and len(values[other])]
        if not others:
            continue
        right, asked = 0.0, []
        for _ in range(num_draws):
            other = rng.choice(others)
            value = rng.choice(values[other])
            asked.append(np.flatnonzero(test_factors[:, other] == value))
            right += len(asked[-1]) * accuracy(train_factors[:, other] != value, asked[-1], target)
        points = np.concatenate(asked)
        found.append((right / len(points), accuracy(slice(None), points, target)))
    if not found:
        raise UndefinedScoreError(
            "strong_generalization needs another factor with two values in training, one in testing"
        )
    unseen, seen = np.mean(found, axis=0)
    return StrongGeneralization(float(unseen), float(seen - unseen))


STRONG_GENERALIZATION = Metric(
    of_points(strong_generalization, num_test=5_000),
    "Locatello et al. 2020, arXiv:2002.02886",
    lower_is_better=("lost",),
    samples_points=False,
    needs="discrete factors",
    label="Strong generalization",
    labels={"accuracy": "Strong GBT", "lost": "Strong GBT (lost)"},
)
