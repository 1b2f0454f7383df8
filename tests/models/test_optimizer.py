import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models.optimizer import adam


def test_the_first_two_updates_are_those_computed_by_hand() -> None:
    # beta1 = 1/2, beta2 = 3/4, epsilon = 1, rate = 1; gradients 2, then 4.
    # t = 1: m = 1, v = 1, rate sqrt(1/4) / (1/2) = 1; update -1 * 1 / (1 + 1) = -1/2.
    # t = 2: m = 2.5, v = 4.75, rate sqrt(7/16) / (3/4); update -rate * 2.5 / (sqrt(4.75) + 1).
    optimizer = adam(1.0, beta1=0.5, beta2=0.75, epsilon=1.0)
    state = optimizer.init({"w": jnp.zeros(())})
    first, state = optimizer.update({"w": jnp.asarray(2.0)}, state)
    second, state = optimizer.update({"w": jnp.asarray(4.0)}, state)
    assert first["w"] == pytest.approx(-0.5)
    expected = -np.sqrt(7 / 16) / 0.75 * 2.5 / (np.sqrt(4.75) + 1)
    assert second["w"] == pytest.approx(expected)
    assert state.num_updates == 2
