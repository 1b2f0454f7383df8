"""Packed training: many models of one method in one compiled program.

Hyper-parameters and seeds are inputs of the program, so it is compiled only once for all values. On
a CPU the program is one step of one model, called in a loop. Elsewhere it is many steps of all
models, mapped over them.

>>> from teasel.models import METHODS, Replica, Settings, Trainer
>>> def sample_batch(data, key, batch_size):  # any pure function of these
...     return jax.random.uniform(key, (batch_size, 64, 64, 1))
>>> settings = Settings(steps=1, batch_size=2)
>>> trainer = Trainer(METHODS["beta_vae"], settings, (64, 64, 1), sample_batch, ())
>>> pack = trainer.start([Replica({"beta": 4.0}, seed=0), Replica({"beta": 1.0}, seed=3)])
>>> pack, curves = trainer.advance(pack, 1)
>>> pack.step, curves["loss"].shape
(1, (2,))
"""

import numbers
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np

from ..catalogue import read_parameters
from ..settings import Settings
from . import checkpoint
from .allocator import keep_freed_memory
from .convolution import backend_form, check_arithmetic
from .forms import FORMS
from .likelihoods import LIKELIHOODS
from .memory import PACK_SIZES
from .method import MethodEntry, check_hyperparameters, misfit
from .networks import NETWORKS, Parameters
from .priors import PRIORS
from .program import CURVES, RATE, Program, SampleBatch, State
from .randomness import Purpose, key_for
from .trained import TrainedModel

_SETTINGS = read_parameters(Settings)
_NAMES: dict[str, Any] = {"network": NETWORKS, "likelihood": LIKELIHOODS, "prior": PRIORS}

FEW = 8
"""Packs of up to this many models compile the number of steps into their program. Their steps are
so short that a GPU must not ask the host before each whether it is the last."""


class Replica(NamedTuple):
    """One model of a pack, by what distinguishes it from the others.

    Attributes:
        hyperparameters: The method's hyper-parameters, by name.
        seed: The seed of weights, batches and noise.
        trial_id: Its name.
        learning_rate: The learning rate, if not the settings'.
    """

    hyperparameters: Mapping[str, float]
    seed: int
    trial_id: str = ""
    learning_rate: float | None = None


class Pack(NamedTuple):
    """Models that train together, all at the same step.

    Attributes:
        replicas: The R replicas.
        step: The number of steps taken.
        states: A list of R `State`, or one `State` with a leading axis R.
    """

    replicas: tuple[Replica, ...]
    step: int
    states: Any


class Trainer:
    """Trains packs of one method on one data set with one compiled program.

    Args:
        method: An entry of `METHODS`.
        settings: The settings shared by all models.
        image_shape: The (H, W, C) of images from `sample_batch`.
        sample_batch: Returns a batch.
        data: The data for `sample_batch`, a pytree of arrays.
        form: The form of convolutions, a key of `FORMS`; None for the backend's best.

    Attributes:
        steps: The steps to take: `settings.steps`, or 0 for a method that is never trained.
        num_programs: The number of programs compiled for `advance`. One serves all packs; but if
            models are mapped, each pack size has its own, and packs of up to `FEW` models have one
            for each `num_steps`.

    Raises:
        ValueError: If a setting is out of range or `sample_batch` returns different shapes.
    """

    def __init__(
        self,
        method: MethodEntry,
        settings: Settings,
        image_shape: tuple[int, ...],
        sample_batch: SampleBatch,
        data: Any,
        *,
        form: str | None = None,
    ):
        keep_freed_memory()
        settings = _check_settings(settings)
        form = form or backend_form()
        check_arithmetic(form, settings.precision)
        if what := misfit(method, settings):
            raise ValueError(what)
        self._program = Program(method, settings, tuple(image_shape), sample_batch, form)
        # Arrays are put on the device by name, all of them: those that JAX puts there by itself are
        # another kind of argument to it, and would have it compile a second program.
        self._device = jax.local_devices()[0]
        self._data = jax.device_put(data, self._device)
        self._mapped = self._device.platform != "cpu" or FORMS[form].packs
        self.num_programs = 0
        self._check_images()
        placeholders = {name: jnp.float32(1) for name in (*method.parameters, RATE)}
        self._example = jax.eval_shape(self._program.start, jnp.uint32(0), placeholders)
        made = self._program.method(placeholders)
        self.steps = settings.steps if made.trainable else 0
        self._only_in_training = made.only_in_training
        self._start_one = jax.jit(self._program.start)
        if self._mapped:
            advance = self._count_programs(self._program.advance_all)
            self._advance = jax.jit(advance, donate_argnums=0)
            self._advance_few = jax.jit(advance, donate_argnums=0, static_argnums=5)
            self._evaluate = jax.jit(self._program.evaluate_all)
        else:
            self._advance = jax.jit(
                self._count_programs(self._program.advance), donate_argnums=(0, 1)
            )
            self._evaluate = jax.jit(self._program.evaluate)

    def start(self, replicas: Sequence[Replica]) -> Pack:
        """The pack at step 0, each model with the initial weights of its seed.

        Raises:
            ValueError: If there are no replicas, or a hyper-parameter or seed isn't allowed.
        """
        if not replicas:
            raise ValueError("a pack needs at least one replica")
        replicas = tuple(self._check_replica(replica) for replica in replicas)
        states = [self._start_one(*_inputs(replica)) for replica in replicas]
        return self._pack(replicas, 0, states)

    def advance(
        self, pack: Pack, num_steps: int, data: Any = None
    ) -> tuple[Pack, dict[str, np.ndarray]]:
        """The pack after `num_steps` more steps, and the means over these steps.

        The given pack cannot be used afterwards, because its memory goes to the new one.

        Args:
            pack: The pack to train.
            num_steps: The number of steps.
            data: The data for `sample_batch` in these steps, if not the trainer's.

        Returns:
            The pack, and (R,) float64 arrays "loss", "reconstruction", "kl" and "regularizer", in
            nats. A broken model has NaN there and does not affect the others.

        Raises:
            ValueError: If num_steps is below 1.
        """
        if num_steps < 1:
            raise ValueError(f"num_steps is {num_steps}; it must be at least 1")
        data = self._data if data is None else jax.device_put(data, self._device)
        if self._mapped:
            advance = self._advance_few if len(pack.replicas) <= FEW else self._advance
            states, totals = advance(
                pack.states, data, *_columns(pack.replicas), pack.step, num_steps
            )
        else:
            states, totals = [], []
            for state, who in zip(pack.states, map(_inputs, pack.replicas), strict=True):
                total = jax.device_put(np.zeros(len(CURVES), np.float32), self._device)
                for step in range(pack.step, pack.step + num_steps):
                    state, total = self._advance(state, total, data, *who, step)
                states.append(state)
                totals.append(total)
        means = np.asarray(totals, np.float64).reshape(-1, len(CURVES)).T / num_steps
        curves = dict(zip(CURVES, means, strict=True))
        return pack._replace(step=pack.step + num_steps, states=states), curves

    def batch_keys(
        self, pack: Pack, first: int, num: int, purpose: Purpose = Purpose.BATCH
    ) -> jax.Array:
        """The keys (R, num) of the steps, or evaluation batches, from `first`.

        They are passed to `sample_batch`, and are for callers that send images from the host.
        """
        seeds = jnp.asarray([replica.seed for replica in pack.replicas], jnp.uint32)
        steps = jnp.arange(first, first + num)
        return jax.vmap(lambda s: jax.vmap(lambda t: key_for(s, purpose, t))(steps))(seeds)

    def evaluate(
        self, pack: Pack, num_batches: int, first: int = 0, data: Any = None
    ) -> list[dict[str, Any]]:
        """Each model's losses, as means over `num_batches` batches sampled for evaluation.

        Args:
            pack: The pack to evaluate.
            num_batches: The number of batches.
            first: The first batch's number.
            data: The data for `sample_batch` in these batches, if not the trainer's.

        Returns:
            For each model "loss", "reconstruction", "kl", "regularizer", "elbo" = -(reconstruction
            + kl), in nats, "bits_per_dimension", and "kl_per_latent", a list of D. A value is None
            if the method lacks it, although its loss is finite.

        Raises:
            ValueError: If num_batches is below 1.
        """
        if num_batches < 1:
            raise ValueError(f"num_batches is {num_batches}; it must be at least 1")
        data = self._data if data is None else jax.device_put(data, self._device)
        batches = range(first, first + num_batches)
        if self._mapped:
            seeds, values = _columns(pack.replicas)
            parameters = pack.states.parameters
            args = (parameters, data, seeds, values, pack.step, first, num_batches)
            means = np.asarray(self._evaluate(*args), np.float64) / num_batches
        else:
            found = [
                [
                    self._evaluate(state.parameters, data, *who, pack.step, batch)
                    for batch in batches
                ]
                for state, who in zip(pack.states, map(_inputs, pack.replicas), strict=True)
            ]
            means = np.asarray(found).mean(axis=1, dtype=np.float64)
        results = []
        for row in means:
            result: dict[str, Any] = dict(zip(CURVES, map(float, row), strict=False))
            # Differs from the original: it had none of FactorVAE.
            result["elbo"] = -(result["reconstruction"] + result["kl"])
            bits = self._program.model.bits_per_dimension(result["elbo"])
            result["bits_per_dimension"] = bits
            result["kl_per_latent"] = row[len(CURVES) :].tolist()
            if np.isfinite(result["loss"]):
                lacking = [n for n, v in result.items() if v is not None and np.isnan(v).any()]
                result |= dict.fromkeys(lacking)
            results.append(result)
        return results

    def parameters(self, pack: Pack) -> list[Parameters]:
        """The parameters that each trained model needs, such as "encoder", as NumPy arrays."""

        def networks(state: State) -> Parameters:
            return {
                name: leaves
                for name, leaves in state.parameters.items()
                if name not in self._only_in_training
            }

        if self._mapped:
            return _by_model(networks(pack.states), len(pack.replicas))
        return jax.tree.map(np.asarray, [networks(state) for state in pack.states])

    def models(self, pack: Pack) -> list[TrainedModel]:
        """The current models as `TrainedModel`."""
        program = self._program
        return [
            TrainedModel(
                program.entry, replica.hyperparameters, program.model, parameters, replica.trial_id
            )
            for replica, parameters in zip(pack.replicas, self.parameters(pack), strict=True)
        ]

    def save(self, pack: Pack) -> bytes:
        """A checkpoint: a safetensors file with the step and the replicas in its header."""
        members = [replica._asdict() for replica in pack.replicas]
        return checkpoint.to_bytes(self._training, members, pack.step, self._states(pack))

    def restore(self, data: bytes, trial_ids: Sequence[str] | None = None) -> Pack:
        """The pack of a checkpoint, or of some of its trials in the given order.

        Raises:
            ValueError: If `data` is not a checkpoint, is of a different method, settings or
                networks, or lacks one of the trials.
        """
        members, step, states = checkpoint.from_bytes(data, self._training, self._example)
        replicas = [self._check_replica(Replica(**member)) for member in members]
        if trial_ids is not None:
            places = {replica.trial_id: place for place, replica in enumerate(replicas)}
            missing = [trial_id for trial_id in trial_ids if trial_id not in places]
            if missing:
                raise ValueError(f"the checkpoint lacks trials {', '.join(missing)}")
            replicas = [replicas[places[trial_id]] for trial_id in trial_ids]
            states = [states[places[trial_id]] for trial_id in trial_ids]
        return self._pack(tuple(replicas), step, states)

    def join(self, packs: Sequence[Pack]) -> Pack:
        """One pack with the models of several packs.

        Raises:
            ValueError: If they aren't all at the same step.
        """
        steps = {pack.step for pack in packs}
        if len(steps) != 1:
            raise ValueError(f"packs at different steps can't be joined: {sorted(steps)}")
        replicas = tuple(replica for pack in packs for replica in pack.replicas)
        states = [state for pack in packs for state in self._states(pack)]
        return self._pack(replicas, steps.pop(), states)

    def is_broken(self, pack: Pack, place: int) -> bool:
        """Whether the model at this index has a NaN parameter, which no further step can repair."""
        if self._mapped:
            return bool(_have_nan(pack.states.parameters)[place])
        parameters = jax.device_get(pack.states[place].parameters)
        return any(np.isnan(leaf).any() for leaf in jax.tree.leaves(parameters))

    def shrink(self, pack: Pack, places: Sequence[int]) -> Pack:
        """The pack with only the models at these indices, if that is worthwhile.

        If models take their steps one by one, all others are removed. A program that is mapped over
        models is compiled for their number, so the pack shrinks to one of `PACK_SIZES`; until then
        the others stay.
        """
        num, size = len(pack.replicas), len(places)
        if self._mapped:
            size = min((size for size in PACK_SIZES if len(places) <= size < num), default=num)
        if size == num:
            return pack
        others = [place for place in range(num) if place not in places]
        kept = sorted([*places, *others[: size - len(places)]])
        replicas = tuple(pack.replicas[place] for place in kept)
        states = self._states(pack)
        return self._pack(replicas, pack.step, [states[place] for place in kept])

    @property
    def _training(self) -> dict[str, Any]:
        """The settings that a checkpoint must match: all but those of duration and evaluation."""
        settings = self._program.settings.identity()
        for name in ("steps", "evaluation_batches", RATE):
            del settings[name]
        if self._program.settings.schedule == "cosine":
            settings["steps"] = self._program.settings.steps  # at the last of which it is at 0
        return {"method": self._program.entry.name} | settings

    def _count_programs(self, function: Callable) -> Callable:
        def counted(*arguments):
            self.num_programs += 1  # at tracing, which happens once per program
            return function(*arguments)

        return counted

    # Between lists of states and packs. A pack with a leading axis is taken apart and put together
    # on the host, so that the device makes one transfer a leaf, however many models there are.

    def _pack(self, replicas: tuple[Replica, ...], step: int, states: list[State]) -> Pack:
        kept: Any = states
        if self._mapped:
            kept = jax.tree.map(lambda *leaves: np.stack(leaves), *jax.device_get(states))
        return Pack(replicas, step, jax.device_put(kept, self._device))

    def _states(self, pack: Pack) -> list[State]:
        return _by_model(pack.states, len(pack.replicas)) if self._mapped else pack.states

    # Checks.

    def _check_replica(self, replica: Replica) -> Replica:
        seed = _as_integer(replica.seed)
        if seed is None or not 0 <= seed < 2**32:
            raise ValueError(
                f"seed is {replica.seed!r}; it must be a whole number from 0 and under 2**32"
            )
        values = check_hyperparameters(self._program.entry, replica.hyperparameters)
        rate = replica.learning_rate
        rate = self._program.settings.learning_rate if rate is None else _as_real(rate)
        if rate is None or not _SETTINGS[RATE].bounds.allow(rate):
            raise ValueError(
                f"learning_rate is {replica.learning_rate!r}; it must be {_SETTINGS[RATE].bounds}"
            )
        return replica._replace(hyperparameters=values, seed=seed, learning_rate=rate)

    def _check_images(self) -> None:
        program, key = self._program, key_for(0, Purpose.BATCH)
        drawn = jax.eval_shape(lambda data: program.draw(data, key).images, self._data)
        expected = (program.settings.batch_size, *program.image_shape)
        if drawn.shape != expected or drawn.dtype != jnp.float32:
            raise ValueError(
                f"sample_batch gives {drawn.dtype} images of shape {drawn.shape}; "
                f"expected float32 of shape {expected}"
            )


@jax.jit
def _have_nan(stacked: Any) -> jax.Array:
    """Which models (R,) of a pytree with a leading axis contain a NaN."""
    nans = [
        jnp.isnan(leaf).any(axis=tuple(range(1, leaf.ndim))) for leaf in jax.tree.leaves(stacked)
    ]
    return jnp.stack(nans).any(axis=0)


def _by_model(stacked: Any, num: int) -> list[Any]:
    """The pytrees of `num` models, in NumPy, from one with a leading axis."""
    leaves, structure = jax.tree.flatten(jax.device_get(stacked))
    return [structure.unflatten(leaf[place] for leaf in leaves) for place in range(num)]


def _values(replica: Replica) -> dict[str, Any]:
    return {**replica.hyperparameters, RATE: replica.learning_rate}


def _inputs(replica: Replica) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The seed and the values of one model, as the compiled programs take them."""
    values = {name: jnp.float32(value) for name, value in _values(replica).items()}
    return jnp.uint32(replica.seed), values


def _columns(replicas: Sequence[Replica]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Seeds (R,) and traced values (R,) by name, in NumPy, so that no chunk waits for them."""
    seeds = np.array([replica.seed for replica in replicas], np.uint32)
    rows = [_values(replica) for replica in replicas]
    return seeds, {name: np.array([row[name] for row in rows], np.float32) for name in rows[0]}


def _as_integer(value: Any) -> int | None:
    """A whole number of any type as an int; None if it is not one."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _as_real(value: Any) -> float | None:
    """A real number of any type as a float; None if it is not one."""
    return float(value) if isinstance(value, numbers.Real) else None


def _check_settings(settings: Settings) -> Settings:
    """The settings as plain numbers.

    Raises:
        ValueError: if one is out of its bounds.
    """
    checked: dict[str, Any] = {}
    for name, parameter in _SETTINGS.items():
        value, bounds = getattr(settings, name), parameter.bounds
        names = _NAMES.get(name) or get_args(parameter.kind)
        if names:
            if value not in names:
                raise ValueError(f"{name} is {value!r}; expected one of {', '.join(names)}")
            continue
        number = _as_integer(value) if parameter.kind is int else _as_real(value)
        if number is None or not bounds.allow(number):
            expected = str(bounds)
            expected = expected.replace("finite", "whole") if parameter.kind is int else expected
            raise ValueError(f"{name} is {value!r}; it must be {expected}")
        checked[name] = number
    return settings._replace(**checked)
