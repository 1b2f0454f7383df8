"""DIP-VAE-I and DIP-VAE-II: decorrelated codes (Kumar et al. 2018)."""

import jax
import jax.numpy as jnp

from .method import Batch, Info, Method, MethodEntry, Weight
from .model import Model
from .networks import Parameters, Posterior
from .objective import forward, regularized


def dip_vae_i(lambda_od: Weight, lambda_d_factor: Weight = 10.0) -> Method:
    """The method that pulls the covariance of the means to identity (Kumar 2018, eq. 6).

    Args:
        lambda_od: Weight of the squared off-diagonal entries; (i, j) and (j, i) both count.
        lambda_d_factor: The weight of (diagonal entries - 1)^2 is this times lambda_od.
    """
    return _dip_vae(lambda_od, lambda_d_factor, covariance_of_means)


def dip_vae_ii(lambda_od: Weight, lambda_d_factor: Weight = 1.0) -> Method:
    """The method that pulls the covariance of the codes to identity (Kumar 2018, eq. 7).

    Args:
        lambda_od: Weight of the squared off-diagonal entries; (i, j) and (j, i) both count.
        lambda_d_factor: The weight of (diagonal entries - 1)^2 is this times lambda_od.
    """
    return _dip_vae(lambda_od, lambda_d_factor, covariance_of_codes)


def covariance_of_means(posterior: Posterior) -> jax.Array:
    """The (D, D) covariance of the posterior means over the batch, normalised by 1/B."""
    centred = posterior.mean - jnp.mean(posterior.mean, axis=0, keepdims=True)
    return centred.T @ centred / len(centred)


def covariance_of_codes(posterior: Posterior) -> jax.Array:
    """The (D, D) covariance of z over the batch: E[Cov[z | x]] + Cov[E[z | x]]."""
    variances = jnp.mean(jnp.exp(posterior.log_variance), axis=0)
    return covariance_of_means(posterior) + jnp.diag(variances)


def distance_from_identity(
    covariance: jax.Array, lambda_od: jax.Array | float, lambda_d: jax.Array | float
) -> jax.Array:
    """Lambda_od * sum of squared off-diagonals + lambda_d * sum of (diagonal - 1)^2."""
    diagonal = jnp.diagonal(covariance)
    off_diagonal = covariance - jnp.diag(diagonal)
    off = jnp.sum(jnp.square(off_diagonal))
    return lambda_od * off + lambda_d * jnp.sum(jnp.square(diagonal - 1))


def _dip_vae(lambda_od: Weight, lambda_d_factor: Weight, covariance) -> Method:
    def loss(
        model: Model, params: Parameters, batch: Batch, key: jax.Array, step: jax.Array
    ) -> tuple[jax.Array, Info]:
        passed = forward(model, params, batch.images, key, step)
        penalty = distance_from_identity(
            covariance(passed.posterior), lambda_od, lambda_d_factor * lambda_od
        )
        return regularized(passed, passed.kl + penalty)

    return Method(loss)


DIP_VAE_I = MethodEntry(
    dip_vae_i,
    label="DIP-VAE-I",
    reference="Kumar et al. 2018, arXiv:1711.00848",
    colour="#4f8a5b",
    refuses=("posterior",),
    example={"lambda_od": 5.0},
)

DIP_VAE_II = MethodEntry(
    dip_vae_ii,
    label="DIP-VAE-II",
    reference="Kumar et al. 2018, arXiv:1711.00848",
    colour="#8fae3f",
    refuses=("posterior",),
    example={"lambda_od": 5.0},
)
