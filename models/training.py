"""Packed training: many models of one method in one compiled program.

Hyper-parameters and seeds are inputs of the program, so it is compiled once whatever their values.
On a CPU the program is one step of one model, called in a loop; elsewhere it is many steps of all
models, mapped over them.

>>> from teasel.models import METHODS, Replica, Settings, Trainer
>>> def draw(data, key, batch_size):  # any pure function of these
...     return jax.random.uniform(key, (batch_size, 64, 64, 1))
>>> trainer = Trainer(METHODS["beta_vae"], Settings(steps=1, batch_size=2), (64, 64, 1), draw, ())
>>> pack = trainer.start([Replica({"beta": 4.0}, seed=0), Replica({"beta": 1.0}, seed=3)])
>>> pack, curves = trainer.advance(pack, 1)
>>> pack.step, curves["loss"].shape
(1, (2,))
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from . import checkpoint
from .allocator import keep_freed_memory
from .convolution import FORMS, arithmetic, backend_form, check_arithmetic
from .method import Factory, Info, check_hyperparameters, hyperparameters
from .networks import Parameters
from .randomness import Purpose, key_for

Draw = Callable[[Any, jax.Array, int], jax.Array]
"""(data, key, batch_size) -> (B, H, W, C) images: pure, and fit for jit and vmap."""


class Settings(NamedTuple):
    """How a model is trained; the defaults are the study's."""

    steps: int = 300_000
    batch_size: int = 64
    num_latents: int = 10
    learning_rate: float = 1e-4


class Replica(NamedTuple):
    """One model of a pack: what sets it apart from its neighbours."""

    hyperparameters: Mapping[str, float]
    seed: int
    trial_id: str = ""


class State(NamedTuple):
    """What the next step of one model needs, besides the step's number."""

    parameters: Any
    optimizer: optax.OptState


class Pack(NamedTuple):
    """Models that train together, all at the same step.

    Attributes:
        replicas: who they are, R of them.
        step: how many steps they have taken.
        states: a list of R `State`, or one `State` with a leading axis R.
    """

    replicas: tuple[Replica, ...]
    step: int
    states: Any


class Trainer:
    """Trains packs of one method on one data set with one compiled program.

    Args:
        method: the factory, an entry of `METHODS`.
        settings: shared by all models.
        image_shape: (H, W, C) of what `draw` returns.
        draw: gives a batch.
        data: what `draw` reads, a pytree of arrays.
        form: how convolutions are computed, a key of `FORMS`; None is the backend's best.
        activations: "float32" or "bfloat16".

    Attributes:
        steps: the steps to take: `settings.steps`, or 0 for a method that is never trained.
        num_programs: how many programs `advance` has been compiled to: 1 after its first call.

    Raises:
        ValueError: if a setting is out of range or `draw` gives other shapes.
    """

    def __init__(
        self,
        method: Factory,
        settings: Settings,
        image_shape: tuple[int, ...],
        draw: Draw,
        data: Any,
        *,
        form: str | None = None,
        activations: str = "float32",
    ):
        keep_freed_memory()
        _check_settings(settings)
        self._factory, self._settings, self._draw = method, settings, draw
        self._data = jax.tree.map(jnp.asarray, data)
        self._image_shape = tuple(image_shape)
        self._arithmetic = (form or backend_form(), activations)
        check_arithmetic(*self._arithmetic)
        self._mapped = FORMS[self._arithmetic[0]].packs
        self.num_programs = 0
        self._check_images()
        self._example = jax.eval_shape(self._initial, jnp.uint32(0), self._placeholders())
        self.steps = settings.steps if self._method(self._placeholders()).trainable else 0
        self._start_one = jax.jit(self._initial)
        if self._mapped:
            self._advance = jax.jit(self._advance_all, donate_argnums=0)
            self._evaluate = jax.jit(self._evaluate_all)
        else:
            self._advance = jax.jit(self._advance_one, donate_argnums=(0, 1))
            self._evaluate = jax.jit(self._evaluate_one)

    def start(self, replicas: Sequence[Replica]) -> Pack:
        """Returns the pack at step 0, each model with the initial weights of its seed.

        Raises:
            ValueError: if there are no replicas, or a hyper-parameter or seed isn't allowed.
        """
        if not replicas:
            raise ValueError("a pack needs at least one replica")
        replicas = tuple(self._checked(replica) for replica in replicas)
        states = [self._start_one(jnp.uint32(r.seed), _floats(r)) for r in replicas]
        return self._packed(replicas, 0, states)

    def advance(
        self, pack: Pack, num_steps: int, data: Any = None
    ) -> tuple[Pack, dict[str, np.ndarray]]:
        """Returns the pack after `num_steps` more steps, and the means over these steps.

        The given pack is used up: its memory goes to the new one.

        Args:
            pack: what to train.
            num_steps: how far.
            data: what `draw` reads for these steps, if not the trainer's own.

        Returns:
            The pack, and (R,) float64 arrays "loss", "reconstruction", "kl" and "regularizer", in
            nats. A model that broke has NaN there and touches no other.

        Raises:
            ValueError: if num_steps is under 1.
        """
        if num_steps < 1:
            raise ValueError(f"num_steps is {num_steps}; it must be at least 1")
        data = self._data if data is None else data
        if self._mapped:
            states, totals = self._advance(
                pack.states, data, *_columns(pack.replicas), pack.step, num_steps
            )
        else:
            states, totals = [], []
            for state, replica in zip(pack.states, pack.replicas, strict=True):
                total = jnp.zeros(len(CURVES))
                who = jnp.uint32(replica.seed), _floats(replica)
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
        """Returns the keys (R, num) that `draw` gets in steps, or evaluation batches, from `first`.

        For whoever sends the images from the host.
        """
        seeds = jnp.asarray([replica.seed for replica in pack.replicas], jnp.uint32)
        steps = jnp.arange(first, first + num)
        return jax.vmap(lambda s: jax.vmap(lambda t: key_for(s, purpose, t))(steps))(seeds)

    def evaluate(
        self, pack: Pack, num_batches: int, first: int = 0, data: Any = None
    ) -> list[dict[str, Any]]:
        """Returns each model's losses, means over `num_batches` batches drawn for evaluation.

        Args:
            pack: what to evaluate.
            num_batches: how many batches.
            first: the first batch's number.
            data: what `draw` reads for these batches, if not the trainer's own.

        Returns:
            For each model "loss", "reconstruction", "kl", "regularizer", "elbo" = -(reconstruction
            + kl), in nats, and "kl_per_latent", a list of D.

        Raises:
            ValueError: if num_batches is under 1.
        """
        if num_batches < 1:
            raise ValueError(f"num_batches is {num_batches}; it must be at least 1")
        data = self._data if data is None else data
        batches = range(first, first + num_batches)
        if self._mapped:
            seeds, values = _columns(pack.replicas)
            parameters = pack.states.parameters
            args = (parameters, data, seeds, values, pack.step, first, num_batches)
            means = np.asarray(self._evaluate(*args), np.float64) / num_batches
        else:
            means = np.array(
                [
                    np.mean(
                        [
                            self._evaluate(
                                state.parameters,
                                data,
                                jnp.uint32(replica.seed),
                                _floats(replica),
                                pack.step,
                                batch,
                            )
                            for batch in batches
                        ],
                        axis=0,
                        dtype=np.float64,
                    )
                    for state, replica in zip(pack.states, pack.replicas, strict=True)
                ]
            )
        results = []
        for row in means:
            result: dict[str, Any] = dict(zip(CURVES, map(float, row), strict=False))
            result["elbo"] = -(result["reconstruction"] + result["kl"])
            result["kl_per_latent"] = row[len(CURVES) :].tolist()
            results.append(result)
        return results

    def parameters(self, pack: Pack) -> list[Parameters]:
        """Returns each model's {"encoder": ..., "decoder": ...} as NumPy arrays."""
        kept = [
            {name: state.parameters[name] for name in ("encoder", "decoder")}
            for state in self._states(pack)
        ]
        return jax.tree.map(np.asarray, kept)

    def save(self, pack: Pack) -> bytes:
        """Returns a checkpoint: a safetensors file with the step and the replicas in its header."""
        members = [replica._asdict() for replica in pack.replicas]
        return checkpoint.to_bytes(members, pack.step, self._states(pack))

    def restore(self, data: bytes, trial_ids: Sequence[str] | None = None) -> Pack:
        """Returns the pack of a checkpoint, or of some of its trials, in the order asked for.

        Raises:
            ValueError: if `data` is no checkpoint, is one of other networks or another method, or
                lacks one of the trials.
        """
        members, step, states = checkpoint.from_bytes(data, self._example)
        replicas = [self._checked(Replica(**member)) for member in members]
        if trial_ids is not None:
            places = {replica.trial_id: place for place, replica in enumerate(replicas)}
            missing = [trial_id for trial_id in trial_ids if trial_id not in places]
            if missing:
                raise ValueError(f"the checkpoint lacks trials {', '.join(missing)}")
            replicas = [replicas[places[trial_id]] for trial_id in trial_ids]
            states = [states[places[trial_id]] for trial_id in trial_ids]
        return self._packed(tuple(replicas), step, jax.tree.map(jnp.asarray, states))

    def join(self, packs: Sequence[Pack]) -> Pack:
        """Returns one pack of the models of several.

        Raises:
            ValueError: if they aren't all at the same step.
        """
        steps = {pack.step for pack in packs}
        if len(steps) != 1:
            raise ValueError(f"packs at different steps can't be joined: {sorted(steps)}")
        replicas = tuple(replica for pack in packs for replica in pack.replicas)
        states = [state for pack in packs for state in self._states(pack)]
        return self._packed(replicas, steps.pop(), states)

    # One step of one model, and the two ways to take many.

    def _initial(self, seed: jax.Array, values: dict[str, jax.Array]) -> State:
        method = self._method(values)
        key = key_for(seed, Purpose.WEIGHTS)
        parameters = method.initial_parameters(key, self._image_shape, self._settings.num_latents)
        optimizer = method.optimizer(self._settings.learning_rate)
        return State(parameters, optimizer.init(parameters))

    def _step(self, state, data, seed, values, step):
        method = self._method(values)
        images = self._draw(data, key_for(seed, Purpose.BATCH, step), self._settings.batch_size)
        noise = key_for(seed, Purpose.NOISE, step)
        with arithmetic(*self._arithmetic):
            (loss, info), gradients = jax.value_and_grad(method.loss, has_aux=True)(
                state.parameters, images, noise, step
            )
        optimizer = method.optimizer(self._settings.learning_rate)
        updates, moments = optimizer.update(gradients, state.optimizer, state.parameters)
        return State(optax.apply_updates(state.parameters, updates), moments), _row(loss, info)

    def _advance_one(self, state, total, data, seed, values, step):
        self.num_programs += 1  # at tracing, which happens once per program
        state, row = self._step(state, data, seed, values, step)
        return state, total + row

    def _advance_all(self, states, data, seeds, values, first, num_steps):
        self.num_programs += 1
        one_step = jax.vmap(self._step, in_axes=(0, None, 0, 0, None))

        def body(step, carry):
            states, totals = carry
            states, rows = one_step(states, data, seeds, values, step)
            return states, totals + rows

        carry = (states, jnp.zeros((len(seeds), len(CURVES))))
        return jax.lax.fori_loop(first, first + num_steps, body, carry)

    def _evaluate_one(self, parameters, data, seed, values, step, batch):
        images = self._draw(
            data, key_for(seed, Purpose.EVALUATION, batch), self._settings.batch_size
        )
        noise = key_for(seed, Purpose.EVALUATION_NOISE, batch)
        with arithmetic(*self._arithmetic):
            loss, info = self._method(values).loss(parameters, images, noise, step)
        return jnp.concatenate([_row(loss, info), info.kl_per_latent])

    def _evaluate_all(self, parameters, data, seeds, values, step, first, num_batches):
        one_batch = jax.vmap(self._evaluate_one, in_axes=(0, None, 0, 0, None, None))

        def body(batch, totals):
            return totals + one_batch(parameters, data, seeds, values, step, batch)

        zeros = jnp.zeros((len(seeds), len(CURVES) + self._settings.num_latents))
        return jax.lax.fori_loop(first, first + num_batches, body, zeros)

    # Between lists of states and packs.

    def _packed(self, replicas: tuple[Replica, ...], step: int, states: list[State]) -> Pack:
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states) if self._mapped else None
        return Pack(replicas, step, states if stacked is None else stacked)

    def _states(self, pack: Pack) -> list[State]:
        if not self._mapped:
            return pack.states
        return [
            jax.tree.map(lambda leaf, r=r: leaf[r], pack.states) for r in range(len(pack.replicas))
        ]

    # Checks.

    def _method(self, values: Mapping[str, Any]):
        return self._factory(**values)

    def _placeholders(self) -> dict[str, jax.Array]:
        return {name: jnp.float32(1) for name in hyperparameters(self._factory)}

    def _checked(self, replica: Replica) -> Replica:
        name = self._factory.__name__
        if not 0 <= replica.seed < 2**32:
            raise ValueError(f"seed is {replica.seed}; it must be at least 0 and under 2**32")
        values = check_hyperparameters(name, self._factory, replica.hyperparameters)
        return replica._replace(hyperparameters=values)

    def _check_images(self) -> None:
        key = key_for(0, Purpose.BATCH)
        batch_size = self._settings.batch_size
        drawn = jax.eval_shape(lambda data: self._draw(data, key, batch_size), self._data)
        expected = (batch_size, *self._image_shape)
        if drawn.shape != expected or drawn.dtype != jnp.float32:
            raise ValueError(
                f"draw gives {drawn.dtype} images of shape {drawn.shape}; "
                f"expected float32 of shape {expected}"
            )


CURVES: tuple[str, ...] = ("loss", "reconstruction", "kl", "regularizer")
"""What `advance` and `evaluate` report of every model."""


def _row(loss: jax.Array, info: Info) -> jax.Array:
    return jnp.stack([loss, info.reconstruction, info.kl, info.regularizer])


def _floats(replica: Replica) -> dict[str, jax.Array]:
    return {name: jnp.float32(value) for name, value in replica.hyperparameters.items()}


def _columns(replicas: Sequence[Replica]) -> tuple[jax.Array, dict[str, jax.Array]]:
    """(R,) seeds and (R,) hyper-parameters by name."""
    seeds = jnp.asarray([replica.seed for replica in replicas], jnp.uint32)
    values = [_floats(replica) for replica in replicas]
    return seeds, jax.tree.map(lambda *column: jnp.stack(column), *values) if values[0] else {}


def _check_settings(settings: Settings) -> None:
    for name, least in (("steps", 0), ("batch_size", 1), ("num_latents", 1)):
        value = getattr(settings, name)
        if not isinstance(value, int) or value < least:
            raise ValueError(f"{name} is {value!r}; it must be a whole number of at least {least}")
    rate = settings.learning_rate
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"learning_rate is {rate!r}; it must be a finite number above 0")
