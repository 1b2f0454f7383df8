"""beta-TCVAE: a weight on the total correlation alone (Chen et al. 2018)."""

import math

import jax
import jax.numpy as jnp

from .method import Batch, Info, Method, MethodEntry, Weight
from .model import Model
from .networks import Parameters, Posterior
from .objective import forward, regularized


def beta_tc_vae(beta: Weight) -> Method:
    """The method that minimises reconstruction + KL + (beta - 1) * TC (Chen 2018, eq. 4).

    Args:
        beta: Weight of the total correlation of z; 1 is the plain variational autoencoder.
    """

    def loss(
        model: Model, params: Parameters, batch: Batch, key: jax.Array, step: jax.Array
    ) -> tuple[jax.Array, Info]:
        passed = forward(model, params, batch.images, key, step)
        total = total_correlation(passed.codes, passed.posterior)
        return regularized(passed, passed.kl + (beta - 1.0) * total)

    return Method(loss)


def total_correlation(codes: jax.Array, posterior: Posterior) -> jax.Array:
    """The batch's estimate of KL(q(z) || product of q(z_l)), up to a constant, in nats.

    As in the paper, the mixtures over the batch are not normalised by its size or the data set's.
    The value is thus off by (D - 1) * log(B * N) and can be negative; its gradient is not affected.

    Args:
        codes: Samples (B, D).
        posterior: The posterior of the samples.
    """
    mean, log_variance = posterior
    # (B, B, D): the density of code j under the posterior of image i, latent by latent.
    deviations = codes[:, None, :] - mean[None, :, :]
    exponents = jnp.square(deviations) * jnp.exp(-log_variance)[None, :, :]
    densities = -0.5 * (exponents + log_variance[None, :, :] + math.log(2 * math.pi))
    joint = jax.nn.logsumexp(jnp.sum(densities, axis=2), axis=1)
    product = jnp.sum(jax.nn.logsumexp(densities, axis=1), axis=1)
    return jnp.mean(joint - product)


BETA_TC_VAE = MethodEntry(
    beta_tc_vae,
    label="β-TC-VAE",
    reference="Chen et al. 2018, arXiv:1802.04942",
    colour="#7a5a9e",
    refuses=("posterior",),
    example={"beta": 4.0},
)
