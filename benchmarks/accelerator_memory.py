"""What `pack_memory` says of packs, and what an accelerator's compiler makes of them.

    make test-accelerators   # once, for the environment
    .venv-accelerators/bin/python benchmarks/accelerator_memory.py --minutes 30

Needs no accelerator. Writes the table of a device into benchmarks/RESULTS.md.
"""

import argparse
import itertools
import os
import time

os.environ["JAX_PLATFORMS"] = "cpu"  # nothing runs; the plugin would look for a driver

import jax
from training_common import EXAMPLES, table, write_section

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
    parser.add_argument("--methods", nargs="+", choices=EXAMPLES, default=[*EXAMPLES])
    parser.add_argument("--minutes", type=float, default=60, help="no case is begun after these")
    given = parser.parse_args()
    precisions = ("float32", "bfloat16")
    cases = list(itertools.product(given.sizes, given.channels, precisions, given.methods))
    end, rows = time.monotonic() + 60 * given.minutes, []
    for case in cases:
        if time.monotonic() > end:
            break
        rows.append(row(given.device, *case))
        print(*rows[-1], flush=True)
        text = (
            f"`.venv-accelerators/bin/python benchmarks/accelerator_memory.py`, jax "
            f"{jax.__version__}, compiled for {given.device} on a machine without one: "
            f"{len(rows)} of {len(cases)} cases. XLA's peak is the data set, the states and what a "
            "step needs besides.\n\n"
        )
        write_section(f"Memory of a pack on {given.device}", text + table(COLUMNS, rows))


if __name__ == "__main__":
    main()
