"""Keys from (seed, purpose, step), so that a model's numbers depend only on its trial."""

from enum import IntEnum

import jax


class Purpose(IntEnum):
    """The purpose of a key. The numbers are part of the keys: changing one changes every result."""

    WEIGHTS = 0
    BATCH = 1
    NOISE = 2
    EVALUATION = 3
    EVALUATION_NOISE = 4


def key_for(seed: int | jax.Array, purpose: Purpose, step: int | jax.Array = 0) -> jax.Array:
    """The threefry key of one step; `seed` and `step` may be traced.

    Differs from the original: not TensorFlow's draws, but equal alone and mapped over replicas.
    """
    key = jax.random.key(seed, impl="threefry2x32")
    return jax.random.fold_in(jax.random.fold_in(key, int(purpose)), step)
