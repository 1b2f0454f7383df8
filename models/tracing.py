"""A method's program, traced without a device's work: whether it can be compiled at all."""

from typing import Any

import jax
import jax.numpy as jnp

from ..settings import Settings
from .convolution import backend_form
from .method import MethodEntry
from .program import CURVES, RATE, Program


def trace(entry: MethodEntry, settings: Settings, image_shape: tuple[int, ...]) -> None:
    """Traces a step and an evaluation of a method, whose hyper-parameters are traced values.

    Args:
        entry: The method.
        settings: Of the training.
        image_shape: (H, W, C).

    Raises:
        Exception: Whatever the method raises.
    """

    def sample_batch(data: Any, key: jax.Array, batch_size: int) -> jax.Array:
        return jnp.zeros((batch_size, *image_shape))

    program = Program(entry, settings, image_shape, sample_batch, backend_form())
    number, whole = jax.ShapeDtypeStruct((), jnp.float32), jax.ShapeDtypeStruct((), jnp.uint32)
    step = jax.ShapeDtypeStruct((), jnp.int32)
    values = dict.fromkeys((*entry.parameters, RATE), number)
    state = jax.eval_shape(program.start, whole, values)
    total = jax.ShapeDtypeStruct((len(CURVES),), jnp.float32)
    jax.eval_shape(program.advance, state, total, (), whole, values, step)
    jax.eval_shape(program.evaluate, state.parameters, (), whole, values, step, step)
