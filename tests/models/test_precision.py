"""In which precision an accelerator computes, as the programs say that are compiled for it."""

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from teasel.models import METHODS, Settings, Trainer, decode, encode, networks
from teasel.models.convolution import arithmetic
from teasel.models.encoding import _encode_indices
from teasel.models.forms import FORMS
from teasel.models.kernels import interpreted
from teasel.models.networks import Posterior, initial_parameters
from teasel.models.program import Program

SHAPE = (64, 64, 1)
PARAMETERS = initial_parameters(jax.random.key(0), SHAPE, 3)
IMAGES = jnp.zeros((2, *SHAPE))
BATCH = 4
TOTAL = jnp.zeros(4)
PRODUCTS = re.compile(r"stablehlo\.(?:dot_general|convolution)\b.*")


def products(function: Callable[..., Any], *arguments: Any) -> list[str]:
    """The matrix products and convolutions of a function lowered for a GPU."""
    module = jax.export.export(jax.jit(function), platforms=["cuda"])(*arguments).mlir_module()
    return PRODUCTS.findall(module)


def draw(data: Any, key: jax.Array, batch_size: int) -> jax.Array:
    return jnp.zeros((batch_size, *SHAPE))


def observe(data: jax.Array, indices: jax.Array) -> jax.Array:
    return data[indices]


def program(name: str, precision: Any) -> tuple[Program, Any, tuple[Any, ...]]:
    """A method's program for a GPU, its state, and what a step takes after that."""
    settings = Settings(steps=1, batch_size=BATCH, num_latents=3, precision=precision)
    made = Program(METHODS[name], settings, SHAPE, draw, "products")
    seed, values = jnp.uint32(0), {name: jnp.float32(1) for name in METHODS[name].parameters}
    state = jax.eval_shape(made.start, seed, values)
    return made, state, ((), seed, values, jnp.int32(0))


def are_full(found: list[str]) -> bool:
    return bool(found) and all(line.count("HIGHEST") == 2 for line in found)


def test_codes_and_pictures_are_computed_in_full_float32() -> None:
    assert are_full(products(encode, PARAMETERS, IMAGES))
    assert are_full(products(decode, PARAMETERS, jnp.zeros((2, 3))))

    def encode_some(parameters: Any, data: jax.Array, indices: jax.Array) -> jax.Array:
        return _encode_indices(observe, parameters, data, indices)

    assert are_full(products(encode_some, PARAMETERS, IMAGES, jnp.arange(2)))
    with jax.default_matmul_precision("tensorfloat32"):  # whatever the process has set
        assert are_full(products(lambda *given: encode(*given), PARAMETERS, IMAGES))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_convolution_is_in_full_float32(form: str) -> None:
    def encode_so(parameters: Any, images: jax.Array) -> Posterior:
        with arithmetic(form), interpreted():
            return networks.encode(parameters, images)

    assert are_full(products(encode_so, PARAMETERS, IMAGES))


@pytest.mark.slow
def test_a_step_has_the_precision_of_its_setting() -> None:
    """The sum over pixels, a product in form only, and its gradient are exact all the same."""
    made, state, others = program("beta_vae", "float32")
    assert are_full(products(made.advance, state, TOTAL, *others))
    made, state, others = program("beta_vae", "tensorfloat32")
    found = products(made.advance, state, TOTAL, *others)
    rest = [line for line in found if "HIGHEST" not in line]
    assert len(found) - len(rest) == 2
    assert len(rest) > 15
    assert all(line.count("HIGH") == 2 for line in rest)


def test_an_evaluation_is_in_full_float32_however_the_model_was_trained() -> None:
    made, state, others = program("beta_vae", "tensorfloat32")
    assert are_full(products(made.evaluate, state.parameters, *others, jnp.int32(0)))


def test_an_unknown_precision_is_refused() -> None:
    settings = Settings(steps=1, precision="half")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="precision is 'half'; expected one of float32, tensor"):
        Trainer(METHODS["beta_vae"], settings, SHAPE, draw, ())
