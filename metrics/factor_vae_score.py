"""The FactorVAE score (Kim and Mnih 2018, arXiv:1802.05983, section 5)."""

import numpy as np

from .arrays import check_codes
from .metric import Count, Metric
from .representation import Representation, Rng, sample_factors, sample_integers
from .undefined import UndefinedScoreError

_SMALLEST_DEVIATION = 0.05  # a latent whose standard deviation is smaller takes no part


def score_factor_vae(
    representation: Representation,
    rng: Rng,
    *,
    batch_size: Count = 64,
    num_train: Count = 10_000,
    num_test: Count = 5_000,
    num_variance: Count = 10_000,
) -> dict[str, float]:
    """Accuracy of telling which factor is fixed from the latent that varies least (Kim 2018).

    Latents are compared by their variance in a batch with one factor fixed, relative to that over
    all data; each latent stands for the factor it most often went with in training.

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

    def votes(num: int) -> np.ndarray:
        """How often each factor (rows) made each active latent (columns) vary least."""
        counts = np.zeros((len(representation.factor_sizes), int(active.sum())), np.int64)
        for _ in range(num):
            fixed = sample_integers(rng, len(representation.factor_sizes))
            factors = sample_factors(rng, representation.factor_sizes, batch_size)
            factors[:, fixed] = factors[0, fixed]
            codes = check_codes(representation.encode(factors, rng))
            relative = codes[:, active].var(axis=0, ddof=1) / variances[active]
            counts[fixed, np.argmin(relative)] += 1
        return counts

    train_votes, test_votes = votes(num_train), votes(num_test)
    meant, latents = np.argmax(train_votes, axis=0), np.arange(train_votes.shape[1])
    return {
        "factor_vae_score": float(test_votes[meant, latents].sum() / num_test),
        "train_accuracy": float(train_votes[meant, latents].sum() / num_train),
        "num_active_dims": num_active_dims,
    }


FACTOR_VAE_SCORE = Metric(
    score_factor_vae, "Kim and Mnih 2018, arXiv:1802.05983", label="FactorVAE score"
)
