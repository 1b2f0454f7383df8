"""How fast packs train, beside PyTorch and the hardware's limit.

    taskset -c 0 .venv/bin/python benchmarks/training.py            # CPU: one core
    .venv/bin/python benchmarks/training.py --dataset dsprites      # GPU, where JAX finds one;
                                                   # again until everything has been measured

Prints tables and writes them into the section "Training" of benchmarks/RESULTS.md. On a CPU all
contestants run in turns in one process, and time is CPU time; PyTorch takes part where it is
installed (`pip install torch`). On an accelerator time is wall time.
"""

import argparse
import functools
import importlib.util
import json
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from teasel.datasets import load
from teasel.models import METHODS, Replica, Settings, Trainer, pack_memory
from teasel.models.convolution import FORMS
from teasel.models.networks import initial_parameters

RESULTS = Path(__file__).with_name("RESULTS.md")
SETTINGS = Settings()
PACKS = (1, 8, 32, 64, 128, 256)
ARITHMETICS = {  # by name: the precision of products, the type of activations
    "TF32": ("tensorfloat32", "float32"),
    "float32": ("float32", "float32"),
    "bfloat16": ("tensorfloat32", "bfloat16"),
}
EXAMPLES = {
    "beta_vae": {"beta": 4.0},
    "factor_vae": {"gamma": 10.0},
    "dip_vae_i": {"lambda_od": 5.0},
    "dip_vae_ii": {"lambda_od": 5.0},
    "beta_tc_vae": {"beta": 4.0},
    "annealed_vae": {"c_max": 25.0},
}


def flops_per_step(num_channels: int, batch_size: int) -> float:
    """Multiplications and additions of the networks' products, forward and both gradients."""
    shape = (64, 64, num_channels)
    parameters = jax.eval_shape(
        lambda: initial_parameters(jax.random.key(0), shape, SETTINGS.num_latents)
    )
    total = 0
    for network, layers in parameters.items():
        for name, layer in layers.items():
            places = 1
            if name.startswith("convolution_"):
                number = int(name[-1])
                # The side on which the kernel is laid: the smaller of the layer's two.
                side = 64 // 2**number if network == "encoder" else 4 * 2 ** (number - 1)
                places = side * side
            total += 2 * places * layer["kernel"].size
    return 3.0 * batch_size * total


class Contestant:
    """Something that takes steps, and the seconds each round of them took."""

    def __init__(self, name: str, steps: int, take: Callable[[int], Any], num_models: int = 1):
        self.name, self.steps, self.num_models = name, steps, num_models
        self._take = take
        self.compile_seconds = self._seconds(2, time.process_time)
        self.rounds: list[float] = []

    def _seconds(self, steps: int, clock: Callable[[], float]) -> float:
        start = clock()
        self._take(steps)
        return clock() - start

    def run(self, clock: Callable[[], float]) -> None:
        """Takes one round of steps and keeps its seconds per model-step."""
        self.rounds.append(self._seconds(self.steps, clock) / (self.steps * self.num_models))

    @property
    def rate(self) -> float:
        """Model-steps per second: the median round."""
        return 1 / float(np.median(self.rounds))


def packed(
    name: str, draw, data, image_shape, *, num_models=1, steps=8, label="", **options
) -> Contestant:
    trainer = Trainer(METHODS[name], SETTINGS, image_shape, draw, data, **options)
    replicas = [Replica(EXAMPLES[name], seed) for seed in range(num_models)]
    packs = [trainer.start(replicas)]

    def take(num_steps: int) -> None:
        packs[0], curves = trainer.advance(packs[0], num_steps)
        if not np.all(np.isfinite(curves["loss"])):
            raise RuntimeError(f"{name} broke: {curves}")

    return Contestant(label or name, steps, take, num_models)


def torch_contestant(images: np.ndarray, steps: int = 8) -> Contestant | None:
    if importlib.util.find_spec("torch") is None:
        return None
    import torch
    from torch_peer import Training

    torch.set_num_threads(1)
    training = Training(images.shape[-1], SETTINGS.num_latents, SETTINGS.learning_rate, beta=4.0)
    data = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()

    def take(num_steps: int) -> None:
        for _ in range(num_steps):
            training.step(data[torch.randint(0, len(data), (SETTINGS.batch_size,))])

    return Contestant(f"PyTorch {torch.__version__} eager", steps, take)


def product_limit(clock: Callable[[], float], size: int = 2048) -> float:
    """GFLOP/s of the backend's float32 matrix product, best of ten."""
    matrix = jnp.ones((size, size))
    product = jax.jit(jnp.matmul)
    jax.block_until_ready(product(matrix, matrix))
    best = np.inf
    for _ in range(10):
        start = clock()
        jax.block_until_ready(product(matrix, matrix))
        best = min(best, clock() - start)
    return 2 * size**3 / best / 1e9


def cpu_tables(rounds: int) -> str:
    images = np.random.default_rng(0).integers(0, 2, (1000, 64, 64, 1)).astype(np.float32)
    colour = np.repeat(images, 3, axis=-1)

    def draw(data, key, batch_size):
        return data[jax.random.randint(key, (batch_size,), 0, len(data))]

    build = functools.partial(packed, "beta_vae", draw, images, (64, 64, 1))
    contestants = [
        build(label="direct", form="direct"),
        build(label="direct, pack of 8", form="direct", num_models=8, steps=1),
        build(label="lax", form="lax"),
        build(label="blocks, mapped in a loop", form="blocks", steps=4),
        build(label="patches, mapped in a loop", form="patches", steps=4),
        build(label="blocks, pack of 8", form="blocks", num_models=8, steps=1),
        *(
            packed(name, draw, images, (64, 64, 1), label=f"{name}, direct")
            for name in EXAMPLES
            if name != "beta_vae"
        ),
        packed("beta_vae", draw, colour, (64, 64, 3), label="direct, 3 channels"),
    ]
    peer = torch_contestant(images)
    contestants += [peer] if peer else []
    limits = []
    for _ in range(rounds):
        limits.append(product_limit(time.process_time))
        for contestant in contestants:
            contestant.run(time.process_time)
    limit = float(np.median(limits)) * 1e9 / flops_per_step(1, SETTINGS.batch_size)
    rows = [
        (
            c.name,
            f"{c.rate:.2f}",
            f"{_ratio(c, peer):.2f}" if peer else "-",
            f"{c.rate / limit:.0%}" if "3 channels" not in c.name else "-",
            f"{c.compile_seconds:.1f}",
        )
        for c in contestants
    ]
    heading = (
        f"One core, float32, batch {SETTINGS.batch_size}, beta-VAE on 64 x 64 x 1 unless it says "
        f"otherwise; medians of {rounds} rounds in turns. A step is "
        f"{flops_per_step(1, SETTINGS.batch_size) / 1e9:.2f} GFLOP; the matrix product reaches "
        f"{np.median(limits):.0f} GFLOP per CPU-second, {limit:.1f} steps.\n\n"
    )
    columns = ("form", "model-steps / CPU-s", "to PyTorch", "of the limit", "first 2 steps, CPU-s")
    return heading + _table(columns, rows)


def accelerator_tables(
    dataset_name: str, colour_name: str, seconds: float, minutes: float, kept: Path
) -> str:
    """Measures what is not in `kept` yet, a JSON line each, and returns the table of all."""
    end = time.monotonic() + 60 * minutes
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    done = {tuple(row["case"]) for row in rows}
    datasets: dict[str, Any] = {}
    for case in _cases(dataset_name, colour_name):
        if case in done:
            continue
        if time.monotonic() > end:
            print("time is up: the same command goes on here")
            break
        name, method, form, arithmetic, size = case
        if name not in datasets:
            dataset = load(name)
            datasets[name] = dataset, jax.device_put(dataset.device_data())
        dataset, data = datasets[name]
        precision, activations = ARITHMETICS[arithmetic]
        with jax.default_matmul_precision(precision):
            options = {"form": form, "activations": activations}
            shape = dataset.image_shape
            rate = _timed(method, dataset.draw, data, shape, size, seconds, **options)
        rows.append({"case": case, "rate": rate, "shape": shape})
        print(*case, rate, flush=True)
        with kept.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
    bandwidth = _copy_bandwidth()
    columns = (
        *("data set", "method", "form", "arithmetic", "R", "model-steps / s", "to one alone"),
        "bandwidth at two passes over the activations",
    )
    return (
        f"Copy bandwidth {bandwidth / 1e12:.2f} TB/s, matrix product "
        f"{product_limit(time.perf_counter, 8192) / 1e3:.0f} TFLOP/s in the default float32. One "
        "alone is `lax` with one call a step.\n\n"
    ) + _table(columns, _lines(rows, bandwidth))


def _cases(dataset_name: str, colour_name: str) -> list[tuple[str, str, str, str, int]]:
    """Data set, method, form, arithmetic and R, the most telling first."""
    mapped = [form for form in FORMS if FORMS[form].packs]
    cases = []
    for name, methods in ((dataset_name, list(EXAMPLES)), (colour_name, ["beta_vae"])):
        for method in methods:
            cases.append((name, method, "lax", "TF32", 1))
            for form in mapped if method == "beta_vae" else mapped[:1]:
                for arithmetic in ARITHMETICS if method == "beta_vae" else ("TF32", "bfloat16"):
                    cases += [(name, method, form, arithmetic, size) for size in PACKS]
    return cases


def _lines(rows: list[dict[str, Any]], bandwidth: float) -> list[tuple[str, ...]]:
    alone = {tuple(row["case"][:2]): row["rate"] for row in rows if row["case"][2] == "lax"}
    lines = []
    for row in rows:
        (name, method, form, arithmetic, size), rate = row["case"], row["rate"]
        cells = ("out of memory", "-", "-")
        if rate:
            activations, shape = ARITHMETICS[arithmetic][1], tuple(row["shape"])
            needed = pack_memory(
                METHODS[method], SETTINGS, shape, 0, 1, on_cpu=False, activations=activations
            )
            one = alone.get((name, method))
            share = f"{2 * rate * needed.activations / bandwidth:.0%}" if form != "lax" else "-"
            cells = (f"{rate:.0f}", f"{rate / one:.1f}" if one else "-", share)
        lines.append((name, method, form, arithmetic, str(size), *cells))
    return lines


def _timed(method, draw, data, shape, size, seconds, **options) -> float | None:
    """Model-steps per second of wall time, or None where the pack doesn't fit."""
    try:
        contestant = packed(method, draw, data, shape, num_models=size, **options)
        contestant.run(time.perf_counter)
        contestant.steps = max(8, int(seconds * contestant.rate / size))
        contestant.rounds.clear()
        contestant.run(time.perf_counter)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return None
    return contestant.rate


def _copy_bandwidth() -> float:
    """Bytes per second of reading and writing an array of one gigabyte."""
    array = jnp.ones(2**28)
    copy = jax.jit(lambda a: a + 1)
    jax.block_until_ready(copy(array))
    start = time.perf_counter()
    for _ in range(10):
        array = copy(array)
    jax.block_until_ready(array)
    return 10 * 2 * array.nbytes / (time.perf_counter() - start)


def _ratio(contestant: Contestant, peer: Contestant) -> float:
    """Median over rounds of the ratio within a round, so that a slow minute hits both."""
    pairs = zip(peer.rounds, contestant.rounds, strict=True)
    return float(np.median([theirs / ours for theirs, ours in pairs]))


def _table(columns, rows) -> str:
    lines = ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def write_section(title: str, body: str) -> None:
    """Replaces one part of the results, or adds it; everything else stays as it is."""
    text = RESULTS.read_text() if RESULTS.exists() else "# Measured\n"
    section = f"## {title}\n\n{body.strip()}\n"
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.M | re.S)
    if pattern.search(text):
        text = pattern.sub(lambda _: section + "\n", text)
    else:
        text = text.rstrip() + "\n\n" + section
    RESULTS.write_text(text.rstrip() + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="CPU: rounds of all contestants")
    parser.add_argument("--seconds", type=float, default=3.0, help="GPU: seconds a measurement")
    parser.add_argument("--minutes", type=float, default=9.0, help="GPU: of one call")
    parser.add_argument("--kept", type=Path, default=Path("training.jsonl"), help="GPU: measured")
    parser.add_argument("--dataset", default="dsprites", help="GPU: trained on by every method")
    parser.add_argument("--colour", default="color_dsprites", help="GPU: of three channels")
    arguments = parser.parse_args()
    device = jax.devices()[0]
    if device.platform == "cpu":
        title, where = "Training on a CPU", platform.processor() or platform.machine()
        command = (
            f"taskset -c 0 .venv/bin/python benchmarks/training.py --rounds {arguments.rounds}"
        )
        tables = cpu_tables(arguments.rounds)
    else:
        title, where = f"Training on {device.device_kind}", device.device_kind
        command = f".venv/bin/python benchmarks/training.py --dataset {arguments.dataset}"
        tables = accelerator_tables(
            arguments.dataset,
            arguments.colour,
            arguments.seconds,
            arguments.minutes,
            arguments.kept,
        )
    body = f"`{command}`, jax {jax.__version__}, {where}.\n\n{tables}"
    print(body)
    write_section(title, body)


if __name__ == "__main__":
    main()
