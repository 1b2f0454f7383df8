"""Training with bfloat16 activations: parameters, sums and losses stay float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import METHODS, Batch, Model
from teasel.models.convolution import arithmetic

IMAGES = (np.random.default_rng(0).random((16, 64, 64, 1)) < 0.05).astype(np.float32)


@pytest.mark.slow
def test_every_gradient_is_that_of_float32_up_to_the_rounding_of_activations() -> None:
    method = METHODS["beta_vae"](4.0)
    model = Model((64, 64, 1))
    parameters = method.initial_parameters(model, jax.random.key(0))

    def gradients(precision):
        @jax.jit
        def found(parameters):
            with arithmetic("direct", precision):
                key, step = jax.random.key(1), jnp.int32(0)
                given = (model, parameters, Batch(jnp.asarray(IMAGES)), key, step)
                return jax.grad(method.loss, 1, has_aux=True)(*given)[0]

        return found(parameters)

    full, reduced = gradients("float32"), gradients("bfloat16")

    def compare(path, expected, found) -> None:
        assert found.dtype == jnp.float32
        error = jnp.linalg.norm((found - expected).ravel()) / jnp.linalg.norm(expected.ravel())
        assert error < 0.2, f"{jax.tree_util.keystr(path)}: {error:.0%}"

    jax.tree_util.tree_map_with_path(compare, full, reduced)
