"""The BetaVAE score (Higgins et al. 2017, section 3)."""

import numpy as np

from .arrays import check_codes, check_split
from .logistic import logistic_regression
from .metric import Count, Metric
from .representation import Representation, Rng, sample_factors, sample_integers
from .undefined import UndefinedScoreError


def beta_vae_score(
    train_points: np.ndarray,
    train_labels: np.ndarray,
    test_points: np.ndarray,
    test_labels: np.ndarray,
    one_vs_rest: bool = False,
) -> tuple[float, float]:
    """Accuracies in [0, 1] of predicting the shared factor, on test and training points.

    Args:
        train_points: (N, D), each the mean absolute difference of the codes of a batch of pairs.
        train_labels: Integers (N,), the factor that the two images of a pair share.
        test_points: (M, D).
        test_labels: Integers (M,).
        one_vs_rest: Whether each factor has its own classifier, as at the time of the paper.

    Raises:
        UndefinedScoreError: If all training points have one label, or points are not finite.
        ValueError: If the arrays are malformed.
    """
    train, test = (np.asarray(labels)[:, None] for labels in (train_labels, test_labels))
    train_points, train, test_points, test = check_split(train_points, train, test_points, test)
    if train.min() == train.max():
        raise UndefinedScoreError(f"beta_vae_score drew one factor in {len(train)} training points")
    classifier = logistic_regression(train_points, train[:, 0], one_vs_rest)
    return (
        float(np.mean(classifier.predict(test_points) == test[:, 0])),
        float(np.mean(classifier.predict(train_points) == train[:, 0])),
    )


def score_beta_vae(
    representation: Representation,
    rng: Rng,
    *,
    batch_size: Count = 64,
    num_train: Count = 10_000,
    num_test: Count = 5_000,
    one_vs_rest: bool = False,
) -> dict[str, float]:
    """`beta_vae_score` of sampled points (Higgins et al. 2017).

    A point is the mean absolute difference of the codes of `batch_size` pairs. The two images of
    each pair share one factor, which is the label. With `one_vs_rest` each factor has its own
    classifier, as at the time of the paper.

    Raises:
        UndefinedScoreError: If there is one factor only, or the codes are not finite.
    """
    if len(representation.factor_sizes) < 2:
        raise UndefinedScoreError("beta_vae_score needs two factors to distinguish, got one")
    train = _points(representation, rng, num_train, batch_size)
    test = _points(representation, rng, num_test, batch_size)
    names = ("beta_vae_score", "train_accuracy")
    return dict(zip(names, beta_vae_score(*train, *test, one_vs_rest), strict=True))


def _points(
    representation: Representation, rng: Rng, num: int, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute differences (num, D) and the shared factors (num,)."""
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
