"""InfoGAN: a recognition network recovers codes from generated images (Chen et al. 2016)."""

import math
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from .method import Batch, Info, Method, MethodEntry, Weight
from .model import Model
from .networks import Parameters, Posterior
from .optimizer import adam

NUM_NOISE = 62
"""The number of standard normal inputs of the generator besides the code."""

_LEAST_LOG_VARIANCE = -6.0
"""The least log variance of a recognised code; without it the bound could grow without limit."""


def infogan(continuous_weight: Weight = 0.1, categorical_weight: Weight = 1.0) -> Method:
    """The method of a generator, a critic and a recognition network (Chen et al. 2016, eq. 6).

    The generator is the network's decoder, applied to codes and noise. Critic and recognition
    network share the network's encoder, whose last output is the critic's. The generator minimises
    -log critic(generated). Together with the recognition network it also maximises a lower bound of
    the mutual information of codes and images. The critic minimises its cross entropy. All losses
    come from the same pass with the same parameters. Both parts learn by Adam with beta1 = .5, the
    encoder at a fifth of the learning rate.

    Codes are uniform in [-1, 1], except the first `code_categories`: one of them is 1, and the
    others are 0.

    Args:
        continuous_weight: Weight of the information of continuous codes.
        categorical_weight: Weight of the information of the categorical code.
    """

    def loss(
        model: Model, params: Parameters, batch: Batch, key: jax.Array, step: jax.Array
    ) -> tuple[jax.Array, Info]:
        del step
        codes, noise = draw(model, key, len(batch.images))
        generated = _generate(model, params, codes, noise)
        fixed = lax.stop_gradient((params, generated))
        seen = jnp.concatenate([batch.images, fixed[1]])
        recognised, verdicts = _recognise(model, params, seen)
        recognised = Posterior(*(part[len(codes) :] for part in recognised))
        of_generator, verdict = _recognise(model, fixed[0], generated)

        def gain(found: Posterior) -> jax.Array:
            categorical, continuous = information(codes, found, model.code_categories)
            return categorical_weight * categorical + continuous_weight * continuous

        regularizer = -gain(of_generator)
        value = jnp.mean(jax.nn.softplus(-verdict)) + regularizer
        real, fake = jnp.split(verdicts, 2)
        critic = jnp.mean(jax.nn.softplus(-real)) + jnp.mean(jax.nn.softplus(fake))
        others = critic - gain(recognised)  # the encoder's, which add no value to it
        none = jnp.full((), jnp.nan, value.dtype)
        info = Info(none, none, regularizer, jnp.full(model.num_latents, none))
        return value + others - lax.stop_gradient(others), info

    return Method(
        loss,
        initial_parameters=_initial_parameters,
        encode=_encode,
        decode=lambda model, params, codes: _generate(
            model, params, codes, jnp.zeros((len(codes), NUM_NOISE), codes.dtype)
        ),
        sample=lambda model, params, key, num: _generate(model, params, *draw(model, key, num)),
        optimizer=_optimizer,
    )


def draw(model: Model, key: jax.Array, num: int) -> tuple[jax.Array, jax.Array]:
    """Samples codes (num, D) and noise (num, 62) for `num` images."""
    keys, categories = jax.random.split(key, 3), model.code_categories
    which = jax.random.randint(keys[0], (num,), 0, max(1, categories))
    continuous = jax.random.uniform(
        keys[1], (num, model.num_latents - categories), minval=-1, maxval=1
    )
    codes = jnp.concatenate([jax.nn.one_hot(which, categories), continuous], axis=1)
    return codes, jax.random.normal(keys[2], (num, NUM_NOISE))


def information(
    codes: jax.Array, recognised: Posterior, categories: int
) -> tuple[jax.Array, jax.Array]:
    """The lower bounds E[log q(c | x)] + H(c) of both kinds of codes, nats (Chen 2016, eq. 5).

    Args:
        codes: The codes (B, D) of generated images.
        recognised: The logits of the categories followed by means, and the log variances, (B, D)
            each.
        categories: The number of categories among the D.
    """
    categorical = jnp.zeros((), codes.dtype)
    if categories:
        log_shares = jax.nn.log_softmax(recognised.mean[:, :categories])
        found = jnp.mean(jnp.sum(codes[:, :categories] * log_shares, axis=1))
        categorical = found + math.log(categories)
    mean = recognised.mean[:, categories:]
    log_variance = recognised.log_variance[:, categories:]
    squares = jnp.square(codes[:, categories:] - mean) * jnp.exp(-log_variance)
    densities = -0.5 * (squares + log_variance + math.log(2 * math.pi))
    return categorical, jnp.mean(jnp.sum(densities + math.log(2), axis=1))


def _generate(model: Model, params: Parameters, codes: jax.Array, noise: jax.Array) -> jax.Array:
    generator = replace(model, num_latents=model.num_latents + NUM_NOISE)
    return generator.decode(params, jnp.concatenate([codes, noise], axis=1))


def _recognise(model: Model, params: Parameters, images: jax.Array) -> tuple[Posterior, jax.Array]:
    """The recognised codes (B, D), and the critic's logits (B,)."""
    outputs = _encoder_of(model).infer(params, images)
    log_variance = jnp.maximum(outputs.log_variance[:, :-1], _LEAST_LOG_VARIANCE)
    return Posterior(outputs.mean[:, :-1], log_variance), outputs.mean[:, -1]


def _encode(model: Model, params: Parameters, images: jax.Array) -> Posterior:
    """The means and log variances of recognised codes; for categories, of their probabilities."""
    recognised, _ = _recognise(model, params, images)
    logits = recognised.mean[:, : model.code_categories]
    log_shares = jax.nn.log_softmax(logits)
    variances = log_shares + jnp.log(jnp.maximum(-jnp.expm1(log_shares), 1e-6))
    own = (jnp.exp(log_shares), variances)
    return Posterior(
        *(
            jnp.concatenate([first, part[:, model.code_categories :]], axis=1)
            for first, part in zip(own, recognised, strict=True)
        )
    )


def _encoder_of(model: Model) -> Model:
    return replace(model, num_latents=model.num_latents + 1)


def _initial_parameters(model: Model, key: jax.Array) -> Parameters:
    generator = replace(model, num_latents=model.num_latents + NUM_NOISE)
    return {
        "encoder": _encoder_of(model).initial_parameters(key)["encoder"],
        "decoder": generator.initial_parameters(jax.random.fold_in(key, 1))["decoder"],
    }


def _optimizer(
    networks: optax.GradientTransformation, learning_rate: Any
) -> optax.GradientTransformation:
    del networks
    both: Any = {
        "encoder": adam(learning_rate / 5, beta1=0.5),
        "decoder": adam(learning_rate, beta1=0.5),
    }
    return optax.multi_transform(both, lambda params: {name: name for name in params})


INFOGAN = MethodEntry(
    infogan,
    label="InfoGAN",
    reference="Chen et al. 2016, arXiv:1606.03657",
    colour="#8c6d31",
    cost=1.7,
    passes=(3.0, 1.0),
    reads=("code_categories",),
    refuses=(
        *("likelihood", "optimizer", "prior", "posterior", "kl_estimate"),
        *("kl_annealing_steps", "free_bits"),
    ),
    example={"continuous_weight": 0.1},
)
