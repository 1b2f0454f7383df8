import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models.dip_vae import covariance_of_codes, covariance_of_means, distance_from_identity
from teasel.models.networks import Posterior

# Means (1, 2), (3, 2), (5, 8): centred (-2, -2), (0, -2), (2, 4).
# Sums of products 8, 12, 24; divided by B = 3 (not 2): 8/3, 4, 8.
POSTERIOR = Posterior(
    jnp.asarray([[1.0, 2.0], [3.0, 2.0], [5.0, 8.0]]),
    jnp.log(jnp.asarray([[1.0, 2.0], [2.0, 2.0], [3.0, 5.0]])),  # variances of mean 2 and 3
)


def test_the_covariance_of_means_is_normalised_by_the_batch_size() -> None:
    expected = [[8 / 3, 4], [4, 8]]
    np.testing.assert_allclose(covariance_of_means(POSTERIOR), expected, rtol=1e-6)


def test_the_covariance_of_codes_adds_the_mean_variances() -> None:
    expected = [[8 / 3 + 2, 4], [4, 8 + 3]]
    np.testing.assert_allclose(covariance_of_codes(POSTERIOR), expected, rtol=1e-6)


def test_both_off_diagonal_entries_and_the_distance_of_the_diagonal_from_one_count() -> None:
    covariance = jnp.asarray([[3.0, 4.0], [4.0, 0.5]])
    # 2 * (16 + 16) + 10 * (4 + 1/4)
    found = distance_from_identity(covariance, 2.0, 10.0)
    assert float(found) == pytest.approx(2 * 32 + 10 * 4.25)
