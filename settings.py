"""The training settings that every method shares: one record from the grid to the model."""

from typing import Annotated, Any, Literal, NamedTuple

from .catalogue import Bounds

SIDES = (16, 32, 64, 128, 256)
"""The image sizes, in pixels per side, that the networks can halve down to 4."""


class Settings(NamedTuple):
    """How a model is made, trained and evaluated; the defaults are the paper's.

    Attributes:
        steps: Number of parameter updates.
        batch_size: Images per step.
        learning_rate: Peak learning rate of the VAE's optimizer.
        num_latents: Number of dimensions of the code.
        evaluation_batches: Number of batches averaged for the final losses.
        precision: Precision of training; later steps use float32. "tensorfloat32" applies to an
            accelerator's matrix products, "bfloat16" also to the outputs of layers. Parameters,
            sums and losses stay float32.
        network: A name in `NETWORKS`.
        width: Factor by which the hidden layers of the network are widened.
        activation: Activation of the hidden layers; "default" is the network's own.
        likelihood: A name in `LIKELIHOODS`.
        likelihood_scale: Scale of the likelihood, if it has one; a learned scale starts here.
        optimizer: A name in `OPTIMIZERS`.
        schedule: The learning rate after warm-up: "constant", or "cosine", which decays it to 0
            along half a cosine.
        warmup_steps: Steps over which the learning rate grows from 0.
        prior: A name in `PRIORS`.
        prior_components: Number of components of a mixture, or of pseudo-inputs of a VampPrior.
        posterior: A diagonal normal, or one followed by an inverse autoregressive flow.
        flow_layers: Number of layers in a prior's or a posterior's flow.
        kl_estimate: How the objective computes the KL to the prior: by formula if there is one
            (diagonal posterior and standard prior), or from the sampled codes.
        kl_annealing_steps: Steps over which the KL's weight in the objective grows from 0.
        free_bits: Least KL that the objective counts for each latent, in nats; for all latents
            together if the KL is sampled.
        importance_samples: Number of codes that an IWAE samples for each image.
        code_categories: Number of an InfoGAN's codes that are values of one categorical code.
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
        """The settings in a trial's identity: the oldest, and later ones not at their default."""
        return {
            name: value
            for name, value in self._asdict().items()
            if name in _OLDEST or value != self._field_defaults[name]
        }

    @property
    def program(self) -> "Settings":
        """The settings shared by models in one compiled program; the learning rate is traced."""
        return self._replace(learning_rate=self._field_defaults["learning_rate"])


_OLDEST = Settings._fields[:5]
