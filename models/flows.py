"""Affine flows of codes: autoregressive ones (Kingma et al. 2016) and couplings (Dinh et al. 2017).

A layer shifts and scales each latent by the outputs of a masked dense network for the latents
before it (Germain et al. 2015). In an autoregressive flow latents follow one another; a coupling is
the same with two groups of latents, so that its inverse takes two passes instead of D.
"""

import jax
import jax.numpy as jnp
import numpy as np

from .networks import Parameters, glorot_uniform

UNITS = 100
"""The number of hidden units of a layer, sufficient for a flow of few latents."""

_LARGEST = 3.0
"""The largest absolute log scale of a layer, so that it scales no latent by more than 20."""


def initial_flow(key: jax.Array, num_latents: int, num_layers: int, context: int = 0) -> Parameters:
    """The parameters of a flow that begins as the identity.

    Args:
        key: A JAX key.
        num_latents: D.
        num_layers: The number of layers.
        context: The width of further inputs of the layers; 0 for none.
    """
    shape = jax.ShapeDtypeStruct

    def layer(index: int) -> Parameters:
        shapes = {"hidden": shape((num_latents, UNITS), jnp.float32)}
        if context:
            shapes["context"] = shape((context, UNITS), jnp.float32)
        made = glorot_uniform(jax.random.fold_in(key, index), shapes)
        outputs = jnp.zeros((UNITS, 2 * num_latents))
        return made | {
            "bias": jnp.zeros(UNITS),
            "outputs": outputs,
            "outputs_bias": jnp.zeros(2 * num_latents),
        }

    return {f"layer_{index}": layer(index) for index in range(num_layers)}


def push(
    params: Parameters, codes: jax.Array, groups: int, context: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Codes (N, D) through all layers, and the log determinants (N,) of the Jacobians.

    Args:
        params: Parameters from `initial_flow`.
        codes: Codes (N, D).
        groups: D for an autoregressive flow, 2 for couplings.
        context: Further inputs (N, C) of the layers.
    """
    log_determinant = jnp.zeros(len(codes), codes.dtype)
    for index in range(len(params)):
        shift, log_scale = _affine(params[f"layer_{index}"], codes, groups, context)
        codes = ((codes - shift) * jnp.exp(-log_scale))[:, ::-1]
        log_determinant -= log_scale.sum(axis=1)
    return codes, log_determinant


def pull(
    params: Parameters, codes: jax.Array, groups: int, context: jax.Array | None = None
) -> jax.Array:
    """The codes (N, D) that `push` maps to these."""
    for index in reversed(range(len(params))):
        pushed, codes = codes[:, ::-1], jnp.zeros_like(codes)
        for _ in range(groups):  # each pass finds one group more
            shift, log_scale = _affine(params[f"layer_{index}"], codes, groups, context)
            codes = pushed * jnp.exp(log_scale) + shift
    return codes


def _affine(
    layer: Parameters, codes: jax.Array, groups: int, context: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """The shifts and the log scales (N, D), each a function of the latents in earlier groups."""
    num_latents = codes.shape[1]
    place = np.arange(num_latents) * groups // num_latents
    of_hidden = np.arange(UNITS) % groups - 1  # -1 sees no latent
    into = jnp.asarray(place[:, None] <= of_hidden, codes.dtype)
    out_of = jnp.asarray(np.tile(of_hidden[:, None] < place, 2), codes.dtype)
    hidden = codes @ (layer["hidden"] * into) + layer["bias"][None]
    if context is not None:
        hidden += context @ layer["context"]
    outputs = jnp.tanh(hidden) @ (layer["outputs"] * out_of) + layer["outputs_bias"][None]
    shift, raw = jnp.split(outputs, 2, axis=1)
    return shift, _LARGEST * jnp.tanh(raw / _LARGEST)
