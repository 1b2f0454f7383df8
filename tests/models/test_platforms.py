"""Every method's program as it is lowered for an accelerator: nothing is compiled or run."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest

from teasel.models import METHODS, Batch, Settings
from teasel.models.convolution import form_for
from teasel.models.program import RATE, Program

TRITON = "__gpu$xla.gpu.triton"
NUM_LAYERS = 8
LATER = ("infogan",)  # whose encoder has two passes in a step
QUICK = ("beta_vae",)  # the others differ by a term of the loss, FactorVAE by dense layers


def lowered(name: str, platform: str) -> str:
    """The StableHLO of a pack of two."""

    def draw(data: Any, key: jax.Array, batch_size: int) -> Batch:
        del data
        images = jax.random.uniform(key, (batch_size, 64, 64, 1))
        return Batch(images, images[::-1], jnp.zeros((batch_size, 5), bool))

    entry, form = METHODS[name], form_for("gpu" if platform == "cuda" else platform)
    program = Program(entry, Settings(batch_size=2), (64, 64, 1), draw, form)
    values, seeds = dict.fromkeys((*entry.parameters, RATE), jnp.ones(2)), jnp.zeros(2, jnp.uint32)
    states = jax.eval_shape(jax.vmap(program.start), seeds, values)
    export = jax.export.export(
        jax.jit(program.advance_all, donate_argnums=0),
        platforms=[platform],
        disabled_checks=[jax.export.DisabledSafetyCheck.custom_call(TRITON)],
    )
    return export(states, (), seeds, values, jnp.int32(0), jnp.int32(1)).mlir_module()


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in METHODS.own]
)
def test_a_gpu_computes_each_convolution_in_a_kernel_of_its_own(name) -> None:
    module = lowered(name, "cuda")
    # Forward, kernel and inputs of eight layers, but for the images' gradient and the last layer,
    # whose channels are few.
    expected = 3 * NUM_LAYERS - 2
    assert module.count(TRITON) == expected or (name in LATER and module.count(TRITON) > expected)
    assert "stablehlo.convolution" not in module


@pytest.mark.parametrize("name", METHODS.own)
def test_a_tpu_computes_convolutions_by_its_own_compiler(name) -> None:
    module = lowered(name, "tpu")
    found, expected = module.count("stablehlo.convolution("), 3 * NUM_LAYERS - 1
    assert found == expected or (name in LATER and found > expected)
    assert "custom_call @" not in module.replace("custom_call @Sharding", "")
