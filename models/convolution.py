"""Stride-2 convolutions and their transposes: the one place where their form is chosen.

Three linear maps, each the adjoint of the others, make up both layers and all their gradients:
``down`` (a convolution), ``up`` (its adjoint in the images) and ``weights`` (its adjoint in the
kernel). A `Form` is one way to compute the three; every form gives the same numbers, up to
rounding, and differs only in speed. ``benchmarks/training.py`` times them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

FEW_CHANNELS = 4
"""Up to this many channels on the large side a CPU is faster with patches than with `lax`."""


class Form(NamedTuple):
    """One way to compute the three maps, on (B, 2H, 2W, I) inputs and (k, k, I, O) kernels.

    Attributes:
        down: (inputs, kernel) -> (B, H, W, O).
        up: ((B, H, W, O) outputs, kernel) -> (B, 2H, 2W, I).
        weights: (inputs, outputs, k) -> (k, k, I, O), float32 whatever the activations are.
        packs: whether it stays fast inside a loop and mapped over replicas.
    """

    down: Callable[[jax.Array, jax.Array], jax.Array]
    up: Callable[[jax.Array, jax.Array], jax.Array]
    weights: Callable[[jax.Array, jax.Array, int], jax.Array]
    packs: bool


def convolve(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns the stride-2 convolution with SAME padding, in the arithmetic in force.

    Args:
        inputs: (B, 2H, 2W, I).
        kernel: (k, k, I, O) with k = 2 or 4.
    """
    return _down(_form(), inputs, kernel)


def convolve_transposed(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns the stride-2 transposed convolution with SAME padding, as TensorFlow defines it.

    It is the gradient of `convolve`: input i reaches outputs 2i + a - 1 through kernel row a
    (k = 4). Flax's `ConvTranspose` has the same geometry with the kernel's rows and columns
    reversed.

    Args:
        inputs: (B, H, W, I).
        kernel: (k, k, I, O) with k = 2 or 4; the result is (B, 2H, 2W, O).
    """
    return _up(_form(), inputs, jnp.swapaxes(kernel, 2, 3))


@contextmanager
def arithmetic(form: str | None = None, activations: str = "float32") -> Iterator[None]:
    """Sets the form of convolutions and the type of activations of what is traced inside.

    Args:
        form: a key of `FORMS`, or None for the backend's own.
        activations: "float32" or "bfloat16"; parameters, sums and losses stay float32.

    Raises:
        ValueError: if either is unknown.
    """
    check_arithmetic(form, activations)
    token = _ARITHMETIC.set((form, activations))
    try:
        yield
    finally:
        _ARITHMETIC.reset(token)


def check_arithmetic(form: str | None, activations: str) -> None:
    """Raises ValueError if the form or the type of activations is unknown."""
    if form is not None and form not in FORMS:
        raise ValueError(f"form is {form!r}; expected one of {', '.join(FORMS)}")
    if activations not in ("float32", "bfloat16"):
        raise ValueError(f"activations is {activations!r}; expected 'float32' or 'bfloat16'")


def backend_form() -> str:
    """Returns the name of the form for the backend that JAX runs on (this starts it)."""
    return "direct" if jax.default_backend() == "cpu" else "patches"


def activation_dtype() -> jnp.dtype:
    """Returns the type of activations in force."""
    return jnp.dtype(_ARITHMETIC.get()[1])


def wide(dtype: jnp.dtype) -> jnp.dtype:
    """Returns the type of sums over values of `dtype`: at least float32."""
    return jnp.dtype(jnp.float32) if dtype == jnp.bfloat16 else jnp.dtype(dtype)


_ARITHMETIC: ContextVar[tuple[str | None, str]] = ContextVar(
    "arithmetic", default=(None, "float32")
)


def _form() -> Form:
    return FORMS[_ARITHMETIC.get()[0] or backend_form()]


# The two layers, with gradients made of the same three maps.


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _down(form: Form, inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    return form.down(inputs, kernel.astype(inputs.dtype))


def _down_forward(form, inputs, kernel):
    return _down(form, inputs, kernel), (inputs, kernel)


def _down_backward(form, saved, gradient):
    inputs, kernel = saved
    return (
        form.up(gradient, kernel.astype(gradient.dtype)),
        form.weights(inputs, gradient, kernel.shape[0]).astype(kernel.dtype),
    )


_down.defvjp(_down_forward, _down_backward)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _up(form: Form, outputs: jax.Array, kernel: jax.Array) -> jax.Array:
    return form.up(outputs, kernel.astype(outputs.dtype))


def _up_forward(form, outputs, kernel):
    return _up(form, outputs, kernel), (outputs, kernel)


def _up_backward(form, saved, gradient):
    outputs, kernel = saved
    return (
        form.down(gradient, kernel.astype(gradient.dtype)),
        form.weights(gradient, outputs, kernel.shape[0]).astype(kernel.dtype),
    )


_up.defvjp(_up_forward, _up_backward)


# Pieces of the forms. A k x k kernel at stride 2 is a (k/2) x (k/2) kernel at stride 1 over
# blocks of 2 x 2 pixels.


def _pad(images: jax.Array, margin: int) -> jax.Array:
    return jnp.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)))


def _crop(images: jax.Array, margin: int) -> jax.Array:
    _, height, width, _ = images.shape
    return images[:, margin : height - margin, margin : width - margin]


def _to_blocks(images: jax.Array) -> jax.Array:
    """(B, 2H, 2W, C) -> (B, H, W, 4C)."""
    b, h, w, c = images.shape
    blocks = images.reshape(b, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(b, h // 2, w // 2, 4 * c)


def _from_blocks(blocks: jax.Array) -> jax.Array:
    """(B, H, W, 4C) -> (B, 2H, 2W, C)."""
    b, h, w, c = blocks.shape
    images = blocks.reshape(b, h, w, 2, 2, c // 4).transpose(0, 1, 3, 2, 4, 5)
    return images.reshape(b, 2 * h, 2 * w, c // 4)


def _block_kernel(kernel: jax.Array) -> jax.Array:
    """(k, k, I, O) -> (k/2, k/2, 4I, O), the kernel over blocks."""
    k, _, i, o = kernel.shape
    split = kernel.reshape(k // 2, 2, k // 2, 2, i, o).transpose(0, 2, 1, 3, 4, 5)
    return split.reshape(k // 2, k // 2, 4 * i, o)


def _pixel_kernel(block_kernel: jax.Array) -> jax.Array:
    """The inverse of `_block_kernel`."""
    q, _, i, o = block_kernel.shape
    split = block_kernel.reshape(q, q, 2, 2, i // 4, o).transpose(0, 2, 1, 3, 4, 5)
    return split.reshape(2 * q, 2 * q, i // 4, o)


def _spread_kernel(kernel: jax.Array) -> jax.Array:
    """(k, k, I, O) -> (k/2, k/2, O, 4I), the kernel over blocks of the full adjoint."""
    return jnp.swapaxes(_block_kernel(kernel)[::-1, ::-1], 2, 3)


def _windows(images: jax.Array, size: int) -> list[jax.Array]:
    """The size * size shifted views of `images` that a stride-1 kernel meets, row by row."""
    h, w = images.shape[1] - size + 1, images.shape[2] - size + 1
    return [images[:, r : r + h, c : c + w] for r in range(size) for c in range(size)]


def _patches(images: jax.Array, size: int) -> jax.Array:
    return jnp.concatenate(_windows(images, size), axis=-1)


def _flat_product(left: jax.Array, right: jax.Array) -> jax.Array:
    """(B, H, W, I), (B, H, W, O) -> (I, O) in float32 or wider: the sum over all positions."""
    axes = ((0, 1, 2), (0, 1, 2))
    return lax.dot_general(left, right, (axes, ((), ())), preferred_element_type=wide(left.dtype))


def _blocks(inputs: jax.Array, k: int) -> jax.Array:
    return _to_blocks(_pad(inputs, (k - 2) // 2))


# One matrix product over patches: what packs well.


def _patches_down(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    k, o = kernel.shape[0], kernel.shape[-1]
    return _patches(_blocks(inputs, k), k // 2) @ _block_kernel(kernel).reshape(-1, o)


def _patches_up(outputs: jax.Array, kernel: jax.Array) -> jax.Array:
    k, i = kernel.shape[0], kernel.shape[2]
    patches = _patches(_pad(outputs, k // 2 - 1), k // 2)
    blocks = patches @ _spread_kernel(kernel).reshape(-1, 4 * i)
    return _crop(_from_blocks(blocks), (k - 2) // 2)


def _patches_weights(inputs: jax.Array, outputs: jax.Array, k: int) -> jax.Array:
    product = _flat_product(_patches(_blocks(inputs, k), k // 2), outputs)
    return _pixel_kernel(product.reshape(k // 2, k // 2, -1, outputs.shape[-1]))


# The same products one window at a time: no copy of the patches, more and smaller products.


def _windows_down(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    k = kernel.shape[0]
    parts = _block_kernel(kernel).reshape(-1, 4 * kernel.shape[2], kernel.shape[3])
    windows = _windows(_blocks(inputs, k), k // 2)
    return sum(
        (window @ part for window, part in zip(windows[1:], parts[1:], strict=True)),
        start=windows[0] @ parts[0],
    )


def _windows_up(outputs: jax.Array, kernel: jax.Array) -> jax.Array:
    k, i, o = kernel.shape[0], kernel.shape[2], kernel.shape[3]
    parts = _spread_kernel(kernel).reshape(-1, o, 4 * i)
    windows = _windows(_pad(outputs, k // 2 - 1), k // 2)
    blocks = sum(
        (window @ part for window, part in zip(windows[1:], parts[1:], strict=True)),
        start=windows[0] @ parts[0],
    )
    return _crop(_from_blocks(blocks), (k - 2) // 2)


def _windows_weights(inputs: jax.Array, outputs: jax.Array, k: int) -> jax.Array:
    windows = _windows(_blocks(inputs, k), k // 2)
    product = jnp.stack([_flat_product(window, outputs) for window in windows])
    return _pixel_kernel(product.reshape(k // 2, k // 2, -1, outputs.shape[-1]))


# What XLA makes of a plain convolution.


def _lax_convolution(inputs: jax.Array, kernel: jax.Array, stride: int, margin: int) -> jax.Array:
    return lax.conv_general_dilated(
        inputs,
        kernel,
        (stride, stride),
        [(margin, margin)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _lax_down(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    return _lax_convolution(inputs, kernel, 2, (kernel.shape[0] - 2) // 2)


def _lax_up(outputs: jax.Array, kernel: jax.Array) -> jax.Array:
    margin = kernel.shape[0] // 2
    return lax.conv_general_dilated(
        outputs,
        jnp.swapaxes(kernel[::-1, ::-1], 2, 3),
        (1, 1),
        [(margin, margin)] * 2,
        lhs_dilation=(2, 2),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _lax_weights(inputs: jax.Array, outputs: jax.Array, k: int) -> jax.Array:
    margin = (k - 2) // 2
    return lax.conv_general_dilated(
        inputs,
        outputs,
        (1, 1),
        [(margin, margin)] * 2,
        rhs_dilation=(2, 2),
        dimension_numbers=("CHWN", "IHWO", "HWNC"),
        preferred_element_type=wide(inputs.dtype),
    )


# The fastest mixture on a CPU, outside of loops.


def _direct_up(outputs: jax.Array, kernel: jax.Array) -> jax.Array:
    k, i = kernel.shape[0], kernel.shape[2]
    margin = k // 2 - 1
    if i > FEW_CHANNELS:
        blocks = _lax_convolution(outputs, _spread_kernel(kernel), 1, margin)
    else:
        blocks = _scatter_blocks(outputs, _block_kernel(kernel))
    return _crop(_from_blocks(blocks), margin)


def _scatter_blocks(outputs: jax.Array, block_kernel: jax.Array) -> jax.Array:
    """One product, then the sum of its shifted parts: less work where there are few channels."""
    q = block_kernel.shape[0]
    parts = jnp.einsum("bhwo,rcio->rcbhwi", outputs, block_kernel)
    margins = [(shift, q - 1 - shift) for shift in range(q)]
    return sum(
        (
            jnp.pad(parts[r, c], ((0, 0), margins[r], margins[c], (0, 0)))
            for r in range(q)
            for c in range(q)
        ),
        start=jnp.zeros((), outputs.dtype),
    )


def _direct_weights(inputs: jax.Array, outputs: jax.Array, k: int) -> jax.Array:
    weights = _lax_weights if inputs.shape[-1] > FEW_CHANNELS else _patches_weights
    return weights(inputs, outputs, k)


FORMS: dict[str, Form] = {
    "direct": Form(_lax_down, _direct_up, _direct_weights, packs=False),
    "lax": Form(_lax_down, _lax_up, _lax_weights, packs=False),
    "patches": Form(_patches_down, _patches_up, _patches_weights, packs=True),
    "windows": Form(_windows_down, _windows_up, _windows_weights, packs=True),
}
