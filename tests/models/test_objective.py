import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from teasel.models import Model
from teasel.models.networks import Posterior
from teasel.models.objective import forward, kl_per_latent, pass_on


def test_kl_is_that_of_two_normals() -> None:
    # N(2, 1): 2^2 / 2 = 2. N(0, e): (e - 1 - 1) / 2.
    posterior = Posterior(jnp.asarray([[2.0, 0.0]]), jnp.asarray([[0.0, 1.0]]))
    np.testing.assert_allclose(kl_per_latent(posterior), [[2, (np.e - 2) / 2]], rtol=1e-6)


def test_samples_have_the_posteriors_mean_and_variance() -> None:
    posterior = Posterior(jnp.full((20_000, 1), 3.0), jnp.full((20_000, 1), jnp.log(4.0)))
    model = Model((16, 16, 1), num_latents=1, width=0.1)
    noise = jax.random.normal(jax.random.key(0), (20_000, 1))
    codes, log_density = model.draw({}, posterior, noise)
    expected = scipy.stats.norm(3, 2).logpdf(codes[:, 0])
    np.testing.assert_allclose(log_density, expected, rtol=1e-5)
    assert np.mean(codes) == pytest.approx(3, abs=0.05)  # 3.5 standard errors
    assert np.var(codes) == pytest.approx(4, abs=0.15)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian_learned"])
def test_a_forward_pass_is_the_mean_over_images_of_sampled_codes_decoded(likelihood) -> None:
    model = Model((16, 16, 1), num_latents=4, likelihood=likelihood, likelihood_scale=0.5)
    params = model.initial_parameters(jax.random.key(0))
    images = jax.random.uniform(jax.random.key(1), (3, 16, 16, 1))
    key = jax.random.key(2)

    @jax.jit
    def passes(params):
        passed = forward(model, params, images, key, jnp.int32(0))
        posterior = model.encode(params, images)
        noise = jax.random.normal(key, posterior.mean.shape)
        codes = posterior.mean + jnp.exp(posterior.log_variance / 2) * noise
        losses = model.reconstruction(params, codes, images)
        return passed, (posterior, codes, losses, kl_per_latent(posterior))

    passed, (posterior, codes, losses, kl) = passes(params)
    assert losses.shape == (3,)
    np.testing.assert_allclose(passed.posterior, posterior, rtol=1e-6)
    np.testing.assert_allclose(passed.codes, codes, rtol=1e-6)
    np.testing.assert_allclose(passed.reconstruction, np.mean(losses), rtol=1e-6)
    np.testing.assert_allclose(passed.kl_per_latent, np.mean(kl, axis=0), rtol=1e-6)
    np.testing.assert_allclose(passed.kl, np.mean(np.sum(kl, axis=1)), rtol=1e-6)
    assert passed.plain_kl == passed.kl


POSTERIOR = Posterior(
    jnp.array([[0.0, 1.0, 3.0], [0.0, -1.0, 1.0]]), jnp.log(jnp.array([[1.0, 0.5, 0.1]] * 2))
)
KLS = np.array([0, 0.5 * (1 + 0.5 - np.log(0.5) - 1), 0.5 * (5 + 0.1 - np.log(0.1) - 1)])


def _passed(step: int = 0, posterior: Posterior = POSTERIOR, **settings):
    model = Model((16, 16, 1), num_latents=3, network="mlp", width=0.02, **settings)
    params = model.initial_parameters(jax.random.key(0))
    images = jnp.zeros((len(posterior.mean), 16, 16, 1))
    return pass_on(model, params, images, posterior, jax.random.key(1), jnp.int32(step))


@pytest.mark.parametrize(("step", "weight"), [(0, 0), (5, 0.5), (10, 1), (1000, 1)])
def test_the_kls_weight_grows_from_nothing_to_one(step: int, weight: float) -> None:
    passed = _passed(step, kl_annealing_steps=10)
    np.testing.assert_allclose(passed.kl, weight * KLS.sum(), rtol=1e-6)
    np.testing.assert_allclose(passed.plain_kl, KLS.sum(), rtol=1e-6)


def test_a_latent_counts_for_its_free_bits_at_least() -> None:
    passed = _passed(free_bits=0.7)
    np.testing.assert_allclose(passed.kl, 0.7 + 0.7 + KLS[2], rtol=1e-6)  # of 0, .596 and 3.2
    np.testing.assert_allclose(passed.plain_kl, KLS.sum(), rtol=1e-6)
    both = _passed(5, free_bits=0.7, kl_annealing_steps=10)
    np.testing.assert_allclose(both.kl, passed.kl / 2, rtol=1e-6)


def test_below_its_free_bits_a_latent_has_no_gradient() -> None:
    slope = jax.grad(
        lambda mean: _passed(posterior=POSTERIOR._replace(mean=mean), free_bits=0.7).kl
    )
    found = slope(POSTERIOR.mean)
    np.testing.assert_array_equal(found[:, :2], 0)
    np.testing.assert_allclose(found[:, 2], POSTERIOR.mean[:, 2] / 2, rtol=1e-6)


def test_a_sampled_kl_counts_free_bits_of_all_latents_together() -> None:
    sampled = _passed(kl_estimate="sampled")
    assert sampled.kl != sampled.plain_kl
    np.testing.assert_allclose(sampled.plain_kl, KLS.sum(), rtol=1e-6)
    together = _passed(kl_estimate="sampled", free_bits=float(sampled.kl) + 1)
    np.testing.assert_allclose(together.kl, sampled.kl + 1, rtol=1e-6)


def test_a_sampled_kl_is_the_formulas_within_its_error() -> None:
    model = Model((16, 16, 1), num_latents=3, network="mlp", width=0.02)
    noise = jax.random.normal(jax.random.key(2), (4000, 2, 3))
    codes, density = jax.vmap(lambda each: model.draw({}, POSTERIOR, each))(noise)
    found = np.asarray(density - model.log_prior({}, codes.reshape(-1, 3)).reshape(4000, 2))
    error = found.mean(axis=1).std() / np.sqrt(len(found))
    assert abs(found.mean() - KLS.sum()) < 4 * error
