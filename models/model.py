"""A model's networks and likelihood, as a training's settings name them: pure functions."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from ..settings import SIDES, Settings
from .convolution import activation_dtype
from .forms import wide
from .likelihoods import LIKELIHOODS, Likelihood, own_parameters
from .networks import (
    ACTIVATIONS,
    NETWORKS,
    Parameters,
    Posterior,
    Sizes,
    glorot_uniform,
    shapes_of,
)


@dataclass(frozen=True)
class Model:
    """Encoder, decoder and likelihood for images of one shape.

    Attributes:
        image_shape: (H, W, C).
        num_latents: D.
        network: A name in `NETWORKS`, and `width` and `activation` as in `Settings`.
        likelihood: A name in `LIKELIHOODS`, and `likelihood_scale` as in `Settings`.
    """

    image_shape: tuple[int, int, int]
    num_latents: int = 10
    network: str = "conv"
    width: float = 1.0
    activation: str = "default"
    likelihood: str = "bernoulli"
    likelihood_scale: float = 1.0

    @classmethod
    def of(cls, settings: Settings, image_shape: tuple[int, ...]) -> "Model":
        """The model of these settings.

        Raises:
            ValueError: If images are not square, or their side is none of `SIDES`; or if
                num_latents is under 1.
        """
        square = len(image_shape) == 3 and image_shape[0] == image_shape[1]
        if not square or image_shape[0] not in SIDES or image_shape[2] < 1:
            raise ValueError(
                f"image_shape is {tuple(image_shape)}; the networks take (S, S, channels) with S "
                f"one of {', '.join(map(str, SIDES))}"
            )
        if settings.num_latents < 1:
            raise ValueError(f"num_latents is {settings.num_latents}; it must be at least 1")
        height, width, channels = image_shape
        chosen = {
            name: getattr(settings, name)
            for name in cls.__dataclass_fields__
            if name != "image_shape"
        }
        return cls((height, width, channels), **chosen)

    def initial_parameters(self, key: jax.Array) -> Parameters:
        """Fresh {"encoder": ..., "decoder": ...}, and "likelihood" if it learns something."""
        parameters = self._initial_networks(key)
        if self._likelihood.learned:
            parameters["likelihood"] = own_parameters(self._likelihood, self.likelihood_scale)
        return parameters

    def encode(self, params: Parameters, images: jax.Array) -> Posterior:
        """The posterior of (B, H, W, C) images, float32 or wider.

        Raises:
            ValueError: If the images have another shape, or are no floating-point numbers.
        """
        _check("images", images, self.image_shape)
        posterior = self._encoder.apply({"params": params["encoder"]}, _activations(images))
        return Posterior(*(_full(part) for part in posterior))

    def outputs(self, params: Parameters, codes: jax.Array) -> jax.Array:
        """What the decoder puts out for (B, D) codes: (B, H, W, C), float32 or wider.

        Raises:
            ValueError: If the codes have another D, or are no floating-point numbers.
        """
        _check("codes", codes, (self.num_latents,))
        return _full(self._decoder.apply({"params": params["decoder"]}, _activations(codes)))

    def decode(self, params: Parameters, codes: jax.Array) -> jax.Array:
        """The images (B, H, W, C) in [0, 1] of (B, D) codes: the likelihood's means."""
        return self._likelihood.mean(self.outputs(params, codes))

    def sample(self, params: Parameters, key: jax.Array, num: int) -> jax.Array:
        """Images (num, H, W, C) in [0, 1] of codes drawn from the prior."""
        return self.decode(params, jax.random.normal(key, (num, self.num_latents)))

    def reconstruction(self, params: Parameters, codes: jax.Array, images: jax.Array) -> jax.Array:
        """Minus the log likelihood (B,) of each image, given its code, nats."""
        outputs = self.outputs(params, codes)
        own = params.get("likelihood") or own_parameters(self._likelihood, self.likelihood_scale)
        return self._likelihood.function(outputs, images, own)

    def bits_per_dimension(self, elbo: float) -> float | None:
        """Minus the bound, in bits, for each pixel of each channel; None if it is no bound."""
        dimensions = math.prod(self.image_shape)
        return -elbo / (math.log(2) * dimensions) if self._likelihood.density else None

    def _initial_networks(self, key: jax.Array) -> Parameters:
        modules = {"encoder": self._encoder, "decoder": self._decoder}
        inputs = {"encoder": self.image_shape, "decoder": (self.num_latents,)}
        if NETWORKS[self.network].glorot:
            shapes = {name: shapes_of(modules[name], (1, *inputs[name])) for name in modules}
            return glorot_uniform(key, shapes)
        return {
            name: module.init(jax.random.fold_in(key, place), jnp.zeros((1, *inputs[name])))[
                "params"
            ]
            for place, (name, module) in enumerate(modules.items())
        }

    @cached_property
    def _sizes(self) -> Sizes:
        activation = None if self.activation == "default" else ACTIVATIONS[self.activation]
        return Sizes(self.image_shape, self.num_latents, self.width, activation)

    @property
    def _encoder(self) -> nn.Module:
        return NETWORKS[self.network].encoder(self._sizes)

    @property
    def _decoder(self) -> nn.Module:
        return NETWORKS[self.network].decoder(self._sizes)

    @property
    def _likelihood(self) -> Likelihood:
        return LIKELIHOODS[self.likelihood]


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
