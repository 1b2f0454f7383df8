"""Accuracy without a factor's latents (`reduced_downstream_task` of Locatello et al.'s library)."""

from typing import NamedTuple

import numpy as np

from .arrays import check_split
from .dci import dci
from .downstream import downstream_gbt
from .metric import Count, Metric, of_points


class ReducedDownstream(NamedTuple):
    """Test accuracy in [0, 1] without the latents, and the loss of accuracy; means over factors."""

    accuracy: float
    lost: float


def reduced_downstream(
    train_codes: np.ndarray,
    train_factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    num_dropped: Count = 1,
    seed: int = 0,
) -> ReducedDownstream:
    """Accuracy of boosted trees that predict each factor without its most important latents.

    These are the `num_dropped` latents with the highest importance for the factor in DCI's matrix.
    All are dropped at once. The original drops one at a time, with a new matrix after each, and
    predicts the other factors too.

    Args:
        train_codes: (N, D).
        train_factors: Integers (N, K).
        test_codes: (M, D).
        test_factors: Integers (M, K).
        num_dropped: At least 1; with D or more the most frequent value is predicted.
        seed: The seed for choosing between equally good splits.

    Raises:
        UndefinedScoreError: If the codes are not finite.
        ValueError: If the arrays are malformed.
    """
    train_codes, train_factors, test_codes, test_factors = check_split(
        train_codes, train_factors, test_codes, test_factors
    )
    whole = dci(train_codes, train_factors, test_codes, test_factors, seed)
    left = []
    for factor, importance in enumerate(whole.importance.T):
        codes = train_codes.copy(), test_codes.copy()
        for each in codes:  # trees have no use for a constant
            each[:, np.argsort(-importance, kind="stable")[:num_dropped]] = 0
        labels = train_factors[:, [factor]], test_factors[:, [factor]]
        left.append(downstream_gbt(codes[0], labels[0], codes[1], labels[1], seed).test[0])
    accuracy = float(np.mean(left))
    return ReducedDownstream(accuracy, whole.informativeness_test - accuracy)


REDUCED_DOWNSTREAM = Metric(
    of_points(reduced_downstream, num_test=5_000),
    "Locatello et al. 2019, github.com/google-research/disentanglement_lib",
    lower_is_better=("accuracy",),
    samples_points=False,
    needs="discrete factors",
    label="Reduced downstream",
    labels={"accuracy": "Reduced GBT", "lost": "Reduced GBT (lost)"},
)
