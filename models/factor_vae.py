"""FactorVAE: an adversary estimates the total correlation (Kim & Mnih 2018)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax import lax

from .method import Batch, Info, Method, MethodEntry, Weight
from .model import Model
from .networks import Dense, Parameters, glorot_uniform, shapes_of
from .objective import forward, regularized
from .optimizer import adam


class Adversary(nn.Module):
    """Six dense layers of 1,000 leaky units, from codes to two logits: joint, permuted."""

    @nn.compact
    def __call__(self, codes: jax.Array) -> jax.Array:
        """Logits (B, 2) of (B, D) codes."""
        hidden = codes
        for index in range(1, 7):
            hidden = nn.leaky_relu(Dense(1000, name=f"dense_{index}")(hidden), 0.2)
        return Dense(2, name="logits")(hidden)


def factor_vae(gamma: Weight) -> Method:
    """The method with a weight on the density-ratio estimate of the total correlation.

    The networks minimise reconstruction + KL + gamma * TC. The adversary minimises its cross
    entropy between codes and permuted codes (Kim & Mnih 2018, algorithm 2). Both use the same
    forward pass and the same parameters. Codes are permuted within their own batch, as in Locatello
    et al. 2019; Kim and Mnih use a second batch. The adversary's Adam has decay rates .5 and .9.

    Args:
        gamma: Weight of the total correlation.
    """

    def loss(
        model: Model, params: Parameters, batch: Batch, key: jax.Array, step: jax.Array
    ) -> tuple[jax.Array, Info]:
        passed = forward(model, params, batch.images, key, step)
        total = total_correlation(lax.stop_gradient(params["adversary"]), passed.codes)
        value, info = regularized(passed, passed.kl + gamma * total)
        permuted = permute_latents(passed.codes, jax.random.fold_in(key, 1))
        adversarial = adversary_loss(
            params["adversary"], *lax.stop_gradient((passed.codes, permuted))
        )
        # Differs from the original: one pass for both updates. The adversary adds no value to it.
        return value + adversarial - lax.stop_gradient(adversarial), info

    return Method(
        loss,
        initial_parameters=_initial_parameters,
        optimizer=_optimizer,
        only_in_training=("adversary",),
    )


def total_correlation(adversary: Parameters, codes: jax.Array) -> jax.Array:
    """The adversary's mean log ratio of joint to permuted density for codes (B, D)."""
    logits = _logits(adversary, codes)
    return jnp.mean(logits[:, 0] - logits[:, 1])


def adversary_loss(adversary: Parameters, codes: jax.Array, permuted: jax.Array) -> jax.Array:
    """The adversary's cross entropy in nats, half on codes and half on permuted codes.

    Probabilities are clipped to [1e-6, 1 - 1e-6] as in the paper, and have no gradient outside.
    """
    joint = jnp.log(_probabilities(_logits(adversary, codes))[:, 0])
    product = jnp.log(_probabilities(_logits(adversary, permuted))[:, 1])
    return -0.5 * (jnp.mean(joint) + jnp.mean(product))


def permute_latents(codes: jax.Array, key: jax.Array) -> jax.Array:
    """The codes (B, D) with every latent shuffled independently over the batch."""
    return jax.random.permutation(key, codes, axis=0, independent=True)


def _logits(adversary: Parameters, codes: jax.Array) -> jax.Array:
    return jnp.asarray(Adversary().apply({"params": adversary}, codes))


def _probabilities(logits: jax.Array) -> jax.Array:
    return jnp.clip(nn.softmax(logits), 1e-6, 1 - 1e-6)


def _initial_parameters(model: Model, key: jax.Array) -> Parameters:
    adversary = shapes_of(Adversary(), (1, model.num_latents))
    return {
        **model.initial_parameters(key),
        "adversary": glorot_uniform(jax.random.fold_in(key, 1), adversary),
    }


def _optimizer(
    networks: optax.GradientTransformation, learning_rate: Any
) -> optax.GradientTransformation:
    # Differs from the original: a trial that changes the rate, fixed there, changes both.
    adversary = adam(learning_rate, beta1=0.5, beta2=0.9)

    def labels(params: Parameters) -> dict[str, str]:
        return {name: name if name == "adversary" else "networks" for name in params}

    return optax.multi_transform({"networks": networks, "adversary": adversary}, labels)


FACTOR_VAE = MethodEntry(
    factor_vae,
    label="FactorVAE",
    reference="Kim and Mnih 2018, arXiv:1802.05983",
    colour="#c8603a",
    cost=2.3,
    example={"gamma": 10.0},
)
