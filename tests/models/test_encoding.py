import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import (
    decode,
    encode,
    encode_all,
    parameters_from_bytes,
    parameters_to_bytes,
)
from teasel.models.networks import initial_parameters

PARAMETERS = initial_parameters(jax.random.key(0), (64, 64, 1), 3)
DATA = np.random.default_rng(0).random((10, 64, 64, 1), np.float32)


def _observe(data, indices):
    return data[indices]


@pytest.mark.parametrize("batch", [4, 5, 10, 64])
def test_every_image_is_encoded_once_in_its_own_row(batch) -> None:
    mean, log_variance = encode_all(PARAMETERS, _observe, DATA, 10, batch=batch)
    expected = encode(PARAMETERS, jnp.asarray(DATA))
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, expected.mean, atol=1e-6)
    np.testing.assert_allclose(log_variance, expected.log_variance, atol=1e-6)


def test_what_is_observed_may_be_read_batch_by_batch() -> None:
    asked = []

    def read(indices: np.ndarray) -> np.ndarray:
        asked.append(indices.tolist())
        return np.where(np.isin(np.arange(10), indices)[:, None, None, None], DATA, np.nan)

    found = encode_all(PARAMETERS, _observe, read, 10, batch=4)
    assert asked == [[0, 1, 2, 3], [4, 5, 6, 7], [6, 7, 8, 9]]
    np.testing.assert_array_equal(found, encode_all(PARAMETERS, _observe, DATA, 10, batch=4))


def test_stored_parameters_encode_and_decode_as_they_did() -> None:
    stored = parameters_from_bytes(parameters_to_bytes({"t1": PARAMETERS, "t2": PARAMETERS}))
    assert set(stored) == {"t1", "t2"}
    codes = encode(stored["t2"], DATA).mean
    np.testing.assert_array_equal(codes, encode(PARAMETERS, DATA).mean)
    np.testing.assert_array_equal(decode(stored["t1"], codes), decode(PARAMETERS, codes))


def test_bytes_that_are_no_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="not a safetensors file"):
        parameters_from_bytes(b"nonsense")


def test_an_empty_request_is_refused() -> None:
    with pytest.raises(ValueError, match="num_images is 0"):
        encode_all(PARAMETERS, _observe, DATA, 0)
