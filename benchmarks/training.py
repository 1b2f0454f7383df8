"""The speed of training packs, compared with PyTorch and the hardware's limit.

    taskset -c 0 .venv/bin/python benchmarks/training.py    # CPU: one core
    .venv/bin/python benchmarks/training.py                 # GPU, where JAX finds one: minutes a
                                                            # call, until no case is left
    .venv/bin/python benchmarks/training.py --host          # a pack between device and host
    taskset -c 0 .venv/bin/python benchmarks/training.py --later  # later models, on a CPU

Prints a table and writes it into a section of benchmarks/RESULTS.md. On a CPU all contestants run
in turns in one process, and time is CPU time; PyTorch takes part where it is installed
(`pip install torch`). On an accelerator time is wall time (`training_accelerator.py`).
"""

import argparse
import functools
import importlib.util
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from training_accelerator import accelerator_tables
from training_common import EXAMPLES, SETTINGS, STUDYS, product_rate, table, write_section

from teasel.models import METHODS, Batch, Model, Replica, Trainer, keep_freed_memory


def flops_per_step(num_channels: int, batch_size: int) -> float:
    """Multiplications and additions of the networks' products, forward and both gradients."""
    shape = (64, 64, num_channels)
    parameters = jax.eval_shape(
        lambda: Model.of(SETTINGS, shape).initial_parameters(jax.random.key(0))
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
    name: str,
    draw,
    data,
    image_shape,
    *,
    num_models=1,
    steps=8,
    label="",
    settings=SETTINGS,
    **options,
) -> Contestant:
    trainer = Trainer(METHODS[name], settings, image_shape, draw, data, **options)
    replicas = [Replica(METHODS[name].example, seed) for seed in range(num_models)]
    packs = [trainer.start(replicas)]

    def take(num_steps: int) -> None:
        packs[0], curves = trainer.advance(packs[0], num_steps)
        if not np.all(np.isfinite(curves["loss"])):
            raise RuntimeError(f"{name} broke: {curves}")

    return Contestant(label or name, steps, take, num_models)


def torch_contestants(images: np.ndarray, steps: int = 8) -> list[Contestant]:
    """PyTorch eager, and compiled; nothing where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return []
    import torch
    from torch_peer import Training

    torch.set_num_threads(1)
    data = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()

    def contestant(how: str) -> Contestant:
        training = Training(
            *(images.shape[-1], SETTINGS.num_latents, SETTINGS.learning_rate),
            beta=4.0,
            compiled=how == "compiled",
        )

        def take(num_steps: int) -> None:
            for _ in range(num_steps):
                training.step(data[torch.randint(0, len(data), (SETTINGS.batch_size,))])

        return Contestant(f"PyTorch {torch.__version__} {how}", steps, take)

    return [contestant("eager"), contestant("compiled")]


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
        build(label="products, mapped in a loop", form="products", steps=4),
        build(label="products, pack of 8", form="products", num_models=8, steps=1),
        *(
            packed(name, draw, images, (64, 64, 1), label=f"{name}, direct")
            for name in STUDYS
            if name != "beta_vae"
        ),
        packed("beta_vae", draw, colour, (64, 64, 3), label="direct, 3 channels"),
    ]
    peers = torch_contestants(images)
    contestants += peers
    peer = peers[0] if peers else None
    limits = []
    for _ in range(rounds):
        limits.append(product_rate(time.process_time, 2048))
        for contestant in contestants:
            contestant.run(time.process_time)
    limit = float(np.median(limits)) / flops_per_step(1, SETTINGS.batch_size)
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
        f"One core, float32, batch {SETTINGS.batch_size}, beta-VAE on 64 x 64 x 1 unless the row "
        f"says otherwise; medians of {rounds} rounds in turns. A step takes "
        f"{flops_per_step(1, SETTINGS.batch_size) / 1e9:.2f} GFLOP. A matrix product reaches "
        f"{np.median(limits) / 1e9:.0f} GFLOP per CPU-second, or {limit:.1f} steps.\n\n"
    )
    columns = ("form", "model-steps / CPU-s", "to PyTorch", "of the limit", "first 2 steps, CPU-s")
    return heading + table(columns, rows)


LATER: dict[str, tuple[str, dict[str, Any]]] = {
    "prior: mixture": ("beta_vae", {"prior": "mixture"}),
    "prior: vamp": ("beta_vae", {"prior": "vamp"}),
    "prior: autoregressive": ("beta_vae", {"prior": "autoregressive"}),
    "prior: coupling": ("beta_vae", {"prior": "coupling"}),
    "posterior: autoregressive": ("beta_vae", {"posterior": "autoregressive"}),
    "free_bits and kl_annealing_steps": (
        "beta_vae",
        {"free_bits": 0.1, "kl_annealing_steps": 1000},
    ),
    "iwae, 5 samples": ("iwae", {}),
    "ada_gvae": ("ada_gvae", {}),
    "ml_vae": ("ml_vae", {}),
    "infogan": ("infogan", {}),
}
"""By label: a method, and its settings."""


def later_table(rounds: int) -> str:
    """What a step of later models takes, in steps of a beta-VAE."""
    images = np.random.default_rng(0).integers(0, 2, (1000, 64, 64, 1)).astype(np.float32)

    def draw(data, key, batch_size):
        drawn = data[jax.random.randint(key, (batch_size,), 0, len(data))]
        return Batch(drawn, drawn[::-1], jax.random.bernoulli(key, shape=(batch_size, 5)))

    build = functools.partial(packed, draw=draw, data=images, image_shape=(64, 64, 1), steps=4)
    first = build("beta_vae")
    others = [
        build(name, label=label, settings=SETTINGS._replace(**changes))
        for label, (name, changes) in LATER.items()
    ]
    for _ in range(rounds):
        for contestant in (first, *others):
            contestant.run(time.process_time)
    rows = [(c.name, f"{1 / _ratio(c, first):.2f}", f"{c.compile_seconds:.1f}") for c in others]
    heading = (
        f"CPU time of a step, as a multiple of a beta-VAE's; float32, batch {SETTINGS.batch_size}, "
        f"64 x 64 x 1, the paper's networks; medians of {rounds} rounds in turns.\n\n"
    )
    return heading + table(("model", "steps of a beta-VAE", "first 2 steps, CPU-s"), rows)


def host_table(num_models: int = 64) -> str:
    """What a pack's models cost between the device and the host: a first call and a second."""

    def draw(data, key, batch_size):
        return data[:batch_size]

    images = np.zeros((SETTINGS.batch_size, 64, 64, 1), np.float32)
    method = METHODS["beta_vae"]
    trainer = Trainer(method, SETTINGS, (64, 64, 1), draw, images, form="products")
    replicas = [Replica(EXAMPLES["beta_vae"], seed, str(seed)) for seed in range(num_models)]
    pack, content = trainer.start(replicas), b""

    def save() -> None:
        nonlocal content
        content = trainer.save(pack)

    calls: dict[str, Callable[[], Any]] = {
        "parameters": lambda: trainer.parameters(pack),
        "save": save,
        "restore": lambda: trainer.restore(content).states,
        "shrink to half": lambda: trainer.shrink(pack, range(num_models // 2)).states,
        "is_broken, once": lambda: trainer.is_broken(pack, 0),
    }
    rows = []
    for name, call in calls.items():
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            jax.block_until_ready(call())
            seconds.append(f"{time.perf_counter() - start:.3f}")
        rows.append((name, *seconds))
    heading = (
        f"{num_models} models of beta-VAE, {len(content) / 1e6:.0f} MB with their moments.\n\n"
    )
    return heading + table(("call", "first, s", "second, s"), rows)


def _ratio(contestant: Contestant, peer: Contestant) -> float:
    """Median over rounds of the ratio within a round, so that a slow minute hits both."""
    pairs = zip(peer.rounds, contestant.rounds, strict=True)
    return float(np.median([theirs / ours for theirs, ours in pairs]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="CPU: rounds of all contestants")
    parser.add_argument("--seconds", type=float, default=1.0, help="GPU: seconds a measurement")
    parser.add_argument("--minutes", type=float, default=9.0, help="GPU: of one call")
    parser.add_argument("--kept", type=Path, default=Path("training.jsonl"), help="GPU: measured")
    parser.add_argument("--host", action="store_true", help="a pack between device and host")
    parser.add_argument("--later", action="store_true", help="later models, on a CPU")
    arguments = parser.parse_args()
    keep_freed_memory()  # as a worker does, before JAX starts its threads
    device = jax.devices()[0]
    if arguments.host:
        title, where = f"A pack between {device.device_kind} and the host", device.device_kind
        command, tables = ".venv/bin/python benchmarks/training.py --host", host_table()
    elif arguments.later:
        title, where = "Later models on a CPU", platform.processor() or platform.machine()
        command = "taskset -c 0 .venv/bin/python benchmarks/training.py --later"
        tables = later_table(arguments.rounds)
    elif device.platform == "cpu":
        title, where = "Training on a CPU", platform.processor() or platform.machine()
        command = (
            f"taskset -c 0 .venv/bin/python benchmarks/training.py --rounds {arguments.rounds}"
        )
        tables = cpu_tables(arguments.rounds)
    else:
        title, where = f"Training on {device.device_kind}", device.device_kind
        command = ".venv/bin/python benchmarks/training.py"
        tables = accelerator_tables(arguments.seconds, arguments.minutes, arguments.kept)
    body = f"`{command}`, jax {jax.__version__}, {where}.\n\n{tables}"
    print(body)
    write_section(title, body)


if __name__ == "__main__":
    main()
