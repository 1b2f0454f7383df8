import functools
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from teasel.models.convolution import arithmetic, check_arithmetic, convolutions
from teasel.models.forms import FORMS
from teasel.models.kernels import interpreted

LAYERS = ("convolve", "convolve_transposed")
# The image's side has one or three channels, the others many: forms may tell them apart.
CASES = [
    ("convolve", 4, (1, 5)),
    ("convolve", 4, (6, 5)),
    ("convolve", 2, (6, 5)),
    ("convolve_transposed", 4, (5, 3)),
    ("convolve_transposed", 4, (5, 6)),
    ("convolve_transposed", 2, (5, 6)),
]


@contextmanager
def computed_as(form: str):
    """A form on any backend."""
    with arithmetic(form), interpreted():
        yield


def apply(layer: str, inputs, *kernels):
    """Layers without biases."""
    layers = [(kernel, jnp.zeros(kernel.shape[-1], kernel.dtype)) for kernel in kernels]
    return convolutions(inputs, layers, transposed=layer == "convolve_transposed")


def _arrays(layer: str, size: int, channels: tuple[int, int], dtype: str = "float64"):
    rng = np.random.default_rng(0)
    side = 8 if layer == "convolve" else 4
    inputs = rng.normal(size=(3, side, side, channels[0]))
    kernel = rng.normal(size=(size, size, *channels))
    return jnp.asarray(inputs, dtype), jnp.asarray(kernel, dtype)


def _convolve_by_hand(inputs: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """out[y, x] = sum over a, b of in[2y + a - 1, 2x + b - 1] kernel[a, b], as loops."""
    k, margin = kernel.shape[0], (kernel.shape[0] - 2) // 2
    padded = np.pad(inputs, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    b, h, w, _ = inputs.shape
    out = np.zeros((b, h // 2, w // 2, kernel.shape[-1]))
    for y in range(h // 2):
        for x in range(w // 2):
            window = padded[:, 2 * y : 2 * y + k, 2 * x : 2 * x + k]
            out[:, y, x] = np.einsum("bhwi,hwio->bo", window, kernel)
    return out


def _convolve_transposed_by_hand(inputs: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Every input adds itself times the kernel to the k x k outputs it reaches."""
    k, margin = kernel.shape[0], (kernel.shape[0] - 2) // 2
    b, h, w, _ = inputs.shape
    out = np.zeros((b, 2 * h + 2 * margin, 2 * w + 2 * margin, kernel.shape[-1]))
    for y in range(h):
        for x in range(w):
            reached = np.einsum("bi,hwio->bhwo", inputs[:, y, x], kernel)
            out[:, 2 * y : 2 * y + k, 2 * x : 2 * x + k] += reached
    return out[:, margin : margin + 2 * h, margin : margin + 2 * w]


BY_HAND = {"convolve": _convolve_by_hand, "convolve_transposed": _convolve_transposed_by_hand}


@pytest.mark.parametrize(
    ("form", "layer", "size", "channels"),
    [
        pytest.param(
            form,
            *case,
            marks=[pytest.mark.slow] if form == "kernels" and case is not CASES[0] else [],
        )
        for case in CASES
        for form in FORMS
    ],
)
def test_every_form_is_the_definition_written_as_loops_and_its_gradients_are_finite_differences(
    form, layer, size, channels
) -> None:
    with jax.enable_x64(True), computed_as(form):
        inputs, kernel = _arrays(layer, size, channels)
        function = jax.jit(lambda inputs, kernel: apply(layer, inputs, kernel))
        expected = BY_HAND[layer](np.asarray(inputs), np.asarray(kernel))
        np.testing.assert_allclose(function(inputs, kernel), expected, atol=1e-12)
        check_grads(function, (inputs, kernel), order=1, modes=["rev"], rtol=1e-7)


@pytest.mark.parametrize(
    "form", [pytest.param(n, marks=pytest.mark.slow) if n == "kernels" else n for n in FORMS]
)
@pytest.mark.parametrize("layer", LAYERS)
def test_forms_agree_in_float32_mapped_over_replicas_inside_a_loop(form, layer) -> None:
    inputs, kernel = _arrays(layer, 4, (6, 5), "float32")

    def gradients(form):
        with computed_as(form):
            one = jax.grad(lambda i, k: jnp.sum(jnp.tanh(apply(layer, i, k) / 10)), (0, 1))
            replicas = (jnp.stack([inputs, 2 * inputs]), jnp.stack([kernel, kernel / 2]))
            return jax.jit(
                lambda *arrays: jax.lax.scan(
                    lambda carry, _: (carry, jax.vmap(one)(*arrays)), None, length=2
                )[1]
            )(*replicas)

    for found, expected in zip(gradients(form), gradients("lax"), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    "form", [pytest.param(n, marks=pytest.mark.slow) if n == "kernels" else n for n in FORMS]
)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_relu_stands_between_layers_and_biases_have_their_gradients(form, layer) -> None:
    rng = np.random.default_rng(1)
    given = rng.normal(size=(2, 8, 8, 5))
    layers = [
        (rng.normal(size=(4, 4, *channels)), rng.normal(size=channels[1]))
        for channels in ((5, 6), (6, 7))
    ]

    def together(inputs, layers):
        return convolutions(inputs, layers, transposed=layer == "convolve_transposed")

    def one_by_one(inputs, layers):
        (first, bias), (second, other) = layers
        hidden = jax.nn.relu(apply(layer, inputs, first) + bias.reshape(1, 1, 1, -1))
        return apply(layer, hidden, second) + other.reshape(1, 1, 1, -1)

    def found(form, function):
        def loss(*given):
            return jnp.sum(jnp.tanh(function(*given) / 30))

        with computed_as(form):
            return jax.jit(jax.value_and_grad(loss, (0, 1)))(*arrays)

    with jax.enable_x64(True):
        arrays = jax.tree.map(jnp.asarray, (given, layers))
        compare = functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9)
        jax.tree.map(compare, found(form, together), found("lax", one_by_one))


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(name, marks=pytest.mark.slow) if name == "kernels" else name
        for name in FORMS
        if FORMS[name].packs
    ],
)
def test_gradients_of_kernels_stay_float32_when_activations_are_bfloat16(form) -> None:
    inputs, kernel = _arrays("convolve", 4, (6, 5), "float32")

    def loss(inputs, kernel):
        return jnp.sum(apply("convolve", inputs, kernel).astype(jnp.float32))

    with computed_as(form):
        reduced = jax.grad(loss, 1)(inputs.astype(jnp.bfloat16), kernel)
        full = jax.grad(loss, 1)(inputs, kernel)
    assert reduced.dtype == jnp.float32
    np.testing.assert_allclose(reduced, full, rtol=0.02, atol=0.2)


def test_an_unknown_form_is_named_beside_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"form is 'fft'; expected one of direct, lax"):
        check_arithmetic("fft", "float32")
    with pytest.raises(ValueError, match=r"precision is 'int8'; expected one of float32, tensor"):
        check_arithmetic(None, "int8")
