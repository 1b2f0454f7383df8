"""Does one observation per image change a score? Compares a table of codes with fresh ones.

    TEASEL_DATA_DIR=FOLDER .venv/bin/python benchmarks/observations.py --folder models

A score looks codes up in a table that holds one observation of each image (`Dataset.observe`); the
original observed an image anew at every visit. Trains a beta-VAE with three seeds on the small
version of each noisy data set, keeps them in the folder, and scores each in both ways with the same
draws of factors and of sampled codes. A fresh observation is one of two others of the image, chosen
at every visit. Prints the mean size of the difference beside the spread of the score over the
trainings; and for the mean codes the difference between two tables, which is the chance of the
observations alone. Three short trainings of one setting hardly differ, so the last column sets the
difference beside the seeds of a study (`--study`, its scores as a report exports them): the root of
the mean variance within its settings. The metrics are the paper's, at its sizes.

Scored are, by default, a quarter of the small sets' images, every second position, a 64th of the
study's: so an observation returns 64 times as often as there. The study's own sets take `--sets
color_dsprites noisy_dsprites scream_dsprites --every 1`: half an hour of a CPU for each model, most
of it for encoding. `--workers` is how many processes score at once.
"""

import argparse
import json
import multiprocessing
import os
import platform
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

from teasel.datasets import Dataset, load
from teasel.metrics import METRICS, PAPER_PARAMETERS, PAPER_SEEDS, Rng, TableRepresentation
from teasel.models import (
    METHODS,
    Model,
    Replica,
    Settings,
    TrainedModel,
    Trainer,
    parameters_from_bytes,
    parameters_to_bytes,
)
from teasel.sweep.store.tables import score_column

SETS = ("color_dsprites_mini", "noisy_dsprites_mini", "scream_dsprites_mini")
SCORES = (
    *(("beta_vae_score", "beta_vae_score"), ("factor_vae_score", "factor_vae_score")),
    *(("mig", "mig"), ("modularity", "modularity"), ("dci", "disentanglement")),
    *(("dci", "completeness"), ("explicitness", "test"), ("sap", "sap")),
    *(("unsupervised", "gaussian_total_correlation"), ("unsupervised", "mutual_info_score")),
    *(("downstream_lr", "1000"), ("downstream_gbt", "1000")),
)
NUM_OTHERS = 2

Table = tuple[np.ndarray, np.ndarray]


def trained(dataset: Dataset, folder: Path, steps: int, num_seeds: int) -> list:
    """Returns a beta-VAE for each seed, from the folder if it is there."""
    path = folder / f"{dataset.name}-{steps}-{num_seeds}.safetensors"
    settings = Settings(steps=steps, learning_rate=1e-3)  # in few steps, further than 1e-4
    if not path.exists():
        data = jax.device_put(dataset.device_data())
        trainer = Trainer(
            METHODS["beta_vae"], settings, dataset.image_shape, dataset.sample_batch, data
        )
        pack = trainer.start([Replica({"beta": 1.0}, seed) for seed in range(num_seeds)])
        pack, curves = trainer.advance(pack, steps)
        print(dataset.name, "reconstruction", curves["reconstruction"].round(1), flush=True)
        models = {str(seed): model for seed, model in enumerate(trainer.parameters(pack))}
        path.write_bytes(parameters_to_bytes(models, dataset.image_shape))
    stored = parameters_from_bytes(path.read_bytes())
    method, model = METHODS["beta_vae"], Model.of(settings, dataset.image_shape)
    return [
        TrainedModel(method, {"beta": 1.0}, model, stored[str(seed)]) for seed in range(num_seeds)
    ]


def thinned(dataset: Dataset, every: int) -> Dataset:
    """Returns one in so many positions of a data set, along either axis."""
    *others, x, y = dataset.grid
    rows = dataset.store.reshape(*dataset.factor_sizes, -1)[..., ::every, ::every, :]
    grid = (*others, x._replace(size=rows.shape[-3]), y._replace(size=rows.shape[-2]))
    return replace(dataset, grid=grid, store=rows.reshape(-1, rows.shape[-1]))


def tables(dataset: Dataset, model: TrainedModel) -> list[Table]:
    """Returns the posteriors of the images' own observations, and of some others of each."""
    data = jax.device_put(dataset.device_data())

    def other(number: int) -> Callable[..., jax.Array]:
        def observe(data: Any, indices: jax.Array) -> jax.Array:
            key = jax.random.fold_in(jax.random.key(number), indices[0])
            return dataset.observe(data, indices, key)

        return observe

    return [
        model.encode_all(observe, data, len(dataset))
        for observe in (dataset.observe, *map(other, range(NUM_OTHERS)))
    ]


def ways(kind: str) -> tuple[str, ...]:
    """Returns the ways in which codes of this kind are looked up."""
    return ("table", "fresh", "other table") if kind == "mean" else ("table", "fresh")


def scores(dataset: Dataset, made: list[Table], kind: str, way: str) -> dict[str, float]:
    """Returns the scores by name; each way takes the same draws of a metric's seed."""
    choice, num_images = np.random.default_rng(0), len(dataset)
    mean, log_variance = (np.concatenate(parts) for parts in zip(*made, strict=True))

    def look(factors: np.ndarray, rng: Rng) -> np.ndarray:
        del rng  # draws what it draws for a table
        table = {"table": 0, "other table": 1}.get(way)
        chosen = choice.integers(1, len(made), size=len(factors)) if table is None else table
        return dataset.sample_indices(factors) + num_images * chosen

    spread = log_variance if kind == "sampled" else None
    representation = TableRepresentation(mean, spread, dataset.factor_sizes, look)
    found = {}
    for metric in dict.fromkeys(metric for metric, _ in SCORES):
        rng = np.random.RandomState(PAPER_SEEDS[kind][metric])
        given = METRICS[metric](representation, rng, **PAPER_PARAMETERS[metric])
        found |= {f"{metric}: {score}": given[score] for name, score in SCORES if name == metric}
    return found


def kept_scores(name: str, tables_file: Path, every: int, kind: str, way: str) -> dict[str, float]:
    """Returns the scores of tables in a file; runs in a process of its own."""
    with np.load(tables_file) as file:
        made = list(zip(file["means"], file["log_variances"], strict=True))
    return scores(thinned(load(name), every), made, kind, way)


def measured(
    name: str, folder: Path, steps: int, num_seeds: int, every: int, pool: ProcessPoolExecutor
) -> dict[str, Any]:
    """Returns the scores of a data set's models by kind, way and score, kept in the folder."""
    path = folder / f"{name}-{steps}-{num_seeds}-{every}.json"
    if path.exists():
        return json.loads(path.read_text())
    dataset = load(name)
    fewer = thinned(dataset, every)
    running = []
    for number, model in enumerate(trained(dataset, folder, steps, num_seeds)):
        means, log_variances = zip(*tables(fewer, model), strict=True)
        file = folder / f"{name}-{number}-tables.npz"
        np.savez(file, means=np.stack(means), log_variances=np.stack(log_variances))
        print(f"{name}: model {number} encoded", flush=True)
        running += [
            (kind, way, pool.submit(kept_scores, name, file, every, kind, way))
            for kind in ("mean", "sampled")
            for way in ways(kind)
        ]
    found: dict[str, Any] = {"mean": {}, "sampled": {}}
    for kind, way, job in running:
        for score, value in job.result().items():
            found[kind].setdefault(way, {}).setdefault(score, []).append(value)
    for file in folder.glob(f"{name}-*-tables.npz"):
        file.unlink()
    path.write_text(json.dumps(found))
    return found


def spread_of_seeds(study: pd.DataFrame, kind: str, score: str) -> float:
    """Returns the root of the mean variance within the settings of a study."""
    rows = study[study["representation"] == kind]
    column = score_column(*score.split(": "))
    return float(rows.groupby(["dataset", "method", "setting"])[column].var().mean() ** 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="of the trained models")
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--every", type=int, default=2, help="one in so many positions is scored")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each data set")
    parser.add_argument("--workers", type=int, default=1, help="processes that score at once")
    parser.add_argument("--study", type=Path, default=Path("docs/results/scores.parquet"))
    arguments = parser.parse_args()
    study = pd.read_parquet(arguments.study)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    jax.devices()  # this process encodes, where JAX finds an accelerator; the others score
    os.environ["JAX_PLATFORMS"] = "cpu"
    fresh_processes = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.workers, fresh_processes) as pool:
        by_set = {
            name: measured(
                *(name, arguments.folder, arguments.steps, arguments.seeds, arguments.every), pool
            )
            for name in arguments.sets
        }
    print(
        "| data set | codes | score | table | fresh | difference | spread | ratio | two tables "
        "| to a study's seeds |"
    )
    print("|" + " --- |" * 10)
    for name, by_kind in by_set.items():
        for kind, by_way in by_kind.items():
            for score, values in by_way["table"].items():
                ours, fresh = np.array(values), np.array(by_way["fresh"][score])
                difference, spread = np.abs(ours - fresh).mean(), fresh.std(ddof=1)
                chance = ""
                if "other table" in by_way:
                    other = np.abs(ours - by_way["other table"][score]).mean()
                    chance = f"{other / spread:.3f}"
                others = difference / spread_of_seeds(study, kind, score)
                print(
                    f"| {name} | {kind} | {score} | {ours.mean():.4f} | {fresh.mean():.4f} "
                    f"| {difference:.5f} | {spread:.4f} | {difference / spread:.3f} | {chance} "
                    f"| {others:.3f} |"
                )
    print(f"jax {version('jax')}, numpy {version('numpy')}, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
