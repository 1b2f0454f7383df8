"""How fast packs train on an accelerator, case by case, and how near that is to its limits.

Called by `training.py`. Every case is kept as a line of JSON once it is measured, so the same
command goes on where time ran out; the table is made of all lines of this device and version of
JAX. A case that failed has a line too: delete it to try again.
"""

import functools
import gc
import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from training_common import EXAMPLES, SETTINGS, product_rate, table

from teasel.datasets import Dataset, cache_dir, load
from teasel.models import METHODS, Replica, Trainer
from teasel.models.convolution import FORMS
from teasel.models.program import Program

CHUNK = 25
"""Steps a call, as a sweep's worker takes them on an accelerator."""

ARITHMETICS = {  # by name: the precision of products, the type of activations
    "TF32": ("tensorfloat32", "float32"),
    "bfloat16": ("tensorfloat32", "bfloat16"),
    "float32": ("float32", "float32"),
}
FAST = ("TF32", "bfloat16")

Row = dict[str, Any]


class Case(NamedTuple):
    """What is measured: R models of one method training together."""

    dataset: str
    method: str
    form: str
    arithmetic: str
    size: int


def accelerator_tables(
    dataset_name: str, colour_name: str, seconds: float, minutes: float, kept: Path
) -> str:
    """Measures what is not in `kept` yet, for some minutes, and returns the table of all."""
    end = time.monotonic() + 60 * minutes
    # A worker keeps compiled programs too; here every size shares the one that draws weights.
    jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "compiled"))
    here = {"device": jax.devices()[0].device_kind, "jax": jax.__version__}
    rows = kept_rows(kept, here)
    cases = _cases(dataset_name, colour_name)
    left = cases_left(cases, rows)
    limits = functools.cache(_limits)
    while left:
        slowest = max((row["took"] for row in rows if "took" in row), default=0.0)
        if time.monotonic() + slowest > end:  # none is begun that may not have the time
            each = statistics.median([row["took"] for row in rows if "rate" in row] or [0.0])
            print(f"time is up: {len(left)} of {len(cases)} cases are left, about", end=" ")
            print(f"{len(left) * each / 60:.0f} minutes at {each:.0f} s each; run this again")
            break
        case = left.pop(0)
        print(*case, end=": ", flush=True)
        begun = time.monotonic()
        _keep(kept, {**here, "begun": case})
        row = {**here, "case": case, **_outcome(case, limits, seconds)}
        row["took"] = time.monotonic() - begun
        rows.append(row)
        _keep(kept, row)
        print(row.get("error") or f"{row['rate']:.0f} model-steps/s", f"({row['took']:.0f} s)")
        gc.collect()  # an error can hold a pack's memory
        if "error" in row and not _answers():
            print("the device no longer answers: the same command goes on after this case")
            break
    return report(cases, rows)


def _cases(dataset_name: str, colour_name: str) -> list[Case]:
    """All cases, what tells most first: the headline, three channels, other methods, the rest."""
    forms = [form for form in FORMS if FORMS[form].packs]
    others = [method for method in EXAMPLES if method != "beta_vae"]

    def packs(dataset, method, some_forms, arithmetics, sizes) -> list[Case]:
        product = itertools.product(sizes, arithmetics, some_forms)
        return [Case(dataset, method, form, a, size) for size, a, form in product]

    def alone(dataset, method) -> Case:
        return Case(dataset, method, "lax", "TF32", 1)

    cases = [
        alone(dataset_name, "beta_vae"),
        *packs(dataset_name, "beta_vae", forms, FAST, (64, 128, 256)),
        alone(colour_name, "beta_vae"),
        *packs(colour_name, "beta_vae", forms, FAST, (64,)),
    ]
    for method in others:
        cases.append(alone(dataset_name, method))
        cases += packs(dataset_name, method, forms[:1], FAST, (64,))
    for method in others:
        cases += packs(dataset_name, method, forms[:1], FAST, (128,))
    cases += packs(dataset_name, "beta_vae", forms, FAST, (32, 8, 1))
    for method in others:
        cases += packs(dataset_name, method, forms[1:], FAST, (64,))
    cases += packs(dataset_name, "beta_vae", forms, ["float32"], (64,))
    for method in others:
        cases += packs(dataset_name, method, forms[:1], FAST, (256, 32, 8, 1))
    cases += packs(colour_name, "beta_vae", forms, FAST, (256, 128, 32, 8, 1))
    cases += packs(dataset_name, "beta_vae", forms, ["float32"], (256, 128, 32, 8, 1))
    return cases


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


def _keep(kept: Path, row: Row) -> None:
    with kept.open("a") as file:
        file.write("\n" + json.dumps(row))  # a torn line ends here, so that this one is whole


def cases_left(cases: Sequence[Case], rows: Sequence[Row]) -> list[Case]:
    """Those without a measurement, in order; one that a run began and never ended comes last."""
    done = {Case(*row["case"]) for row in rows if "case" in row}
    begun = [Case(*row["begun"]) for row in rows if "begun" in row]
    return sorted((case for case in cases if case not in done), key=begun.count)


# Measuring.


def _outcome(case: Case, limits: Callable[[], Row], seconds: float) -> Row:
    """The limits of this run, and what was measured and counted, or what went wrong."""

    def measured() -> Row:
        return {"limits": limits(), **_measured(case, *_opened(case.dataset), seconds)}

    row = _tried(measured)
    if "rate" in row:
        row["work"] = _tried(lambda: _work(case, *_opened(case.dataset)))
    return row


def _tried(function: Callable[[], Row]) -> Row:
    """What the function returns, or the first line of its error."""
    try:
        return function()
    except Exception as error:
        if "RESOURCE_EXHAUSTED" in str(error):
            return {"error": "out of memory"}
        first, *_ = str(error).splitlines() or [""]
        return {"error": f"{type(error).__name__}: {first}"[:200]}


@functools.cache
def _opened(name: str) -> tuple[Dataset, Any]:
    dataset = load(name)
    return dataset, jax.device_put(dataset.device_data())


def _measured(case: Case, dataset: Dataset, data: Any, seconds: float) -> Row:
    precision, activations = ARITHMETICS[case.arithmetic]
    arithmetic = {"form": case.form, "activations": activations}
    replicas = [Replica(EXAMPLES[case.method], seed) for seed in range(case.size)]
    begun = time.monotonic()
    settings = SETTINGS._replace(precision=precision)
    method, shape = METHODS[case.method], dataset.image_shape
    trainer = Trainer(method, settings, shape, dataset.sample_batch, data, **arithmetic)
    pack = trainer.start(replicas)

    def advance(steps: int) -> None:
        nonlocal pack
        pack, curves = trainer.advance(pack, steps)
        if not np.all(np.isfinite(curves["loss"])):
            raise RuntimeError("a loss is not finite")

    advance(CHUNK)
    ready = time.monotonic() - begun
    rate = case.size * CHUNK / _seconds_a_call(lambda: advance(CHUNK), seconds)
    row = {"rate": rate, "ready": ready, "in_one_call": None}
    if case.size == 64:
        steps = max(CHUNK, int(seconds * rate / case.size))
        row["in_one_call"] = case.size * steps / _seconds_a_call(lambda: advance(steps), 0)
    return row


def _seconds_a_call(call: Callable[[], None], seconds: float) -> float:
    """Mean over as many calls as fill the seconds, at least one."""
    start, calls, elapsed = time.perf_counter(), 0, 0.0
    while not calls or elapsed < seconds:
        call()
        calls, elapsed = calls + 1, time.perf_counter() - start
    return elapsed / calls


def _limits() -> Row:
    """Bytes/s of copying a gigabyte, and FLOP/s of a large matrix product by arithmetic."""
    limits = {"copy": _copy_bandwidth()}
    for name, (precision, dtype) in ARITHMETICS.items():
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


def _answers() -> bool:
    """Whether the device still computes; some errors leave a process without it."""
    try:
        jax.block_until_ready(jnp.ones(8) + 1)
    except Exception:
        return False
    return True


# Counting. The compiler's own count (`cost_analysis`) leaves out what libraries compute.


def _work(case: Case, dataset: Dataset, data: Any) -> Row:
    """Bytes and FLOPs of a model's step; empty where convolutions are left to a library.

    Each operand and result of a matrix product is written once and read once, whatever is done to
    it in between; Adam reads parameters, gradients and two moments, and writes all but gradients.
    """
    arithmetic = (case.form, ARITHMETICS[case.arithmetic][1])
    factory = METHODS[case.method]
    program = Program(factory, SETTINGS, dataset.image_shape, dataset.sample_batch, arithmetic)
    seed = jnp.uint32(0)
    values = {name: jnp.float32(value) for name, value in EXAMPLES[case.method].items()}
    state = jax.eval_shape(program.start, seed, values)
    step = jax.make_jaxpr(program.advance)(state, jnp.zeros(4), data, seed, values, 0)
    counted = products(step)
    if counted is None:
        return {}
    num_bytes, flops = counted
    parameters = 4 * sum(leaf.size for leaf in jax.tree.leaves(state.parameters))
    return {"bytes": 2 * num_bytes + 6 * parameters, "flops": flops}


def products(program: Any) -> tuple[int, int] | None:
    """Bytes of the operands and results of a jaxpr's matrix products, and their FLOPs.

    None if there are convolutions, whose FLOPs depend on the library.
    """
    num_bytes = flops = 0
    for equation in _equations(program):
        if equation.primitive.name == "conv_general_dilated":
            return None
        if equation.primitive.name == "dot_general":
            left, right, out = (v.aval for v in (*equation.invars, *equation.outvars))
            num_bytes += sum(a.size * a.dtype.itemsize for a in (left, right, out))
            (contracted, _), _ = equation.params["dimension_numbers"]
            flops += 2 * out.size * int(np.prod([left.shape[axis] for axis in contracted]))
    return num_bytes, flops


def _equations(jaxpr: Any) -> Iterator[Any]:
    """All equations whose results are used, inner functions' too; a loop's body counts once."""
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)  # of a closed one
    used = set(map(id, jaxpr.outvars))
    for equation in reversed(jaxpr.eqns):
        if not any(id(variable) in used for variable in equation.outvars):
            continue  # such as the gradient in the images
        used.update(map(id, equation.invars))
        yield equation
        for value in equation.params.values():
            for inner in value if isinstance(value, list | tuple) else [value]:
                if hasattr(inner, "eqns"):
                    yield from _equations(inner)


# The table.


def report(cases: Sequence[Case], rows: Sequence[Row]) -> str:
    """All that was measured, in the order of the cases, and the next bottleneck."""
    by_case = {Case(*row["case"]): row for row in rows if "case" in row}
    rates = {case: row["rate"] for case, row in by_case.items() if "rate" in row}
    shown = [case for case in cases if case in by_case]
    limits = next((row["limits"] for row in reversed(rows) if "limits" in row), None)
    columns = (
        *("data set", "method", "form", "arithmetic", "R", "model-steps / s", "in one call"),
        *("to one alone", "TB/s (of copying)", "TFLOP/s (of a product)", "s to start"),
    )
    heading = (
        f"{len(shown)} of {len(cases)} cases. Packs take {CHUNK} steps a call, as a worker does; "
        "at R = 64 also seconds of steps in one call. One alone is `lax`: one model in TF32, one "
        "call a step. TB/s are counted, not measured: the rate, times the bytes of a model's step "
        "if every operand and result of a matrix product is written once and read once, and Adam "
        "reads and writes its own. TFLOP/s are those of all matrix products. The start is until "
        "the first call is done, with compiling unless an earlier run kept the program.\n\n"
    )
    if limits:
        reached = ", ".join(f"{limits[name] / 1e12:.0f} in {name}" for name in ARITHMETICS)
        heading += (
            "Limits are measured in every run, in the last one copying "
            f"{limits['copy'] / 1e12:.2f} TB/s, and the product of two 8192 x 8192 matrices, in "
            f"TFLOP/s, {reached}.\n\n"
        )
    lines = [(*map(str, case), *_cells(case, by_case[case], rates)) for case in shown]
    return heading + "".join(_bottlenecks(by_case)) + table(columns, lines)


def _cells(case: Case, row: Row, rates: dict[Case, float]) -> tuple[str, ...]:
    if "error" in row:
        return (row["error"].replace("|", "/"), "-", "-", "-", "-", "-")
    rate, together = row["rate"], row["in_one_call"]
    alone = rates.get(Case(case.dataset, case.method, "lax", "TF32", 1))
    shares = ("-", "-")
    if "bytes" in row["work"]:
        bandwidth, product = _shares(case, row)
        shares = (
            f"{rate * row['work']['bytes'] / 1e12:.2f} ({bandwidth:.0%})",
            f"{rate * row['work']['flops'] / 1e12:.1f} ({product:.0%})",
        )
    return (
        f"{rate:.0f}",
        f"{together:.0f}" if together else "-",
        f"{rate / alone:.1f}" if alone else "-",
        *shares,
        f"{row['ready']:.0f}",
    )


def _shares(case: Case, row: Row) -> tuple[float, float]:
    """Of the copy bandwidth and of the product's rate, both of the row's own run."""
    rate, work, limits = row["rate"], row["work"], row["limits"]
    return rate * work["bytes"] / limits["copy"], rate * work["flops"] / limits[case.arithmetic]


def _bottlenecks(by_case: dict[Case, Row]) -> Iterator[str]:
    """For every data set and arithmetic, what holds back the fastest pack of beta-VAEs."""
    groups: dict[tuple[str, str], list[tuple[Case, Row]]] = {}
    for case, row in by_case.items():
        if case.method == "beta_vae" and "bytes" in row.get("work", {}):
            groups.setdefault((case.dataset, case.arithmetic), []).append((case, row))
    for (dataset, arithmetic), measured in groups.items():
        case, row = max(measured, key=lambda pair: pair[1]["rate"])
        bandwidth, product = _shares(case, row)
        nearer = "bandwidth" if bandwidth > product else "the product's rate"
        text = (
            f"`beta_vae` on `{dataset}` in {arithmetic} is fastest as `{case.form}`, R = "
            f"{case.size}: {row['rate']:.0f} model-steps/s, {bandwidth:.0%} of copying and "
            f"{product:.0%} of a product. Nearer its limit: {nearer}, which would allow "
            f"{row['rate'] / max(bandwidth, product):.0f}."
        )
        if max(bandwidth, product) < 0.5:
            text += (
                " Most of the time goes to neither: waits between kernels, slow kernels, or copies "
                "beyond those counted."
            )
        yield text + "\n\n"
