"""Encoders and decoders by name: the paper's (Locatello et al. 2019, appendix), and others.

A network is a pair of flax modules for one image shape. `Model` calls them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from ..catalogue import Catalogue, expect
from .convolution import arithmetic, convolutions
from .forms import add_bias

Parameters = dict[str, Any]

Activation = Callable[[jax.Array], jax.Array]

ACTIVATIONS: dict[str, Activation] = {
    "relu": nn.relu,
    "leaky_relu": nn.leaky_relu,
    "elu": nn.elu,
    "silu": nn.silu,
    "gelu": nn.gelu,
    "tanh": nn.tanh,
}

ZEROS = nn.initializers.zeros  # `glorot_uniform` below gives the kernels their values


class Posterior(NamedTuple):
    """The mean and log variance of q(z | x), a diagonal normal; (B, D) each."""

    mean: jax.Array
    log_variance: jax.Array


class Sizes(NamedTuple):
    """The sizes of a network.

    Attributes:
        image_shape: (H, W, C); H and W are equal, one of `SIDES`.
        num_latents: D.
        width: The factor by which hidden layers are wider than the paper's.
        activation: The activation of hidden layers; None for the network's own.
    """

    image_shape: tuple[int, int, int]
    num_latents: int
    width: float = 1.0
    activation: Activation | None = None

    def units(self, num: int) -> int:
        """The number of units of a layer that has `num` in the paper."""
        return max(1, round(num * self.width))

    @property
    def num_convolutions(self) -> int:
        """The number of layers that halve the side, down to 4."""
        return self.image_shape[0].bit_length() - 3


@dataclass(frozen=True, eq=False)
class Network:
    """An encoder and a decoder.

    Args:
        encoder: Makes the flax module from (B, H, W, C) images to mean and log variance, (B, D).
        decoder: Makes the flax module from (B, D) codes to (B, H, W, C) outputs.
        glorot: Whether kernels start Glorot uniform and biases at zero, as in the paper; otherwise
            each module's initialisers are used.
        label: A description.
        cost: The duration of a training step, relative to the paper's networks.
    """

    encoder: Callable[[Sizes], nn.Module]
    decoder: Callable[[Sizes], nn.Module]
    glorot: bool = False
    label: str = ""
    cost: float = 1.0


class Convolution(nn.Module):
    """The parameters of a convolution with bias.

    Attributes:
        features: The number of output channels.
        size: The side of the kernel, 2 or 4.
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
    """Stride-2 convolutions down to 4 x 4, four for the paper's 64, and a dense layer."""

    sizes: Sizes

    @nn.compact
    def __call__(self, images: jax.Array) -> Posterior:
        """The posterior of (B, H, W, C) images."""
        sizes, activation = self.sizes, self.sizes.activation or nn.relu
        num_narrow = max(1, sizes.num_convolutions - 2)
        layers, channels = [], images.shape[-1]
        for index in range(1, sizes.num_convolutions + 1):
            num, size = (32, 4) if index <= num_narrow else (64, 2)
            features = sizes.units(num)
            layers.append(Convolution(features, size, name=f"convolution_{index}")(channels))
            channels = features
        hidden = activation(convolutions(images, layers, activation))
        hidden = hidden.reshape(hidden.shape[0], -1)
        hidden = activation(Dense(sizes.units(256), name="dense")(hidden))
        mean = Dense(sizes.num_latents, name="mean")(hidden)
        log_variance = Dense(sizes.num_latents, name="log_variance")(hidden)
        return Posterior(mean, log_variance)


class Decoder(nn.Module):
    """Two dense layers, and transposed convolutions from 4 x 4; four of them for the paper's 64."""

    sizes: Sizes

    @nn.compact
    def __call__(self, codes: jax.Array) -> jax.Array:
        """Outputs (B, H, W, C) of (B, D) codes."""
        sizes, activation = self.sizes, self.sizes.activation or nn.relu
        wide, narrow = sizes.units(64), sizes.units(32)
        hidden = activation(Dense(sizes.units(256), name="dense_1")(codes))
        hidden = activation(Dense(16 * wide, name="dense_2")(hidden))
        hidden = hidden.reshape(hidden.shape[0], 4, 4, wide)
        layers, channels = [], wide
        features = [wide, *[narrow] * (sizes.num_convolutions - 2), sizes.image_shape[-1]]
        for index, num in enumerate(features, start=1):
            layers.append(Convolution(num, name=f"convolution_{index}")(channels))
            channels = num
        return convolutions(hidden, layers, activation, transposed=True)


class DenseEncoder(nn.Module):
    """Two dense layers of 1,200 units."""

    sizes: Sizes

    @nn.compact
    def __call__(self, images: jax.Array) -> Posterior:
        """The posterior of (B, H, W, C) images."""
        sizes, activation = self.sizes, self.sizes.activation or nn.relu
        hidden = images.reshape(len(images), -1)
        for index in (1, 2):
            hidden = activation(Dense(sizes.units(1200), name=f"dense_{index}")(hidden))
        mean = Dense(sizes.num_latents, name="mean")(hidden)
        return Posterior(mean, Dense(sizes.num_latents, name="log_variance")(hidden))


class DenseDecoder(nn.Module):
    """Three dense layers of 1,200 units."""

    sizes: Sizes

    @nn.compact
    def __call__(self, codes: jax.Array) -> jax.Array:
        """Outputs (B, H, W, C) of (B, D) codes."""
        sizes, activation = self.sizes, self.sizes.activation or nn.tanh
        hidden = codes
        for index in (1, 2, 3):
            hidden = activation(Dense(sizes.units(1200), name=f"dense_{index}")(hidden))
        outputs = Dense(math.prod(sizes.image_shape), name="dense_4")(hidden)
        return outputs.reshape(len(codes), *sizes.image_shape)


NETWORKS: Catalogue[Network] = Catalogue(
    "networks",
    {
        "conv": Network(Encoder, Decoder, glorot=True, label="the paper's convolutions"),
        "mlp": Network(
            DenseEncoder, DenseDecoder, glorot=True, label="the original's dense layers"
        ),
    },
    adopt=expect(Network),
)


def shapes_of(module: nn.Module, input_shape: tuple[int, ...]) -> Parameters:
    """The parameters of a flax module as shapes and types, without any values."""
    inputs = jax.ShapeDtypeStruct(input_shape, jnp.float32)
    # No backend is started: the key is only a shape too, and no form is asked for by backend.
    with arithmetic("direct"):
        return jax.eval_shape(lambda x: module.init(jax.random.key(0), x), inputs)["params"]


def glorot_uniform(key: jax.Array, shapes: Parameters) -> Parameters:
    """Kernels uniform in +-sqrt(6 / (fan in + fan out)) and zero biases (Glorot 2010).

    A convolution's receptive field counts in both fans, as in TensorFlow. All kernels come from one
    draw, because XLA takes seconds to compile separate draws.

    Args:
        key: A JAX key.
        shapes: A pytree of objects with a shape; at least two axes mean a kernel, and one a bias.
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
