"""Programs compiled for an accelerator that is not there, and what they would take of it.

JAX compiles for a GPU from a description of it, with its CUDA plugin but without a driver, and for
a TPU with libtpu alone. `make test-accelerators` makes the environment that has the plugin.
"""

import math
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import topologies
from jax.sharding import SingleDeviceSharding

from ...datasets.dataset import Dataset, Factor
from ...models import METHODS, Memory, Settings, pack_memory
from ...models.convolution import form_for
from ...models.program import RATE, Program

STORES = {1: (737_280, 512), 3: (17_568, 64 * 64 * 3)}
"""Shapes of the stored images by channels: dSprites and Cars3D."""

# Multiprocessors, GHz, bytes/s, bytes of memory and of L2, from NVIDIA's data sheets.
_GPUS = {
    "NVIDIA H100 80GB HBM3": (132, 1.98, 3.35e12, 80 * 2**30, 50 * 2**20),
    "NVIDIA H200": (132, 1.98, 4.8e12, 141 * 10**9, 50 * 2**20),
}
_TPUS = {"TPU v5e": "v5e:2x2"}


class Compiled(NamedTuple):
    """What a pack's program takes, as compiled.

    Attributes:
        text: The optimised HLO.
        states: Bytes of the pack's states.
        donated: Bytes of arguments whose memory the results take.
        peak: Bytes in use at most, arguments included.
        said: What `pack_memory` says.
    """

    text: str
    states: int
    donated: int
    peak: int
    said: Memory


def compile_pack(
    device: str, method: str, size: int, *, channels: int = 1, precision: Any = "float32"
) -> Compiled:
    """Compiles a pack's program, `Program.advance_all`, for one device.

    Args:
        device: Its name as JAX knows it.
        method: A key of `METHODS`.
        size: Models in the pack.
        channels: Of the images, 1 or 3.
        precision: As in `Settings`.

    Raises:
        RuntimeError: If the plugin is missing or does not fit.
    """
    platform = "gpu" if device in _GPUS else "tpu"
    store, shape = STORES[channels], (64, 64, channels)
    dataset = Dataset("stored", (Factor("image", store[0]),), np.empty(0), shape, "", "")
    settings, entry = Settings(precision=precision), METHODS[method]
    program = Program(entry, settings, shape, dataset.sample_batch, form_for(platform))
    values = dict.fromkeys((*entry.parameters, RATE), jnp.ones(size))
    seeds = jnp.zeros(size, jnp.uint32)
    states = jax.eval_shape(jax.vmap(program.start), seeds, values)
    data = jax.ShapeDtypeStruct(store, jnp.uint8)
    place = SingleDeviceSharding(_device(device))
    arguments = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place),
        (states, data, seeds, values, jnp.int32(0), jnp.int32(1)),
    )
    # Without a device nothing can be timed, and the first choice for XLA's own Triton does not fit.
    options: Any = {"xla_gpu_enable_triton_gemm": False} if platform == "gpu" else {}
    lowered = jax.jit(program.advance_all, donate_argnums=0).lower(*arguments)
    made: Any = lowered.compile(options)
    memory = made.memory_analysis()
    said = pack_memory(entry, settings, shape, math.prod(store), size, platform=platform)
    return Compiled(
        made.as_text(),
        sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(states)),
        memory.alias_size_in_bytes,
        memory.peak_memory_in_bytes,
        said,
    )


def _device(name: str) -> Any:
    try:
        if name in _TPUS:
            os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
            os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")
            os.environ.setdefault("TPU_ACCELERATOR_TYPE", "v5litepod-4")
            found = topologies.get_topology_desc(platform="tpu", topology_name=_TPUS[name])
        else:
            found = topologies.get_topology_desc(
                platform="cuda",
                topology_name="",
                topology="1x1x1",
                target_config=_description(name),
            )
    except Exception as error:
        first, *_ = str(error).splitlines() or [type(error).__name__]
        raise RuntimeError(
            f"JAX {jax.__version__} can't compile for {name}: {first}; the plugin must be of the "
            "same version (make test-accelerators installs it)"
        ) from error
    return found.devices[0]


def _description(name: str) -> str:
    """XLA's description of a GPU of the Hopper generation, as text of a protocol buffer."""
    cores, clock, bandwidth, memory, l2 = _GPUS[name]
    versions = ("driver_version", "runtime_version", "compile_time_toolkit_version")
    numbers = {
        "threads_per_block_limit": 1024,
        "threads_per_warp": 32,
        "threads_per_core_limit": 2048,
        "shared_memory_per_block": 48 * 1024,
        "shared_memory_per_block_optin": 227 * 1024,
        "shared_memory_per_core": 228 * 1024,
        "registers_per_core_limit": 2**16,
        "registers_per_block_limit": 2**16,
        "block_dim_limit_x": 2**31 - 1,
        "block_dim_limit_y": 2**16 - 1,
        "block_dim_limit_z": 2**16 - 1,
        "thread_dim_limit_x": 1024,
        "thread_dim_limit_y": 1024,
        "thread_dim_limit_z": 64,
        "core_count": cores,
        "fpus_per_core": 128,
        "clock_rate_ghz": clock,
        "memory_bandwidth": int(bandwidth),
        "device_memory_size": memory,
        "l2_cache_size": l2,
        "device_address_bits": 64,
    }
    lines = [f"{key}: {value}" for key, value in numbers.items()]
    lines += [f'{key}: "12.9.0"' for key in versions]
    lines += [f'name: "{name}"', 'device_vendor: "NVIDIA Corporation"', 'dnn_version: "9.8.0"']
    lines.append("cuda_compute_capability { major: 9 feature_extension: ACCELERATED_FEATURES }")
    return (
        f"gpu_device_info {{ {' '.join(lines)} }} "
        f'platform_name: "CUDA" device_description_str: "{name}" '
        "dnn_version_info { major: 9 minor: 8 } runtime_version { major: 12 minor: 9 }"
    )


# Counting in the optimised HLO. `cost_analysis` says nothing of a GPU's program.

_INSTRUCTION = re.compile(
    r"^\s+(?:ROOT )?%?(?P<name>[\w.-]+) = (?P<type>\(.*?\)|\S+) (?P<code>[\w-]+)\((?P<rest>.*)$"
)
# An array's element type, sizes, order of axes, tile and memory; a GPU's arrays have no tiles.
_ARRAY = re.compile(
    r"\b(pred|[a-z]+\d+(?:e\d\w+)?)\[([\d,]*)\](?:\{([\d,]*)(?::T\(([\d,]+)\))?([^}]*)\})?"
)
_ON_CHIP = re.compile(r"S\([1-9]\d*\)")
_WITHOUT_WORK = ("parameter", "get-tuple-element", "tuple", "bitcast", "constant", "after-all")
_PARTIAL = ("slice", "dynamic-slice", "gather")


class Kernel(NamedTuple):
    """An instruction of a step, and the bytes that it reads and writes."""

    name: str
    code: str
    num_bytes: int


def kernels(text: str) -> list[Kernel]:
    """What one round of the program's largest loop runs.

    A kernel reads its operands and writes its results once, and of an operand that it only slices
    or gathers, what it takes. Arrays count as they lie in the device's memory: a TPU fills up
    their tiles. Caches are not seen, and what a TPU holds on its chip does not count.
    """
    computations = dict(_computations(text))
    bodies = re.findall(r" while\(.*body=%?([\w.-]+)", text)
    body = max((computations[name] for name in bodies), key=len)
    types = {found["name"]: found["type"] for found in body}
    result = []
    for found in body:
        if found["code"] in _WITHOUT_WORK or found["code"].endswith("-done"):
            continue
        if found["code"] in ("copy-start", "slice-start"):
            num_bytes = _transferred(found, types)
            result.append(Kernel(found["name"], found["code"], num_bytes))
            continue
        called = re.search(r"calls=%?([\w.-]+)", found["rest"])
        inner = computations[called[1]] if called else []
        num_bytes = _num_bytes(found["type"])
        for place, operand in enumerate(_operands(found["rest"])):
            whole = _num_bytes(types.get(operand, ""))
            num_bytes += min(whole, _taken(inner, place, whole))
        result.append(Kernel(found["name"], found["code"], num_bytes))
    return result


def _computations(text: str) -> Iterator[tuple[str, list[re.Match]]]:
    """Each computation's name and instructions."""
    for part in re.split(r"\n(?=%|ENTRY)", text):
        head = re.match(r"(?:ENTRY )?%?([\w.-]+) ", part)
        if head:
            lines = part.splitlines()[1:]
            yield head[1], [found for line in lines if (found := _INSTRUCTION.match(line))]


def _operands(rest: str) -> list[str]:
    depth, end = 1, 0
    while depth and end < len(rest):
        depth += {"(": 1, ")": -1}.get(rest[end], 0)
        end += 1
    return re.findall(r"%([\w.-]+)", rest[:end])


def _taken(inner: list[re.Match], place: int, whole: int) -> int:
    """Bytes that a fusion reads of its operand in this place."""
    names = {
        found["name"]
        for found in inner
        if found["code"] == "parameter" and found["rest"].startswith(f"{place})")
    }
    if not names:
        return whole
    total = 0
    for found in inner:
        operands = _operands(found["rest"])
        if not names.intersection(operands):
            continue
        if found["code"] == "bitcast":
            names.add(found["name"])
        elif found["code"] in _PARTIAL and operands[0] in names:
            total += _num_bytes(found["type"])
        else:
            return whole
    return total


def _transferred(found: re.Match, types: Mapping[str, str]) -> int:
    """Bytes of device memory that a copy in the background reads and writes.

    Its type names the source and the destination: first the destination if it copies the whole.
    """
    source, *_ = _operands(found["rest"])
    arrays = [match[0] for match in _ARRAY.finditer(found["type"])]
    taken = arrays[0 if found["code"] == "copy-start" else 1]
    ends = (types.get(source, ""), taken)
    return sum(_num_bytes(_ON_CHIP.sub("", taken)) for end in ends if _num_bytes(end))


def _num_bytes(kind: str) -> int:
    """Bytes of device memory of arrays of this type, with the padding of their tiles."""
    total = 0
    for name, sizes, order, tile, rest in _ARRAY.findall(kind):
        if _ON_CHIP.search(rest):
            continue
        bits = 8 if name == "pred" else int(re.search(r"\d+", name)[0])  # type: ignore[index]
        padded = _integers(sizes)
        for axis, side in zip(_integers(order), reversed(_integers(tile)), strict=False):
            padded[axis] = -(-padded[axis] // side) * side
        total += math.prod(padded) * bits // 8
    return total


def _integers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]
