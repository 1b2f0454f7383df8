"""Traces a method's program without running it, to check that it can be compiled."""

import jax
import jax.numpy as jnp

from ..settings import Settings
from .convolution import backend_form
from .method import MethodEntry
from .program import CURVES, RATE, Program, draw_blanks


def trace(
    entry: MethodEntry, settings: Settings, image_shape: tuple[int, ...], num_factors: int = 1
) -> None:
    """Traces a step and an evaluation of a method, whose hyper-parameters are traced values.

    Args:
        entry: The method.
        settings: The training settings.
        image_shape: (H, W, C).
        num_factors: The number of factors of the data set.

    Raises:
        Exception: Whatever the method raises.
    """
    blanks = draw_blanks(image_shape, num_factors)
    program = Program(entry, settings, image_shape, blanks, backend_form())
    number, whole = jax.ShapeDtypeStruct((), jnp.float32), jax.ShapeDtypeStruct((), jnp.uint32)
    step = jax.ShapeDtypeStruct((), jnp.int32)
    values = dict.fromkeys((*entry.parameters, RATE), number)
    state = jax.eval_shape(program.start, whole, values)
    total = jax.ShapeDtypeStruct((len(CURVES),), jnp.float32)
    jax.eval_shape(program.advance, state, total, (), whole, values, step)
    jax.eval_shape(program.evaluate, state.parameters, (), whole, values, step, step)
