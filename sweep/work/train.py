"""Training of a pack: joins the three sciences to train, encode and commit rows."""

import datetime
import itertools
import platform
import time
from importlib.metadata import version
from typing import Any, NamedTuple

import jax
import numpy as np

from ...datasets import Dataset, cache_dir
from ...datasets.feed import STEPS
from ...models import (
    METHODS,
    Pack,
    Purpose,
    Replica,
    Trainer,
    keep_freed_memory,
    parameters_to_bytes,
)
from ...version import __version__
from ..store import checkpoints
from ..store.results import Results
from ..store.store import DamagedFileError
from ..store.tables import CurveRow, PictureRow, TrialRow
from ..trials.data import definition
from ..trials.references import REFERENCES, encoder_of
from ..trials.trial import Trial
from .batches import Batches, sample_of
from .control import Control
from .encoding import codes_of_points, fixed_points, render_pictures
from .machine import check_accelerator, is_leaving
from .provenance import running_code
from .tasks import TrainPack

NUM_CURVE_POINTS = 100
_LOOK_SECONDS = 2.0  # between reports, and looks at the drain flag: requests, on an object store
_SECONDS_WHILE_LEAVING = 5.0  # between checkpoints on a machine that will soon be gone
_WORTH_SAVING_SECONDS = 60.0  # of training, before the codes of all images are made


class InterruptedPackError(Exception):
    """The run was requested to stop, and the pack's state is saved."""


class Trained(NamedTuple):
    """A trained pack.

    Attributes:
        evaluations: The final losses, by trial_id, of finished trials; empty for a trial without
            losses.
        codes: trial_id, means and log variances of the fixed points, of each trial that has them.
        train_seconds: A model's share of the training time, including the attempts that the pack
            resumed from. A model that turns to NaN has its share up to then.
        pack_train_seconds: The pack's training time; if it was larger before, these models' part.
        pack_encode_seconds: The time for evaluation, encoding and pictures.
    """

    evaluations: dict[str, dict[str, Any]]
    codes: list[tuple[str, np.ndarray, np.ndarray]]
    train_seconds: float
    pack_train_seconds: float
    pack_encode_seconds: float


def train(task: TrainPack) -> dict[str, Any]:
    """Trains a pack to its last step and commits it; returns interruption and failed trials.

    The `trials` rows are written last, as a sign that all other files of these trials exist. A
    model that turns to NaN gets its row at once, and the others continue without it.

    Raises:
        ClusterError: If JAX does not use the accelerator given to the pack.
        DataError: If the data set cannot be obtained.
        StoreError: If the results folder cannot be written.
    """
    _set_up_jax()
    if task.demand.gpus:
        check_accelerator()
    results = Results(task.results_uri)
    dataset = definition(task.trials[0])()
    refer = task.trials[0].method in REFERENCES
    broken = Broken(task, results, dataset)
    try:
        trained = (
            _encode_references(task, dataset)
            if refer
            else _train_models(task, results, dataset, broken)
        )
    except InterruptedPackError:
        return {"interrupted": True, "failed": broken.trial_ids}
    points = fixed_points(dataset)
    results.add_points(dataset.name, points, dataset.factors(points))
    results.add_codes(dataset.name, task.attempt_id, trained.codes)
    rows = [
        _trial_row(task, trial, trained.evaluations[trial.trial_id], dataset, trained)
        for trial in task.trials
        if trial.trial_id in trained.evaluations
    ]
    results.add("trials", task.attempt_id, rows)
    trial_ids = [trial.trial_id for trial in task.trials]
    checkpoints.forget(results, task.attempt_id, task.checkpoint, trial_ids)
    failed = [row.trial_id for row in rows if row.status == "failed"]
    return {"interrupted": False, "failed": [*broken.trial_ids, *failed]}


class Broken:
    """The models of a pack that have turned to NaN. Each gets its row as soon as this is found."""

    def __init__(self, task: TrainPack, results: Results, dataset: Dataset) -> None:
        self._task, self._results, self._dataset = task, results, dataset
        self._num_files = 0
        self.trial_ids: list[str] = []

    def __contains__(self, replica: Replica) -> bool:
        return replica.trial_id in self.trial_ids

    def commit(
        self, trial_ids: list[str], steps: str, curves: list[CurveRow], so_far: Trained
    ) -> None:
        """Writes the rows of models that broke in these steps, and removes them from the curves."""
        self.trial_ids += trial_ids
        self._num_files += 1
        name = self._task.broken_name(self._num_files)
        self._results.add("curves", name, [row for row in curves if row.trial_id in trial_ids])
        curves[:] = [row for row in curves if row.trial_id not in trial_ids]
        error = f"the model turned to NaN in {steps}"
        trials = [trial for trial in self._task.trials if trial.trial_id in trial_ids]
        rows = [_trial_row(self._task, t, {}, self._dataset, so_far, error) for t in trials]
        self._results.add("trials", name, rows)


def _set_up_jax() -> None:
    """Makes JAX keep a step's memory, and cache compiled programs for other processes."""
    keep_freed_memory()
    jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _encode_references(task: TrainPack, dataset: Dataset) -> Trained:
    """The codes of references, which have neither losses nor a posterior."""
    started = time.monotonic()
    codes = []
    for trial in task.trials:
        if REFERENCES[trial.method].keeps_codes:  # if not, the data set provides them
            mean = encoder_of(trial, dataset)(fixed_points(dataset))
            codes.append((trial.trial_id, mean, np.full_like(mean, -np.inf)))
    evaluations: dict[str, dict[str, Any]] = {trial.trial_id: {} for trial in task.trials}
    return Trained(evaluations, codes, 0.0, 0.0, time.monotonic() - started)


def _train_models(task: TrainPack, results: Results, dataset: Dataset, broken: Broken) -> Trained:
    settings = task.trials[0].training
    method = METHODS[task.trials[0].method]
    batches = Batches(dataset, settings.batch_size, method.batch)
    draw = sample_of(dataset, method.batch)
    trainer = judge = Trainer(method, settings, dataset.image_shape, draw, batches.data)
    if dataset.sampling:
        draw = sample_of(dataset.uniform, method.batch)
        judge = Trainer(method, settings, dataset.image_shape, draw, batches.data)
    pack, own, whole = _train(trainer, batches, task, results, broken)
    trained = time.monotonic()
    if len(broken.trial_ids) == len(task.trials):
        return Trained({}, [], own, whole, 0.0)
    found = zip(
        pack.replicas,
        _evaluate(judge, batches, pack, settings.evaluation_batches),
        trainer.models(pack),
        strict=True,
    )
    sound = [(evaluation, model) for who, evaluation, model in found if who not in broken]
    evaluations = {model.name: evaluation for evaluation, model in sound}
    parameters = {model.name: model.parameters for _, model in sound}
    trial_ids = list(parameters)
    if task.save_models:
        results.store.write(
            results.parameters_name(task.attempt_id),
            parameters_to_bytes(parameters, dataset.image_shape),
        )
    control = Control(results.store, task.run_id)
    codes: list[tuple[str, np.ndarray, np.ndarray]] = []
    sheets: list[PictureRow] = []
    for _, model in sound:
        if control.draining:
            raise InterruptedPackError
        control.report(task.attempt_id, step=pack.step, steps=trainer.steps, trials=trial_ids)
        codes.append((model.name, *codes_of_points(model, results, dataset, batches)))
        sheets += [
            PictureRow(model.name, kind, png, task.attempt)
            for kind, png in render_pictures(model, dataset).items()
        ]
    results.add("pictures", task.attempt_id, sheets)
    return Trained(evaluations, codes, own, whole, time.monotonic() - trained)


def _train(
    trainer: Trainer, batches: Batches, task: TrainPack, results: Results, broken: Broken
) -> tuple[Pack, float, float]:
    """The trained pack, with its seconds and each model's; saves curves and checkpoints.

    Training ends early if no model is left.

    Raises:
        InterruptedPackError: If the run drains. The state is saved then.
        MissingFileError: If the checkpoint is gone.
        ValueError: If the checkpoint is of a different method.
    """
    control = Control(results.store, task.run_id)
    trial_ids = [trial.trial_id for trial in task.trials]
    started = time.monotonic()
    if task.checkpoint:
        try:
            state = results.store.read(task.checkpoint.state_file)
            pack = trainer.restore(state, trial_ids)
        except (ValueError, DamagedFileError) as error:
            file = task.checkpoint.state_file
            raise checkpoints.CheckpointError(f"{file}: {error}") from error
        share = len(trial_ids) / len(task.checkpoint.trial_ids)
        started -= task.checkpoint.train_seconds * share
    else:
        replicas = [
            Replica(t.hyperparameters, t.seed, t.trial_id, t.training.learning_rate)
            for t in task.trials
        ]
        pack = trainer.start(replicas)
    every = max(1, trainer.steps // NUM_CURVE_POINTS)
    curves: list[CurveRow] = []
    saved, looked, stop = time.monotonic(), 0.0, False
    gone = 0.0  # the seconds of the models that have broken

    def seconds() -> tuple[float, float]:
        whole = time.monotonic() - started
        return (whole - gone) / len(trial_ids), whole

    def save() -> None:
        results.add("curves", f"{task.attempt_id}-{pack.step}", curves)
        content = trainer.save(pack)
        together = seconds()[0] * len(trial_ids)
        checkpoints.save(results, task.attempt_id, pack.step, trial_ids, together, content)
        curves.clear()

    while pack.step < trainer.steps:
        chunks = _chunks(pack.step, trainer.steps, every, _chunk_size())
        feed = batches.for_chunks(trainer, pack, pack.step, chunks)
        for num_steps, data in zip(chunks, feed, strict=False):
            pack, means = trainer.advance(pack, num_steps, data)
            if pack.step % every == 0 or pack.step == trainer.steps:
                curves += _curve_rows(pack, means, broken, task.attempt)
            if new := _newly_broken(trainer, pack, means, broken):
                first = pack.step - num_steps + 1
                when = f"step {first}" if num_steps == 1 else f"steps {first} to {pack.step}"
                share, whole = seconds()
                so_far = Trained({}, [], share, whole, 0.0)
                broken.commit(new, f"{when} of {trainer.steps}", curves, so_far)
                gone += share * len(new)
                looked = 0.0
            sound = [n for n, replica in enumerate(pack.replicas) if replica not in broken]
            trial_ids = [pack.replicas[place].trial_id for place in sound]
            if not sound:
                return pack, 0.0, time.monotonic() - started
            now = time.monotonic()
            if now - looked > _LOOK_SECONDS:
                losses = [row.loss for row in _curve_rows(pack, means, broken, task.attempt)]
                facts = {"trials": trial_ids, "failed": broken.trial_ids, "loss": losses}
                control.report(task.attempt_id, step=pack.step, steps=trainer.steps, **facts)
                stop = control.draining and pack.step < trainer.steps
                looked = now
            often = _SECONDS_WHILE_LEAVING if is_leaving() else task.checkpoint_seconds
            if stop or now - saved > often:
                save()
                saved = now
            if stop:
                raise InterruptedPackError
            before, pack = pack, trainer.shrink(pack, sound)
            if pack is not before:  # the coming steps take fewer images
                break
    if time.monotonic() - saved > _WORTH_SAVING_SECONDS:
        save()
    results.add("curves", task.attempt_id, curves)
    return pack, *seconds()


def _chunk_size() -> int:
    """Steps between checks of the clock, which take at most a second on an accelerator.

    The number is fixed, so that an interrupted and an uninterrupted training sum the same losses.
    """
    return 5 if jax.default_backend() == "cpu" else STEPS


def _chunks(first: int, steps: int, every: int, chunk: int) -> list[int]:
    """The numbers of steps at a time: at most a chunk, and none across a point of the curve.

    >>> _chunks(0, 110, 60, chunk=25)
    [25, 25, 10, 25, 25]
    """
    ends = sorted({*range(every, steps, every), steps} - set(range(first + 1)))
    chunks = []
    for begin, end in itertools.pairwise([first, *ends]):
        chunks += [chunk] * ((end - begin) // chunk)
        chunks += [(end - begin) % chunk] if (end - begin) % chunk else []
    return chunks


def _evaluate(
    trainer: Trainer, batches: Batches, pack: Pack, num_batches: int
) -> list[dict[str, Any]]:
    """The final losses of each model."""
    if batches.whole:
        return trainer.evaluate(pack, num_batches)
    chunks = _chunks(0, num_batches, num_batches, _chunk_size())
    feed = batches.for_chunks(trainer, pack, 0, chunks, Purpose.EVALUATION)
    firsts = itertools.accumulate(chunks, initial=0)
    parts = [
        trainer.evaluate(pack, num, first, data)
        for num, first, data in zip(chunks, firsts, feed, strict=False)
    ]
    return [
        jax.tree.map(lambda *values: float(np.average(values, weights=chunks)), *of_model)
        for of_model in zip(*parts, strict=True)
    ]


def _newly_broken(
    trainer: Trainer, pack: Pack, means: dict[str, np.ndarray], broken: Broken
) -> list[str]:
    """The trials whose models turned to NaN in the steps of these means."""
    return [
        replica.trial_id
        for place, replica in enumerate(pack.replicas)
        if replica not in broken
        and not np.isfinite(means["loss"][place])
        and trainer.is_broken(pack, place)
    ]


def _curve_rows(
    pack: Pack, means: dict[str, np.ndarray], broken: Broken, attempt: int
) -> list[CurveRow]:
    return [
        CurveRow(
            replica.trial_id,
            pack.step,
            attempt=attempt,
            **{name: _number(values[place]) for name, values in means.items()},
        )
        for place, replica in enumerate(pack.replicas)
        if replica not in broken
    ]


def _number(value: np.floating) -> float | None:
    """The number, or None if a method lacks it, as a GAN lacks a bound."""
    return None if np.isnan(value) else float(value)


def _trial_row(
    task: TrainPack,
    trial: Trial,
    evaluation: dict[str, Any],
    dataset: Dataset,
    trained: Trained,
    error: str | None = None,
) -> TrialRow:
    """The row with identity, losses and provenance. A model whose loss is NaN has failed."""
    losses = ("loss", "reconstruction", "kl", "elbo", "bits_per_dimension", "kl_per_latent")
    loss = evaluation.get("loss", 0.0)
    if error is None and not np.isfinite(loss):
        error = f"the final loss is {loss}"
    return TrialRow.of(
        trial,
        study=task.study,
        model_num=task.model_nums.get(trial.trial_id),
        status="failed" if error else "done",
        error=error,
        **{name: evaluation.get(name) for name in losses},
        train_seconds=trained.train_seconds,
        encode_seconds=trained.pack_encode_seconds / max(1, len(trained.evaluations)),
        pack_train_seconds=trained.pack_train_seconds,
        pack_encode_seconds=trained.pack_encode_seconds,
        data_source=dataset.source,
        data_fingerprint=dataset.fingerprint,
        device=jax.devices()[0].device_kind,
        host=platform.node(),
        pack_id=task.pack_id,
        pack_size=len(task.trials),
        attempt=task.attempt,
        attempt_id=task.attempt_id,
        teasel_version=__version__,
        code=running_code(),
        jax_version=jax.__version__,
        numpy_version=np.__version__,
        sklearn_version=version("scikit-learn"),
        finished_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
