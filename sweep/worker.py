"""Where the three sciences meet: train a pack, encode what it learned, hand over rows."""

import datetime
import platform
import time
from importlib.metadata import version
from typing import Any, NamedTuple

import jax
import numpy as np

from .. import __version__
from ..datasets import Dataset, cache_dir
from ..models import (
    METHODS,
    Pack,
    Replica,
    Settings,
    Trainer,
    decode,
    encode,
    encode_all,
    parameters_to_bytes,
)
from . import checkpoints, code_tables, pictures
from .control import Control
from .data import definition
from .locatello2019 import model_numbers
from .results import Results
from .tasks import TrainPack
from .trials import Trial

CHUNK = 25
"""Steps between looks at the drain flag. A fixed number, so that an interrupted training and an
undisturbed one add up the same losses."""

NUM_CURVE_POINTS = 100
NUM_TRAIN_POINTS, NUM_TEST_POINTS = 10_000, 5_000
_REPORT_SECONDS = 2.0
_NUM_PICTURES = 16


class InterruptedPackError(Exception):
    """The run was asked to stop; the pack's state is saved."""


class Clocked(NamedTuple):
    """Seconds that parts of the work took."""

    train: float
    encode: float


def use_compilation_cache() -> None:
    """Keeps compiled programs in the cache folder, for the next process that needs them."""
    jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def train(task: TrainPack) -> dict[str, Any]:
    """Trains a pack to its last step and commits it; says if it was interrupted, and who failed.

    The `trials` rows are written last: they say that everything else of these trials is there.

    Raises:
        DataError: If the data set cannot be had.
        StoreError: If the results folder cannot be written.
    """
    use_compilation_cache()
    results = Results(task.results)
    first = task.trials[0]
    dataset = definition(first)()
    data = jax.device_put(dataset.device_data())
    settings = Settings(
        steps=first.training.steps,
        batch_size=first.training.batch_size,
        num_latents=first.training.num_latents,
        learning_rate=first.training.learning_rate,
    )
    trainer = Trainer(METHODS[first.method], settings, dataset.image_shape, dataset.draw, data)
    started = time.monotonic()
    try:
        pack, curves = _train(trainer, task, results)
    except InterruptedPackError:
        return {"interrupted": True, "failed": []}
    trained = time.monotonic()
    evaluations = trainer.evaluate(pack, first.training.evaluation_batches)
    codes = _encode(trainer, pack, task, results, dataset, data)
    seconds = Clocked(trained - started, time.monotonic() - trained)
    results.add("curves", task.part, curves)
    results.add_codes(dataset.name, task.part, codes)
    rows = [
        _trial_row(task, trial, evaluation, dataset, seconds)
        for trial, evaluation in zip(task.trials, evaluations, strict=True)
    ]
    results.add("trials", task.part, rows)
    checkpoints.forget_trained(results, [trial.trial_id for trial in task.trials])
    failed = [row["trial_id"] for row in rows if row["status"] == "failed"]
    return {"interrupted": False, "failed": failed}


def _train(
    trainer: Trainer, task: TrainPack, results: Results
) -> tuple[Pack, list[dict[str, Any]]]:
    """The trained pack, and rows of its curves from the step it went on from."""
    control = Control(results.store, task.run_id)
    trial_ids = [trial.trial_id for trial in task.trials]
    if task.checkpoint:
        pack = trainer.restore(results.store.read(task.checkpoint), trial_ids)
    else:
        replicas = [Replica(t.hyperparameters, t.seed, t.trial_id) for t in task.trials]
        pack = trainer.start(replicas)
    every = max(1, trainer.steps // NUM_CURVE_POINTS)
    curves: list[dict[str, Any]] = []
    saved = reported = time.monotonic()
    while pack.step < trainer.steps:
        mark = min(trainer.steps, (pack.step // every + 1) * every)
        pack, means = trainer.advance(pack, min(CHUNK, mark - pack.step))
        if pack.step == mark:
            curves += _curve_rows(trial_ids, pack.step, means, task.attempt)
        now = time.monotonic()
        if now - reported > _REPORT_SECONDS:
            control.report(task.part, step=pack.step, steps=trainer.steps, trials=trial_ids)
            reported = now
        stop = control.draining and pack.step < trainer.steps
        if stop or now - saved > task.checkpoint_seconds:
            results.add("curves", f"{task.part}-{pack.step}", curves)
            checkpoints.save(results, task.part, pack.step, trial_ids, trainer.save(pack))
            curves, saved = [], now
        if stop:
            raise InterruptedPackError
    return pack, curves


def _encode(
    trainer: Trainer,
    pack: Pack,
    task: TrainPack,
    results: Results,
    dataset: Dataset,
    data: Any,
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Keeps parameters, pictures and the code table of each model; the codes of its fixed points.

    Where an observation is a function of its index, each image is encoded once, and the fixed
    points and later all metrics look their codes up in that table.
    """
    points = fixed_points(dataset)
    results.add_points(dataset.name, points, dataset.factors(points))
    parameters = dict(zip((t.trial_id for t in task.trials), trainer.parameters(pack), strict=True))
    if task.save_models:
        results.store.write(results.parameters_name(task.part), parameters_to_bytes(parameters))
    codes = []
    sheets: list[dict[str, Any]] = []
    for trial_id, model in parameters.items():
        if dataset.stochastic:
            posterior = encode_points(model, dataset, points)
        else:
            table = encode_all(model, dataset.observe, data, len(dataset))
            code_tables.save(results, trial_id, *table)
            posterior = (table[0][points], table[1][points])
        codes.append((trial_id, *posterior))
        for kind, png in _pictures(model, dataset, points[:_NUM_PICTURES]).items():
            sheets.append({"trial_id": trial_id, "kind": kind, "png": png, "attempt": task.attempt})
    results.add("pictures", task.part, sheets)
    return codes


def fixed_points(dataset: Dataset) -> np.ndarray:
    """Image indices (15,000,) of the stored codes: 10,000 to train on, then 5,000 to test on.

    Drawn uniformly with replacement, the same for all models.
    """
    rng = np.random.default_rng(0)
    return rng.integers(len(dataset), size=NUM_TRAIN_POINTS + NUM_TEST_POINTS)


def encode_points(
    parameters: Any, dataset: Dataset, indices: np.ndarray, seed: int = 0, batch: int = 500
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log variance, (N, D) each, of one observation of each index; noise from `seed`."""
    rng = np.random.default_rng(seed)
    posteriors = [
        encode(parameters, dataset.images(indices[first : first + batch], rng))
        for first in range(0, len(indices), batch)
    ]
    mean, log_variance = (np.concatenate(parts) for parts in zip(*posteriors, strict=True))
    return mean, log_variance


def _pictures(parameters: Any, dataset: Dataset, indices: np.ndarray) -> dict[str, bytes]:
    images = dataset.images(indices, np.random.default_rng(0))
    means, _ = encode(parameters, images)
    if not np.isfinite(means).all():
        return {}

    def to_images(codes: np.ndarray) -> np.ndarray:
        return np.asarray(jax.nn.sigmoid(decode(parameters, codes)))

    means = np.asarray(means)
    return {
        "reconstructions": pictures.reconstructions(images, to_images(means)),
        "traversals": pictures.traversals(means[0], to_images),
    }


def _curve_rows(
    trial_ids: list[str], step: int, means: dict[str, np.ndarray], attempt: int
) -> list[dict[str, Any]]:
    return [
        {"trial_id": trial_id, "step": step, "attempt": attempt}
        | {name: float(values[place]) for name, values in means.items()}
        for place, trial_id in enumerate(trial_ids)
    ]


def _trial_row(
    task: TrainPack,
    trial: Trial,
    evaluation: dict[str, Any],
    dataset: Dataset,
    seconds: Clocked,
) -> dict[str, Any]:
    """Identity, losses and provenance; a model whose loss is no number has failed."""
    finite = bool(np.isfinite(evaluation["loss"]))
    device = jax.devices()[0]
    return {
        "trial_id": trial.trial_id,
        "study": task.study,
        "dataset": trial.dataset,
        "method": trial.method,
        "seed": trial.seed,
        "model_num": model_numbers().get(trial.trial_id),
        "steps": trial.training.steps,
        "batch_size": trial.training.batch_size,
        "learning_rate": trial.training.learning_rate,
        "num_latents": trial.training.num_latents,
        "evaluation_batches": trial.training.evaluation_batches,
        "status": "done" if finite else "failed",
        "error": None if finite else f"the final loss is {evaluation['loss']}",
        **{name: evaluation[name] for name in ("loss", "reconstruction", "kl", "elbo")},
        "kl_per_latent": evaluation["kl_per_latent"],
        "train_seconds": seconds.train,
        "encode_seconds": seconds.encode,
        "data_source": dataset.source,
        "data_fingerprint": dataset.fingerprint,
        "device": device.device_kind,
        "host": platform.node(),
        "pack_id": task.pack_id,
        "pack_size": len(task.trials),
        "attempt": task.attempt,
        "part": task.part,
        "teasel_version": __version__,
        "jax_version": jax.__version__,
        "numpy_version": np.__version__,
        "sklearn_version": version("scikit-learn"),
        "finished_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **trial.hyperparameters,
    }
