"""Objectives that must coincide, and the gradient of each in float64."""

import math
from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from teasel.models import METHODS
from teasel.models.networks import Posterior
from teasel.models.objective import Forward

IMAGES = np.random.default_rng(0).integers(0, 2, (4, 64, 64, 1)).astype(np.float32)
KEY = jax.random.key(1)


@pytest.fixture(scope="module")
def parameters():
    method = METHODS["beta_vae"](beta=1.0)
    return method.initial_parameters(jax.random.key(0), (64, 64, 1), 3)


def _loss(name, parameters, step=0, **values):
    loss, info = jax.jit(METHODS[name](**values).loss)(parameters, IMAGES, KEY, jnp.int32(step))
    return float(loss), info


def test_the_plain_variational_autoencoder_is_the_same_in_every_guise(parameters) -> None:
    expected, _ = _loss("beta_vae", parameters, beta=1.0)
    for name, values in (
        ("beta_tc_vae", {"beta": 1.0}),
        ("dip_vae_i", {"lambda_od": 0.0}),
        ("dip_vae_ii", {"lambda_od": 0.0}),
        ("untrained", {}),
    ):
        assert _loss(name, parameters, **values)[0] == pytest.approx(expected, rel=1e-6)


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


CASES = {
    "beta_vae": {"beta": 4.0},
    "annealed_vae": {"c_max": 5.0, "gamma": 10.0, "iteration_threshold": 10.0},
    "dip_vae_i": {"lambda_od": 2.0},
    "dip_vae_ii": {"lambda_od": 2.0},
    "beta_tc_vae": {"beta": 4.0},
    "factor_vae": {"gamma": 10.0},
    "untrained": {},
}


@pytest.mark.parametrize("name", METHODS.own)
def test_the_gradient_of_each_regularizer_is_that_of_finite_differences(name, monkeypatch) -> None:
    """In float64, through the posterior: mean and log variance to codes, KL and penalty."""
    noise = np.random.default_rng(1).normal(size=(4, 3))

    def passes(params, images, key):
        mean, log_variance = params["posterior"]
        codes = mean + jnp.exp(log_variance / 2) * noise
        kl = jnp.mean(0.5 * (mean**2 + jnp.exp(log_variance) - log_variance - 1), axis=0)
        return Forward(Posterior(mean, log_variance), codes, jnp.sum(jnp.sin(codes)), kl)

    module = "beta_vae" if name == "untrained" else name.removesuffix("_i").removesuffix("_ii")
    monkeypatch.setattr(import_module(f"teasel.models.{module}"), "forward", passes)
    rng = np.random.default_rng(2)
    with jax.enable_x64(True):
        adversary = {}
        if name == "factor_vae":
            params = METHODS[name](gamma=1.0).initial_parameters(KEY, (64, 64, 1), 3)
            adversary = jax.tree.map(
                lambda leaf: jnp.asarray(leaf, jnp.float64), params["adversary"]
            )

        def loss(mean, log_variance):
            params = {"posterior": (mean, log_variance), "adversary": adversary}
            return METHODS[name](**CASES[name]).loss(params, IMAGES, KEY, jnp.int32(3))[0]

        posterior = tuple(jnp.asarray(rng.normal(size=(4, 3))) for _ in range(2))
        check_grads(loss, posterior, order=1, modes=["rev"], eps=1e-7, rtol=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        name if name == "beta_tc_vae" else pytest.param(name, marks=pytest.mark.slow)
        for name in CASES
    ],
)
def test_the_gradient_through_the_whole_networks_is_that_of_finite_differences(name) -> None:
    """In float64, along the gradient of each network's parameters."""
    method, rng = METHODS[name](**CASES[name]), np.random.default_rng(3)
    with jax.enable_x64(True):
        start = method.initial_parameters(KEY, (64, 64, 1), 3)
        # Away from the biases of zero, where black pixels leave every ReLU on its edge.
        start = jax.tree.map(lambda leaf: leaf + 0.01 * rng.normal(size=leaf.shape), start)
        images = jnp.asarray(IMAGES[:2], jnp.float64)
        losses = jax.jit(jax.value_and_grad(method.loss, has_aux=True))
        _, gradient = losses(start, images, KEY, jnp.int32(3))
        for network in ("encoder", "decoder"):
            size = math.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(gradient[network])))
            values = []
            for step in (1e-6, -1e-6):
                moved = jax.tree.map(
                    lambda leaf, g, by=step / size: leaf + by * g, start[network], gradient[network]
                )
                (value, _), _ = losses(start | {network: moved}, images, KEY, jnp.int32(3))
                values.append(float(value))
            assert (values[0] - values[1]) / 2e-6 == pytest.approx(size, rel=1e-5)
