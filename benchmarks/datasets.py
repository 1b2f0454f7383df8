"""The cost of data: rendering dSprites, opening prepared sets, and a batch's share of a step.

    .venv/bin/python benchmarks/datasets.py [--replicas 2] [--steps 10] [--only NAMES] [--draw]

Opens every data set that is prepared in the cache or can be made from what is there without
drawing more than 1 GB. A batch is drawn on the device as in training, 64 images for each replica;
a step is `beta_vae`'s, data included. Both are timed in turns and the medians compared, in CPU
seconds where the device is a CPU.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from teasel.datasets import DATASETS, DataError, Dataset
from teasel.models import METHODS, Pack, Replica, Settings, Trainer

BATCH_SIZE = 64


def seconds(function: Callable[[], Any]) -> float:
    clock = time.process_time if jax.default_backend() == "cpu" else time.perf_counter
    begin = clock()
    jax.block_until_ready(function())
    return clock() - begin


def measure_drawing() -> None:
    begin, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TEASEL_CACHE_DIR"] = folder
        DATASETS["dsprites"]()
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    print(f"drawing dsprites for the first time: {wall:.1f} s, {cpu:.1f} CPU-s")


def opened(names: list[str]) -> list[Dataset]:
    datasets = []
    for name in names:
        definition = DATASETS[name]
        if definition.status().num_bytes > 1e9 and not definition.status().ready:
            print(f"{name}: not prepared")
            continue
        try:
            definition()
        except DataError as error:
            print(f"{name}: {error}")
            continue
        begin = time.perf_counter()
        dataset = definition()
        known = time.perf_counter() - begin
        Path(dataset.store.filename).touch()  # as if copied: the content has to be hashed once
        begin = time.perf_counter()
        definition()
        print(f"{name:22} opened in {known:6.4f} s, {time.perf_counter() - begin:6.2f} s if copied")
        datasets.append(dataset)
    return datasets


def measure_batches(datasets: list[Dataset], num_replicas: int, num_steps: int) -> None:
    """Prints one line for each data set."""
    print(f"\n{'data set':22} {'ms a batch':>10} {'ms a step':>10} {'share':>7}   (one model)")
    replicas = [Replica({"beta": 4.0}, seed) for seed in range(num_replicas)]
    for dataset in datasets:
        batch, step = milliseconds(dataset, replicas, num_steps)
        print(f"{dataset.name:22} {batch:10.3f} {step:10.3f} {batch / step:7.2%}", flush=True)


def milliseconds(dataset: Dataset, replicas: list[Replica], num_steps: int) -> tuple[float, float]:
    """A batch and a step of one model, medians of five turns."""
    data = jax.device_put(dataset.device_data())
    settings = Settings(steps=10**6, batch_size=BATCH_SIZE)
    trainer = Trainer(
        METHODS["beta_vae"], settings, dataset.image_shape, dataset.sample_batch, data
    )
    keys = jax.random.split(jax.random.key(0), len(replicas))

    @jax.jit
    def draw(data: Any, keys: jax.Array) -> jax.Array:
        return jax.vmap(lambda key: dataset.sample_batch(data, key, BATCH_SIZE))(keys)

    def draw_all() -> list[jax.Array]:
        return [draw(data, keys) for _ in range(num_steps)]

    def step_all(pack: Pack) -> Any:
        return trainer.advance(pack, num_steps)[0].states

    seconds(draw_all)
    seconds(lambda: step_all(trainer.start(replicas)))
    batches, steps = [], []
    for _ in range(5):
        pack = trainer.start(replicas)  # advancing uses it up
        batches.append(seconds(draw_all))
        steps.append(seconds(lambda pack=pack: step_all(pack)))
    each = 1e3 / (num_steps * len(replicas))
    return statistics.median(batches) * each, statistics.median(steps) * each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--only", help="data sets, with commas between")
    parser.add_argument("--draw", action="store_true", help="draw dSprites first")
    options = parser.parse_args()
    datasets = opened(options.only.split(",") if options.only else list(DATASETS))
    measure_batches(datasets, options.replicas, options.steps)
    if options.draw:
        measure_drawing()


if __name__ == "__main__":
    main()
