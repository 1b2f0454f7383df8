"""What a method is: a factory whose named arguments are its hyper-parameters.

The factory checks no values, since a packed training calls it with traced ones; bounds are
annotations on its arguments, which `hyperparameters` reads and `check_hyperparameters` applies.
"""

import inspect
import math
import numbers
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import jax
import numpy as np
import optax

from ..catalogue import Bounds
from .networks import Parameters, initial_parameters
from .optimizer import adam

Weight = Annotated[float, Bounds(ge=0)]
"""A weight in an objective."""


class Info(NamedTuple):
    """What one may want to know of a loss; nats, means over the batch.

    Attributes:
        reconstruction: minus the log likelihood of the images.
        kl: KL(q(z | x) || N(0, I)), without any weight.
        regularizer: what the loss adds to the reconstruction, weights included.
        kl_per_latent: (D,), summing to `kl`.
    """

    reconstruction: jax.Array
    kl: jax.Array
    regularizer: jax.Array
    kl_per_latent: jax.Array


class Method(NamedTuple):
    """A method with its hyper-parameters filled in: pure functions.

    Attributes:
        loss: (parameters, images (B, H, W, C), key, step) -> (scalar to minimise, `Info`).
        initial_parameters: (key, image_shape, num_latents) -> parameters, with at least
            "encoder" and "decoder".
        optimizer: learning rate -> the transformation of gradients.
        trainable: False for a reference that keeps its initial weights.
        version: to be raised when the same hyper-parameters would give another model; from 2 on
            it is part of a trial's identity, so that the models of before are not taken for these.
    """

    loss: Callable[[Parameters, jax.Array, jax.Array, jax.Array], tuple[jax.Array, Info]]
    initial_parameters: Callable[[jax.Array, tuple[int, ...], int], Parameters] = initial_parameters
    optimizer: Callable[[float], optax.GradientTransformation] = adam
    trainable: bool = True
    version: int = 1


Factory = Callable[..., Method]


class Hyperparameter(NamedTuple):
    """One argument of a factory; `default` is None where a value is required."""

    bounds: Bounds
    default: float | None


def hyperparameters(factory: Factory) -> dict[str, Hyperparameter]:
    """Returns the hyper-parameters of a method by name, read from the factory's signature.

    Raises:
        TypeError: if it is no factory, or one of its arguments is not annotated as a float.

    >>> from teasel.models import METHODS
    >>> hyperparameters(METHODS["beta_vae"])["beta"].bounds.allow(-1.0)
    False
    """
    if not callable(factory):
        raise TypeError(f"a {type(factory).__name__}; expected a function that returns a Method")
    hints = get_type_hints(factory, include_extras=True)
    found = {}
    for name, parameter in inspect.signature(factory).parameters.items():
        hint, bounds = hints.get(name), Bounds()
        if get_origin(hint) is Annotated:
            hint, *extras = get_args(hint)
            bounds = next((extra for extra in extras if isinstance(extra, Bounds)), bounds)
        if hint is not float:
            raise TypeError(
                f"the argument {name} is annotated as {hint}; a hyper-parameter is a float, as in "
                f"'{name}: float' or '{name}: Annotated[float, Bounds(ge=0)]'"
            )
        default = None if parameter.default is inspect.Parameter.empty else parameter.default
        found[name] = Hyperparameter(bounds, default)
    return found


def check_hyperparameters(
    method: str, factory: Factory, values: Mapping[str, Any]
) -> dict[str, float]:
    """Returns the hyper-parameters of one trial with the defaults filled in, in signature order.

    Args:
        method: the method's name, for the messages.
        factory: the method.
        values: the given hyper-parameters by name.

    Raises:
        ValueError: if one is missing, unknown, not a number, not finite or out of bounds.
    """
    known = hyperparameters(factory)
    for name in values:
        if name not in known:
            allowed = f"it takes {', '.join(known)}" if known else "it takes none"
            raise ValueError(f"{method} has no hyper-parameter {name!r}; {allowed}")
    checked = {}
    for name, (bounds, default) in known.items():
        value = values.get(name, default)
        if value is None:
            raise ValueError(f"{method} needs the hyper-parameter {name!r}: {bounds}")
        if not bounds.allow(_in_float32(value)):
            raise ValueError(f"{method}: {name} is {value!r}; it must be {bounds}, in float32")
        checked[name] = float(value)
    return checked


def _in_float32(value: Any) -> float:
    """What a training gets of a value; NaN if that is no number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return math.nan
    try:
        with np.errstate(over="ignore", under="ignore"):
            return float(np.float64(float(value)).astype(np.float32))
    except OverflowError:
        return math.inf
