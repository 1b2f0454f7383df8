"""Pairs of images: averages by hand, and the VAE's loss where nothing differs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import METHODS, Batch, Model
from teasel.models.ada_vae import _alike, _told, average_of_moments, average_of_products, divergence
from teasel.models.networks import Posterior

FIRST = Posterior(jnp.array([[0.0, 1.0, 2.0]]), jnp.log(jnp.array([[1.0, 1.0, 0.5]])))
SECOND = Posterior(jnp.array([[0.2, 3.0, 0.0]]), jnp.log(jnp.array([[1.0, 4.0, 0.5]])))
NAMES = ("ada_gvae", "ada_ml_vae", "gvae", "ml_vae")


def test_averages_are_those_worked_by_hand() -> None:
    mean, log_variance = average_of_moments(FIRST, SECOND)
    np.testing.assert_allclose(mean, [[0.1, 2, 1]], rtol=1e-6)
    np.testing.assert_allclose(np.exp(log_variance), [[1, 2.5, 0.5]], rtol=1e-6)
    mean, log_variance = average_of_products(FIRST, SECOND)
    np.testing.assert_allclose(mean, [[0.1, (1 + 3 / 4) / (5 / 4), 1]], rtol=1e-6)
    np.testing.assert_allclose(np.exp(log_variance), [[1, 1.6, 0.5]], rtol=1e-6)


def test_a_divergence_is_the_formula_and_the_threshold_half_way() -> None:
    found = divergence(FIRST, SECOND)
    second = 0.5 * (1 / 4 + 4 / 4 - 1 - np.log(1 / 4))
    np.testing.assert_allclose(found, [[0.02, second, 4]], rtol=1e-5)  # half way lies 2.01
    np.testing.assert_array_equal(_alike(FIRST, SECOND, None), [[True, True, False]])


@pytest.mark.parametrize(("shared", "expected"), [([1, 0], [1, 0, 1]), ([0, 1, 0, 1], [0, 1, 0])])
def test_a_latent_stands_for_the_factor_of_its_number(shared, expected) -> None:
    np.testing.assert_array_equal(_told(FIRST, SECOND, jnp.array([shared])), [np.bool_(expected)])


MODEL = Model((16, 16, 1), num_latents=3, network="mlp", width=0.02)
IMAGES = jax.random.uniform(jax.random.key(1), (4, 16, 16, 1))


def _loss(name: str, batch: Batch, beta: float = 1.5):
    params = MODEL.initial_parameters(jax.random.key(0))
    run = METHODS[name](beta).loss
    return jax.jit(lambda p: run(MODEL, p, batch, jax.random.key(2), jnp.int32(0)))(params)


@pytest.mark.parametrize(
    "name", [NAMES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[1:])]
)
def test_views_that_share_all_factors_give_the_vaes_loss(name: str) -> None:
    all_shared = jnp.ones((4, 3), bool)
    found, info = _loss(name, Batch(IMAGES, IMAGES, all_shared))
    expected, other = _loss("beta_vae", Batch(jnp.concatenate([IMAGES, IMAGES])))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(info.kl, other.kl, rtol=1e-5)


@pytest.mark.parametrize(
    ("adaptive", "told"),
    [("ada_gvae", "gvae"), pytest.param("ada_ml_vae", "ml_vae", marks=pytest.mark.slow)],
)
def test_told_what_it_would_find_itself_it_is_the_same(adaptive: str, told: str) -> None:
    views = IMAGES[::-1]
    params = MODEL.initial_parameters(jax.random.key(0))
    first, second = MODEL.infer(params, IMAGES), MODEL.infer(params, views)
    found = _alike(first, second, None)
    assert 0 < found.sum() < found.size
    by_itself, _ = _loss(adaptive, Batch(IMAGES, views, ~found))
    is_told, _ = _loss(told, Batch(IMAGES, views, found))
    otherwise, _ = _loss(told, Batch(IMAGES, views, ~found))
    np.testing.assert_allclose(by_itself, is_told, rtol=1e-7)
    assert abs(otherwise - by_itself) > 1e-6
