"""What the objectives of all methods share: the two terms of the evidence lower bound."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from .method import Info
from .model import Model
from .networks import Parameters, Posterior


class Forward(NamedTuple):
    """One pass through encoder and decoder, with one sample of z per image.

    Attributes:
        posterior: Mean and log variance, (B, D) each.
        codes: (B, D) samples of the posterior.
        reconstruction: Minus the log likelihood of the images, mean over the batch, nats.
        kl_per_latent: (D,) KL to the standard normal prior, mean over the batch, nats.
    """

    posterior: Posterior
    codes: jax.Array
    reconstruction: jax.Array
    kl_per_latent: jax.Array

    @property
    def kl(self) -> jax.Array:
        """KL to the prior, mean over the batch, nats."""
        return jnp.sum(self.kl_per_latent)


def forward(model: Model, params: Parameters, images: jax.Array, key: jax.Array) -> Forward:
    """The posterior, its samples and the two terms of the bound (Kingma & Welling 2014).

    Args:
        model: The networks and the likelihood.
        params: With "encoder" and "decoder".
        images: (B, H, W, C).
        key: What the samples' noise is drawn from.
    """
    posterior = model.encode(params, images)
    codes = sample(posterior, key)
    return Forward(
        posterior,
        codes,
        jnp.mean(model.reconstruction(params, codes, images)),
        jnp.mean(kl_per_latent(posterior), axis=0),
    )


def regularized(passed: Forward, regularizer: jax.Array) -> tuple[jax.Array, Info]:
    """The loss, reconstruction + regularizer, and what is logged of it."""
    info = Info(passed.reconstruction, passed.kl, regularizer, passed.kl_per_latent)
    return passed.reconstruction + regularizer, info


def sample(posterior: Posterior, key: jax.Array) -> jax.Array:
    """One (B, D) sample of the posterior: mean + exp(log variance / 2) * noise."""
    noise = jax.random.normal(key, posterior.mean.shape, posterior.mean.dtype)
    return posterior.mean + jnp.exp(posterior.log_variance / 2) * noise


def kl_per_latent(posterior: Posterior) -> jax.Array:
    """The KL of each image's posterior to N(0, 1), latent by latent: (B, D) nats."""
    mean, log_variance = posterior
    return 0.5 * (jnp.square(mean) + jnp.exp(log_variance) - log_variance - 1)
