"""The settings of a training that every method shares: one record from the grid to the model."""

from typing import Annotated, Any, Literal, NamedTuple

from .catalogue import Bounds

SIDES = (16, 32, 64, 128, 256)
"""Pixels that an image may have on each side: what the networks halve down to 4."""


class Settings(NamedTuple):
    """How a model is made, trained and evaluated; the defaults are the paper's.

    Attributes:
        steps: Updates of the parameters.
        batch_size: Images a step.
        learning_rate: Of the VAE's optimizer, at its highest.
        num_latents: Width of the code.
        evaluation_batches: Batches whose mean gives the final losses.
        precision: Of training; what follows is in float32. "tensorfloat32" is of an accelerator's
            products, "bfloat16" of what layers put out too. Parameters, sums and losses stay
            float32.
        network: A name in `NETWORKS`.
        width: How many times the units of the network's hidden layers there are.
        activation: Of hidden layers; "default" is the network's own.
        likelihood: A name in `LIKELIHOODS`.
        likelihood_scale: Of the likelihood, where it has one; a learned one begins there.
        optimizer: A name in `OPTIMIZERS`.
        schedule: What the learning rate does after its warm-up: it stays, or falls to 0 along half
            a cosine.
        warmup_steps: Steps over which the learning rate grows from 0.
        prior: A name in `PRIORS`.
        prior_components: Of a mixture, or pseudo-inputs of a VampPrior.
        posterior: A diagonal normal, or one that an inverse autoregressive flow follows.
        flow_layers: Of a prior's or a posterior's flow.
        kl_estimate: How the objective has the KL to the prior: by formula where there is one (a
            diagonal posterior and the standard prior), or from the sampled codes.
        kl_annealing_steps: Steps over which the KL's weight in the objective grows from 0.
        free_bits: The objective counts at least this KL of each latent, nats; or of all together
            where it is sampled.
        importance_samples: Codes that an IWAE draws for each image.
        code_categories: How many of an InfoGAN's codes are the values of one categorical code.
    """

    steps: Annotated[int, Bounds(ge=0)] = 300_000
    batch_size: Annotated[int, Bounds(ge=2)] = 64
    learning_rate: Annotated[float, Bounds(gt=0)] = 1e-4
    num_latents: Annotated[int, Bounds(ge=1)] = 10
    evaluation_batches: Annotated[int, Bounds(ge=1)] = 1000
    precision: Literal["float32", "tensorfloat32", "bfloat16"] = "float32"
    network: str = "conv"
    width: Annotated[float, Bounds(gt=0, le=16)] = 1.0
    activation: Literal["default", "relu", "leaky_relu", "elu", "silu", "gelu", "tanh"] = "default"
    likelihood: str = "bernoulli"
    likelihood_scale: Annotated[float, Bounds(gt=0)] = 1.0
    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"] = "adam"
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: Annotated[int, Bounds(ge=0)] = 0
    prior: str = "standard"
    prior_components: Annotated[int, Bounds(ge=1)] = 100
    posterior: Literal["diagonal", "autoregressive"] = "diagonal"
    flow_layers: Annotated[int, Bounds(ge=1)] = 2
    kl_estimate: Literal["analytic", "sampled"] = "analytic"
    kl_annealing_steps: Annotated[int, Bounds(ge=0)] = 0
    free_bits: Annotated[float, Bounds(ge=0)] = 0.0
    importance_samples: Annotated[int, Bounds(ge=1)] = 5
    code_categories: Annotated[int, Bounds(ge=0)] = 0

    def identity(self) -> dict[str, Any]:
        """What names a trial: settings that trials are older than only where they are chosen."""
        return {
            name: value
            for name, value in self._asdict().items()
            if name in _OLDEST or value != self._field_defaults[name]
        }

    @property
    def program(self) -> "Settings":
        """What models that share a compiled program have in common: the learning rate is traced."""
        return self._replace(learning_rate=self._field_defaults["learning_rate"])


_OLDEST = Settings._fields[:5]
