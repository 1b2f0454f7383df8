import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from teasel.models.convolution import arithmetic
from teasel.models.forms import FORMS
from teasel.models.kernels import interpreted
from teasel.models.networks import decode, encode, initial_parameters


def _count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(
    ("channels", "encoder", "decoder"),
    # Counted by hand from the paper's layer table, 10 latents.
    [(1, 309_204, 381_313), (3, 310_228, 382_339)],
)
def test_the_networks_have_the_papers_number_of_parameters(channels, encoder, decoder) -> None:
    params = initial_parameters(jax.random.key(0), (64, 64, channels), 10)
    assert _count(params["encoder"]) == encoder
    assert _count(params["decoder"]) == decoder


def test_kernels_are_glorot_uniform_with_the_receptive_field_and_biases_zero() -> None:
    params = initial_parameters(jax.random.key(0), (64, 64, 1), 10)
    # 4x4 kernel, 32 -> 32 channels: fans of 512 each; dense 1024 -> 256.
    for kernel, limit in (
        (params["encoder"]["convolution_2"]["kernel"], np.sqrt(6 / 1024)),
        (params["encoder"]["dense"]["kernel"], np.sqrt(6 / 1280)),
    ):
        assert np.abs(kernel).max() <= limit
        assert np.abs(kernel).max() > 0.99 * limit
        assert np.std(kernel) == pytest.approx(limit / np.sqrt(3), rel=0.02)
    biases = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim == 1]
    assert len(biases) == 13
    assert not any(np.any(bias) for bias in biases)


def test_kernels_do_not_repeat_each_other() -> None:
    params = initial_parameters(jax.random.key(0), (64, 64, 1), 10)
    scaled = [
        leaf.ravel()[:8] / np.abs(leaf).max() for leaf in jax.tree.leaves(params) if leaf.ndim > 1
    ]
    similar = np.abs(np.corrcoef(scaled)) > 0.99
    assert similar.sum() == len(scaled)


@pytest.mark.parametrize(
    ("channels", "num_latents"), [pytest.param(1, 10, marks=pytest.mark.slow), (3, 4)]
)
def test_images_go_to_a_posterior_and_codes_to_logits(channels, num_latents) -> None:
    params = initial_parameters(jax.random.key(0), (64, 64, channels), num_latents)
    images = jnp.zeros((2, 64, 64, channels))
    posterior = encode(params, images)
    assert posterior.mean.shape == posterior.log_variance.shape == (2, num_latents)
    assert decode(params, posterior.mean).shape == (2, 64, 64, channels)


def _layer(inputs, params):
    return np.tensordot(inputs, params["kernel"], params["kernel"].ndim - 1) + params["bias"]


def _relu(values):
    return np.maximum(values, 0)


def _windows(padded, size, stride):
    """(B, H, W, size, size, I): what each output sees."""
    windows = sliding_window_view(padded, (size, size), (1, 2))[:, ::stride, ::stride]
    return np.moveaxis(windows, 3, 5)


def _encode_by_hand(params, images):
    hidden = images
    for index, (size, margin) in enumerate([(4, 1), (4, 1), (2, 0), (2, 0)], start=1):
        padded = np.pad(hidden, [(0, 0), (margin, margin), (margin, margin), (0, 0)])
        hidden = _relu(_layer(_windows(padded, size, 2), params[f"convolution_{index}"]))
    hidden = _relu(_layer(hidden.reshape(len(images), 4 * 4 * 64), params["dense"]))
    return _layer(hidden, params["mean"]), _layer(hidden, params["log_variance"])


def _decode_by_hand(params, codes):
    hidden = _relu(_layer(codes, params["dense_1"]))
    hidden = _relu(_layer(hidden, params["dense_2"])).reshape(len(codes), 4, 4, 64)
    for index in range(1, 5):
        # A transposed convolution is one of stride 1 over the inputs set apart by zeros, with the
        # kernel turned round.
        b, h, w, features = hidden.shape
        apart = np.zeros((b, 2 * h + 3, 2 * w + 3, features))
        apart[:, 2:-1:2, 2:-1:2] = hidden
        layer = params[f"convolution_{index}"]
        turned = {"kernel": layer["kernel"][::-1, ::-1], "bias": layer["bias"]}
        hidden = _layer(_windows(apart, 4, 1), turned)
        hidden = hidden if index == 4 else _relu(hidden)
    return hidden


def test_the_networks_are_the_papers_layers_written_in_numpy() -> None:
    rng = np.random.default_rng(0)
    start = initial_parameters(jax.random.key(0), (64, 64, 3), 10)
    params = jax.tree.map(
        lambda leaf: np.asarray(leaf, np.float64) + 0.05 * rng.normal(size=leaf.shape), start
    )
    images, codes = rng.random((2, 64, 64, 3)), rng.normal(size=(2, 10))
    with jax.enable_x64(True):
        found = jax.jit(lambda p, x, z: (encode(p, x), decode(p, z)))(params, images, codes)
    expected = _encode_by_hand(params["encoder"], images), _decode_by_hand(params["decoder"], codes)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.dtype == np.float64
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def test_every_form_of_convolution_gives_the_same_networks() -> None:
    images = np.random.default_rng(0).random((2, 64, 64, 3))
    with jax.enable_x64(True):
        params = initial_parameters(jax.random.key(0), (64, 64, 3), 10)
        params = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), params)
        images = jnp.asarray(images, jnp.float64)

        def logits(form):
            with arithmetic(form), interpreted():
                return jax.jit(lambda p, x: decode(p, encode(p, x).mean))(params, images)

        expected = logits("lax")
        for form in FORMS:
            np.testing.assert_allclose(logits(form), expected, rtol=1e-5, atol=1e-9)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"image_shape is \(32, 32, 1\); the networks take"):
        initial_parameters(jax.random.key(0), (32, 32, 1), 10)
    with pytest.raises(ValueError, match="num_latents is 0"):
        initial_parameters(jax.random.key(0), (64, 64, 1), 0)
