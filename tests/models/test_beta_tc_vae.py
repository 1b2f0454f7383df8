import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models.beta_tc_vae import total_correlation
from teasel.models.networks import Posterior


def test_one_latent_has_no_total_correlation() -> None:
    rng = np.random.default_rng(0)
    codes, mean, log_variance = (jnp.asarray(rng.normal(size=(5, 1)), "float32") for _ in "abc")
    found = total_correlation(codes, Posterior(mean, log_variance))
    assert float(found) == pytest.approx(0, abs=1e-6)


def test_the_estimate_of_two_copied_latents_is_that_computed_by_hand() -> None:
    # Two images with means (0, 0) and (2, 2), variance 1, codes at their means. With
    # a = log N(0; 0, 1) and N(2; 0, 1) = e^(a - 2): log joint = log(e^2a + e^(2a - 4)), log product
    # = 2 log(e^a + e^(a - 2)), the same for both images, so
    # TC = log(1 + e^-4) - 2 log(1 + e^-2); no division by the batch's size.
    mean = jnp.asarray([[0.0, 0.0], [2.0, 2.0]])
    found = total_correlation(mean, Posterior(mean, jnp.zeros((2, 2))))
    expected = np.log1p(np.exp(-4)) - 2 * np.log1p(np.exp(-2))
    assert float(found) == pytest.approx(expected, rel=1e-5)
