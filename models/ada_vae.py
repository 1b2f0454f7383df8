"""Methods for pairs of images that share factors, such as Ada-GVAE (Locatello et al. 2020).

Both images of a pair get the same posterior for a latent that they are assumed to share.
"""

from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp

from .method import Batch, Info, Method, MethodEntry, Weight
from .model import Model
from .networks import Parameters, Posterior
from .objective import pass_on, regularized

Average = Callable[[Posterior, Posterior], Posterior]


def ada_gvae(beta: Weight = 1.0) -> Method:
    """The method that averages the latents whose posteriors differ least (Locatello 2020, sec. 4).

    It minimises the mean over both images of reconstruction + beta * KL.

    Args:
        beta: Weight of the KL to the prior.
    """
    return _of_pairs(beta, _alike, average_of_moments)


def ada_ml_vae(beta: Weight = 1.0) -> Method:
    """The same method with an ML-VAE's averages (Bouchacourt et al. 2018): products of densities.

    Args:
        beta: Weight of the KL to the prior.
    """
    return _of_pairs(beta, _alike, average_of_products)


def gvae(beta: Weight = 1.0) -> Method:
    """A GVAE (Hosoya 2019) that is given the factors which the images of a pair share.

    Latent k represents factor k, and is averaged if that factor is shared. Latents beyond the
    number of factors are always averaged, and factors beyond the number of latents are ignored.

    Args:
        beta: Weight of the KL to the prior.
    """
    return _of_pairs(beta, _told, average_of_moments)


def ml_vae(beta: Weight = 1.0) -> Method:
    """An ML-VAE (Bouchacourt et al. 2018) that is given the factors a pair shares, like `gvae`.

    Args:
        beta: Weight of the KL to the prior.
    """
    return _of_pairs(beta, _told, average_of_products)


def average_of_moments(first: Posterior, second: Posterior) -> Posterior:
    """The means of both means and of both variances: the rule of a GVAE."""
    variance = (jnp.exp(first.log_variance) + jnp.exp(second.log_variance)) / 2
    return Posterior((first.mean + second.mean) / 2, jnp.log(variance))


def average_of_products(first: Posterior, second: Posterior) -> Posterior:
    """The geometric mean of both densities: the rule of an ML-VAE.

    Its precision is the mean of both precisions, so that equal posteriors stay unchanged.
    """
    precisions = jnp.exp(-first.log_variance), jnp.exp(-second.log_variance)
    total = precisions[0] + precisions[1]
    mean = (precisions[0] * first.mean + precisions[1] * second.mean) / total
    return Posterior(mean, -jnp.log(total / 2))


def divergence(first: Posterior, second: Posterior) -> jax.Array:
    """KL(first || second) of each latent, (B, D) nats."""
    difference = first.log_variance - second.log_variance
    square = jnp.square(first.mean - second.mean) * jnp.exp(-second.log_variance)
    return 0.5 * (jnp.exp(difference) + square - 1 - difference)


def _alike(first: Posterior, second: Posterior, shared: Any) -> jax.Array:
    """Which latents (B, D) of a pair differ by less than the midpoint of the least and most."""
    del shared
    found = divergence(first, second)
    least, most = (jnp.min(found, 1, keepdims=True), jnp.max(found, 1, keepdims=True))
    return found < (least + most) / 2


def _told(first: Posterior, second: Posterior, shared: Any) -> jax.Array:
    """Which latents (B, D) represent a shared factor, or no factor."""
    del second
    num_latents = first.mean.shape[1]
    told = shared[:, :num_latents].astype(bool)
    return jnp.pad(told, ((0, 0), (0, num_latents - told.shape[1])), constant_values=True)


def _of_pairs(beta: Weight, which: Callable, average: Average) -> Method:
    def loss(
        model: Model, params: Parameters, batch: Batch, key: jax.Array, step: jax.Array
    ) -> tuple[jax.Array, Info]:
        images = jnp.concatenate([batch.images, cast(jax.Array, batch.views)])
        both = model.infer(params, images)
        first, second = (Posterior(*parts) for parts in zip(*map(_halves, both), strict=True))
        mask, common = which(first, second, batch.shared), average(first, second)
        chosen = (
            [jnp.where(mask, *parts) for parts in zip(common, own, strict=True)]
            for own in (first, second)
        )
        posterior = Posterior(*(jnp.concatenate(parts) for parts in zip(*chosen, strict=True)))
        passed = pass_on(model, params, images, posterior, key, step)
        return regularized(passed, beta * passed.kl)

    return Method(loss)


def _halves(values: jax.Array) -> list[jax.Array]:
    return jnp.split(values, 2)


def _entry(factory: Callable[..., Method], label: str, reference: str, colour: str) -> MethodEntry:
    return MethodEntry(
        factory,
        label=label,
        reference=reference,
        colour=colour,
        cost=2.0,
        passes=(2.0, 2.0),
        batch="pairs",
        refuses=("posterior",),
        example={"beta": 1.0},
    )


ADA_GVAE = _entry(ada_gvae, "Ada-GVAE", "Locatello et al. 2020, arXiv:2002.02886", "#5b9bb5")
ADA_ML_VAE = _entry(ada_ml_vae, "Ada-ML-VAE", "Locatello et al. 2020, arXiv:2002.02886", "#a3574f")
GVAE = _entry(gvae, "GVAE", "Hosoya 2019, arXiv:1809.02383", "#6f7f3c")
ML_VAE = _entry(ml_vae, "ML-VAE", "Bouchacourt et al. 2018, arXiv:1705.08841", "#94709c")
