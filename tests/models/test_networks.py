import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from teasel.models import NETWORKS, Model, Settings
from teasel.models.convolution import arithmetic
from teasel.models.forms import FORMS
from teasel.models.kernels import interpreted
from teasel.models.networks import ACTIVATIONS
from teasel.settings import SIDES

# By side: (kernel's side, features) of the encoder's convolutions, and the features of the
# decoder's, whose kernels have side 4, before the image. The paper's layer table is 64.
CONVOLUTIONS = {
    16: ([(4, 32), (2, 64)], [64]),
    32: ([(4, 32), (2, 64), (2, 64)], [64, 32]),
    64: ([(4, 32), (4, 32), (2, 64), (2, 64)], [64, 32, 32]),
    128: ([(4, 32), (4, 32), (4, 32), (2, 64), (2, 64)], [64, 32, 32, 32]),
    256: ([(4, 32), (4, 32), (4, 32), (4, 32), (2, 64), (2, 64)], [64, 32, 32, 32, 32]),
}


def _count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def _shapes(model: Model):
    """Parameters, posterior and outputs for two images, as shapes."""

    def run():
        with arithmetic("direct"):
            params = model.initial_parameters(jax.random.key(0))
            posterior = model.encode(params, jnp.zeros((2, *model.image_shape)))
            return params, posterior, model.outputs(params, posterior.mean)

    return jax.eval_shape(run)


@pytest.mark.parametrize(
    ("channels", "encoder", "decoder"),
    # Counted by hand from the paper's layer table, 10 latents.
    [(1, 309_204, 381_313), (3, 310_228, 382_339)],
)
def test_the_networks_have_the_papers_number_of_parameters(channels, encoder, decoder) -> None:
    params = Model((64, 64, channels)).initial_parameters(jax.random.key(0))
    assert set(params) == {"encoder", "decoder"}
    assert _count(params["encoder"]) == encoder
    assert _count(params["decoder"]) == decoder


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize(("side", "channels", "latents"), [(s, s % 3 + 1, 7) for s in CONVOLUTIONS])
def test_convolutions_of_every_side_have_the_layers_of_the_table(
    side, channels, latents, width
) -> None:
    params, posterior, outputs = _shapes(
        Model((side, side, channels), num_latents=latents, width=width)
    )
    down, up = CONVOLUTIONS[side]
    encoder, last = 0, channels
    for size, features in down:
        encoder += size**2 * last * width * features + width * features
        last = width * features
    encoder += 4 * 4 * last * 256 * width + 256 * width + 2 * (256 * width * latents + latents)
    decoder = latents * 256 * width + 256 * width + (256 * width + 1) * 4 * 4 * 64 * width
    last = 64 * width
    for features in [*(width * features for features in up), channels]:
        decoder += 4**2 * last * features + features
        last = features
    assert _count(params["encoder"]) == encoder
    assert _count(params["decoder"]) == decoder
    assert posterior.mean.shape == posterior.log_variance.shape == (2, latents)
    assert outputs.shape == (2, side, side, channels)


@pytest.mark.parametrize(("side", "channels", "width"), [(16, 5, 1), (64, 1, 1), (32, 3, 0.25)])
def test_dense_networks_have_the_layers_of_the_original(side, channels, width) -> None:
    params, posterior, outputs = _shapes(
        Model((side, side, channels), network="mlp", num_latents=6, width=width)
    )
    pixels, units = side * side * channels, round(1200 * width)
    encoder = (pixels + 1) * units + (units + 1) * units + 2 * (units + 1) * 6
    decoder = 7 * units + 2 * (units + 1) * units + (units + 1) * pixels
    assert _count(params["encoder"]) == encoder
    assert _count(params["decoder"]) == decoder
    assert posterior.mean.shape == posterior.log_variance.shape == (2, 6)
    assert outputs.shape == (2, side, side, channels)


def test_a_narrow_network_keeps_a_unit_in_each_layer() -> None:
    params, *_ = _shapes(Model((16, 16, 1), width=0.001))
    assert {leaf.shape[0] for leaf in jax.tree.leaves(params) if leaf.ndim == 1} == {1, 10, 16}


def test_kernels_are_glorot_uniform_with_the_receptive_field_and_biases_zero() -> None:
    params = Model((64, 64, 1)).initial_parameters(jax.random.key(0))
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
    params = Model((64, 64, 1)).initial_parameters(jax.random.key(0))
    scaled = [
        leaf.ravel()[:8] / np.abs(leaf).max() for leaf in jax.tree.leaves(params) if leaf.ndim > 1
    ]
    similar = np.abs(np.corrcoef(scaled)) > 0.99
    assert similar.sum() == len(scaled)


# The networks in NumPy.

BY_HAND = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "tanh": np.tanh,
}


def _layer(inputs, params):
    return np.tensordot(inputs, params["kernel"], params["kernel"].ndim - 1) + params["bias"]


def _windows(padded, size, stride):
    """(B, H, W, size, size, I): what each output sees."""
    windows = sliding_window_view(padded, (size, size), (1, 2))[:, ::stride, ::stride]
    return np.moveaxis(windows, 3, 5)


def _encode_by_hand(params, images, activation):
    hidden = images
    for index, (size, _) in enumerate(CONVOLUTIONS[images.shape[1]][0], start=1):
        margin = {4: 1, 2: 0}[size]
        padded = np.pad(hidden, [(0, 0), (margin, margin), (margin, margin), (0, 0)])
        hidden = activation(_layer(_windows(padded, size, 2), params[f"convolution_{index}"]))
    hidden = activation(_layer(hidden.reshape(len(images), -1), params["dense"]))
    return _layer(hidden, params["mean"]), _layer(hidden, params["log_variance"])


def _decode_by_hand(params, codes, activation, side):
    hidden = activation(_layer(codes, params["dense_1"]))
    hidden = activation(_layer(hidden, params["dense_2"])).reshape(len(codes), 4, 4, -1)
    last = len(CONVOLUTIONS[side][0])
    for index in range(1, last + 1):
        # A transposed convolution is one of stride 1 over the inputs set apart by zeros, with the
        # kernel turned round.
        b, h, w, features = hidden.shape
        apart = np.zeros((b, 2 * h + 3, 2 * w + 3, features))
        apart[:, 2:-1:2, 2:-1:2] = hidden
        layer = params[f"convolution_{index}"]
        turned = {"kernel": layer["kernel"][::-1, ::-1], "bias": layer["bias"]}
        hidden = _layer(_windows(apart, 4, 1), turned)
        hidden = hidden if index == last else activation(hidden)
    return hidden


def _moved(params, rng):
    """The parameters in float64, away from the zero biases."""
    return jax.tree.map(
        lambda leaf: np.asarray(leaf, np.float64) + 0.05 * rng.normal(size=leaf.shape), params
    )


def _compare(model: Model, by_hand) -> None:
    rng = np.random.default_rng(0)
    params = _moved(model.initial_parameters(jax.random.key(0)), rng)
    images, codes = rng.random((2, *model.image_shape)), rng.normal(size=(2, 10))
    with jax.enable_x64(True):
        found = jax.jit(lambda p, x, z: (model.encode(p, x), model.outputs(p, z)))(
            params, images, codes
        )
    expected = by_hand(params, images, codes)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.dtype == np.float64
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("side", "channels", "width", "activation"),
    [
        (64, 3, 1, "default"),
        (16, 5, 0.5, "elu"),
        pytest.param(32, 1, 0.25, "silu", marks=pytest.mark.slow),
        pytest.param(128, 3, 0.25, "relu", marks=pytest.mark.slow),
    ],
)
def test_the_networks_are_the_papers_layers_written_in_numpy(
    side, channels, width, activation
) -> None:
    between = BY_HAND["relu" if activation == "default" else activation]
    _compare(
        Model((side, side, channels), width=width, activation=activation),
        lambda params, images, codes: (
            _encode_by_hand(params["encoder"], images, between),
            _decode_by_hand(params["decoder"], codes, between, side),
        ),
    )


@pytest.mark.parametrize("activation", ["default", "gelu"])
def test_the_dense_networks_are_the_originals_layers_written_in_numpy(activation) -> None:
    down, up = (BY_HAND.get(activation, BY_HAND[own]) for own in ("relu", "tanh"))

    def by_hand(params, images, codes):
        hidden = images.reshape(2, -1)
        for index in (1, 2):
            hidden = down(_layer(hidden, params["encoder"][f"dense_{index}"]))
        posterior = [_layer(hidden, params["encoder"][name]) for name in ("mean", "log_variance")]
        hidden = codes
        for index in (1, 2, 3):
            hidden = up(_layer(hidden, params["decoder"][f"dense_{index}"]))
        return posterior, _layer(hidden, params["decoder"]["dense_4"]).reshape(images.shape)

    _compare(Model((16, 16, 3), network="mlp", width=0.05, activation=activation), by_hand)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_what_its_name_says(name) -> None:
    values = np.linspace(-3, 3, 13)
    with jax.enable_x64(True):
        np.testing.assert_allclose(ACTIVATIONS[name](values), BY_HAND[name](values), atol=1e-12)
    assert ACTIVATIONS["relu"] is jax.nn.relu  # by which the kernels know that they may apply it


@pytest.mark.slow
def test_every_form_of_convolution_gives_the_same_networks() -> None:
    side, channels = 16, 3
    model = Model((side, side, channels), 3, width=0.25, activation="elu")
    rng = np.random.default_rng(0)
    params = _moved(model.initial_parameters(jax.random.key(0)), rng)
    images = rng.random((2, side, side, channels))
    with jax.enable_x64(True):

        def outputs(form):
            with arithmetic(form), interpreted():
                return jax.jit(lambda p, x: model.outputs(p, model.encode(p, x).mean))(
                    params, images
                )

        expected = outputs("lax")
        for form in FORMS:
            np.testing.assert_allclose(outputs(form), expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    ("side", "channels", "width", "activation"),
    [
        pytest.param(16, 1, 0.25, "elu", marks=pytest.mark.slow),
        pytest.param(16, 5, 0.25, "gelu", marks=pytest.mark.slow),
        pytest.param(32, 3, 0.25, "silu", marks=pytest.mark.slow),
        pytest.param(32, 5, 0.25, "default", marks=pytest.mark.slow),
        pytest.param(64, 3, 1, "default", marks=pytest.mark.slow),
        pytest.param(128, 1, 0.25, "default", marks=pytest.mark.slow),
        pytest.param(128, 3, 0.25, "tanh", marks=pytest.mark.slow),
        pytest.param(128, 5, 0.25, "default", marks=pytest.mark.slow),
    ],
)
def test_every_form_of_convolution_gives_the_same_gradients(
    side, channels, width, activation
) -> None:
    model = Model((side, side, channels), 3, width=width, activation=activation)
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        start = _moved(model.initial_parameters(jax.random.key(0)), rng)
        params = jax.tree.map(jnp.asarray, start)
        images = jnp.asarray(rng.random((2, side, side, channels)))

        def found(form):
            def loss(params, images):
                outputs = model.outputs(params, model.encode(params, images).mean)
                return jnp.mean(jnp.tanh(outputs)), outputs

            with arithmetic(form), interpreted():
                return jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))(params, images)

        expected = found("lax")
        for form in FORMS:
            if form != "lax":
                jax.tree.map(
                    lambda one, other: np.testing.assert_allclose(one, other, 1e-5, 1e-9),
                    found(form),
                    expected,
                )


def test_images_of_another_size_are_refused() -> None:
    sides = "16, 32, 64, 128, 256"
    for shape in ((48, 48, 1), (64, 32, 1), (512, 512, 3), (64, 64), (64, 64, 0)):
        with pytest.raises(ValueError, match=r"image_shape is \(") as raised:
            Model.of(Settings(), shape)
        expected = f"is {shape}; the networks take (S, S, channels) with S one of {sides}"
        assert expected in str(raised.value)
    with pytest.raises(ValueError, match="num_latents is 0; it must be at least 1"):
        Model.of(Settings(num_latents=0), (64, 64, 1))
    assert tuple(CONVOLUTIONS) == SIDES


def test_a_model_has_what_its_settings_say() -> None:
    settings = Settings(
        num_latents=4,
        network="mlp",
        width=0.5,
        activation="elu",
        likelihood="gaussian",
        likelihood_scale=0.1,
    )
    assert Model.of(settings, (16, 16, 2)) == Model(
        (16, 16, 2), 4, "mlp", 0.5, "elu", "gaussian", 0.1
    )
    assert set(NETWORKS.own) == {"conv", "mlp"}


def test_arrays_unlike_the_model_are_refused() -> None:
    model = Model((16, 16, 1), num_latents=3)
    params = jax.eval_shape(lambda: model.initial_parameters(jax.random.key(0)))
    for images, words in (
        (np.zeros((2, 16, 16, 3), np.float32), r"float32 of shape \(2, 16, 16, 3\)"),
        (np.zeros((16, 16, 1), np.float32), r"float32 of shape \(16, 16, 1\)"),
        (np.zeros((2, 16, 16, 1), np.uint8), r"uint8 of shape \(2, 16, 16, 1\)"),
    ):
        expected = rf"images are {words}; expected floating-point .* shape \(B, 16, 16, 1\)"
        with pytest.raises(ValueError, match=expected):
            model.encode(params, jnp.asarray(images))
    with pytest.raises(ValueError, match=r"codes are float32 of shape \(2, 4\); .* \(B, 3\)"):
        model.outputs(params, jnp.zeros((2, 4)))
