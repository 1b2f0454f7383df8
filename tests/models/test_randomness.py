from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import Model
from teasel.models.factor_vae import permute_latents
from teasel.models.networks import Posterior
from teasel.models.objective import pass_on
from teasel.models.randomness import Purpose, key_for

SEEDS, STEPS = [0, 1, 7, 2**32 - 1], [0, 1, 299_999]
CODES = jnp.arange(64 * 10, dtype=jnp.float32).reshape(64, 10)


def _noise(key: jax.Array) -> jax.Array:
    model, posterior = Model((16, 16, 1), width=0.1), Posterior(*jnp.zeros((2, 64, 10)))
    params = model.initial_parameters(jax.random.key(0))
    images = jnp.zeros((64, 16, 16, 1))
    return pass_on(model, params, images, posterior, key, jnp.int32(0)).codes


def _bits(array: jax.Array) -> bytes:
    keys = jnp.issubdtype(array.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(array) if keys else array).tobytes()


@pytest.mark.parametrize(
    "draw",
    [lambda key: key, _noise, lambda key: permute_latents(CODES, key)],
    ids=["keys", "noise", "permutations"],
)
def test_replicas_draw_the_same_bits_alone_and_mapped_and_never_each_others(draw) -> None:
    def one(seed, step):
        return draw(key_for(seed, Purpose.NOISE, step))

    cases = jnp.asarray(list(product(SEEDS, STEPS)), jnp.uint32)
    mapped = [_bits(row) for row in jax.jit(jax.vmap(one))(*cases.T)]
    alone = [_bits(jax.jit(one)(seed, step)) for seed, step in cases]
    assert mapped == alone
    assert len(set(alone)) == len(cases)


def test_keys_differ_between_seeds_purposes_and_steps() -> None:
    keys = {_bits(key_for(*case)) for case in product(SEEDS, Purpose, STEPS)}
    assert len(keys) == len(SEEDS) * len(Purpose) * len(STEPS)


def test_the_purposes_keep_their_numbers() -> None:
    names = ("WEIGHTS", "BATCH", "NOISE", "EVALUATION", "EVALUATION_NOISE")
    assert [Purpose[name] for name in names] == [0, 1, 2, 3, 4]


def test_every_image_and_latent_has_noise_of_its_own() -> None:
    noise = np.asarray(jax.jit(_noise)(key_for(0, Purpose.NOISE)))
    assert len(np.unique(noise)) > 0.99 * noise.size
