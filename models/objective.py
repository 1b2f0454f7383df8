"""Shared parts of the methods' objectives: the two terms of the evidence lower bound."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from .method import Info
from .model import Model
from .networks import Parameters, Posterior


class Forward(NamedTuple):
    """One pass through encoder and decoder, with one sample of z per image.

    Attributes:
        posterior: The encoder's output: mean and log variance, (B, D) each.
        codes: (B, D) samples of the posterior.
        reconstruction: Negative log likelihood of the images, mean over the batch, in nats.
        kl: The KL to the prior as in the objective, mean over the batch, with the settings'
            annealing and free bits; in nats.
        plain_kl: The same without annealing and free bits, by formula if there is one.
        kl_per_latent: (D,) KL to the standard normal, mean over the batch, in nats; NaN if prior
            and posterior have no such formula.
    """

    posterior: Posterior
    codes: jax.Array
    reconstruction: jax.Array
    kl: jax.Array
    plain_kl: jax.Array
    kl_per_latent: jax.Array


def forward(
    model: Model, params: Parameters, images: jax.Array, key: jax.Array, step: jax.Array
) -> Forward:
    """The posterior, its samples and the two terms of the bound (Kingma & Welling 2014).

    Args:
        model: The networks and the likelihood.
        params: Parameters with "encoder" and "decoder".
        images: Images (B, H, W, C).
        key: The key for the samples' noise.
        step: The number of previous steps, for the KL's annealing.
    """
    return pass_on(model, params, images, model.infer(params, images), key, step)


def pass_on(
    model: Model,
    params: Parameters,
    images: jax.Array,
    posterior: Posterior,
    key: jax.Array,
    step: jax.Array,
) -> Forward:
    """The rest of `forward` from a posterior: the encoder's, or a method's version of it."""
    noise = jax.random.normal(key, posterior.mean.shape, posterior.mean.dtype)
    codes, log_density = model.draw(params, posterior, noise)
    per_latent = mean_kl_per_latent(model, posterior)
    if model.has_analytic_kl and model.kl_estimate == "analytic":
        groups = per_latent
    else:
        groups = jnp.mean(log_density - model.log_prior(params, codes), axis=0, keepdims=True)
    kl = jnp.sum(groups)
    plain = jnp.sum(per_latent) if model.has_analytic_kl else kl
    if model.free_bits:
        kl = jnp.sum(jnp.maximum(groups, model.free_bits))
    if model.kl_annealing_steps:
        kl *= jnp.minimum(1.0, step.astype(kl.dtype) / model.kl_annealing_steps)
    reconstruction = jnp.mean(model.reconstruction(params, codes, images))
    return Forward(posterior, codes, reconstruction, kl, plain, per_latent)


def regularized(passed: Forward, regularizer: jax.Array) -> tuple[jax.Array, Info]:
    """The loss, reconstruction + regularizer, and its parts for logging."""
    info = Info(passed.reconstruction, passed.plain_kl, regularizer, passed.kl_per_latent)
    return passed.reconstruction + regularizer, info


def log_terms(
    model: Model, params: Parameters, images: jax.Array, noise: jax.Array, normal: Posterior
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Several codes of each image, with their terms of the log likelihood.

    Args:
        model: The networks, the likelihood and the prior.
        params: Its parameters.
        images: Images (B, H, W, C).
        noise: Standard normal noise (K, B, D).
        normal: The result of `Model.infer` for the images.

    Returns:
        Codes z (K, B, D), log p(x | z), log p(z) and log q(z | x), (K, B) nats each.
    """
    codes, log_density = jax.vmap(lambda each: model.draw(params, normal, each))(noise)
    flat = codes.reshape(-1, codes.shape[-1])
    repeated = jnp.tile(images, (len(noise), 1, 1, 1))
    log_likelihood = -model.reconstruction(params, flat, repeated)
    log_prior = model.log_prior(params, flat)
    shape = log_density.shape
    return codes, log_likelihood.reshape(shape), log_prior.reshape(shape), log_density


def mean_kl_per_latent(model: Model, posterior: Posterior) -> jax.Array:
    """The mean (D,) of `kl_per_latent`; NaN if the model's prior or posterior has no formula."""
    if model.has_analytic_kl:
        return jnp.mean(kl_per_latent(posterior), axis=0)
    return jnp.full(model.num_latents, jnp.nan, posterior.mean.dtype)


def kl_per_latent(posterior: Posterior) -> jax.Array:
    """The KL of each image's posterior to N(0, 1), latent by latent: (B, D) nats."""
    mean, log_variance = posterior
    return 0.5 * (jnp.square(mean) + jnp.exp(log_variance) - log_variance - 1)
