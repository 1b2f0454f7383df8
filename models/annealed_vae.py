"""AnnealedVAE: a capacity that grows during training (Burgess et al. 2017)."""

from typing import Annotated

import jax
import jax.numpy as jnp

from .method import Batch, Bounds, Info, Method, MethodEntry, Weight
from .model import Model
from .networks import Parameters
from .objective import forward, regularized


def annealed_vae(
    c_max: Weight,
    gamma: Weight = 1000.0,
    iteration_threshold: Annotated[float, Bounds(gt=0)] = 100_000.0,
) -> Method:
    """The method that holds the KL at a growing capacity (Burgess et al. 2017, eq. 8).

    It minimises reconstruction + gamma * |KL - C(step)| with C(step) = min(c_max, c_max * step /
    iteration_threshold). The absolute value is of the batch's mean KL, not of each image's.

    Args:
        c_max: The final capacity, nats.
        gamma: Weight of the distance from the capacity.
        iteration_threshold: The step at which the capacity is reached.
    """

    def loss(
        model: Model, params: Parameters, batch: Batch, key: jax.Array, step: jax.Array
    ) -> tuple[jax.Array, Info]:
        passed = forward(model, params, batch.images, key, step)
        target = capacity(step.astype(passed.kl.dtype), c_max, iteration_threshold)
        return regularized(passed, gamma * jnp.abs(passed.kl - target))

    return Method(loss)


def capacity(step: jax.Array, c_max: Weight, iteration_threshold: float) -> jax.Array:
    """C(step), which grows linearly to `c_max` at `iteration_threshold`, in nats."""
    return c_max * jnp.minimum(1.0, step / iteration_threshold)


ANNEALED_VAE = MethodEntry(
    annealed_vae,
    label="AnnealedVAE",
    reference="Burgess et al. 2017, arXiv:1804.03599",
    colour="#c79a2b",
    example={"c_max": 25.0},
)
