"""Adam as TensorFlow 1 computes it, which is how the paper trained."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class AdamState(NamedTuple):
    """Number of updates so far and the running moments of the gradients."""

    num_updates: jax.Array
    first: optax.Params
    second: optax.Params


def adam(
    learning_rate: float, *, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
) -> optax.GradientTransformation:
    """Adam in its "epsilon hat" form (Kingma & Ba 2015, end of section 2).

    The update is ``learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)``.
    `optax.adam` adds epsilon to the bias-corrected ``sqrt(v / (1 - beta2^t))`` instead, which is
    up to 1 / sqrt(1 - beta2) = 32 times less of it in the first steps; it matters only to
    gradients that nearly vanish.
    """

    def init(params: optax.Params) -> AdamState:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return AdamState(jnp.zeros((), jnp.int32), zeros, zeros)

    def update(
        updates: optax.Updates, state: Any, params: optax.Params | None = None
    ) -> tuple[optax.Updates, AdamState]:
        del params
        num_updates = state.num_updates + 1
        t = num_updates.astype(jnp.float32)
        rate = learning_rate * jnp.sqrt(1 - beta2**t) / (1 - beta1**t)
        first = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, state.first, updates)
        second = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, state.second, updates)
        steps = jax.tree.map(
            lambda m, v: (-rate).astype(m.dtype) * m / (jnp.sqrt(v) + epsilon), first, second
        )
        return steps, AdamState(num_updates, first, second)

    return optax.GradientTransformation(init, update)
