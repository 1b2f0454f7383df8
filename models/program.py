"""What is compiled: one step of one model, many steps of a pack, and their losses.

Pure functions of arrays. A model is known by its seed and its hyper-parameters, which are inputs,
so one program serves them all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ..settings import Settings
from .convolution import arithmetic
from .method import Info, Method, MethodEntry
from .randomness import Purpose, key_for

SampleBatch = Callable[[Any, jax.Array, int], jax.Array]
"""(data, key, batch_size) -> (B, H, W, C) images: pure, and fit for jit and vmap."""

CURVES: tuple[str, ...] = ("loss", "reconstruction", "kl", "regularizer")
"""What is reported of every model."""


class State(NamedTuple):
    """What the next step of one model needs, besides the step's number."""

    parameters: Any
    optimizer: optax.OptState


@dataclass(frozen=True)
class Program:
    """The functions of one method, data set and settings.

    Args:
        entry: The method.
        settings: Shared by all models.
        image_shape: (H, W, C) of what `sample_batch` returns.
        sample_batch: Gives a batch.
        form: Of the convolutions, a key of `FORMS`.
    """

    entry: MethodEntry
    settings: Settings
    image_shape: tuple[int, ...]
    sample_batch: SampleBatch
    form: str

    def method(self, values: Mapping[str, Any]) -> Method:
        """The method with these hyper-parameters."""
        return self.entry(**values)

    def start(self, seed, values) -> State:
        """A model at step 0."""
        method = self.method(values)
        key = key_for(seed, Purpose.WEIGHTS)
        parameters = method.initial_parameters(key, self.image_shape, self.settings.num_latents)
        optimizer = method.optimizer(self.settings.learning_rate)
        return State(parameters, optimizer.init(parameters))

    def advance(self, state, total, data, seed, values, step):
        """A model one step on, and `total` (4,) with this step's `CURVES` added."""
        state, row = self._step(state, data, seed, values, step)
        return state, total + row

    def advance_all(self, states, data, seeds, values, first, num_steps):
        """R models `num_steps` on, and the sums (R, 4) of their `CURVES`."""
        one_step = jax.vmap(self._step, in_axes=(0, None, 0, 0, None))

        def body(num, carry):
            states, totals = carry
            states, rows = one_step(states, data, seeds, values, first + num)
            return states, totals + rows

        carry = (states, jnp.zeros((len(seeds), len(CURVES))))
        return jax.lax.fori_loop(0, num_steps, body, carry)

    def evaluate(self, parameters, data, seed, values, step, batch):
        """A model's `CURVES` and KL of each latent (4 + D,) over one evaluation batch."""
        key = key_for(seed, Purpose.EVALUATION, batch)
        images = self.sample_batch(data, key, self.settings.batch_size)
        noise = key_for(seed, Purpose.EVALUATION_NOISE, batch)
        with arithmetic(self.form):
            loss, info = self.method(values).loss(parameters, images, noise, step)
        return jnp.concatenate([_row(loss, info), info.kl_per_latent])

    def evaluate_all(self, parameters, data, seeds, values, step, first, num_batches):
        """The sums (R, 4 + D) of `evaluate` over R models' evaluation batches."""
        one_batch = jax.vmap(self.evaluate, in_axes=(0, None, 0, 0, None, None))

        def body(batch, totals):
            return totals + one_batch(parameters, data, seeds, values, step, batch)

        zeros = jnp.zeros((len(seeds), len(CURVES) + self.settings.num_latents))
        return jax.lax.fori_loop(first, first + num_batches, body, zeros)

    def _step(self, state, data, seed, values, step):
        method = self.method(values)
        images = self.sample_batch(
            data, key_for(seed, Purpose.BATCH, step), self.settings.batch_size
        )
        noise = key_for(seed, Purpose.NOISE, step)
        with arithmetic(self.form, self.settings.precision):
            (loss, info), gradients = jax.value_and_grad(method.loss, has_aux=True)(
                state.parameters, images, noise, step
            )
        optimizer = method.optimizer(self.settings.learning_rate)
        updates, moments = optimizer.update(gradients, state.optimizer, state.parameters)
        return State(optax.apply_updates(state.parameters, updates), moments), _row(loss, info)


def _row(loss: jax.Array, info: Info) -> jax.Array:
    return jnp.stack([loss, info.reconstruction, info.kl, info.regularizer])
