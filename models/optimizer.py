"""Optimizers and schedules; Adam is computed as in TensorFlow 1, which the paper used."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ..settings import Settings


class AdamState(NamedTuple):
    """Number of updates so far and the running moments of the gradients."""

    num_updates: jax.Array
    first: optax.Params
    second: optax.Params


def adam(
    learning_rate: Any, *, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
) -> optax.GradientTransformation:
    """Adam in its "epsilon hat" form (Kingma & Ba 2015, end of section 2).

    The update is ``learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)``.
    `optax.adam` adds epsilon to the bias-corrected ``sqrt(v / (1 - beta2^t))`` instead. In the
    first steps its epsilon is effectively up to 1 / sqrt(1 - beta2) = 32 times smaller, which
    matters only for gradients that nearly vanish.
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


OPTIMIZERS: dict[str, Callable[[Any], optax.GradientTransformation]] = {
    "adam": adam,
    "adamw": optax.adamw,
    "rmsprop": optax.rmsprop,
    "sgd": optax.sgd,
}
"""By name, functions from a learning rate, a number or traced, to a transformation of gradients."""


def learning_rate_at(settings: Settings, highest: Any, step: Any) -> Any:
    """The learning rate of a step: it grows during warm-up, then stays or decays as a cosine.

    Args:
        settings: `schedule`, `warmup_steps`, and the `steps` after which a cosine is at 0.
        highest: The peak learning rate, a number or a traced value.
        step: The number of previous steps.
    """
    if not settings.warmup_steps and settings.schedule == "constant":
        return highest
    step = jnp.asarray(step, jnp.float32)
    left = max(1, settings.steps - settings.warmup_steps)
    after = {
        "constant": optax.constant_schedule(1.0),
        "cosine": optax.cosine_decay_schedule(1.0, left),
    }[settings.schedule]
    warmup = optax.linear_schedule(
        1 / max(1, settings.warmup_steps), 1.0, settings.warmup_steps - 1
    )
    if not settings.warmup_steps:
        return highest * after(step)
    return highest * optax.join_schedules([warmup, after], [settings.warmup_steps])(step)
