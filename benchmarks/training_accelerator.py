"""The speed of training packs on an accelerator, by case, relative to its limits.

Called by `training.py`. What tells most is measured first. Every case is kept as a line of JSON
once it is measured, so the same command goes on where time ran out; the table is made of all lines
of this device and version of JAX. A case that failed has a line too: delete it to try again.

Images are noise in the size and layout of dSprites and of Cars3D: their values do not matter here.
"""

import functools
import gc
import importlib.util
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from training_common import EXAMPLES, SETTINGS, STUDYS, product_rate, table

from teasel.datasets.dataset import Dataset, Factor
from teasel.models import METHODS, Model, Replica, TrainedModel, Trainer
from teasel.models.convolution import form_for
from teasel.models.program import RATE, Program
from teasel.tests.support.ahead_of_time import STORES, kernels

CHUNK = 25
"""Steps a call, as a sweep's worker takes them on an accelerator."""

AT_ONCE = 3
"""Programs that are compiled at the same time."""

PRECISIONS = {"bfloat16": ("tensorfloat32", "bfloat16")} | {
    name: (name, "float32") for name in ("tensorfloat32", "float32")
}
"""By name: the precision of products, and the type of their operands."""

Row = dict[str, Any]


class Case(NamedTuple):
    """What is measured: `size` models of a method training together, or, if 1, one alone.

    `by` is a form of convolutions, "PyTorch" (eager, one model after the other) or
    "torch.func.vmap"; "resume" and "encode" are of a pack and of a model of ours.
    """

    by: str
    method: str
    channels: int
    precision: str
    size: int


def cases(form: str) -> list[Case]:
    """All cases, what tells most first; `form` is the device's own."""
    methods = [method for method in STUDYS if method not in ("beta_vae", "factor_vae")]
    of_one_channel = functools.partial(Case, method="beta_vae", channels=1)
    peers = ("PyTorch", "torch.func.vmap")
    return [
        *(of_one_channel(form, precision=name, size=64) for name in PRECISIONS),
        of_one_channel("lax", precision="tensorfloat32", size=1),
        *(of_one_channel(form, precision="bfloat16", size=size) for size in (8, 128)),
        *(of_one_channel(by, precision="tensorfloat32", size=64) for by in peers),
        Case(form, "factor_vae", 1, "bfloat16", 64),
        Case(form, "beta_vae", 3, "bfloat16", 64),
        of_one_channel("resume", precision="bfloat16", size=8),
        of_one_channel("encode", precision="float32", size=1),
        *(Case(form, method, 1, "bfloat16", 64) for method in methods),
        of_one_channel("lax", precision="tensorfloat32", size=64),
        *(of_one_channel(form, precision="tensorfloat32", size=size) for size in (8, 128)),
        Case(form, "factor_vae", 1, "tensorfloat32", 64),
        Case(form, "beta_vae", 3, "tensorfloat32", 64),
        of_one_channel("products", precision="tensorfloat32", size=64),
        of_one_channel("products", precision="bfloat16", size=64),
        *(Case(form, method, 1, "tensorfloat32", 64) for method in methods),
        of_one_channel(form, precision="bfloat16", size=1),
    ]


def accelerator_tables(seconds: float, minutes: float, kept: Path) -> str:
    """Measures what is not in `kept` yet, for some minutes, and returns the table of all."""
    end = time.monotonic() + 60 * minutes
    device = jax.devices()[0]
    here = {"device": device.device_kind, "jax": jax.__version__}
    every = cases(form_for(device.platform))
    rows = kept_rows(kept, here)
    if not any("limits" in row for row in rows):
        rows.append({**here, "limits": _limits()})
        keep(kept, rows[-1])
    left = cases_left(every, rows)
    while group := left[:AT_ONCE]:
        if time.monotonic() > end:
            print(f"time is up: {len(left)} cases are left; run this again")
            break
        left = left[AT_ONCE:]
        for case in group:
            keep(kept, {**here, "begun": case})
        with ThreadPoolExecutor(AT_ONCE) as pool:
            prepared = list(pool.map(functools.partial(_tried, _prepared), group))
        for case, ready in zip(group, prepared, strict=True):
            row = {**here, "case": case, **(ready if isinstance(ready, dict) else ready(seconds))}
            rows.append(row)
            keep(kept, row)
            print(*case, row.get("error") or f"{row['rate']:.0f} {row['unit']}", flush=True)
        del prepared, ready
        gc.collect()  # an error can hold a pack's memory
    return report(every, rows)


# Lines of measurements.


def kept_rows(kept: Path, here: Row) -> list[Row]:
    """The whole lines of this device and version of JAX; one torn by a sudden end is no line."""
    rows = []
    for line in kept.read_text().splitlines() if kept.exists() else []:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if here.items() <= row.items():
            rows.append(row)
    return rows


def keep(kept: Path, row: Row) -> None:
    """Adds a line."""
    with kept.open("a") as file:
        file.write("\n" + json.dumps(row))  # a torn line ends here, so that this one is whole


def cases_left(every: Sequence[Case], rows: Sequence[Row]) -> list[Case]:
    """Those without a measurement, in order; one that a run began and never ended comes last."""
    done = {Case(*row["case"]) for row in rows if "case" in row}
    begun = [Case(*row["begun"]) for row in rows if "begun" in row]
    return sorted((case for case in every if case not in done), key=begun.count)


# Measuring.


def _tried(function: Callable[[Case], Any], case: Case) -> Any:
    """What the function returns, or the first line of its error."""
    try:
        return function(case)
    except Exception as error:
        if "RESOURCE_EXHAUSTED" in str(error):
            return {"error": "out of memory"}
        first, *_ = str(error).splitlines() or [""]
        return {"error": f"{type(error).__name__}: {first}"[:200]}


def _prepared(case: Case) -> Callable[[float], Row]:
    """Compiles what a case runs; the result measures it for some seconds."""
    begun = time.monotonic()
    make = {
        "PyTorch": _torch_alone,
        "torch.func.vmap": _torch_pack,
        "resume": _resumed,
        "encode": _encoded,
    }.get(case.by, _pack)
    take, units, more = make(case)
    take()
    more["ready"] = time.monotonic() - begun

    def measured(seconds: float) -> Row:
        def rate(_: Case) -> Row:
            calls, start = 0, time.perf_counter()
            while not calls or time.perf_counter() - start < seconds:
                take()
                calls += 1
            return {"rate": units * calls / (time.perf_counter() - start), **more}

        return {"unit": "model-steps/s", **_tried(rate, case)}

    return measured


def _dataset(channels: int) -> tuple[Dataset, jax.Array]:
    store, shape = STORES[channels], (64, 64, channels)
    return Dataset("noise", (Factor("image", store[0]),), np.empty(0), shape, "", ""), _noise(store)


@functools.cache
def _noise(shape: tuple[int, ...]) -> jax.Array:
    return jax.random.bits(jax.random.key(0), shape, jnp.uint8)


def _pack(case: Case) -> tuple[Callable[[], Any], int, Row]:
    """A pack's program as a worker runs it."""
    dataset, data = _dataset(case.channels)
    settings = SETTINGS._replace(precision=case.precision)
    entry = METHODS[case.method]
    program = Program(entry, settings, dataset.image_shape, dataset.sample_batch, case.by)
    seeds = jnp.arange(case.size, dtype=jnp.uint32)
    traced = {**EXAMPLES[case.method], RATE: settings.learning_rate}
    values = {name: jnp.full(case.size, v, jnp.float32) for name, v in traced.items()}
    states = jax.jit(jax.vmap(program.start))(seeds, values)
    advance = jax.jit(program.advance_all, donate_argnums=0)
    compiled = advance.lower(states, data, seeds, values, jnp.int32(0), jnp.int32(CHUNK)).compile()
    step = 0

    def take() -> None:
        nonlocal states, step
        states, totals = compiled(states, data, seeds, values, jnp.int32(step), jnp.int32(CHUNK))
        step += CHUNK
        if not np.all(np.isfinite(totals)):
            raise RuntimeError("a loss is not finite")

    memory = compiled.memory_analysis()
    moved = sum(kernel.num_bytes for kernel in kernels(compiled.as_text())) / case.size
    return take, case.size * CHUNK, {"peak": memory.peak_memory_in_bytes, "bytes": moved}


def _torch_alone(case: Case) -> tuple[Callable[[], Any], int, Row]:
    torch, peer, data = _torch(case)
    model = peer.Training(case.channels, SETTINGS.num_latents, SETTINGS.learning_rate, beta=4.0)
    model.model.cuda()
    return _steps_of_torch(torch, data, model.step), CHUNK, {}


def _torch_pack(case: Case) -> tuple[Callable[[], Any], int, Row]:
    torch, peer, data = _torch(case)
    sizes = case.channels, SETTINGS.num_latents
    pack = peer.Pack(case.size, *sizes, SETTINGS.learning_rate, beta=4.0, device="cuda")
    return _steps_of_torch(torch, data, pack.step, case.size), case.size * CHUNK, {}


def _torch(case: Case) -> tuple[Any, Any, Any]:
    if importlib.util.find_spec("torch") is None:
        raise RuntimeError("PyTorch is not installed")
    import torch
    import torch_peer

    allowed = case.precision != "float32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    return torch, torch_peer, torch.rand(4096, case.channels, 64, 64, device="cuda")


def _steps_of_torch(torch, data, step, *leading: int) -> Callable[[], None]:
    def take() -> None:
        for _ in range(CHUNK):
            which = torch.randint(0, len(data), (*leading, SETTINGS.batch_size), device="cuda")
            step(data[which])
        torch.cuda.synchronize()

    return take


def _resumed(case: Case) -> tuple[Callable[[], Any], int, Row]:
    """A pack that is saved and read half-way, beside one that is not."""
    dataset, data = _dataset(case.channels)
    settings = SETTINGS._replace(precision=case.precision)
    entry = METHODS[case.method]
    trainer = Trainer(entry, settings, dataset.image_shape, dataset.sample_batch, data)
    replicas = [Replica(EXAMPLES[case.method], seed, str(seed)) for seed in range(case.size)]

    def trained(interrupted: bool) -> list[np.ndarray]:
        pack = trainer.advance(trainer.start(replicas), CHUNK)[0]
        if interrupted:
            pack = trainer.restore(trainer.save(pack))
        return jax.tree.leaves(jax.device_get(trainer.advance(pack, CHUNK)[0].states))

    equal = all(map(np.array_equal, trained(False), trained(True)))
    return lambda: trained(True), 2 * case.size * CHUNK, {"equal": equal}


def _encoded(case: Case) -> tuple[Callable[[], Any], int, Row]:
    """One model's codes of 16,384 images."""
    dataset, data = _dataset(case.channels)
    made = Model.of(SETTINGS, dataset.image_shape)
    parameters = made.initial_parameters(jax.random.key(0))
    model = TrainedModel(METHODS["beta_vae"], {"beta": 4.0}, made, parameters)
    num = 2**14
    return lambda: model.encode_all(dataset.observe, data, num), num, {"unit": "images/s"}


def _limits() -> Row:
    """Bytes/s of copying a gigabyte, and FLOP/s of a large matrix product by precision."""
    limits = {"copy": _copy_bandwidth()}
    for name, (precision, dtype) in PRECISIONS.items():
        with jax.default_matmul_precision(precision):
            limits[name] = product_rate(time.perf_counter, 8192, dtype)
    return limits


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


# The table.


def report(every: Sequence[Case], rows: Sequence[Row]) -> str:
    """All that was measured, in the order of the cases."""
    by_case = {Case(*row["case"]): row for row in rows if "case" in row}
    limits = next(row["limits"] for row in reversed(rows) if "limits" in row)
    shown = [case for case in every if case in by_case]
    alone = by_case.get(Case("lax", "beta_vae", 1, "tensorfloat32", 1), {}).get("rate")
    columns = (
        *("by", "method", "channels", "precision", "R", "model-steps / s", "to one alone"),
        *("of the bandwidth", "peak, GB", "s to start"),
    )
    reached = ", ".join(f"{limits[name] / 1e12:.0f} in {name}" for name in PRECISIONS)
    heading = (
        f"{len(shown)} of {len(every)} cases, {CHUNK} steps a call, as a worker takes them. "
        '"To one alone" compares with one model with `lax`. Copying a gigabyte reaches '
        f"{limits['copy'] / 1e12:.2f} TB/s. The product of two 8192 x 8192 matrices reaches, in "
        f'TFLOP/s, {reached}. "Of the bandwidth" is the rate times the bytes that the kernels of '
        'the compiled program read and write, divided by the rate of copying. "S to start" is '
        f"the time until the first call is done, with {AT_ONCE} programs at once.\n\n"
    )
    lines = [(*map(str, case), *_cells(by_case[case], alone, limits["copy"])) for case in shown]
    return heading + table(columns, lines)


def _cells(row: Row, alone: float | None, bandwidth: float) -> Iterator[str]:
    if "error" in row:
        return iter((row["error"].replace("|", "/"), "-", "-", "-", "-"))
    rate, unit = row["rate"], row["unit"]
    steps = unit == "model-steps/s"
    said = f"{rate:.0f}" if steps else f"{rate:.0f} {unit}"
    if "equal" in row:
        said += ", equal bit for bit" if row["equal"] else ", NOT equal"
    return iter(
        (
            said,
            f"{rate / alone:.1f}" if alone and steps and "equal" not in row else "-",
            f"{rate * row['bytes'] / bandwidth:.0%}" if "bytes" in row else "-",
            f"{row['peak'] / 1e9:.2f}" if "peak" in row else "-",
            f"{row['ready']:.0f}",
        )
    )
