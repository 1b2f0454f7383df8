import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from teasel.models import METHODS, Model, TrainedModel, parameters_from_bytes, parameters_to_bytes
from teasel.models.checkpoint import image_shape_of
from teasel.storage import is_sound, read_tensors_header

MODEL = Model((16, 16, 3), num_latents=3, width=0.25)
PARAMETERS = jax.tree.map(np.asarray, MODEL.initial_parameters(jax.random.key(0)))
TRAINED = TrainedModel(METHODS["beta_vae"], {"beta": 4.0}, MODEL, PARAMETERS, "t1")
ENCODE, OUTPUTS = jax.jit(MODEL.encode), jax.jit(MODEL.outputs)
LEVELS = np.random.default_rng(0).integers(0, 256, (10, 16, 16, 3), np.uint8)
DATA = LEVELS.astype(np.float32) / np.float32(255)


def _observe(data, indices):
    return data[indices]


@pytest.mark.parametrize("batch", [4, 5, 10, 64])
def test_every_image_is_encoded_once_in_its_own_row(batch) -> None:
    mean, log_variance = TRAINED.encode_all(_observe, DATA, 10, batch=batch)
    expected = ENCODE(PARAMETERS, jnp.asarray(DATA))
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, expected.mean, atol=1e-6)
    np.testing.assert_allclose(log_variance, expected.log_variance, atol=1e-6)


def test_an_empty_request_is_refused() -> None:
    with pytest.raises(ValueError, match="num_images is 0"):
        TRAINED.encode_all(_observe, DATA, 0)
    with pytest.raises(ValueError, match="batch 0; both must be at least 1"):
        TRAINED.encode_all(_observe, DATA, 10, batch=0)


def test_stored_parameters_encode_and_decode_as_they_did() -> None:
    saved = parameters_to_bytes({"t1": PARAMETERS, "t2": PARAMETERS}, (16, 16, 3))
    stored = parameters_from_bytes(saved)
    assert set(stored) == {"t1", "t2"}
    assert image_shape_of(saved) == (16, 16, 3)
    jax.tree.map(np.testing.assert_array_equal, stored["t2"], PARAMETERS)


def test_bytes_that_are_no_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="not a safetensors file"):
        parameters_from_bytes(b"nonsense")


def test_bytes_and_numbers_give_the_same_codes() -> None:
    expected = ENCODE(PARAMETERS, jnp.asarray(DATA))
    found = TRAINED.encode(LEVELS)
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-6)
    for images in (DATA, DATA.astype(np.float64), LEVELS.tolist() / np.float64(255)):
        again = TRAINED.encode(images)
        np.testing.assert_array_equal(again.mean, found.mean)
        np.testing.assert_array_equal(again.log_variance, found.log_variance)


def test_many_images_go_through_in_several_batches() -> None:
    many = np.tile(LEVELS, (30, 1, 1, 1))
    found = TRAINED.encode(many)
    assert found.mean.shape == found.log_variance.shape == (300, 3)
    np.testing.assert_allclose(found.mean[290:], TRAINED.encode(LEVELS).mean, atol=1e-5)
    assert TRAINED.decode(found.mean).shape == (300, 16, 16, 3)


def test_one_channel_needs_no_axis() -> None:
    model = Model((16, 16, 1), num_latents=2, width=0.25)
    grey = TrainedModel(
        METHODS["beta_vae"], {"beta": 1.0}, model, model.initial_parameters(jax.random.key(1))
    )
    black_and_white = LEVELS[..., 0] > 127
    expected = grey.encode(black_and_white[..., None].astype(np.float32))
    np.testing.assert_array_equal(grey.encode(black_and_white).mean, expected.mean)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (2 * DATA - 1, r"images are float32 from -1 to 1; expected uint8, or floats in \[0, 1\]"),
        (DATA * 1.5, r"images are float32 from 0 to 1\.5; expected uint8"),
        (LEVELS.astype(np.int32), r"images are int32 from 0 to 255; expected uint8"),
        (np.full_like(DATA, np.nan), r"images are float32 from nan to nan"),
        (DATA[..., 0], r"have shape \(10, 16, 16\); expected \(B, 16, 16, 3\), B of at least 1"),
        (DATA[0], r"images have shape \(16, 16, 3\); expected"),
        (DATA[:, :8], r"images have shape \(10, 8, 16, 3\); expected"),
        (DATA[:0], r"images have shape \(0, 16, 16, 3\); expected"),
    ],
)
def test_other_images_are_refused(images, message) -> None:
    with pytest.raises(ValueError, match=message):
        TRAINED.encode(images)


def test_codes_of_another_width_are_refused() -> None:
    for shape in ((2, 4), (3,), (0, 3)):
        with pytest.raises(ValueError, match=r"codes have shape .*; expected \(B, 3\), B of at"):
            TRAINED.decode(np.zeros(shape))


def test_reconstructions_and_samples_are_images() -> None:
    found = TRAINED.reconstruct(LEVELS)
    codes = ENCODE(PARAMETERS, jnp.asarray(DATA)).mean
    logits = np.asarray(OUTPUTS(PARAMETERS, codes), np.float64)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-logits)), atol=1e-6)
    drawn = TRAINED.sample(5, seed=1)
    for images, num in ((found, 10), (drawn, 5)):
        assert images.shape == (num, 16, 16, 3)
        assert images.dtype == np.float32
        assert images.min() >= 0
        assert images.max() <= 1
    np.testing.assert_array_equal(TRAINED.sample(5, seed=1), drawn)
    assert not np.array_equal(TRAINED.sample(5, seed=2), drawn)


def test_a_traversal_moves_one_latent_at_a_time() -> None:
    images = TRAINED.traverse(LEVELS[0], span=1.5, num=4)
    assert images.shape == (3, 4, 16, 16, 3)
    code = np.array(TRAINED.encode(LEVELS[:1]).mean)
    code[0, 1] = 0.5  # -1.5, -0.5, 0.5, 1.5
    np.testing.assert_allclose(images[1, 2], TRAINED.decode(code)[0], atol=1e-6)


def test_a_traversal_is_drawn(tmp_path) -> None:
    images = TRAINED.traverse(LEVELS[0], tmp_path / "all.png", num=5)
    with Image.open(tmp_path / "all.png") as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        assert picture.size == (5 * 18 - 2, 3 * 18 - 2)
        corner = np.asarray(picture)[18:34, 36:52]  # of latent 1, step 2
    np.testing.assert_allclose(corner, 255 * images[1, 2], atol=0.51)
    TRAINED.traverse(LEVELS[0], str(tmp_path / "all.GIF"), num=5)
    with Image.open(tmp_path / "all.GIF") as picture:
        assert picture.format == "GIF"
        assert picture.size == (3 * 18 - 2, 16)
        assert getattr(picture, "n_frames", 1) > 1
        picture.load()
    with pytest.raises(ValueError, match=r"all\.jpg; expected a name ending in \.png or \.gi"):
        TRAINED.traverse(LEVELS[0], tmp_path / "all.jpg")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["all.GIF", "all.png"]


@pytest.mark.parametrize("likelihood", ["bernoulli", "discretized_logistic"])
def test_a_saved_model_gives_the_same_codes(tmp_path, likelihood) -> None:
    model = Model((16, 16, 3), 3, width=0.25, likelihood=likelihood, likelihood_scale=0.2)
    params = jax.tree.map(np.asarray, model.initial_parameters(jax.random.key(3)))
    TrainedModel(METHODS["beta_vae"], {"beta": 0.1}, model, params, "t7").save(tmp_path / "it")
    assert is_sound((tmp_path / "it").read_bytes())
    loaded = TrainedModel.load(tmp_path / "it", METHODS)
    assert (loaded.model, loaded.name, loaded.entry) == (model, "t7", METHODS["beta_vae"])
    assert loaded.hyperparameters == {"beta": 0.1}
    jax.tree.map(np.testing.assert_array_equal, loaded.parameters, params)
    expected = TrainedModel(METHODS["beta_vae"], {"beta": 0.1}, model, params)
    np.testing.assert_array_equal(loaded.encode(LEVELS).mean, expected.encode(LEVELS).mean)
    np.testing.assert_array_equal(loaded.sample(2), expected.sample(2))


def test_the_header_says_what_it_takes_to_rebuild_the_model_elsewhere(tmp_path) -> None:
    TRAINED.save(tmp_path / "it")
    content = (tmp_path / "it").read_bytes()
    header = read_tensors_header(lambda num: content[:num], len(content))
    about = json.loads(header.metadata["teasel"])
    assert about["method"] == "beta_vae"
    assert about["model"]["image_shape"] == [16, 16, 3]
    assert (about["model"]["network"], about["model"]["width"]) == ("conv", 0.25)
    assert "SAME padding" in about["layout"]


def test_what_is_no_saved_model_is_refused(tmp_path) -> None:
    TRAINED.save(tmp_path / "it")
    content = (tmp_path / "it").read_bytes()
    (tmp_path / "text").write_text("nonsense")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "half").write_bytes(content[: len(content) // 2])
    (tmp_path / "others").write_bytes(parameters_to_bytes({"t1": PARAMETERS}, (16, 16, 3)))
    for name in ("text", "empty", "half", "others"):
        with pytest.raises(ValueError, match=f"{name} is not a model written by TrainedModel.save"):
            TrainedModel.load(tmp_path / name, METHODS)
    with pytest.raises(ValueError, match="needs the method beta_vae, which is not installed"):
        TrainedModel.load(tmp_path / "it", {})


def test_a_saved_model_that_was_damaged_is_refused(tmp_path) -> None:
    TRAINED.save(tmp_path / "it")
    content = bytearray((tmp_path / "it").read_bytes())
    content[-5] ^= 1
    (tmp_path / "it").write_bytes(content)
    with pytest.raises(ValueError, match=r"it is not a model written by TrainedModel\.save"):
        TrainedModel.load(tmp_path / "it", METHODS)
