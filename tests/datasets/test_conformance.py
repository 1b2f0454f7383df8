"""What every data set of the catalogue promises."""

from pathlib import Path

import jax
import numpy as np
import pytest

from teasel.datasets import DATASETS, DataError, Dataset, from_function, from_npz, load


def _parameter(name: str) -> object:
    large = DATASETS[name].status().num_bytes > 1e9
    return pytest.param(name, marks=pytest.mark.slow if large else ())


@pytest.fixture(params=[*map(_parameter, DATASETS), "npz", "function"])
def dataset(request: pytest.FixtureRequest, tmp_path: Path) -> Dataset:
    if request.param in DATASETS:
        try:
            return load(request.param)
        except DataError:
            data_dir = request.getfixturevalue("data_dir")
        try:
            return load(request.param, data_dir)
        except DataError as error:
            pytest.skip(str(error))

    def ramps(factors: np.ndarray) -> np.ndarray:
        steepness, colour = factors.T[:, :, None, None, None]
        across = np.broadcast_to(np.arange(64)[:, None], (64, 64, 1))
        return (across * (steepness + np.arange(3) * colour)).astype(np.uint8)

    if request.param == "function":
        return from_function("ramps", {"steepness": 4, "colour": 3}, ramps)()
    factors = np.array([[steepness, colour] for steepness in range(4) for colour in range(3)] * 2)
    np.savez(tmp_path / "mine.npz", images=ramps(factors), factors=factors)
    return from_npz("mine", tmp_path / "mine.npz")()


@pytest.fixture
def indices(dataset: Dataset) -> np.ndarray:
    some = np.random.default_rng(0).integers(len(dataset), size=200)
    return np.concatenate([[0, len(dataset) - 1], some])


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_images_are_float32_in_the_unit_interval(dataset: Dataset, indices: np.ndarray) -> None:
    images = dataset.images(indices, rng())
    assert images.shape == (len(indices), *dataset.image_shape)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.std() > 0.01


def test_factors_are_whole_numbers_below_their_sizes(dataset: Dataset, indices: np.ndarray) -> None:
    factors = dataset.factors(indices)
    assert factors.shape == (len(indices), len(dataset.factor_names))
    assert factors.dtype == np.int64
    assert (factors[0] == 0).all()
    assert (factors[1] == np.array(dataset.factor_sizes) - 1).all()


def test_sampled_indices_have_the_wanted_factors(dataset: Dataset, indices: np.ndarray) -> None:
    factors = dataset.factors(indices)
    sampled = dataset.sample_indices(factors, rng())
    np.testing.assert_array_equal(dataset.factors(sampled), factors)
    if len(dataset) == np.prod(dataset.factor_sizes):
        np.testing.assert_array_equal(sampled, indices)


def test_the_same_seed_gives_the_same_observation(dataset: Dataset, indices: np.ndarray) -> None:
    np.testing.assert_array_equal(dataset.images(indices, rng()), dataset.images(indices, rng()))
    other = dataset.images(indices, np.random.default_rng(2))
    assert (dataset.images(indices, rng()) == other).all() != dataset.stochastic


def test_the_device_sees_what_numpy_sees(dataset: Dataset, indices: np.ndarray) -> None:
    data = jax.device_put(dataset.device_data())
    seen = jax.jit(dataset.observe)(data, indices, jax.random.key(0))
    assert seen.dtype == np.float32
    if dataset.stochastic:
        assert seen.shape == (len(indices), *dataset.image_shape)
        means = dataset.images(indices, rng()).mean(axis=(0, 1, 2))
        np.testing.assert_allclose(seen.mean(axis=(0, 1, 2)), means, atol=0.06)
    else:
        np.testing.assert_array_equal(seen, dataset.images(indices))


def test_a_batch_follows_its_key_alone_or_packed(dataset: Dataset) -> None:
    data = jax.device_put(dataset.device_data())
    keys = jax.random.split(jax.random.key(3), 3)

    def draw(data: jax.Array, key: jax.Array) -> jax.Array:
        return dataset.sample_batch(data, key, 4)

    batches = jax.jit(jax.vmap(draw, in_axes=(None, 0)))(data, keys)
    assert batches.shape == (3, 4, *dataset.image_shape)
    assert batches.dtype == np.float32
    assert (batches[0] != batches[1]).any()
    np.testing.assert_array_equal(batches[2], jax.jit(draw)(data, keys[2]))


def test_indices_and_factors_out_of_range_are_refused(dataset: Dataset) -> None:
    with pytest.raises(IndexError, match=f"not all in \\[0, {len(dataset)}\\)"):
        dataset.images(np.array([0, len(dataset)]), rng())
    with pytest.raises(IndexError, match="from -1 to 0"):
        dataset.factors(np.array([0, -1]))
    with pytest.raises(ValueError, match="vector of integers, not float64"):
        dataset.images(np.array([0.5]), rng())
    with pytest.raises(ValueError, match="not all in"):
        dataset.sample_indices(np.array([dataset.factor_sizes]), rng())
    with pytest.raises(ValueError, match="one column for each of"):
        dataset.sample_indices(np.zeros((2, 1), int), rng())
    with pytest.raises(ValueError, match="factors are float64"):
        dataset.sample_indices(np.zeros((2, len(dataset.factor_sizes))), rng())
    if dataset.stochastic:
        with pytest.raises(ValueError, match="give rng"):
            dataset.images(np.array([0]))
