"""The forms of a stride-2 convolution and its transpose: ways to compute the same three maps.

Both layers and all their gradients consist of three linear maps, each the adjoint of the others:
``down`` (a convolution), ``up`` (its adjoint in the images) and ``weights`` (its adjoint in the
kernel). A `Form` is one way to compute the three; every form gives the same numbers, up to
rounding, and differs only in speed. ``benchmarks/training.py`` times them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from . import kernels
from .kernels import wide

FEW_CHANNELS = 4
"""Up to this many channels, the patches of the large side are smaller than the spread small side,
and a CPU is faster with their product than with `lax`."""


class Form(NamedTuple):
    """One way to compute the three maps, on (B, 2H, 2W, I) inputs and (k, k, I, O) kernels.

    Attributes:
        down: (inputs, kernel) -> (B, H, W, O).
        up: ((B, H, W, O) outputs, kernel) -> (B, 2H, 2W, I).
        weights: (inputs, outputs, k) -> (k, k, I, O), in float32 for all types of activations.
        packs: Whether a CPU can also compute it inside a loop, mapped over replicas.
    """

    down: Callable[[jax.Array, jax.Array], jax.Array]
    up: Callable[[jax.Array, jax.Array], jax.Array]
    weights: Callable[[jax.Array, jax.Array, int], jax.Array]
    packs: bool


def add_bias(outputs: jax.Array, bias: jax.Array) -> jax.Array:
    """`outputs` + `bias` in float32 or wider, so that the bias's gradient is summed in it."""
    full = wide(outputs.dtype)
    row = jnp.expand_dims(bias, range(outputs.ndim - 1)).astype(full)
    return (outputs.astype(full) + row).astype(outputs.dtype)


# Pieces of the forms. A k x k kernel at stride 2 is a q x q kernel, q = k/2, at stride 1 over
# blocks of 2 x 2 pixels.


def _pad(images: jax.Array, margin: int) -> jax.Array:
    return jnp.pad(images, ((0, 0), (margin, margin), (margin, margin), (0, 0)))


def _to_blocks(images: jax.Array, q: int) -> jax.Array:
    """(B, 2H, 2W, C) -> (B, H + q - 1, W + q - 1, 4C)."""
    padded = _pad(images, q - 1)
    b, h, w, c = padded.shape
    blocks = padded.reshape(b, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(b, h // 2, w // 2, 4 * c)


def _from_blocks(blocks: jax.Array, q: int) -> jax.Array:
    """The adjoint of `_to_blocks`: (B, H + q - 1, W + q - 1, 4C) -> (B, 2H, 2W, C)."""
    b, h, w, c = blocks.shape
    images = blocks.reshape(b, h, w, 2, 2, c // 4).transpose(0, 1, 3, 2, 4, 5)
    images = images.reshape(b, 2 * h, 2 * w, c // 4)
    return images[:, q - 1 : 2 * h - q + 1, q - 1 : 2 * w - q + 1]


def _windows(images: jax.Array, q: int) -> list[jax.Array]:
    """The q * q shifted views of `images` under a q x q kernel, row by row."""
    h, w = images.shape[1] - q + 1, images.shape[2] - q + 1
    return [images[:, r : r + h, c : c + w] for r in range(q) for c in range(q)]


def _spread(outputs: jax.Array, q: int) -> jax.Array:
    """(B, H, W, O) -> (B, H + q - 1, W + q - 1, q * q * O), the outputs that use each block."""
    return jnp.concatenate(_windows(_pad(outputs, q - 1), q)[::-1], axis=-1)


def _gather(products: jax.Array, q: int) -> jax.Array:
    """The adjoint of `_spread`: (B, H + q - 1, W + q - 1, q * q * O) -> (B, H, W, O)."""
    parts = jnp.split(products, q * q, axis=-1)
    h, w = products.shape[1] - q + 1, products.shape[2] - q + 1
    places = zip(np.ndindex(q, q), parts, strict=True)
    first, *others = (part[:, y : y + h, x : x + w] for (y, x), part in places)
    return sum(others, start=first)


def _matrix(kernel: jax.Array) -> jax.Array:
    """(k, k, I, O) -> (4I, q * q * O), from blocks to the result of `_spread`."""
    k, _, i, o = kernel.shape
    q = k // 2
    split = kernel.reshape(q, 2, q, 2, i, o).transpose(1, 3, 4, 0, 2, 5)
    return split.reshape(4 * i, q * q * o)


def _kernel(matrix: jax.Array, k: int) -> jax.Array:
    """The inverse of `_matrix`."""
    q = k // 2
    i, o = matrix.shape[0] // 4, matrix.shape[1] // (q * q)
    return matrix.reshape(2, 2, i, q, q, o).transpose(3, 0, 4, 1, 2, 5).reshape(k, k, i, o)


def _product(left: jax.Array, right: jax.Array) -> jax.Array:
    """(B, H, W, I), (B, H, W, O) -> (I, O) in float32 or wider: the sum over all positions."""
    axes = tuple(range(left.ndim - 1))
    return lax.dot_general(
        left, right, ((axes, axes), ((), ())), preferred_element_type=wide(left.dtype)
    )


def _flat_product(left: jax.Array, right: jax.Array) -> jax.Array:
    """The same for a GPU, where XLA would write transposed copies of arrays with three axes."""
    return _product(*(side.reshape(-1, side.shape[-1]) for side in (left, right)))


# One matrix product over blocks; shifts are made on the small side only, where they cost a
# quarter of what they do on the large one.


def _blocks_down(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    q = kernel.shape[0] // 2
    return _gather(_to_blocks(inputs, q) @ _matrix(kernel), q)


def _blocks_up(outputs: jax.Array, kernel: jax.Array) -> jax.Array:
    q = kernel.shape[0] // 2
    return _from_blocks(_spread(outputs, q) @ _matrix(kernel).T, q)


def _blocks_weights(inputs: jax.Array, outputs: jax.Array, k: int) -> jax.Array:
    return _kernel(_flat_product(_to_blocks(inputs, k // 2), _spread(outputs, k // 2)), k)


# One matrix product over patches of the large side (space-to-depth, then shifted copies).


def _patches(inputs: jax.Array, k: int) -> jax.Array:
    return jnp.concatenate(_windows(_to_blocks(inputs, k // 2), k // 2), axis=-1)


def _patches_kernel(matrix: jax.Array, q: int) -> jax.Array:
    """(4I, q * q * O) -> (q * q * 4I, O)."""
    parts = jnp.split(matrix, q * q, axis=1)
    return jnp.concatenate(parts, axis=0)


def _patches_down(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    k = kernel.shape[0]
    return _patches(inputs, k) @ _patches_kernel(_matrix(kernel), k // 2)


def _patches_up(outputs: jax.Array, kernel: jax.Array) -> jax.Array:
    """One product, then the sum of its shifted parts."""
    q = kernel.shape[0] // 2
    parts = jnp.split(outputs @ _patches_kernel(_matrix(kernel), q).T, q * q, axis=-1)
    first, *others = (
        jnp.pad(part, ((0, 0), (y, q - 1 - y), (x, q - 1 - x), (0, 0)))
        for (y, x), part in zip(np.ndindex(q, q), parts, strict=True)
    )
    return _from_blocks(sum(others, start=first), q)


def _patches_weights(
    inputs: jax.Array, outputs: jax.Array, k: int, multiply: Callable = _flat_product
) -> jax.Array:
    product = multiply(_patches(inputs, k), outputs)
    return _kernel(jnp.concatenate(jnp.split(product, (k // 2) ** 2, axis=0), axis=1), k)


# Products alone. A layer with few channels on its large side has patches smaller than the spread
# of its small one.


def _products_down(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    few = inputs.shape[-1] <= FEW_CHANNELS
    return (_patches_down if few else _blocks_down)(inputs, kernel)


def _products_up(outputs: jax.Array, kernel: jax.Array) -> jax.Array:
    few = kernel.shape[2] <= FEW_CHANNELS
    return (_patches_up if few else _blocks_up)(outputs, kernel)


def _products_weights(inputs: jax.Array, outputs: jax.Array, k: int) -> jax.Array:
    few = inputs.shape[-1] <= FEW_CHANNELS
    return (_patches_weights if few else _blocks_weights)(inputs, outputs, k)


# What XLA makes of a plain convolution.


def _lax_convolution(
    inputs: jax.Array,
    kernel: jax.Array,
    stride: int,
    margin: int,
    layout: tuple[str, str, str] = ("NHWC", "HWIO", "NHWC"),
    **options: Any,
) -> jax.Array:
    strides, margins = (stride, stride), [(margin, margin)] * 2
    return lax.conv_general_dilated(
        inputs, kernel, strides, margins, dimension_numbers=layout, **options
    )


def _lax_down(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    return _lax_convolution(inputs, kernel, 2, (kernel.shape[0] - 2) // 2)


def _lax_up(outputs: jax.Array, kernel: jax.Array) -> jax.Array:
    turned = jnp.swapaxes(kernel[::-1, ::-1], 2, 3)
    return _lax_convolution(outputs, turned, 1, kernel.shape[0] // 2, lhs_dilation=(2, 2))


def _lax_weights(inputs: jax.Array, outputs: jax.Array, k: int) -> jax.Array:
    layout, total = ("CHWN", "IHWO", "HWNC"), wide(inputs.dtype)
    return _lax_convolution(
        *(inputs, outputs, 1, (k - 2) // 2, layout),
        rhs_dilation=(2, 2),
        preferred_element_type=total,
    )


# The fastest mixture on a CPU, outside of loops.


def _direct_down(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    if inputs.shape[-1] <= FEW_CHANNELS:
        return _patches_down(_hold_in_memory(inputs), kernel)
    return _lax_down(inputs, kernel)


def _direct_up(outputs: jax.Array, kernel: jax.Array) -> jax.Array:
    q, i, o = kernel.shape[0] // 2, kernel.shape[2], kernel.shape[3]
    if i <= FEW_CHANNELS:
        return _patches_up(outputs, kernel)
    # The q x q convolution that the product over `_spread` is, without copies.
    full = _matrix(kernel).reshape(4 * i, q, q, o).transpose(1, 2, 3, 0)[::-1, ::-1]
    return _from_blocks(_lax_convolution(_pad(outputs, q - 1), full, 1, 0), q)


def _direct_weights(inputs: jax.Array, outputs: jax.Array, k: int) -> jax.Array:
    inputs = _hold_in_memory(inputs)
    if inputs.shape[-1] <= FEW_CHANNELS:
        return _patches_weights(inputs, outputs, k, _product)
    return _lax_weights(inputs, outputs, k)


def _hold_in_memory(values: jax.Array) -> jax.Array:
    """The `values`, which a CPU writes to memory before they are read.

    XLA on a CPU fuses the computation of a value (a ReLU, a batch's colours) into its readers. A
    transposition or the patches of a convolution read each value several times, and would compute
    it several times: a transposition is then four times slower. No fusion crosses a conditional.
    This one always takes its first branch unless the first value is NaN, when the result no longer
    matters.
    """
    return lax.cond(values[0, 0, 0, 0] <= jnp.inf, lambda v: v, lambda v: -v, values)


def kernels_up(
    outputs: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    relu: bool = False,
    gate: jax.Array | None = None,
) -> jax.Array:
    """`kernels.up`, except where a matrix unit would be nearly empty."""
    if kernel.shape[2] > FEW_CHANNELS:
        return kernels.up(outputs, kernel, bias, relu=relu, gate=gate)
    images = _patches_up(outputs, kernel.astype(outputs.dtype))
    images = images if bias is None else add_bias(images, bias)
    images = jax.nn.relu(images) if relu else images
    return images if gate is None else jnp.where(gate > 0, images, 0)


def _kernels_weights(inputs: jax.Array, outputs: jax.Array, k: int) -> jax.Array:
    return kernels.weights(inputs, outputs, k, bias_of="small")[0]


FORMS: dict[str, Form] = {
    "direct": Form(_direct_down, _direct_up, _direct_weights, packs=False),
    "lax": Form(_lax_down, _lax_up, _lax_weights, packs=False),
    "products": Form(_products_down, _products_up, _products_weights, packs=True),
    "kernels": Form(kernels.down, kernels_up, _kernels_weights, packs=True),
}
