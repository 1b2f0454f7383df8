"""A model: pure functions of the networks, likelihood and prior named in the settings."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from ..settings import SIDES, Settings
from . import flows
from .convolution import activation_dtype
from .kernels import wide
from .likelihoods import LIKELIHOODS, Likelihood, own_parameters
from .networks import ACTIVATIONS, NETWORKS, Parameters, Posterior, Sizes, glorot_uniform, shapes_of
from .priors import PRIORS, Prior, log_normal

_NUM_PAIRS = 16
"""The number of samples for the mean and variances of a posterior that is not normal."""


@dataclass(frozen=True)
class Model:
    """Encoder, decoder, likelihood, prior and posterior for images of one shape.

    Attributes:
        image_shape: (H, W, C).
        num_latents: D.
        network: A name in `NETWORKS`, and the other attributes as in `Settings`.
    """

    image_shape: tuple[int, int, int]
    num_latents: int = 10
    network: str = "conv"
    width: float = 1.0
    activation: str = "default"
    likelihood: str = "bernoulli"
    likelihood_scale: float = 1.0
    prior: str = "standard"
    prior_components: int = 100
    posterior: str = "diagonal"
    flow_layers: int = 2
    kl_estimate: str = "analytic"
    kl_annealing_steps: int = 0
    free_bits: float = 0.0
    importance_samples: int = 5
    code_categories: int = 0

    @classmethod
    def of(cls, settings: Settings, image_shape: tuple[int, ...]) -> "Model":
        """The model of these settings.

        Raises:
            ValueError: If images are not square, their side is not in `SIDES`, or num_latents is
                below 1.
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
        """Initial {"encoder": ..., "decoder": ...}, and further learned parameters.

        These may belong to the "likelihood", the "prior" and the "posterior".
        """
        parameters = self._initial_networks(key)
        if self._likelihood.learned:
            parameters["likelihood"] = own_parameters(self._likelihood, self.likelihood_scale)
        if own := self._prior.initial_parameters(self, jax.random.fold_in(key, 2)):
            parameters["prior"] = own
        if self.posterior == "autoregressive":
            parameters["posterior"] = flows.initial_flow(
                jax.random.fold_in(key, 3), self.num_latents, self.flow_layers, 2 * self.num_latents
            )
        return parameters

    def encode(self, params: Parameters, images: jax.Array) -> Posterior:
        """The mean and log variance of the posterior of (B, H, W, C) images, float32 or wider.

        For a posterior that is not a diagonal normal, they are estimated from 16 antithetic pairs
        of samples, with the same noise for every image.
        """
        normal = self.infer(params, images)
        if self.posterior == "diagonal":
            return normal
        noise = jax.random.normal(jax.random.key(0), (_NUM_PAIRS, 1, self.num_latents))
        noise = jnp.concatenate([noise, -noise]).astype(normal.mean.dtype)
        codes, _ = jax.vmap(lambda each: self.draw(params, normal, each))(noise)
        return Posterior(jnp.mean(codes, axis=0), jnp.log(jnp.var(codes, axis=0)))

    def infer(self, params: Parameters, images: jax.Array) -> Posterior:
        """The encoder's output: the diagonal normal that is the posterior, or is its base.

        Raises:
            ValueError: If the images have a different shape or are not floating-point numbers.
        """
        _check("images", images, self.image_shape)
        posterior = self._encoder.apply({"params": params["encoder"]}, _activations(images))
        return Posterior(*(_full(part) for part in posterior))

    def outputs(self, params: Parameters, codes: jax.Array) -> jax.Array:
        """The decoder's output for (B, D) codes: (B, H, W, C), float32 or wider.

        Raises:
            ValueError: If the codes have a different D or are not floating-point numbers.
        """
        _check("codes", codes, (self.num_latents,))
        return _full(self._decoder.apply({"params": params["decoder"]}, _activations(codes)))

    def decode(self, params: Parameters, codes: jax.Array) -> jax.Array:
        """The images (B, H, W, C) in [0, 1] for (B, D) codes: the likelihood's means."""
        return self._likelihood.mean(self.outputs(params, codes))

    def sample(self, params: Parameters, key: jax.Array, num: int) -> jax.Array:
        """Images (num, H, W, C) in [0, 1] for codes sampled from the prior."""
        return self.decode(params, self._prior.sample(self, params, key, num))

    def draw(
        self, params: Parameters, normal: Posterior, noise: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Samples codes (B, D) of the posterior; also returns their log densities (B,), in nats.

        Args:
            params: The model's parameters.
            normal: The result of `infer`.
            noise: Standard normal noise (B, D).
        """
        codes = normal.mean + jnp.exp(normal.log_variance / 2) * noise
        log_density = log_normal(codes, normal)
        if self.posterior == "diagonal":
            return codes, log_density
        context = jnp.concatenate(normal, axis=1)
        codes, log_determinant = flows.push(params["posterior"], codes, self.num_latents, context)
        return codes, log_density - log_determinant

    def log_prior(self, params: Parameters, codes: jax.Array) -> jax.Array:
        """The log density (N,) of codes (N, D) under the prior, in nats."""
        return self._prior.log_density(self, params, codes)

    @property
    def has_analytic_kl(self) -> bool:
        """Whether the KL has a formula by latent: that of a normal from the standard normal."""
        return self.prior == "standard" and self.posterior == "diagonal"

    def reconstruction(self, params: Parameters, codes: jax.Array, images: jax.Array) -> jax.Array:
        """The negative log likelihood (B,) of each image given its code, in nats."""
        outputs = self.outputs(params, codes)
        own = params.get("likelihood") or own_parameters(self._likelihood, self.likelihood_scale)
        return self._likelihood.function(outputs, images, own)

    def bits_per_dimension(self, elbo: float) -> float | None:
        """The negative bound in bits per pixel and channel; None if it is not a bound."""
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

    @property
    def _prior(self) -> Prior:
        return PRIORS[self.prior]


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
