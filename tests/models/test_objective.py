import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models.networks import Posterior, decode, encode, initial_parameters
from teasel.models.objective import bernoulli_reconstruction, forward, kl_per_latent, sample


def test_reconstruction_is_the_sum_of_cross_entropies_over_pixels_and_channels() -> None:
    # Logit 0: -log 1/2 whatever the pixel. Logit log 3: p = 3/4; pixel 1 gives log 4/3, pixel 0
    # gives log 4, pixel 1/2 their mean.
    logits = jnp.log(jnp.asarray([[1.0, 3.0], [3.0, 3.0]])).reshape(1, 2, 2, 1)
    images = jnp.asarray([[0.3, 1.0], [0.0, 0.5]]).reshape(1, 2, 2, 1)
    expected = np.log(2) + np.log(4 / 3) + np.log(4) + (np.log(4 / 3) + np.log(4)) / 2
    found = bernoulli_reconstruction(logits, images)
    np.testing.assert_allclose(found, [expected], rtol=1e-6)


def test_reconstruction_stays_finite_at_large_logits() -> None:
    logits = jnp.asarray([1000.0, -1000.0]).reshape(2, 1, 1, 1)
    found = bernoulli_reconstruction(logits, jnp.zeros((2, 1, 1, 1)))
    np.testing.assert_array_equal(found, [1000, 0])


def test_kl_is_that_of_two_normals() -> None:
    # N(2, 1): 2^2 / 2 = 2. N(0, e): (e - 1 - 1) / 2.
    posterior = Posterior(jnp.asarray([[2.0, 0.0]]), jnp.asarray([[0.0, 1.0]]))
    np.testing.assert_allclose(kl_per_latent(posterior), [[2, (np.e - 2) / 2]], rtol=1e-6)


def test_samples_have_the_posteriors_mean_and_variance() -> None:
    posterior = Posterior(jnp.full((20_000, 1), 3.0), jnp.full((20_000, 1), jnp.log(4.0)))
    codes = sample(posterior, jax.random.key(0))
    assert np.mean(codes) == pytest.approx(3, abs=0.05)  # 3.5 standard errors
    assert np.var(codes) == pytest.approx(4, abs=0.15)


def test_a_forward_pass_is_the_mean_over_images_of_sampled_codes_decoded() -> None:
    params = initial_parameters(jax.random.key(0), (64, 64, 1), 4)
    images = jax.random.uniform(jax.random.key(1), (3, 64, 64, 1))
    key = jax.random.key(2)

    @jax.jit
    def passes(params):
        passed = forward(params, images, key)
        posterior = encode(params, images)
        codes = sample(posterior, key)
        losses = bernoulli_reconstruction(decode(params, codes), images)
        return passed, (posterior, codes, losses, kl_per_latent(posterior))

    passed, (posterior, codes, losses, kl) = passes(params)
    np.testing.assert_allclose(passed.posterior, posterior, rtol=1e-6)
    np.testing.assert_allclose(passed.codes, codes, rtol=1e-6)
    np.testing.assert_allclose(passed.reconstruction, np.mean(losses), rtol=1e-6)
    np.testing.assert_allclose(passed.kl_per_latent, np.mean(kl, axis=0), rtol=1e-6)
    np.testing.assert_allclose(passed.kl, np.mean(np.sum(kl, axis=1)), rtol=1e-6)
