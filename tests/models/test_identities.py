"""An objective that must coincide with others at one step of its schedule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import METHODS, Batch, Model

IMAGES = np.random.default_rng(0).integers(0, 2, (4, 64, 64, 1)).astype(np.float32)
KEY = jax.random.key(1)
MODEL = Model((64, 64, 1), num_latents=3)


@pytest.fixture(scope="module")
def parameters():
    method = METHODS["beta_vae"](beta=1.0)
    return method.initial_parameters(MODEL, jax.random.key(0))


def _loss(name, parameters, step=0, **values):
    compiled = jax.jit(METHODS[name](**values).loss, static_argnums=0)
    loss, info = compiled(MODEL, parameters, Batch(IMAGES), KEY, jnp.int32(step))
    return float(loss), info


def test_an_annealed_vae_at_its_capacity_only_reconstructs(parameters) -> None:
    _, info = _loss("beta_vae", parameters, beta=1.0)
    kl, reconstruction = float(info.kl), float(info.reconstruction)
    values = {"c_max": 2 * kl, "gamma": 1000.0, "iteration_threshold": 100.0}
    at_capacity, _ = _loss("annealed_vae", parameters, step=50, **values)
    assert at_capacity == pytest.approx(reconstruction, rel=1e-5)
    at_start, _ = _loss("annealed_vae", parameters, step=0, **values)
    assert at_start == pytest.approx(reconstruction + 1000 * kl, rel=1e-5)
    at_end, _ = _loss("annealed_vae", parameters, step=10_000, **values)
    assert at_end == pytest.approx(reconstruction + 1000 * kl, rel=1e-5)
