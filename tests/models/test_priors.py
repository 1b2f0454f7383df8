"""Priors: what they are made of, and their densities against numerical integration."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import METHODS, PRIORS, Batch, Model
from teasel.models.networks import Posterior
from teasel.models.priors import vamp_of

SIZES = {"image_shape": (16, 16, 1), "num_latents": 2, "network": "mlp", "width": 0.02}


def _made(prior: str, components: int = 4, spread: float = 0.1):
    model = Model(**SIZES, prior=prior, prior_components=components)
    params = model.initial_parameters(jax.random.key(0))
    rng = np.random.default_rng(0)
    moved = jax.tree.map(
        lambda leaf: leaf + jnp.asarray(spread * rng.normal(size=leaf.shape), leaf.dtype), params
    )
    return model, moved


@pytest.mark.parametrize(
    "prior",
    [name if name == "coupling" else pytest.param(name, marks=pytest.mark.slow) for name in PRIORS],
)
def test_a_density_integrates_to_one_and_is_that_of_the_samples(prior: str) -> None:
    model, params = _made(prior)
    axis = np.linspace(-12, 12, 481)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(model.log_prior(params, jnp.asarray(grid, jnp.float32)).astype(float))
    cell = (axis[1] - axis[0]) ** 2
    assert density.sum() * cell == pytest.approx(1, abs=2e-3)
    mean = density @ grid * cell
    squares = density @ grid**2 * cell
    samples = np.asarray(PRIORS[prior].sample(model, params, jax.random.key(1), 20_000))
    error = np.sqrt(squares / len(samples))
    np.testing.assert_array_less(np.abs(samples.mean(axis=0) - mean), 5 * error)
    fourth = np.sqrt(density @ grid**4 * cell / len(samples))
    np.testing.assert_array_less(np.abs((samples**2).mean(axis=0) - squares), 5 * fourth)


@pytest.mark.parametrize(
    "prior",
    [
        "mixture",
        pytest.param("vamp", marks=pytest.mark.slow),
        pytest.param("autoregressive", marks=pytest.mark.slow),
    ],
)
def test_a_kl_is_that_of_numerical_integration(prior: str) -> None:
    model, params = _made(prior)
    normal = Posterior(jnp.array([[0.5, -0.3]]), jnp.array([[-1.0, 0.2]]))
    axis = np.linspace(-8, 8, 401)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    deviation, variance = np.exp(np.asarray(normal.log_variance) / 2), np.exp(normal.log_variance)
    log_q = -0.5 * ((grid - normal.mean) ** 2 / variance).sum(1) - np.log(
        2 * np.pi * deviation.prod()
    )
    log_p = np.asarray(model.log_prior(params, jnp.asarray(grid, jnp.float32)), float)
    expected = np.sum(np.exp(log_q) * (log_q - log_p)) * (axis[1] - axis[0]) ** 2
    codes, density = model.draw(params, normal, jax.random.normal(jax.random.key(2), (20_000, 2)))
    found = np.asarray(density - model.log_prior(params, codes))
    assert abs(found.mean() - expected) < 4 * found.std() / np.sqrt(len(found))


def test_the_components_of_a_vamp_prior_are_the_posteriors_of_its_pseudo_inputs() -> None:
    model, params = _made("vamp")
    images = 1 / (1 + np.exp(-np.asarray(params["prior"]["pseudo_inputs"], float)))
    assert images.shape == (4, 16, 16, 1)
    expected = model.infer(params, jnp.asarray(images, jnp.float32))
    components, log_weights = vamp_of(model, params)
    np.testing.assert_allclose(components, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(log_weights, np.log(1 / 4), rtol=1e-6)
    found = jax.grad(lambda p: jnp.sum(model.log_prior(p, jnp.ones((3, 2)))))(params)
    assert jnp.abs(found["prior"]["pseudo_inputs"]).max() > 0
    assert max(jnp.abs(leaf).max() for leaf in jax.tree.leaves(found["encoder"])) > 0


@pytest.mark.parametrize("prior", ["mixture", "vamp"])
def test_one_standard_component_is_the_standard_prior_bit_for_bit(prior: str) -> None:
    plain = Model(**SIZES, kl_estimate="sampled")
    other = Model(**SIZES, prior=prior, prior_components=1)
    params = other.initial_parameters(jax.random.key(0))
    if prior == "vamp":  # an encoder that answers every image with the standard normal
        params["encoder"] = jax.tree.map(jnp.zeros_like, params["encoder"])
    batch = Batch(jax.random.uniform(jax.random.key(1), (4, 16, 16, 1)))
    loss = METHODS["beta_vae"](1.0).loss
    run = jax.jit(lambda model, p: loss(model, p, batch, jax.random.key(2), 0), static_argnums=0)
    (first, _), (second, _) = run(plain, params), run(other, params)
    assert np.asarray(first).tobytes() == np.asarray(second).tobytes()


def test_a_prior_and_a_posterior_leave_the_networks_initial_weights_as_they_are() -> None:
    expected = Model(**SIZES).initial_parameters(jax.random.key(0))
    for prior in PRIORS.own:
        model = Model(**SIZES, prior=prior, prior_components=3, posterior="autoregressive")
        params = model.initial_parameters(jax.random.key(0))
        same = partial(jax.tree.map, np.testing.assert_array_equal)
        same(expected, {name: params[name] for name in expected})


@pytest.mark.slow
def test_the_moments_of_a_posterior_with_a_flow_are_those_of_its_samples() -> None:
    model = Model(**SIZES, posterior="autoregressive")
    params = model.initial_parameters(jax.random.key(0))
    images = jax.random.uniform(jax.random.key(1), (3, 16, 16, 1))
    np.testing.assert_allclose(
        model.encode(params, images).mean, model.infer(params, images).mean[:, :], atol=1e-6
    )
    rng = np.random.default_rng(0)
    params["posterior"] = jax.tree.map(
        lambda leaf: leaf + jnp.asarray(0.2 * rng.normal(size=leaf.shape), leaf.dtype),
        params["posterior"],
    )
    normal = model.infer(params, images)
    noise = jax.random.normal(jax.random.key(2), (4000, 3, 2))
    codes = np.asarray(jax.vmap(lambda each: model.draw(params, normal, each)[0])(noise))
    mean, log_variance = model.encode(params, images)
    deviation = codes.std(axis=0)
    assert (np.abs(mean - codes.mean(axis=0)) < 0.15 * deviation).all()  # of 32 samples
    assert (np.abs(np.exp(np.asarray(log_variance) / 2) / deviation - 1) < 0.35).all()
