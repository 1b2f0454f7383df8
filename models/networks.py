"""The paper's encoder and decoder (Locatello et al. 2019, appendix), on 64 x 64 images.

Plain functions of parameters: `initial_parameters`, `encode` and `decode`. What a network's sizes
are, its parameters say.
"""

import math
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from .convolution import activation_dtype, arithmetic, convolutions
from .forms import add_bias, wide

Parameters = dict[str, Any]

IMAGE_SIZE = 64
ZEROS = nn.initializers.zeros  # `glorot_uniform` below gives the kernels their values


class Posterior(NamedTuple):
    """Mean and log variance of q(z | x), a diagonal normal; (B, D) each."""

    mean: jax.Array
    log_variance: jax.Array


class Convolution(nn.Module):
    """The parameters of a convolution with bias.

    Attributes:
        features: The number of output channels.
        size: Side of the kernel, 2 or 4.
    """

    features: int
    size: int = 4

    @nn.compact
    def __call__(self, channels: int) -> tuple[jax.Array, jax.Array]:
        """Kernel (size, size, channels, features) and bias (features,)."""
        kernel = self.param("kernel", ZEROS, (self.size, self.size, channels, self.features))
        return kernel, self.param("bias", ZEROS, (self.features,))


class Dense(nn.Module):
    """A dense layer with bias; `features` is the number of outputs."""

    features: int

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """The outputs (B, features)."""
        kernel = self.param("kernel", ZEROS, (inputs.shape[-1], self.features))
        bias = self.param("bias", ZEROS, (self.features,))
        return add_bias(inputs @ kernel.astype(inputs.dtype), bias)


class Encoder(nn.Module):
    """Images to the posterior; `num_latents` is the number of dimensions of z."""

    num_latents: int

    @nn.compact
    def __call__(self, images: jax.Array) -> Posterior:
        """The posterior of (B, 64, 64, C) images."""
        layers, channels = [], images.shape[-1]
        for index, (features, size) in enumerate(((32, 4), (32, 4), (64, 2), (64, 2)), start=1):
            layers.append(Convolution(features, size, name=f"convolution_{index}")(channels))
            channels = features
        hidden = nn.relu(convolutions(images, layers))
        hidden = hidden.reshape(hidden.shape[0], -1)
        hidden = nn.relu(Dense(256, name="dense")(hidden))
        mean = Dense(self.num_latents, name="mean")(hidden)
        log_variance = Dense(self.num_latents, name="log_variance")(hidden)
        return Posterior(mean, log_variance)


class Decoder(nn.Module):
    """Codes to logits of the pixels; `num_channels` is C."""

    num_channels: int

    @nn.compact
    def __call__(self, codes: jax.Array) -> jax.Array:
        """Logits (B, 64, 64, C) of (B, D) codes."""
        hidden = nn.relu(Dense(256, name="dense_1")(codes))
        hidden = nn.relu(Dense(1024, name="dense_2")(hidden))
        hidden = hidden.reshape(hidden.shape[0], 4, 4, 64)
        layers, channels = [], hidden.shape[-1]
        for index, features in enumerate((64, 32, 32, self.num_channels), start=1):
            layers.append(Convolution(features, name=f"convolution_{index}")(channels))
            channels = features
        return convolutions(hidden, layers, transposed=True)


def initial_parameters(
    key: jax.Array, image_shape: tuple[int, ...], num_latents: int
) -> Parameters:
    """Fresh {"encoder": ..., "decoder": ...}: Glorot uniform kernels, zero biases.

    Args:
        key: A JAX key.
        image_shape: (64, 64, C).
        num_latents: D.

    Raises:
        ValueError: If images are not 64 x 64 or num_latents is under 1.
    """
    if len(image_shape) != 3 or tuple(image_shape[:2]) != (IMAGE_SIZE, IMAGE_SIZE):
        raise ValueError(
            f"image_shape is {tuple(image_shape)}; the networks take (64, 64, channels)"
        )
    if num_latents < 1:
        raise ValueError(f"num_latents is {num_latents}; it must be at least 1")
    encoder = shapes_of(Encoder(num_latents), (1, *image_shape))
    decoder = shapes_of(Decoder(image_shape[-1]), (1, num_latents))
    return glorot_uniform(key, {"encoder": encoder, "decoder": decoder})


def shapes_of(network: nn.Module, input_shape: tuple[int, ...]) -> Parameters:
    """The parameters of a network as shapes and types, without any values."""
    inputs = jax.ShapeDtypeStruct(input_shape, jnp.float32)
    # No backend is started: the key is only a shape too, and no form is asked for by backend.
    with arithmetic("direct"):
        return jax.eval_shape(lambda x: network.init(jax.random.key(0), x), inputs)["params"]


def glorot_uniform(key: jax.Array, shapes: Parameters) -> Parameters:
    """Kernels uniform in +-sqrt(6 / (fan in + fan out)) and zero biases (Glorot 2010).

    A convolution's receptive field counts in both fans, as in TensorFlow. All kernels come from
    one draw, since XLA takes seconds to compile a draw for each.

    Args:
        key: A JAX key.
        shapes: A pytree of things with a shape; two axes or more are a kernel, one is a bias.
    """
    leaves, structure = jax.tree.flatten(shapes)
    sizes = [math.prod(leaf.shape) if len(leaf.shape) > 1 else 0 for leaf in leaves]
    draws = jax.random.uniform(key, (sum(sizes),), minval=-1, maxval=1)
    values, taken = [], 0
    for leaf, size in zip(leaves, sizes, strict=True):
        if size:
            *field, fan_in, fan_out = leaf.shape
            limit = math.sqrt(6 / (math.prod(field) * (fan_in + fan_out)))
            values.append(limit * draws[taken : taken + size].reshape(leaf.shape))
        else:
            values.append(jnp.zeros(leaf.shape))
        taken += size
    return jax.tree.unflatten(structure, values)


def encode(parameters: Parameters, images: jax.Array) -> Posterior:
    """The posterior of (B, 64, 64, C) images, float32 or wider.

    Raises:
        ValueError: If the images have another shape, or are no floating-point numbers.
    """
    num_channels = parameters["encoder"]["convolution_1"]["kernel"].shape[-2]
    _check("images", images, (IMAGE_SIZE, IMAGE_SIZE, num_channels))
    num_latents = parameters["encoder"]["mean"]["bias"].shape[-1]
    posterior = Encoder(num_latents).apply({"params": parameters["encoder"]}, _activations(images))
    return Posterior(*(_full(part) for part in posterior))


def decode(parameters: Parameters, codes: jax.Array) -> jax.Array:
    """The (B, 64, 64, C) Bernoulli logits of (B, D) codes, float32 or wider.

    Raises:
        ValueError: If the codes have another D, or are no floating-point numbers.
    """
    _check("codes", codes, parameters["decoder"]["dense_1"]["kernel"].shape[:1])
    num_channels = parameters["decoder"]["convolution_4"]["bias"].shape[-1]
    logits = Decoder(num_channels).apply({"params": parameters["decoder"]}, _activations(codes))
    return _full(logits)


def _check(name: str, given: jax.Array, shape: tuple[int, ...]) -> None:
    floating = jnp.issubdtype(given.dtype, jnp.floating)
    if given.ndim != len(shape) + 1 or given.shape[1:] != shape or not floating:
        raise ValueError(
            f"{name} are {given.dtype} of shape {given.shape}; "
            f"expected floating-point numbers of shape (B, {', '.join(map(str, shape))})"
        )


def _activations(values: jax.Array) -> jax.Array:
    reduced = activation_dtype() != jnp.float32
    return values.astype(activation_dtype()) if reduced else values


def _full(values: Any) -> jax.Array:
    return values.astype(wide(values.dtype))
