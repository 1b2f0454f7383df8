"""The programs of packs, compiled for an H100 and, where libtpu is installed, for a TPU v5e.

`make test-accelerators` runs this in an environment that has JAX's CUDA plugin; no device is
needed. A case takes half a minute.
"""

import importlib.util
import re

import jax
import pytest

from teasel.tests.support.ahead_of_time import Compiled, compile_pack, kernels

H100, V5E = "NVIDIA H100 80GB HBM3", "TPU v5e"

# By case, the megabytes that a model's step may move and the kernels that a step may start.
GPU_CASES = {
    ("beta_vae", 64, 1, "float32"): (222, 130),
    ("beta_vae", 64, 1, "bfloat16"): (125, 130),
    ("beta_vae", 8, 3, "bfloat16"): (150, 130),
    ("factor_vae", 64, 1, "bfloat16"): (486, 200),
    ("dip_vae_i", 8, 1, "tensorfloat32"): (222, 130),
    ("annealed_vae", 1, 1, "float32"): (287, 130),
}
TPU_CASES = {("beta_vae", 64, 1): 390, ("factor_vae", 64, 3): 760}


@pytest.fixture(autouse=True)
def _no_cache() -> None:
    """A program that came from a cache was not compiled."""
    jax.config.update("jax_enable_compilation_cache", False)


def check(made: Compiled, size: int, megabytes: float) -> list:
    """What holds on every accelerator; returns the kernels."""
    assert made.donated >= made.states, "a step would need the states twice"
    assert not re.search(r"\bf64\[", made.text), "float64 is slow on an accelerator"
    assert not re.search(r" (infeed|outfeed|send|recv)\(|callback", made.text), "the host is asked"
    found = kernels(made.text)
    moved = sum(kernel.num_bytes for kernel in found) / size / 1e6
    print(f"{moved:.0f} MB a model-step, {len(found)} kernels, peak {made.peak / 1e9:.2f} GB")
    print(f"pack_memory says {made.said.total / 1e9:.2f} GB")
    assert moved < megabytes
    assert made.said.total == pytest.approx(made.peak, rel=0.15)
    return found


@pytest.mark.parametrize("case", GPU_CASES, ids=str)
def test_a_program_for_an_h100_moves_and_keeps_no_more_than_it_should(case) -> None:
    method, size, channels, precision = case
    megabytes, num_kernels = GPU_CASES[case]
    made = compile_pack(H100, method, size, channels=channels, precision=precision)
    assert len(check(made, size, megabytes)) < num_kernels


@pytest.mark.skipif(not importlib.util.find_spec("libtpu"), reason="libtpu is not installed")
@pytest.mark.parametrize("case", TPU_CASES, ids=str)
def test_a_program_for_a_v5e_moves_and_keeps_no_more_than_it_should(case) -> None:
    method, size, channels = case
    check(compile_pack(V5E, method, size, channels=channels), size, TPU_CASES[case])
