"""The BetaVAE score (Higgins et al. 2017, section 3)."""

import numpy as np

from .arrays import check_codes
from .logistic import logistic_regression
from .metric import Count, Metric
from .representation import Representation, Rng, sample_factors, sample_integers
from .undefined import UndefinedScoreError


def score_beta_vae(
    representation: Representation,
    rng: Rng,
    *,
    batch_size: Count = 64,
    num_train: Count = 10_000,
    num_test: Count = 5_000,
    one_vs_rest: bool = False,
) -> dict[str, float]:
    """Accuracy of telling which factor two batches share from their codes (Higgins et al. 2017).

    A point is the mean absolute difference of the codes of `batch_size` pairs, the two images of a
    pair having one factor in common; its label is that factor. With `one_vs_rest` each factor has a
    classifier of its own, as in the paper's time.

    Raises:
        UndefinedScoreError: If there is one factor only, or the codes are not finite.
    """
    if len(representation.factor_sizes) < 2:
        raise UndefinedScoreError("beta_vae_score needs two factors to tell apart, got one")
    train_points, train_labels = _points(representation, rng, num_train, batch_size)
    if train_labels.min() == train_labels.max():
        raise UndefinedScoreError(f"beta_vae_score drew one factor in {num_train} training points")
    classifier = logistic_regression(train_points, train_labels, one_vs_rest)
    test_points, test_labels = _points(representation, rng, num_test, batch_size)
    return {
        "beta_vae_score": float(np.mean(classifier.predict(test_points) == test_labels)),
        "train_accuracy": float(np.mean(classifier.predict(train_points) == train_labels)),
    }


def _points(
    representation: Representation, rng: Rng, num: int, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute differences (num, D) and the factors that were shared (num,)."""
    sizes = representation.factor_sizes
    points, labels = [], np.empty(num, np.int64)
    for point in range(num):
        labels[point] = shared = sample_integers(rng, len(sizes))
        first = sample_factors(rng, sizes, batch_size)
        second = sample_factors(rng, sizes, batch_size)
        second[:, shared] = first[:, shared]
        first_codes = check_codes(representation.encode(first, rng))
        second_codes = check_codes(representation.encode(second, rng))
        points.append(np.abs(first_codes - second_codes).mean(axis=0))
    return np.stack(points), labels


BETA_VAE_SCORE = Metric(
    score_beta_vae,
    "Higgins et al. 2017, openreview.net/forum?id=Sy2fzU9gl",
    version=2,
    label="BetaVAE score",
)
