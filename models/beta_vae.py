"""beta-VAE (Higgins et al. 2017)."""

import jax

from .method import Batch, Info, Method, MethodEntry, Weight
from .model import Model
from .networks import Parameters
from .objective import forward, regularized


def beta_vae(beta: Weight) -> Method:
    """The method that minimises reconstruction + beta * KL (Higgins et al. 2017, eq. 4).

    Args:
        beta: Weight of the KL to the prior; 1 is the plain variational autoencoder.
    """

    def loss(
        model: Model, params: Parameters, batch: Batch, key: jax.Array, step: jax.Array
    ) -> tuple[jax.Array, Info]:
        passed = forward(model, params, batch.images, key, step)
        return regularized(passed, beta * passed.kl)

    return Method(loss)


BETA_VAE = MethodEntry(
    beta_vae,
    label="β-VAE",
    reference="Higgins et al. 2017, openreview.net/forum?id=Sy2fzU9gl",
    colour="#3b6ea8",
    example={"beta": 4.0},
)
