"""Compares the memory estimated by `pack_memory` with that of an accelerator's compiler.

    make test-accelerators   # once, for the environment
    .venv-accelerators/bin/python benchmarks/accelerator_memory.py --minutes 30 --kept rows.jsonl

Needs no accelerator. Writes the table of a device into benchmarks/RESULTS.md.
"""

import argparse
import itertools
import json
import os
import time
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"  # nothing runs; the plugin would look for a driver

import jax
from training_common import EXAMPLES, STUDYS, table, write_section

from teasel.tests.support.ahead_of_time import compile_pack, kernels

COLUMNS = (
    *("method", "channels", "precision", "R", "said, MB", "compiled, MB", "ratio"),
    *("MB a model-step", "kernels"),
)


def row(device: str, size: int, channels: int, precision: str, method: str) -> list[str]:
    """A line of the table."""
    made = compile_pack(device, method, size, channels=channels, precision=precision)
    found = kernels(made.text)
    moved = sum(kernel.num_bytes for kernel in found) / size
    return [
        *(method, str(channels), precision, str(size)),
        *(f"{number / 1e6:,.0f}" for number in (made.said.total, made.peak)),
        f"{made.said.total / made.peak:.2f}",
        f"{moved / 1e6:.0f}",
        str(len(found)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="NVIDIA H100 80GB HBM3", help="or TPU v5e")
    parser.add_argument("--channels", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 8, 1])
    parser.add_argument("--methods", nargs="+", choices=EXAMPLES, default=STUDYS)
    parser.add_argument("--minutes", type=float, default=60, help="no case is begun after these")
    parser.add_argument(
        "--kept", type=Path, help="file of the rows; those in it are not made again"
    )
    given = parser.parse_args()
    precisions = ("float32", "bfloat16")
    cases = list(itertools.product(given.sizes, given.channels, precisions, given.methods))
    end, rows = time.monotonic() + 60 * given.minutes, []
    text = given.kept.read_text() if given.kept and given.kept.exists() else ""
    kept = {(r[3], r[1], r[2], r[0]): r for r in map(json.loads, text.splitlines())}
    for case in cases:
        made = kept.get(tuple(map(str, case)))
        if made is None and time.monotonic() > end:
            continue
        rows.append(made or row(given.device, *case))
        if made:
            continue
        print(*rows[-1], flush=True)
        if given.kept:
            with given.kept.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
        text = (
            f"`.venv-accelerators/bin/python benchmarks/accelerator_memory.py`, jax "
            f"{jax.__version__}, compiled for {given.device} on a machine without one: "
            f"{len(rows)} of {len(cases)} cases. XLA's peak has the data set, the states and the "
            "temporary memory of a step.\n\n"
        )
        write_section(f"Memory of a pack on {given.device}", text + table(COLUMNS, rows))


if __name__ == "__main__":
    main()
