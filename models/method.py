"""Methods: a method is a factory whose named arguments are its hyper-parameters.

The factory checks no values, because a packed training calls it with traced values. Bounds are
annotations on its arguments, which `MethodEntry` reads and `check_hyperparameters` applies.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, cast

import jax
import optax

from ..catalogue import REQUIRED, Bounds, Parameter, read_parameters, round_to_float32
from ..settings import Settings
from ..words import readable
from .likelihoods import LIKELIHOODS
from .model import Model
from .networks import Parameters, Posterior
from .priors import PRIORS

Weight = Annotated[float, Bounds(ge=0)]
"""A weight in an objective."""


class Info(NamedTuple):
    """The parts of a loss, in nats, as means over the batch.

    Attributes:
        reconstruction: Negative log likelihood of the images.
        kl: KL(q(z | x) || p(z)), without any weight.
        regularizer: The rest of the loss, including weights.
        kl_per_latent: (D,), with sum `kl`; NaN if `kl` is not a sum over latents.

    A part that a method lacks is NaN, such as a GAN's reconstruction and KL.
    """

    reconstruction: jax.Array
    kl: jax.Array
    regularizer: jax.Array
    kl_per_latent: jax.Array


class Batch(NamedTuple):
    """The data for a loss.

    Attributes:
        images: Images (B, H, W, C).
        views: For an entry whose `batch` is "pairs": other images (B, H, W, C), in which at least
            one but not all of an image's factors are sampled again.
        shared: Which factors (B, K) both images of a pair share.
        labels: For an entry whose `batch` is "labels": the factors (B, K), int32.
        indices: The images' indices (B,) in the data set, on which known labels may depend.
    """

    images: jax.Array
    views: jax.Array | None = None
    shared: jax.Array | None = None
    labels: jax.Array | None = None
    indices: jax.Array | None = None


def _networks_alone(
    networks: optax.GradientTransformation, learning_rate: Any
) -> optax.GradientTransformation:
    del learning_rate
    return networks


class Method(NamedTuple):
    """A method with its hyper-parameters filled in: pure functions.

    Each takes the `Model` first: the networks and the likelihood named in the settings. Functions
    that a method lacks are the model's.

    Attributes:
        loss: (model, parameters, `Batch`, key, step) -> (scalar to minimise, `Info`).
        initial_parameters: (model, key) -> parameters by name, such as "encoder" and "decoder".
        encode: (model, parameters, images (B, H, W, C)) -> `Posterior`.
        decode: (model, parameters, codes (B, D)) -> images (B, H, W, C) in [0, 1].
        sample: (model, parameters, key, num) -> images (num, H, W, C) in [0, 1].
        optimizer: (the settings' optimizer, the learning rate) -> the transformation of gradients.
        only_in_training: Names of parameters that a trained model does not need.
        trainable: False for a reference that keeps its initial weights.
        version: Raise it when the same hyper-parameters give a different model. From 2 on it is
            part of a trial's identity, so that older models are not mistaken for new ones.
    """

    loss: Callable[[Model, Parameters, Batch, jax.Array, jax.Array], tuple[jax.Array, Info]]
    initial_parameters: Callable[[Model, jax.Array], Parameters] = Model.initial_parameters
    encode: Callable[[Model, Parameters, jax.Array], Posterior] = Model.encode
    decode: Callable[[Model, Parameters, jax.Array], jax.Array] = Model.decode
    sample: Callable[[Model, Parameters, jax.Array, int], jax.Array] = Model.sample
    optimizer: Callable[[optax.GradientTransformation, Any], optax.GradientTransformation] = (
        _networks_alone
    )
    only_in_training: tuple[str, ...] = ()
    trainable: bool = True
    version: int = 1


Factory = Callable[..., Method]
"""(hyper-parameters, by name) -> the method with these."""


@dataclass(frozen=True, eq=False)
class MethodEntry:
    """A factory, with facts about its method for tables, figures and plans.

    Args:
        factory: A function whose arguments are the hyper-parameters: floats, with their bounds in
            the annotations.
        label: Its label in tables and figures; by default its name.
        reference: The publication that defined it.
        colour: Its colour in figures, "#rrggbb"; empty for any colour.
        cost: The duration of a training step, relative to one of beta-VAE.
        passes: How often an image of the batch passes through the encoder, and one of its codes
            through the decoder, in a step.
        batch: What the loss needs: "images" alone, "pairs" (views that share factors), or "labels".
        example: Values for testing and timing the method; required for those without a default.
        reads: Training settings that affect this method and few others.
        refuses: Training settings that must have their default values.
    """

    factory: Factory
    label: str = ""
    reference: str = ""
    colour: str = ""
    cost: float = 1.0
    passes: tuple[float, float] = (1.0, 1.0)
    batch: Literal["images", "pairs", "labels"] = "images"
    example: Mapping[str, float] = field(default_factory=dict)
    reads: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()

    def __call__(self, *values: Any, **hyperparameters: Any) -> Method:
        """The method with these hyper-parameters, numbers or traced values."""
        return self.factory(*values, **hyperparameters)

    @property
    def name(self) -> str:
        """The factory's name, which is also the catalogue's."""
        return self.factory.__name__

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """The hyper-parameters by name, in the order of the factory's signature.

        Raises:
            TypeError: If one of the arguments is not annotated as a float, or has a setting's name.
        """
        parameters = read_parameters(self.factory)
        for name, parameter in parameters.items():
            if name in Settings._fields:
                raise TypeError(f"the argument {name} has the same name as a training setting")
            if parameter.kind is not float:
                raise TypeError(
                    f"the argument {name} is annotated as {parameter.kind}; a hyper-parameter is a "
                    f"float, as in '{name}: float' or '{name}: Annotated[float, Bounds(ge=0)]'"
                )
        return parameters


def adopt_method(name: str, offered: object) -> MethodEntry:
    """The entry for an offered object: an entry, or a bare factory.

    Raises:
        TypeError: If it is neither, or one of its arguments is not annotated as a float.
    """
    if not callable(offered):
        raise TypeError(f"a {type(offered).__name__}; expected a function that returns a Method")
    entry = offered if isinstance(offered, MethodEntry) else MethodEntry(cast(Factory, offered))
    entry = replace(entry, label=entry.label or readable(name))
    _ = entry.parameters
    return entry


def misfit(method: MethodEntry, settings: Settings) -> str:
    """Why a method cannot have these settings; empty if it can."""
    for name in method.refuses:
        default = Settings._field_defaults[name]
        if getattr(settings, name) != default:
            return (
                f"{method.name} cannot have {name}: {getattr(settings, name)}; expected {default}"
            )
    if settings.code_categories == 1 or settings.code_categories > settings.num_latents:
        return (
            f"code_categories is {settings.code_categories}; expected 0, or from 2 to num_latents, "
            f"{settings.num_latents}"
        )
    return ""


READERS = {
    "likelihood_scale": "a likelihood with a scale",
    "prior_components": "a mixture or a VampPrior",
    "flow_layers": "a prior or a posterior with a flow",
    "importance_samples": "the method iwae",
    "code_categories": "the method infogan",
}
"""Settings that not all models read, and what reads them."""


def unread(method: MethodEntry, settings: Settings) -> set[str]:
    """The settings that have no effect on such a model, whatever their values."""
    likelihood, prior = LIKELIHOODS[settings.likelihood], PRIORS[settings.prior]
    read = {*method.reads, *likelihood.settings, *prior.settings}
    if settings.posterior != "diagonal":
        read.add("flow_layers")
    return {name for name in READERS if name not in read}


def check_hyperparameters(method: MethodEntry, values: Mapping[str, Any]) -> dict[str, float]:
    """The hyper-parameters of one trial with the defaults filled in, in signature order.

    Args:
        method: An entry of `METHODS`.
        values: The given hyper-parameters by name.

    Raises:
        ValueError: If one is missing, unknown, not a number, not finite or out of bounds.
    """
    known = method.parameters
    for name in values:
        if name not in known:
            allowed = f"it takes {', '.join(known)}" if known else "it takes none"
            raise ValueError(f"{method.name} has no hyper-parameter {name!r}; {allowed}")
    checked = {}
    for name, parameter in known.items():
        value = values.get(name, parameter.default)
        if value is REQUIRED:
            raise ValueError(
                f"{method.name} needs the hyper-parameter {name!r}: {parameter.bounds}"
            )
        if not parameter.bounds.allow(round_to_float32(value)):
            raise ValueError(
                f"{method.name}: {name} is {value!r}; it must be {parameter.bounds}, in float32"
            )
        checked[name] = float(value)
    return checked
