"""What the variants add to a sprite: the original's distributions, the same on both paths."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from teasel.datasets import DataError, Dataset, load
from teasel.datasets.appearance import color, noise, scream
from teasel.datasets.dataset import _own_words

SPRITE = np.zeros((1, 64, 64, 1), np.float32)
SPRITE[:, 10:20, 30:40] = 1


def sprites(count: int) -> np.ndarray:
    return np.repeat(SPRITE, count, axis=0)


def words(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(2**32, size=shape, dtype=np.uint32)


@pytest.fixture
def painted_folder(tmp_path: Path) -> Path:
    """A portrait like the painting: within 350 x 274 it is 219 wide."""
    pixels = np.random.default_rng(1).integers(256, size=(500, 400, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "scream.jpg")
    return tmp_path


def test_numpy_and_jax_paint_alike(painted_folder: Path) -> None:
    for make in (color, noise, scream):
        appearance = make(painted_folder)
        drawn = words(8, *appearance.noise_shape)
        ours = appearance.paint(sprites(8), drawn)
        theirs = jax.jit(appearance.paint)(jnp.asarray(sprites(8)), jnp.asarray(drawn))
        assert ours.dtype == theirs.dtype == np.float32
        np.testing.assert_allclose(theirs, ours, atol=1e-6)


def test_a_colour_is_uniform_from_half_to_one_and_only_on_the_sprite() -> None:
    images = color(None).paint(sprites(5000), words(5000, 3))
    assert images.shape == (5000, 64, 64, 3)
    tones = images[:, 15, 35]
    assert (images[:, 10:20, 30:40] == tones[:, None, None]).all()
    assert images.sum() == pytest.approx(100 * tones.sum(), rel=1e-4)  # nothing elsewhere
    assert tones.min() >= 0.5
    assert tones.max() < 1
    # Uniform on [.5, 1): mean .75, variance 1/48, channels independent; 5 standard errors.
    np.testing.assert_allclose(tones.mean(axis=0), 0.75, atol=5 * np.sqrt(1 / 48 / 5000))
    np.testing.assert_allclose(np.cov(tones.T), np.eye(3) / 48, atol=0.002)


def test_noise_is_uniform_on_the_background_and_the_sprite_stays_white() -> None:
    images = noise(None).paint(sprites(50), words(50, 64, 64))
    assert (images[:, 10:20, 30:40] == 1).all()
    background = images[:, 30:]
    assert background.max() < 1
    np.testing.assert_array_equal(background * 1024 % 1, 0.5)  # 1,024 levels
    assert background.mean() == pytest.approx(0.5, abs=0.002)
    assert background.var() == pytest.approx(1 / 12, abs=0.001)
    assert np.abs(np.corrcoef(background[..., 0].ravel(), background[..., 1].ravel())[0, 1]) < 0.01


def test_scream_shows_a_shifted_patch_inverted_on_the_sprite(painted_folder: Path) -> None:
    with Image.open(painted_folder / "scream.jpg") as picture:
        picture.thumbnail((350, 274))
        painting = np.asarray(picture) / 255
    assert painting.shape == (274, 219, 3)
    shift = [0.1, 0.2, 0.9]
    offsets = [[0.5, 0.25], [0, 0], [1 - 2**-24, 1 - 2**-24]]
    drawn = np.array([[*offset, *shift] for offset in offsets]) * 2**32
    images = scream(painted_folder).paint(sprites(3), drawn.astype(np.uint32))
    # Offsets are randint(0, 274 - 64) and randint(0, 219 - 64): 105 and 38, the least, the most.
    for image, top, left in zip(images, (105, 0, 209), (38, 0, 154), strict=True):
        expected = (painting[top : top + 64, left : left + 64] + shift) / 2
        expected[10:20, 30:40] = 1 - expected[10:20, 30:40]
        np.testing.assert_allclose(image, expected, atol=1e-6)


def test_a_broken_or_small_painting_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scream.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"scream\.jpg is not a readable picture"):
        scream(tmp_path)
    Image.new("RGB", (90, 60)).save(tmp_path / "scream.jpg")
    with pytest.raises(DataError, match="is too small: 90 x 60"):
        scream(tmp_path)


def test_another_painting_is_another_data_set(
    painted_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    Image.new("RGB", (400, 500)).save(other / "scream.jpg")
    first, second = (load("scream_dsprites_mini", folder) for folder in (painted_folder, other))
    assert first.fingerprint != second.fingerprint
    assert first.fingerprint != load("dsprites_mini").fingerprint


@pytest.mark.parametrize("name", ["color", "noisy", "scream"])
def test_without_a_seed_an_image_shows_its_own_noise_wherever_it_stands(
    name: str, painted_folder: Path
) -> None:
    dataset = load(f"{name}_dsprites_mini", painted_folder)
    indices = np.array([7, 46_079, 7, 300])
    images = dataset.images(indices)
    np.testing.assert_array_equal(images[0], images[2])
    np.testing.assert_array_equal(images[3:], dataset.images(indices[3:]))
    observe = jax.jit(dataset.observe)
    seen = np.asarray(observe(dataset.device_data(), indices))
    np.testing.assert_array_equal(seen, observe(dataset.window(indices), indices))
    np.testing.assert_allclose(seen, images, atol=1e-6)


@pytest.mark.parametrize("name", ["dsprites", "color_dsprites", "noisy_dsprites"])
def test_no_image_is_an_empty_array_of_images(name: str) -> None:
    dataset, none = load(f"{name}_mini"), np.array([], int)
    for images in (
        dataset.images(none),
        dataset.images(none, np.random.default_rng(0)),
        dataset.observe(dataset.device_data(), jnp.asarray(none)),
    ):
        assert images.shape == (0, *dataset.image_shape)


def test_the_noise_of_an_image_is_uniform_and_stays_what_it_is() -> None:
    words = np.asarray(_own_words((2,), np.arange(4000)))
    # Uniform on [0, 2^32): standard deviation of a mean .289 / sqrt(4000); 5 standard errors.
    np.testing.assert_allclose(words.mean(axis=0) / 2**32, 0.5, atol=0.023)
    assert abs(np.corrcoef(words[:-1, 0], words[1:, 0])[0, 1]) < 0.08
    assert words[[0, 3999]].tolist() == [[3617712097, 783310428], [3586394102, 3978412680]]


@pytest.fixture
def mini() -> Dataset:
    return load("color_dsprites_mini")


def test_batches_draw_every_factor_uniformly_with_replacement(mini: Dataset) -> None:
    indices = np.asarray(mini.sample_batch_indices(jax.random.key(0), 60_000))
    assert len(np.unique(indices)) < len(indices)
    for column, size in zip(mini.factors(indices).T, mini.factor_sizes, strict=True):
        counts = np.bincount(column, minlength=size)
        assert np.abs(counts - 60_000 / size).max() < 5 * np.sqrt(60_000 / size)


def test_device_batches_have_the_moments_of_numpys_images(mini: Dataset) -> None:
    data = jax.device_put(mini.device_data())
    batch = np.asarray(
        jax.jit(lambda data, key: mini.sample_batch(data, key, 2000))(data, jax.random.key(1))
    )
    peak = batch.max(axis=(1, 2))  # a sprite's colour
    np.testing.assert_allclose(peak.mean(axis=0), 0.75, atol=5 * np.sqrt(1 / 48 / 2000))
    np.testing.assert_allclose(peak.var(axis=0), 1 / 48, atol=0.002)
