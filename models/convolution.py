"""Layers of stride-2 convolutions, and the choice of their form."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, cast, get_args

import jax
import jax.numpy as jnp

from ..settings import Settings
from . import kernels
from .forms import FORMS, Form, add_bias, kernels_up

PRECISIONS = get_args(Settings.__annotations__["precision"])

Layer = tuple[jax.Array, jax.Array]
"""Kernel and bias."""


def convolutions(
    inputs: jax.Array,
    layers: Sequence[Layer],
    activation: Callable[[jax.Array], jax.Array] = jax.nn.relu,
    *,
    transposed: bool = False,
) -> jax.Array:
    """Applies stride-2 layers with SAME padding, in the current arithmetic.

    Args:
        inputs: (B, H, W, C).
        layers: Kernel (k, k, C, features), with k = 2 or 4, and bias (features,) of each.
        activation: The activation between two layers.
        transposed: Whether they double the sides, as in TensorFlow, or halve them. The
            transpose is the gradient of the convolution: input i reaches outputs 2i + a - 1
            through kernel row a (k = 4). Flax's `ConvTranspose` has the same geometry with the
            kernel's rows and columns reversed.
    """
    name = _ARITHMETIC.get()[0] or backend_form()
    if name == "kernels" and activation is jax.nn.relu:
        return cast(jax.Array, _fused(transposed, inputs, tuple(layers)))
    form, outputs = FORMS[name], inputs
    for index, (kernel, bias) in enumerate(layers):
        outputs = activation(outputs) if index else outputs
        if name == "kernels":
            outputs = cast(jax.Array, _fused(transposed, outputs, ((kernel, bias),)))
            continue
        if transposed:
            sums: Any = _up(form, outputs, jnp.swapaxes(kernel, 2, 3))
        else:
            sums = _down(form, outputs, kernel)
        outputs = add_bias(sums, bias)
    return outputs


@contextmanager
def arithmetic(form: str | None = None, precision: str = "float32") -> Iterator[None]:
    """Sets the arithmetic for code traced inside the context.

    Args:
        form: The form of convolutions: a key of `FORMS`, or None for the backend's best.
        precision: As in `Settings`.

    Raises:
        ValueError: If one of them is unknown.
    """
    check_arithmetic(form, precision)
    token = _ARITHMETIC.set((form, precision))
    products = "float32" if precision == "float32" else "tensorfloat32"
    try:
        with jax.default_matmul_precision(products):
            yield
    finally:
        _ARITHMETIC.reset(token)


def check_arithmetic(form: str | None, precision: str = "float32") -> None:
    """Raises ValueError if one of these is unknown."""
    if form is not None and form not in FORMS:
        raise ValueError(f"form is {form!r}; expected one of {', '.join(FORMS)}")
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; expected one of {', '.join(PRECISIONS)}")


def form_for(platform: str) -> str:
    """The name of the form for a platform: "cpu", "gpu" or "tpu"."""
    return {"cpu": "direct", "tpu": "lax"}.get(platform, "kernels")


def backend_form() -> str:
    """The name of the form for the backend that JAX runs on (this starts it)."""
    device = jax.local_devices()[0]
    if device.platform == "gpu" and not kernels.run_on(device):
        return "products"
    return form_for(device.platform)


def activation_dtype() -> jnp.dtype:
    """The current type of activations."""
    return jnp.dtype("bfloat16" if _ARITHMETIC.get()[1] == "bfloat16" else "float32")


_ARITHMETIC: ContextVar[tuple[str | None, str]] = ContextVar(
    "arithmetic", default=(None, "float32")
)


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


# All layers in kernels of their own: a ReLU is applied as its inputs are written, and its gradient
# as the gradient of its outputs is.


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _fused(transposed: bool, inputs: jax.Array, layers: tuple[Layer, ...]) -> jax.Array:
    return _fused_forward(transposed, inputs, layers)[0]


def _fused_forward(transposed, inputs, layers):
    values = [inputs]
    for index, (kernel, bias) in enumerate(layers):
        relu = index < len(layers) - 1
        if transposed:
            values.append(kernels_up(values[-1], jnp.swapaxes(kernel, 2, 3), bias, relu=relu))
        else:
            values.append(kernels.down(values[-1], kernel, bias, relu=relu))
    return values[-1], (values[:-1], [kernel for kernel, _ in layers])


def _fused_backward(transposed, saved, gradient):
    gradients = []
    for index, (inputs, kernel) in reversed(list(enumerate(zip(*saved, strict=True)))):
        gate, k = inputs if index else None, kernel.shape[0]
        if transposed:
            of_kernel, of_bias = kernels.weights(gradient, inputs, k, bias_of="large")
            of_kernel = jnp.swapaxes(of_kernel, 2, 3)
            gradient = kernels.down(gradient, jnp.swapaxes(kernel, 2, 3), gate=gate)
        else:
            of_kernel, of_bias = kernels.weights(inputs, gradient, k, bias_of="small")
            gradient = kernels_up(gradient, kernel, gate=gate)
        gradients.append((of_kernel, of_bias))
    return gradient, tuple(reversed(gradients))


_fused.defvjp(_fused_forward, _fused_backward)
