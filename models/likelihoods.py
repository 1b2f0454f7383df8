"""Likelihoods by name: the distribution of pixels given a decoder's outputs."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ..catalogue import Catalogue, expect

NUM_LEVELS = 256
"""The number of levels of a stored pixel; level k means k / 255."""

Parameters = Mapping[str, jax.Array]


@dataclass(frozen=True, eq=False)
class Likelihood:
    """A distribution of images, given the decoder's outputs; both (B, H, W, C).

    Args:
        function: (outputs, images, own parameters) -> (B,) negative log likelihood of each image,
            summed over pixels and channels, in nats.
        mean: Returns the mean images for outputs, in [0, 1].
        learned: Whether it learns its scale. If so, its only parameter "log_scale" starts at the
            setting `likelihood_scale`; otherwise that setting is a constant scale.
        scaled: Whether it uses the setting `likelihood_scale`.
        levels: Whether pixels must have the 256 levels of stored images.
        density: Whether the function is a log likelihood, so that the bound is a true bound.
        reference: The publication that defined it.
    """

    function: Callable[[jax.Array, jax.Array, Parameters], jax.Array]
    mean: Callable[[jax.Array], jax.Array] = jax.nn.sigmoid
    learned: bool = False
    scaled: bool = False
    levels: bool = False
    density: bool = True
    reference: str = ""

    @property
    def settings(self) -> tuple[str, ...]:
        """The training settings that it reads, of those that not all likelihoods read."""
        return ("likelihood_scale",) if self.scaled else ()


def bernoulli(logits: jax.Array, images: jax.Array, own: Parameters) -> jax.Array:
    """Bernoulli pixels whose logits are the outputs, as in the paper.

    As in the paper, the constant that makes it zero for a perfect reconstruction of grey pixels is
    not subtracted. Pixels may be any real number.
    """
    del own
    return _sum(jnp.maximum(logits, 0) - logits * images + jnp.log1p(jnp.exp(-jnp.abs(logits))))


def gaussian(outputs: jax.Array, images: jax.Array, own: Parameters) -> jax.Array:
    """A normal density around the sigmoid of the outputs, with one scale for all pixels."""
    log_scale = own["log_scale"].astype(outputs.dtype)
    deviations = (images - jax.nn.sigmoid(outputs)) * jnp.exp(-log_scale)
    return _sum(0.5 * jnp.square(deviations) + log_scale + 0.5 * math.log(2 * math.pi))


def discretized_logistic(outputs: jax.Array, images: jax.Array, own: Parameters) -> jax.Array:
    """The logistic mass within half of each of 256 levels (Kingma et al. 2016, appendix A).

    The lowest level includes all mass below it, the highest all above (Salimans et al. 2017).
    """
    log_scale = own["log_scale"].astype(outputs.dtype)
    centred, half = images - jax.nn.sigmoid(outputs), 0.5 / (NUM_LEVELS - 1)
    upper = (centred + half) * jnp.exp(-log_scale)
    lower = (centred - half) * jnp.exp(-log_scale)
    # log(sigmoid(u) - sigmoid(l)) = log sigmoid(u) + log sigmoid(-l) + log(1 - exp(l - u))
    width = jnp.log(-jnp.expm1(lower - upper))
    inside = jax.nn.log_sigmoid(upper) + jax.nn.log_sigmoid(-lower) + width
    at_edge = jnp.where(images < half, jax.nn.log_sigmoid(upper), jax.nn.log_sigmoid(-lower))
    return -_sum(jnp.where((images < half) | (images > 1 - half), at_edge, inside))


def _squares(mean: Callable[[jax.Array], jax.Array]):
    def squares(outputs: jax.Array, images: jax.Array, own: Parameters) -> jax.Array:
        del own
        return _sum(jnp.square(images - mean(outputs)))

    return squares


def _from_tanh(outputs: jax.Array) -> jax.Array:
    return jnp.tanh(outputs) / 2 + 0.5


def _sum(pixels: jax.Array) -> jax.Array:
    # The sum is a product, since XLA on a CPU would fuse the logarithm into a sum and then do both
    # one number at a time: 18 ms for a batch of 64 instead of 0.7.
    ones = jnp.ones(pixels[0].size, pixels.dtype)
    return jnp.dot(pixels.reshape(len(pixels), -1), ones, precision=lax.Precision.HIGHEST)


LIKELIHOODS: Catalogue[Likelihood] = Catalogue(
    "likelihoods",
    {
        "bernoulli": Likelihood(bernoulli, reference="Locatello et al. 2019, arXiv:1811.12359"),
        "gaussian": Likelihood(gaussian, scaled=True, reference="Kingma and Welling 2014"),
        "gaussian_learned": Likelihood(
            gaussian, learned=True, scaled=True, reference="Rybkin et al. 2021, arXiv:2006.13202"
        ),
        "discretized_logistic": Likelihood(
            discretized_logistic,
            learned=True,
            scaled=True,
            levels=True,
            reference="Kingma et al. 2016, arXiv:1606.04934",
        ),
        "l2": Likelihood(
            _squares(jax.nn.sigmoid),
            density=False,
            reference="disentanglement_lib, after a sigmoid",
        ),
        "l2_tanh": Likelihood(
            _squares(_from_tanh),
            mean=_from_tanh,
            density=False,
            reference="disentanglement_lib, after a tanh",
        ),
    },
    adopt=expect(Likelihood),
)


def own_parameters(likelihood: Likelihood, scale: Any) -> dict[str, jax.Array]:
    """The parameters that a likelihood has besides the decoder's outputs."""
    return {"log_scale": jnp.log(jnp.float32(scale))} if likelihood.scaled else {}
