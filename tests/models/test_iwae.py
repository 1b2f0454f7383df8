"""The bound of several samples: against the ELBO, and against a likelihood that is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from teasel.models import METHODS, Batch, Model
from teasel.models.iwae import tighter_by
from teasel.models.networks import Posterior
from teasel.models.objective import log_terms

SIZES = {"image_shape": (16, 16, 1), "num_latents": 3, "network": "mlp", "width": 0.02}
IMAGES = jax.random.uniform(jax.random.key(1), (4, 16, 16, 1))


def _loss(method: str, **settings):
    model = Model(**SIZES, **settings)
    params = model.initial_parameters(jax.random.key(0))
    values = {"beta": 1.0} if method == "beta_vae" else {}
    made = METHODS[method](**values)

    @jax.jit
    def run(params):
        return jax.value_and_grad(
            lambda p: made.loss(model, p, Batch(IMAGES), jax.random.key(2), jnp.int32(0))[0]
        )(params)

    return run(params)


@pytest.mark.parametrize("prior", ["mixture", pytest.param("standard", marks=pytest.mark.slow)])
def test_with_one_sample_it_is_the_vae_with_a_sampled_kl_bit_for_bit(prior: str) -> None:
    one, slope = _loss("iwae", importance_samples=1, prior=prior)
    vae, other = _loss("beta_vae", kl_estimate="sampled", prior=prior)
    assert np.asarray(one).tobytes() == np.asarray(vae).tobytes()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), slope, other)


def test_a_loss_is_minus_the_bound_worked_by_hand() -> None:
    loss, _ = _loss("iwae", importance_samples=7)
    model = Model(**SIZES)
    params = model.initial_parameters(jax.random.key(0))
    normal = model.infer(params, IMAGES)
    noise = np.asarray(jax.random.normal(jax.random.key(2), (7, 4, 3)))
    mean, deviation = np.asarray(normal.mean), np.exp(np.asarray(normal.log_variance) / 2)
    weights = np.empty((7, 4))
    for k, b in np.ndindex(7, 4):
        code = mean[b] + deviation[b] * noise[k, b]
        logits = np.asarray(model.outputs(params, jnp.asarray(code[None])), float)
        pixels = np.asarray(IMAGES[b], float)
        likelihood = np.sum(pixels * logits - np.logaddexp(0, logits))
        prior = multivariate_normal(np.zeros(3)).logpdf(code)
        posterior = multivariate_normal(mean[b], np.diag(deviation[b] ** 2)).logpdf(code)
        weights[k, b] = likelihood + prior - posterior
    bound = np.mean(logsumexp(weights, axis=0) - np.log(7))
    assert float(loss) == pytest.approx(-bound, rel=1e-5)


def test_one_weight_is_no_tighter_and_more_are() -> None:
    weights = jax.random.normal(jax.random.key(0), (8, 5))
    np.testing.assert_array_equal(tighter_by(weights[:1]), 0)
    assert (tighter_by(weights) > 0).all()


class _Linear(Model):
    """p(x | z) = N(W z, s^2), z standard normal, and a posterior that is not quite the true one."""

    W = np.random.default_rng(0).normal(size=(4, 2))
    SCALE = 0.5

    def infer(self, params, images):
        x = images.reshape(len(images), 4)
        precision = np.eye(2) + self.W.T @ self.W / self.SCALE**2
        mean = x @ self.W @ np.linalg.inv(precision) / self.SCALE**2
        spread = 1.3 * np.diag(np.linalg.inv(precision))
        return Posterior(mean, jnp.broadcast_to(jnp.log(spread), mean.shape))

    def reconstruction(self, params, codes, images):
        x = images.reshape(len(images), 4)
        squares = ((x - codes @ self.W.T) / self.SCALE) ** 2
        return jnp.sum(squares / 2 + np.log(self.SCALE) + np.log(2 * np.pi) / 2, axis=1)


def test_the_bound_rises_to_the_log_likelihood_of_a_linear_gaussian_model() -> None:
    model = _Linear((2, 2, 1), 2)
    rng = np.random.default_rng(1)
    images = (rng.normal(size=(3, 2)) @ model.W.T + 0.5 * rng.normal(size=(3, 4))).reshape(
        3, 2, 2, 1
    )
    covariance = model.W @ model.W.T + model.SCALE**2 * np.eye(4)
    exact = multivariate_normal(np.zeros(4), covariance).logpdf(images.reshape(3, 4))
    noise = jnp.asarray(rng.normal(size=(5000, 3, 2)))
    _, likelihood, prior, posterior = log_terms(
        model, {}, jnp.asarray(images), noise, model.infer({}, jnp.asarray(images))
    )
    weights = np.asarray(likelihood + prior - posterior, float)
    bounds = [
        np.mean(logsumexp(weights.reshape(5000 // k, k, 3), axis=1) - np.log(k))
        for k in (1, 10, 100, 5000)
    ]
    assert bounds == sorted(bounds)
    ratio = np.exp(weights - weights.max(axis=0))
    error = ratio.std(axis=0) / ratio.mean(axis=0) / np.sqrt(5000)
    found = logsumexp(weights, axis=0) - np.log(5000)
    np.testing.assert_array_less(np.abs(found - exact), 4 * error)
    assert exact.mean() - bounds[0] > 0.05
