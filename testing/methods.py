"""The checks that every method must pass, as a function for tests."""

import inspect
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..catalogue import Bounds
from ..models import (
    METHODS,
    Batch,
    Factory,
    Method,
    MethodEntry,
    Model,
    adopt_method,
    check_hyperparameters,
)
from ..models.convolution import arithmetic
from ..models.optimizer import adam
from .require import require, require_pieces

_SHAPE, _NUM_LATENTS, _STEP = (64, 64, 1), 3, 3
_MODEL = Model(_SHAPE, _NUM_LATENTS)
_QUICKLY = {"xla_backend_optimization_level": 0}  # compiled: most of a check's time is that


def check_method(
    method: str | MethodEntry | Factory,
    *,
    plain: Mapping[str, float] | None = None,
    minimise: tuple[str, ...] = ("encoder", "decoder"),
) -> None:
    """Checks everything that Teasel expects of a method, in some seconds of CPU time.

    It must have a reference, bounds and an example. Its loss must be reconstruction + regularizer,
    equal with traced and with constant hyper-parameters, and its gradient must match finite
    differences in float64. Encoder and decoder must start like those of every other method.

    Args:
        method: A name in `METHODS`, an entry, or a factory.
        plain: The hyper-parameters that make it a plain variational autoencoder, whose loss is
            reconstruction + KL, if there are any.
        minimise: The networks whose gradient is that of the loss: not those of an adversary.

    Raises:
        AssertionError: If something is missing or wrong; the message says what, and how to fix it.
    """
    entry = _find(method)
    require_pieces(f"the method {entry.name}", missing_pieces(entry))
    values = _check_example(entry)
    made = entry(**values)
    require(
        isinstance(made, Method),
        f"{entry.name} returned a {type(made).__name__}; expected a teasel.models.Method",
    )
    params = _check_start(entry, made)
    _check_optimizer(entry, made, params)
    _check_shapes(entry, made, params)
    with jax.enable_x64(True), arithmetic("products"):  # the form that compiles fastest
        _Loss(entry, params).check(values, plain, minimise)


def missing_pieces(entry: MethodEntry) -> list[str]:
    """What a method still lacks, with how to add each."""
    missing = []
    if not entry.reference:
        missing.append(
            "a reference: MethodEntry(..., reference='Kim and Mnih 2018, arXiv:1802.05983')"
        )
    if not inspect.getdoc(entry.factory):
        missing.append("a docstring, whose first line `teasel list methods` prints")
    for name, parameter in entry.parameters.items():
        if parameter.bounds == Bounds():
            missing.append(f"bounds of {name}: '{name}: Annotated[float, Bounds(ge=0)]'")
        if parameter.required and name not in entry.example:
            missing.append(f"an example of {name}: MethodEntry(..., example={{'{name}': 4.0}})")
    return missing


def _find(method: str | MethodEntry | Factory) -> MethodEntry:
    if not isinstance(method, str):
        return adopt_method(getattr(method, "__name__", "method"), method)
    require(method in METHODS, f"there is no method {method!r}; there are {', '.join(METHODS)}")
    entry = METHODS[method]
    require(entry.name == method, f"the method {method} is the function {entry.name}: use one name")
    return entry


def _check_example(entry: MethodEntry) -> dict[str, float]:
    try:
        return check_hyperparameters(entry, entry.example)
    except ValueError as error:
        raise AssertionError(f"the example of {entry.name} is not allowed: {error}") from error


def _check_start(entry: MethodEntry, made: Method) -> dict[str, Any]:
    key = jax.random.key(7)
    params = made.initial_parameters(_MODEL, key)
    if made.encode != Model.encode and made.decode != Model.decode:
        return params  # the networks are its own
    for network, expected in _MODEL.initial_parameters(key).items():
        require(
            network in params
            and jax.tree.structure(params[network]) == jax.tree.structure(expected)
            and all(jax.tree.leaves(jax.tree.map(np.array_equal, params[network], expected))),
            f"the {network} of {entry.name} does not start as that of every other method with the "
            f"same seed: let initial_parameters return what model.initial_parameters(key) does, "
            f"and more if need be",
        )
    return params


def _check_optimizer(entry: MethodEntry, made: Method, params: dict[str, Any]) -> None:
    optimizer = made.optimizer(adam(1e-4), 1e-4)
    try:
        updates, _ = jax.eval_shape(lambda p: optimizer.update(p, optimizer.init(p), p), params)
    except Exception as error:
        raise AssertionError(
            f"the optimizer of {entry.name} cannot update its parameters: {error}"
        ) from error
    require(
        jax.tree.structure(updates) == jax.tree.structure(params),
        f"the optimizer of {entry.name} gives updates of another structure than the parameters",
    )


def _check_shapes(entry: MethodEntry, made: Method, params: dict[str, Any]) -> None:
    loss, info = jax.eval_shape(
        lambda params, batch: made.loss(_MODEL, params, batch, jax.random.key(0), jnp.int32(_STEP)),
        params,
        _batch(entry, np.zeros((4, *_SHAPE), np.float32)),
    )
    for what, value, shape in (
        ("the loss", loss, ()),
        ("info.reconstruction", info.reconstruction, ()),
        ("info.kl", info.kl, ()),
        ("info.regularizer", info.regularizer, ()),
        ("info.kl_per_latent", info.kl_per_latent, (_NUM_LATENTS,)),
    ):
        require(
            value.shape == shape and value.dtype == jnp.float32,
            f"{what} of {entry.name} is {value.dtype}{list(value.shape)}; expected "
            f"float32{list(shape)}, for {_NUM_LATENTS} latents and float32 images",
        )


def _batch(entry: MethodEntry, images: np.ndarray) -> Batch:
    """A batch as the method needs it; its views are other images, and its labels are zeros."""
    found, factors = Batch(jnp.asarray(images)), jnp.zeros((len(images), 5), jnp.int32)
    if entry.batch == "pairs":
        return found._replace(views=jnp.asarray(images[::-1]), shared=factors == 0)
    if entry.batch == "labels":
        return found._replace(labels=factors, indices=jnp.arange(len(images)))
    return found


class _Loss:
    """The loss of a method in float64, of traced hyper-parameters, compiled once."""

    def __init__(self, entry: MethodEntry, params: dict[str, Any]) -> None:
        rng = np.random.default_rng(0)
        self._entry = entry
        # Away from the biases of zero, where black pixels leave every ReLU on its edge.
        self._params = jax.tree.map(
            lambda leaf: jnp.asarray(leaf, jnp.float64) + 0.01 * rng.normal(size=leaf.shape), params
        )
        self._inputs = (
            _batch(entry, rng.integers(0, 2, (2, *_SHAPE)).astype(np.float64)),
            jax.random.key(1),
            jnp.int32(_STEP),
        )
        self._compiled = jax.jit(
            jax.value_and_grad(self._compute, has_aux=True), compiler_options=_QUICKLY
        )

    def _compute(self, params: dict[str, Any], values: Mapping[str, Any]):
        return self._entry(**values).loss(_MODEL, params, *self._inputs)

    def _run(self, params: dict[str, Any], values: Mapping[str, float]):
        (loss, info), gradient = self._compiled(
            params, {name: jnp.float64(value) for name, value in values.items()}
        )
        return float(loss), info, gradient

    def check(
        self,
        values: Mapping[str, float],
        plain: Mapping[str, float] | None,
        minimise: tuple[str, ...],
    ) -> None:
        name, given = self._entry.name, ", ".join(f"{key} = {values[key]:g}" for key in values)
        try:
            loss, info, gradient = self._run(self._params, values)
        except jax.errors.ConcretizationTypeError as error:
            raise AssertionError(
                f"{name} reads the value of a hyper-parameter, a key or the step, which are "
                f"traced when models train together: use jnp.where instead of `if`, and jnp "
                f"instead of math. JAX says: {str(error).splitlines()[0]}"
            ) from error
        total = float(info.reconstruction + info.regularizer)
        require(
            math.isclose(loss, total, rel_tol=1e-9) or math.isnan(total),
            f"the loss of {name} is {loss}, and reconstruction + regularizer {total}, at {given}: "
            f"return regularized(passed, regularizer)",
        )
        kl = float(jnp.sum(info.kl_per_latent))
        require(
            math.isclose(float(info.kl), kl, rel_tol=1e-9) or math.isnan(kl),
            f"info.kl of {name} is {float(info.kl)}, and its kl_per_latent adds up to {kl}",
        )
        of_numbers = jax.jit(
            lambda params: self._compute(params, values)[0], compiler_options=_QUICKLY
        )
        constant = float(of_numbers(self._params))
        require(
            math.isclose(loss, constant, rel_tol=1e-9),
            f"the loss of {name} is {loss} of traced hyper-parameters and {constant} of the same "
            f"numbers, {given}",
        )
        broken = [not bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(gradient)]
        require(not any(broken), f"the gradient of {name} is not finite at {given}")
        for network in minimise:
            self._check_gradient(network, gradient[network], values)
        if plain is not None:
            filled = check_hyperparameters(self._entry, plain)
            loss, info, _ = self._run(self._params, filled)
            bound = float(info.reconstruction + info.kl)
            require(
                math.isclose(loss, bound, rel_tol=1e-9),
                f"the loss of {name} at {dict(plain)} is {loss}; expected that of the plain "
                f"variational autoencoder, reconstruction + KL = {bound}",
            )

    def _check_gradient(self, network: str, gradient: Any, values: Mapping[str, float]) -> None:
        """The gradient of one network, along itself, against finite differences."""
        size = math.sqrt(sum(float(jnp.vdot(g, g)) for g in jax.tree.leaves(gradient)))
        require(size > 0, f"no gradient of {self._entry.name} reaches the {network}")

        def moved(step: float) -> float:
            start = self._params[network]
            there = jax.tree.map(lambda leaf, g: leaf + step / size * g, start, gradient)
            return self._run(self._params | {network: there}, values)[0]

        slope = (moved(1e-6) - moved(-1e-6)) / 2e-6
        require(
            math.isclose(slope, size, rel_tol=1e-4),
            f"the gradient of {self._entry.name} with respect to the {network} has the size {size};"
            f" finite differences say {slope}: look for stop_gradient and for what JAX cannot "
            f"differentiate",
        )
