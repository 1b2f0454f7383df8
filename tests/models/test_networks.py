import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models.convolution import FORMS, arithmetic
from teasel.models.networks import decode, encode, initial_parameters


def _count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(
    ("channels", "encoder", "decoder"),
    # Counted by hand from the study's layer table, 10 latents.
    [(1, 309_204, 381_313), (3, 310_228, 382_339)],
)
def test_the_networks_have_the_studys_number_of_parameters(channels, encoder, decoder) -> None:
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


@pytest.mark.parametrize(("channels", "num_latents"), [(1, 10), (3, 4)])
def test_images_go_to_a_posterior_and_codes_to_logits(channels, num_latents) -> None:
    params = initial_parameters(jax.random.key(0), (64, 64, channels), num_latents)
    images = jnp.zeros((2, 64, 64, channels))
    posterior = encode(params, images)
    assert posterior.mean.shape == posterior.log_variance.shape == (2, num_latents)
    assert decode(params, posterior.mean).shape == (2, 64, 64, channels)


def test_every_form_of_convolution_gives_the_same_networks() -> None:
    images = np.random.default_rng(0).random((2, 64, 64, 3))
    with jax.enable_x64(True):
        params = initial_parameters(jax.random.key(0), (64, 64, 3), 10)
        params = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), params)
        images = jnp.asarray(images, jnp.float64)

        def logits(form):
            with arithmetic(form):
                return jax.jit(lambda p, x: decode(p, encode(p, x).mean))(params, images)

        for form in FORMS:
            np.testing.assert_allclose(logits(form), logits("lax"), rtol=1e-5, atol=1e-9)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"image_shape is \(32, 32, 1\); the networks take"):
        initial_parameters(jax.random.key(0), (32, 32, 1), 10)
    with pytest.raises(ValueError, match="num_latents is 0"):
        initial_parameters(jax.random.key(0), (64, 64, 1), 0)
