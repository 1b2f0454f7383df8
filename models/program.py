"""The compiled program: one step of one model, many steps of a pack, and their losses.

It consists of pure functions of arrays. A model's seed and hyper-parameters are inputs, so one
program serves all models.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ..settings import Settings
from .convolution import arithmetic
from .method import Batch, Info, Method, MethodEntry
from .model import Model
from .optimizer import OPTIMIZERS, learning_rate_at
from .randomness import Purpose, key_for

SampleBatch = Callable[[Any, jax.Array, int], jax.Array | Batch]
"""(data, key, batch_size) -> (B, H, W, C) images or a `Batch`; pure, for jit and vmap."""

RATE = "learning_rate"
"""The key of the learning rate among a model's traced values."""

CURVES: tuple[str, ...] = ("loss", "reconstruction", "kl", "regularizer")
"""The reported losses of every model."""


class State(NamedTuple):
    """The state of one model for its next step, besides the step's number."""

    parameters: Any
    optimizer: optax.OptState


def draw_blanks(image_shape: tuple[int, ...], num_factors: int = 1) -> SampleBatch:
    """Batches of black images, for inspecting a program without running it."""

    def sample_batch(data: Any, key: jax.Array, batch_size: int) -> Batch:
        del data, key
        images, factors = jnp.zeros((batch_size, *image_shape)), (batch_size, num_factors)
        labels, shared = jnp.zeros(factors, jnp.int32), jnp.zeros(factors, bool)
        return Batch(images, images, shared, labels, jnp.zeros(batch_size, jnp.int32))

    return sample_batch


@dataclass(frozen=True)
class Program:
    """The functions of one method, data set and settings.

    Args:
        entry: The method.
        settings: The settings shared by all models.
        image_shape: The (H, W, C) of images from `sample_batch`.
        sample_batch: Returns a batch.
        form: The form of convolutions, a key of `FORMS`.
    """

    entry: MethodEntry
    settings: Settings
    image_shape: tuple[int, ...]
    sample_batch: SampleBatch
    form: str

    @cached_property
    def model(self) -> Model:
        """The networks and the likelihood."""
        return Model.of(self.settings, self.image_shape)

    def method(self, values: Mapping[str, Any]) -> Method:
        """The method with these hyper-parameters, without the learning rate."""
        return self.entry(**{name: value for name, value in values.items() if name != RATE})

    def start(self, seed, values) -> State:
        """A model at step 0."""
        method = self.method(values)
        key = key_for(seed, Purpose.WEIGHTS)
        parameters = method.initial_parameters(self.model, key)
        return State(parameters, self._optimizer(method, values[RATE]).init(parameters))

    def advance(self, state, total, data, seed, values, step):
        """Advances a model by one step, and adds this step's `CURVES` to `total` (4,)."""
        state, row = self._step(state, data, seed, values, step)
        return state, total + row

    def advance_all(self, states, data, seeds, values, first, num_steps):
        """Advances R models by `num_steps`; also returns the sums (R, 4) of their `CURVES`."""
        one_step = jax.vmap(self._step, in_axes=(0, None, 0, 0, None))

        def body(num, carry):
            states, totals = carry
            states, rows = one_step(states, data, seeds, values, first + num)
            return states, totals + rows

        carry = (states, jnp.zeros((len(seeds), len(CURVES))))
        return jax.lax.fori_loop(0, num_steps, body, carry)

    def evaluate(self, parameters, data, seed, values, step, batch):
        """A model's `CURVES` and KL per latent (4 + D,) on one evaluation batch."""
        key = key_for(seed, Purpose.EVALUATION, batch)
        drawn = self.draw(data, key)
        noise = key_for(seed, Purpose.EVALUATION_NOISE, batch)
        with arithmetic(self.form):
            loss, info = self.method(values).loss(self.model, parameters, drawn, noise, step)
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
        batch = self.draw(data, key_for(seed, Purpose.BATCH, step))
        noise = key_for(seed, Purpose.NOISE, step)
        with arithmetic(self.form, self.settings.precision):
            (loss, info), gradients = jax.value_and_grad(method.loss, argnums=1, has_aux=True)(
                self.model, state.parameters, batch, noise, step
            )
        rate = learning_rate_at(self.settings, values[RATE], step)
        optimizer = self._optimizer(method, rate)
        updates, moments = optimizer.update(gradients, state.optimizer, state.parameters)
        return State(optax.apply_updates(state.parameters, updates), moments), _row(loss, info)

    def draw(self, data: Any, key: jax.Array) -> Batch:
        """A batch of the data set."""
        drawn = self.sample_batch(data, key, self.settings.batch_size)
        return drawn if isinstance(drawn, Batch) else Batch(drawn)

    def _optimizer(self, method: Method, learning_rate: Any) -> optax.GradientTransformation:
        chosen = OPTIMIZERS[self.settings.optimizer](learning_rate)
        return method.optimizer(chosen, learning_rate)


def _row(loss: jax.Array, info: Info) -> jax.Array:
    return jnp.stack([loss, info.reconstruction, info.kl, info.regularizer])
