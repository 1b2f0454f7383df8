"""IWAE: a tighter bound from several samples (Burda et al. 2016)."""

import math

import jax
import jax.numpy as jnp

from .method import Batch, Info, Method, MethodEntry
from .model import Model
from .networks import Parameters
from .objective import log_terms, mean_kl_per_latent


def iwae() -> Method:
    """The method that maximises the bound of K samples of an image's code (Burda 2016, eq. 8).

    The bound is E[log (1/K) sum_k p(x, z_k) / q(z_k | x)]. It is the mean ELBO of the samples plus
    a gain, which is 0 for K = 1. K is the setting `importance_samples`.
    """

    def loss(
        model: Model, params: Parameters, batch: Batch, key: jax.Array, step: jax.Array
    ) -> tuple[jax.Array, Info]:
        del step
        normal = model.infer(params, batch.images)
        shape = (model.importance_samples, *normal.mean.shape)
        noise = jax.random.normal(key, shape, normal.mean.dtype)
        _, log_likelihood, log_prior, log_density = log_terms(
            model, params, batch.images, noise, normal
        )
        weights = log_likelihood + log_prior - log_density
        kl = jnp.mean((log_density - log_prior).ravel())
        regularizer = kl - jnp.mean(tighter_by(weights))
        mean = jnp.mean(-log_likelihood.ravel())
        per_latent = mean_kl_per_latent(model, normal)
        kl = jnp.sum(per_latent) if model.has_analytic_kl else kl
        return mean + regularizer, Info(mean, kl, regularizer, per_latent)

    return Method(loss)


def tighter_by(log_weights: jax.Array) -> jax.Array:
    """The gain (B,) of the bound with K log weights (K, B) over their mean; 0 if K is 1."""
    bound = jax.nn.logsumexp(log_weights, axis=0) - math.log(len(log_weights))
    return bound - jnp.mean(log_weights, axis=0)


IWAE = MethodEntry(
    iwae,
    label="IWAE",
    reference="Burda et al. 2016, arXiv:1509.00519",
    colour="#2f7f86",
    cost=3.4,  # with 5 samples
    reads=("importance_samples",),
    refuses=("kl_estimate", "kl_annealing_steps", "free_bits"),
)
