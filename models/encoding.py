"""Trained models at work: images to codes and back, on any backend, given stored parameters."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from . import networks
from .convolution import arithmetic
from .networks import Parameters, Posterior

Observe = Callable[[Any, jax.Array], jax.Array]
"""(data, indices (B,)) -> (B, H, W, C) images: pure, and fit for jit."""


@jax.jit
@arithmetic()
def encode(parameters: Parameters, images: jax.Array) -> Posterior:
    """Mean and log variance, (B, D) each, of (B, 64, 64, C) images."""
    return networks.encode(parameters, images)


@jax.jit
@arithmetic()
def decode(parameters: Parameters, codes: jax.Array) -> jax.Array:
    """The (B, 64, 64, C) Bernoulli logits of (B, D) codes; their sigmoid is the picture."""
    return networks.decode(parameters, codes)


def encode_all(
    parameters: Parameters,
    observe: Observe,
    data: Any,
    num_images: int,
    *,
    batch: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log variance, (N, D) float32 each, of images 0 to N - 1, each seen once.

    Args:
        parameters: With "encoder".
        observe: Gives the images of some indices, whatever is beside them.
        data: What `observe` reads, or a function that gives it for the indices of a batch.
        num_images: N.
        batch: How many images at a time; by default 256 on a CPU and 2,048 elsewhere.

    Raises:
        ValueError: If num_images or batch is under 1.
    """
    if batch is None:
        batch = 256 if jax.default_backend() == "cpu" else 2048
    if num_images < 1 or batch < 1:
        raise ValueError(f"num_images is {num_images} and batch {batch}; both must be at least 1")
    parameters = jax.tree.map(jnp.asarray, parameters)
    if not callable(data):
        data = jax.tree.map(jnp.asarray, data)
    num_latents = parameters["encoder"]["mean"]["bias"].shape[-1]
    codes = np.empty((2, num_images, num_latents), np.float32)
    for first in range(0, num_images, batch):
        # The last batch overlaps the one before, so that one program serves all.
        start = max(0, min(first, num_images - batch))
        indices = np.arange(start, start + min(batch, num_images), dtype=np.int32)
        read = data(indices) if callable(data) else data
        codes[:, start : start + len(indices)] = _encode_indices(observe, parameters, read, indices)
    return codes[0], codes[1]


@partial(jax.jit, static_argnums=0)
@arithmetic()
def _encode_indices(
    observe: Observe, parameters: Parameters, data: Any, indices: jax.Array
) -> jax.Array:
    return jnp.stack(networks.encode(parameters, observe(data, indices)))
