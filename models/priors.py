"""Priors of codes by name, and the diagonal normals that they consist of."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from ..catalogue import Catalogue, expect
from . import flows
from .networks import Parameters, Posterior

if TYPE_CHECKING:
    from .model import Model


def log_normal(codes: jax.Array, normal: Posterior) -> jax.Array:
    """Log densities of codes (..., D) under diagonal normals (..., D), summed over D: nats."""
    mean, log_variance = normal
    squares = jnp.square(codes - mean) * jnp.exp(-log_variance)
    return -0.5 * jnp.sum(squares + log_variance + math.log(2 * math.pi), axis=-1)


@dataclass(frozen=True, eq=False)
class Prior:
    """A distribution of codes, whose learned parameters are the model's parameters "prior".

    Args:
        log_density: (model, parameters of the model, codes (N, D)) -> (N,) nats.
        sample: (model, parameters of the model, key, num) -> codes (num, D).
        initial_parameters: (model, key) -> its learned parameters, by name.
        settings: The training settings that it reads, of those that not all priors read.
        encoded: The setting that is the number of images it passes to the encoder in a step.
        reference: The publication that defined it.
    """

    log_density: Callable[["Model", Parameters, jax.Array], jax.Array]
    sample: Callable[["Model", Parameters, jax.Array, int], jax.Array]
    initial_parameters: Callable[["Model", jax.Array], Parameters] = lambda model, key: {}
    settings: tuple[str, ...] = ()
    reference: str = ""
    encoded: str = ""


def _standard_density(model: "Model", params: Parameters, codes: jax.Array) -> jax.Array:
    del model, params
    return log_normal(codes, _standard(codes))


def _standard(like: jax.Array) -> Posterior:
    return Posterior(jnp.zeros_like(like), jnp.zeros_like(like))


def _standard_sample(model: "Model", params: Parameters, key: jax.Array, num: int) -> jax.Array:
    del params
    return jax.random.normal(key, (num, model.num_latents))


# Mixtures: components (K, D) and their log weights (K,).


def _log_mixture(codes: jax.Array, components: Posterior, log_weights: jax.Array) -> jax.Array:
    normals = Posterior(*(part[None] for part in components))
    return jax.nn.logsumexp(log_normal(codes[:, None], normals) + log_weights[None], axis=1)


def _draw_mixture(
    key: jax.Array, components: Posterior, log_weights: jax.Array, num: int
) -> jax.Array:
    which = jax.random.categorical(key, log_weights, shape=(num,))
    mean, log_variance = (part[which] for part in components)
    noise = jax.random.normal(jax.random.fold_in(key, 1), mean.shape, mean.dtype)
    return mean + jnp.exp(log_variance / 2) * noise


def mixture_of(params: Parameters) -> tuple[Posterior, jax.Array]:
    """The components (K, D) of a learned mixture, and their log weights (K,)."""
    own = params["prior"]
    return Posterior(own["means"], own["log_variances"]), jax.nn.log_softmax(own["logits"])


def _initial_mixture(model: "Model", key: jax.Array) -> Parameters:
    shape = (model.prior_components, model.num_latents)
    # One component begins as the standard normal.
    means = jax.random.normal(key, shape) if model.prior_components > 1 else jnp.zeros(shape)
    return {
        "means": means,
        "log_variances": jnp.zeros(shape),
        "logits": jnp.zeros(model.prior_components),
    }


def vamp_of(model: "Model", params: Parameters) -> tuple[Posterior, jax.Array]:
    """The posteriors (K, D) of the pseudo-inputs, and their equal log weights (K,)."""
    inputs = jax.nn.sigmoid(params["prior"]["pseudo_inputs"])
    components = model.infer(params, inputs)
    return components, jnp.full(len(inputs), -math.log(len(inputs)), components.mean.dtype)


def _initial_vamp(model: "Model", key: jax.Array) -> Parameters:
    # Dark images, all different: two thirds of the pixels are between 2 % and 12 %.
    logits = jax.random.normal(key, (model.prior_components, *model.image_shape)) - 3
    return {"pseudo_inputs": logits}


# Flows: `push` takes a code to the standard normal's.


def _groups(model: "Model") -> int:
    return model.num_latents if model.prior == "autoregressive" else min(2, model.num_latents)


def _flow_density(model: "Model", params: Parameters, codes: jax.Array) -> jax.Array:
    pushed, log_determinant = flows.push(params["prior"], codes, _groups(model))
    return log_normal(pushed, _standard(pushed)) + log_determinant


def _flow_sample(model: "Model", params: Parameters, key: jax.Array, num: int) -> jax.Array:
    noise = jax.random.normal(key, (num, model.num_latents))
    return flows.pull(params["prior"], noise, _groups(model))


def _initial_flow(model: "Model", key: jax.Array) -> Parameters:
    return flows.initial_flow(key, model.num_latents, model.flow_layers)


def _flow(reference: str) -> Prior:
    return Prior(_flow_density, _flow_sample, _initial_flow, ("flow_layers",), reference)


PRIORS: Catalogue[Prior] = Catalogue(
    "priors",
    {
        "standard": Prior(_standard_density, _standard_sample, reference="Kingma and Welling 2014"),
        "mixture": Prior(
            lambda model, params, codes: _log_mixture(codes, *mixture_of(params)),
            lambda model, params, key, num: _draw_mixture(key, *mixture_of(params), num),
            _initial_mixture,
            ("prior_components",),
            "Dilokthanakul et al. 2016, arXiv:1611.02648",
        ),
        "vamp": Prior(
            lambda model, params, codes: _log_mixture(codes, *vamp_of(model, params)),
            lambda model, params, key, num: _draw_mixture(key, *vamp_of(model, params), num),
            _initial_vamp,
            ("prior_components",),
            "Tomczak and Welling 2018, arXiv:1705.07120",
            encoded="prior_components",
        ),
        "autoregressive": _flow("Chen et al. 2017, arXiv:1611.02731"),
        "coupling": _flow("Dinh et al. 2017, arXiv:1605.08803"),
    },
    adopt=expect(Prior),
)
