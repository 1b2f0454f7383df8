"""Flows against the Jacobian, their inverse, and each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import Model, flows
from teasel.models.networks import Posterior
from teasel.models.priors import log_normal

D = 5


@pytest.fixture(autouse=True)
def _in_float64():
    with jax.enable_x64(True):
        yield


def _flow(num_latents: int = D, num_layers: int = 3, context: int = 0):
    made = flows.initial_flow(jax.random.key(0), num_latents, num_layers, context)
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: np.float64(leaf) + 0.3 * rng.normal(size=leaf.shape), made)


CODES = np.random.default_rng(1).normal(size=(4, D))
CONTEXT = np.random.default_rng(2).normal(size=(4, 7))


@pytest.mark.parametrize("context", [None, CONTEXT], ids=["alone", "context"])
@pytest.mark.parametrize("groups", [D, 2], ids=["autoregressive", "coupling"])
def test_a_flow_has_the_jacobian_it_says_and_an_inverse(groups: int, context) -> None:
    params = _flow(context=0 if context is None else 7)
    pushed, log_determinant = flows.push(params, jnp.asarray(CODES), groups, context)
    pulled = flows.pull(params, pushed, groups, context)
    np.testing.assert_allclose(pulled, CODES, atol=1e-10)
    for place, code in enumerate(CODES):
        seen = None if context is None else context[place : place + 1]
        jacobian = jax.jacobian(
            lambda z, seen=seen: flows.push(params, z[None], groups, seen)[0][0]
        )
        _, expected = np.linalg.slogdet(jacobian(jnp.asarray(code)))
        assert abs(expected) > 1e-3
        np.testing.assert_allclose(log_determinant[place], expected, rtol=1e-9)


def test_a_single_latent_is_shifted_and_scaled() -> None:
    params = _flow(num_latents=1)
    pushed, log_determinant = flows.push(params, jnp.array([[0.0], [1.0], [2.0]]), 1)
    np.testing.assert_allclose(np.diff(pushed[:, 0]), np.exp(log_determinant[:2]) * [1, 1])
    np.testing.assert_allclose(flows.pull(params, pushed, 1), [[0], [1], [2]], atol=1e-12)


@pytest.mark.parametrize("groups", [D, 2])
def test_a_layer_sees_only_the_groups_before(groups: int) -> None:
    layer = flows.push
    params = _flow(num_layers=1)
    slopes = jax.jacobian(lambda z: layer(params, z[None], groups)[0][0][::-1])(
        jnp.asarray(CODES[0])
    )
    place = np.arange(D) * groups // D
    later = place[:, None] <= place[None, :]
    np.testing.assert_array_equal(np.where(later & ~np.eye(D, dtype=bool), slopes, 0), 0)
    assert (np.abs(slopes)[place[:, None] > place[None, :]] > 1e-6).all()


def test_an_autoregressive_prior_is_an_inverse_autoregressive_posterior() -> None:
    """Chen et al. 2017, section 3.3: the same parameters give the same KL, and the same images."""
    sizes = {"image_shape": (16, 16, 1), "num_latents": D, "width": 0.1}
    prior = Model(**sizes, prior="autoregressive", flow_layers=3)
    posterior = Model(**sizes, posterior="autoregressive", flow_layers=3)
    flow = _flow()
    without = {
        name: layer | {"context": jnp.zeros((2 * D, flows.UNITS))} for name, layer in flow.items()
    }
    rng = np.random.default_rng(3)
    normal = Posterior(jnp.asarray(rng.normal(size=(4, D))), jnp.asarray(rng.normal(size=(4, D))))
    noise = jnp.asarray(rng.normal(size=(4, D)))
    codes, density = prior.draw({"prior": flow}, normal, noise)
    pushed, pushed_density = posterior.draw({"posterior": without}, normal, noise)
    np.testing.assert_allclose(
        density - prior.log_prior({"prior": flow}, codes),
        pushed_density - posterior.log_prior({}, pushed),
        rtol=1e-12,
    )
    np.testing.assert_allclose(flows.pull(flow, pushed, D), codes, atol=1e-10)
    np.testing.assert_allclose(
        posterior.log_prior({}, pushed), log_normal(pushed, Posterior(*jnp.zeros((2, 4, D))))
    )
