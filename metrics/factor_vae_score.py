"""The FactorVAE score (Kim and Mnih 2018, arXiv:1802.05983, section 5)."""

import numpy as np

from ..catalogue import LARGEST
from .arrays import check_codes, check_split
from .metric import Count, Metric
from .representation import Representation, Rng, sample_factors, sample_integers
from .undefined import UndefinedScoreError

_SMALLEST_DEVIATION = 0.05  # a latent whose standard deviation is smaller takes no part


def factor_vae_score(
    train_points: np.ndarray,
    train_labels: np.ndarray,
    test_points: np.ndarray,
    test_labels: np.ndarray,
) -> tuple[float, float]:
    """Accuracies in [0, 1] of predicting the fixed factor from the latent that varies least.

    Each latent predicts the factor with which it occurred most often in training. The first number
    is for the test points, the second for the training points.

    Args:
        train_points: (N, D), the variances of active latents in a batch with one factor fixed, each
            divided by the latent's variance in all data.
        train_labels: Integers (N,) from 0, the fixed factor of each batch.
        test_points: (M, D).
        test_labels: Integers (M,) from 0.

    Raises:
        UndefinedScoreError: If points are not finite.
        ValueError: If the arrays are malformed.
    """
    train, test = (np.asarray(labels)[:, None] for labels in (train_labels, test_labels))
    train_points, train, test_points, test = check_split(train_points, train, test_points, test)
    num_factors = 1 + int(max(train.max(), test.max()))
    votes = np.zeros((2, num_factors, train_points.shape[1]), np.int64)
    for counts, points, labels in zip(
        votes, (train_points, test_points), (train, test), strict=True
    ):
        np.add.at(counts, (labels[:, 0], np.argmin(points, axis=1)), 1)
    meant, latents = np.argmax(votes[0], axis=0), np.arange(votes.shape[2])
    of_train, of_test = votes[:, meant, latents].sum(axis=1)
    return float(of_test / len(test)), float(of_train / len(train))


def score_factor_vae(
    representation: Representation,
    rng: Rng,
    *,
    batch_size: Count = 64,
    num_train: Count = 10_000,
    num_test: Count = 5_000,
    num_variance: Count = 10_000,
) -> dict[str, float]:
    """`factor_vae_score` of sampled batches, and the number of active latents (Kim 2018).

    Raises:
        UndefinedScoreError: If the codes are not finite, or `batch_size` or `num_variance` is 1.
    """
    if min(batch_size, num_variance) < 2:
        raise UndefinedScoreError("a variance needs two points, got batch_size or num_variance = 1")
    factors = sample_factors(rng, representation.factor_sizes, num_variance)
    variances = check_codes(representation.encode(factors, rng)).var(axis=0, ddof=1)
    active = np.sqrt(variances) >= _SMALLEST_DEVIATION
    # Differs from the original: counts the active latents; there, it counted all of them.
    num_active_dims = float(active.sum())
    if not active.any():
        return {"factor_vae_score": 0.0, "train_accuracy": 0.0, "num_active_dims": 0.0}

    def points(num: int) -> tuple[np.ndarray, np.ndarray]:
        """The relative variances (num, D) of the active latents, and the fixed factors (num,)."""
        found, labels = np.empty((num, int(active.sum()))), np.empty(num, np.int64)
        for point in range(num):
            labels[point] = fixed = sample_integers(rng, len(representation.factor_sizes))
            factors = sample_factors(rng, representation.factor_sizes, batch_size)
            factors[:, fixed] = factors[0, fixed]
            codes = check_codes(representation.encode(factors, rng))
            relative = codes[:, active].var(axis=0, ddof=1) / variances[active]
            found[point] = np.minimum(relative, LARGEST)
        return found, labels

    test_accuracy, train_accuracy = factor_vae_score(*points(num_train), *points(num_test))
    return {
        "factor_vae_score": test_accuracy,
        "train_accuracy": train_accuracy,
        "num_active_dims": num_active_dims,
    }


FACTOR_VAE_SCORE = Metric(
    score_factor_vae, "Kim and Mnih 2018, arXiv:1802.05983", label="FactorVAE score"
)
