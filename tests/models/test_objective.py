import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import Model
from teasel.models.networks import Posterior
from teasel.models.objective import forward, kl_per_latent, sample


def test_kl_is_that_of_two_normals() -> None:
    # N(2, 1): 2^2 / 2 = 2. N(0, e): (e - 1 - 1) / 2.
    posterior = Posterior(jnp.asarray([[2.0, 0.0]]), jnp.asarray([[0.0, 1.0]]))
    np.testing.assert_allclose(kl_per_latent(posterior), [[2, (np.e - 2) / 2]], rtol=1e-6)


def test_samples_have_the_posteriors_mean_and_variance() -> None:
    posterior = Posterior(jnp.full((20_000, 1), 3.0), jnp.full((20_000, 1), jnp.log(4.0)))
    codes = sample(posterior, jax.random.key(0))
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
        passed = forward(model, params, images, key)
        posterior = model.encode(params, images)
        codes = sample(posterior, key)
        losses = model.reconstruction(params, codes, images)
        return passed, (posterior, codes, losses, kl_per_latent(posterior))

    passed, (posterior, codes, losses, kl) = passes(params)
    assert losses.shape == (3,)
    np.testing.assert_allclose(passed.posterior, posterior, rtol=1e-6)
    np.testing.assert_allclose(passed.codes, codes, rtol=1e-6)
    np.testing.assert_allclose(passed.reconstruction, np.mean(losses), rtol=1e-6)
    np.testing.assert_allclose(passed.kl_per_latent, np.mean(kl, axis=0), rtol=1e-6)
    np.testing.assert_allclose(passed.kl, np.mean(np.sum(kl, axis=1)), rtol=1e-6)
