"""Components of a trained model's bound, and a tighter bound; in nats.

Unlike other metrics, these evaluate a model with its decoder and prior, not only codes.
"""

from typing import NamedTuple, Protocol

import numpy as np

from .metric import Count, Metric
from .representation import Rng, sample_seed
from .undefined import UndefinedScoreError

ACTIVE = 0.01
"""The variance of a latent's posterior mean over the images above which the latent is active."""

_BLOCK = 4_000_000  # densities at a time


class BoundedModel(Protocol):
    """A trained model and its data set, for these metrics.

    Each method raises an UndefinedScoreError if its result does not exist.
    """

    @property
    def num_images(self) -> int:
        """N, the number of images in the data set."""
        ...

    @property
    def has_analytic_kl(self) -> bool:
        """Whether the KL is from diagonal normals to the standard normal."""
        ...

    def posteriors(self) -> tuple[np.ndarray, np.ndarray]:
        """Means and log variances, (N, D) each, of posteriors that are diagonal normals."""
        ...

    def log_terms(
        self, indices: np.ndarray, num: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Codes z (M, K, D) of the images at some indices, and three log densities (M, K).

        The densities are log p(x | z), log p(z) and log q(z | x).
        """
        ...


class Surgery(NamedTuple):
    """The components of the mean bound over N images, estimated from M of them.

    Each has the standard error of its estimate, which is 0 if all images are used. The mean KL is
    over all images, so it is the sum of its two parts only up to these errors.

    Attributes:
        reconstruction: The negative mean log likelihood.
        kl: The KL from each image's posterior to the prior.
        mutual_information: The mutual information of an image's index and its code, at most log N.
        marginal_kl: The KL from the aggregate posterior to the prior.
        active_units: The number of latents whose posterior means vary by more than `ACTIVE`.
    """

    reconstruction: float
    reconstruction_error: float
    kl: float
    mutual_information: float
    mutual_information_error: float
    marginal_kl: float
    marginal_kl_error: float
    active_units: float


def log_aggregate_posterior(
    codes: np.ndarray, mean: np.ndarray, log_variance: np.ndarray
) -> np.ndarray:
    """Log of the mean density of all N posteriors at codes (M, D): (M,) nats, in float64.

    Args:
        codes: (M, D).
        mean: The means (N, D) of diagonal normals.
        log_variance: Their log variances (N, D).
    """
    codes, mean, log_variance = (np.asarray(a, float) for a in (codes, mean, log_variance))
    largest = np.full(len(codes), -np.inf)
    total = np.zeros(len(codes))
    size = max(1, _BLOCK // len(codes))
    for first in range(0, len(mean), size):
        part = slice(first, first + size)
        precision = np.exp(-log_variance[part])
        scaled = mean[part] * precision
        # The square is multiplied out, so that the sum over latents is a product of matrices.
        constant = np.sum(mean[part] * scaled + log_variance[part], axis=1)
        density = codes @ scaled.T - (codes**2 @ precision.T + constant) / 2
        high = np.maximum(largest, density.max(axis=1))
        total *= np.exp(largest - high)
        total += np.exp(density - high[:, None]).sum(axis=1)
        largest = high
    return largest + np.log(total) - np.log(len(mean)) - codes.shape[1] / 2 * np.log(2 * np.pi)


def surgery(
    mean: np.ndarray,
    log_variance: np.ndarray,
    codes: np.ndarray,
    log_likelihood: np.ndarray,
    log_prior: np.ndarray,
    log_posterior: np.ndarray,
    kl: float | None = None,
) -> Surgery:
    """The components of the bound (Hoffman and Johnson 2016), from one code of each of M images.

    The aggregate posterior is that of all N images, so the estimates are unbiased.

    Args:
        mean: The means (N, D) of the posteriors of all images.
        log_variance: Their log variances (N, D).
        codes: A sample (M, D) from each of M images' posteriors.
        log_likelihood: Log p(x | z), (M,).
        log_prior: Log p(z), (M,).
        log_posterior: Log q(z | x), (M,).
        kl: The mean KL over all images, if there is a formula; otherwise it is estimated.
    """
    aggregate = log_aggregate_posterior(codes, mean, log_variance)
    parts = {
        "reconstruction": -log_likelihood,
        "mutual_information": log_posterior - aggregate,
        "marginal_kl": aggregate - log_prior,
    }
    found = {name: float(np.mean(values)) for name, values in parts.items()}
    errors = {f"{name}_error": _standard_error(values) for name, values in parts.items()}
    kl = float(np.mean(log_posterior - log_prior)) if kl is None else kl
    active = np.var(np.asarray(mean, float), axis=0) > ACTIVE
    return Surgery(**found, **errors, kl=kl, active_units=float(np.sum(active)))


def importance_bound(log_weights: np.ndarray) -> np.ndarray:
    """The bound (M,) from K log weights log p(x, z) - log q(z | x) of each image, (M, K).

    It increases with K towards the log likelihood (Burda et al. 2016, theorem 1).
    """
    from scipy.special import logsumexp

    return logsumexp(log_weights, axis=1) - np.log(log_weights.shape[1])


def kl_to_standard(mean: np.ndarray, log_variance: np.ndarray) -> float:
    """The mean KL of diagonal normals (N, D) from the standard normal."""
    mean, log_variance = np.asarray(mean, float), np.asarray(log_variance, float)
    return float(np.mean(np.sum(mean**2 + np.exp(log_variance) - log_variance - 1, axis=1)) / 2)


def score_surgery(model: BoundedModel, rng: Rng, *, num_images: Count = 2_000) -> dict[str, float]:
    """The components of a model's bound, from `num_images` images of its data set.

    Raises:
        UndefinedScoreError: If the model has no bound, or its posteriors are not diagonal normals.
    """
    mean, log_variance = model.posteriors()
    which = _some(rng, model.num_images, num_images)
    codes, *terms = model.log_terms(which, 1, sample_seed(rng))
    likelihood, prior, posterior = (np.asarray(part[:, 0], float) for part in terms)
    kl = kl_to_standard(mean, log_variance) if model.has_analytic_kl else None
    found = surgery(mean, log_variance, codes[:, 0], likelihood, prior, posterior, kl)
    return _finite(found._asdict())


def score_importance_bound(
    model: BoundedModel, rng: Rng, *, num_images: Count = 200, num_samples: Count = 100
) -> dict[str, float]:
    """The bound with `num_samples` codes of each of `num_images` images, and with single codes.

    Raises:
        UndefinedScoreError: If the model has no bound.
    """
    which = _some(rng, model.num_images, num_images)
    seed = sample_seed(rng)
    _, likelihood, prior, posterior = model.log_terms(which, num_samples, seed)
    weights = np.asarray(likelihood, float) + prior - posterior
    bounds = importance_bound(weights)
    error, elbo = _standard_error(bounds), float(weights.mean())
    return _finite({"bound": float(bounds.mean()), "bound_error": error, "elbo": elbo})


def _some(rng: Rng, num_images: int, num: int) -> np.ndarray:
    """Indices of all images, or of `num` sampled without replacement, in order."""
    if num >= num_images:
        return np.arange(num_images)
    return np.sort(rng.choice(num_images, num, replace=False))


def _standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _finite(scores: dict[str, float]) -> dict[str, float]:
    if not np.isfinite(list(scores.values())).all():
        raise UndefinedScoreError("the model's densities are not finite")
    return scores


ELBO_SURGERY = Metric(
    score_surgery,
    "Hoffman and Johnson 2016, approximateinference.org/accepted/HoffmanJohnson2016.pdf",
    of_model=True,
    needs="nothing",
    label="ELBO surgery",
    lower_is_better=("reconstruction", "kl", "marginal_kl"),
    labels={
        "reconstruction": "reconstruction",
        "kl": "mean KL",
        "mutual_information": "index-code MI",
        "marginal_kl": "marginal KL",
        "active_units": "active units",
    },
    units=dict.fromkeys(["reconstruction", "kl", "mutual_information", "marginal_kl"], "nats")
    | {"active_units": "latents"},
)

IMPORTANCE_BOUND = Metric(
    score_importance_bound,
    "Burda et al. 2016, arXiv:1509.00519",
    of_model=True,
    needs="nothing",
    label="importance-weighted bound",
    labels={"bound": "IW bound", "elbo": "ELBO, sampled"},
    units=dict.fromkeys(["bound", "elbo"], "nats"),
)
