import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import METHODS
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


@pytest.mark.parametrize("name", METHODS.own)
def test_every_method_trains_by_the_papers_adams(name) -> None:
    factory = METHODS[name]
    optimizer = factory(**factory.example).optimizer(1e-4)
    # So small that epsilon counts.
    gradients = [3e-8, -2e-7, 5e-8]
    parts = ("encoder", "decoder", "adversary")
    state = optimizer.init(dict.fromkeys(parts, jnp.zeros(())))
    first, second = dict.fromkeys(parts, 0.0), dict.fromkeys(parts, 0.0)
    for t, gradient in enumerate(gradients, start=1):
        found, state = optimizer.update(dict.fromkeys(parts, jnp.asarray(gradient)), state)
        for part in parts:
            adversary = name == "factor_vae" and part == "adversary"
            beta1, beta2 = (0.5, 0.9) if adversary else (0.9, 0.999)
            first[part] = beta1 * first[part] + (1 - beta1) * gradient
            second[part] = beta2 * second[part] + (1 - beta2) * gradient**2
            rate = 1e-4 * np.sqrt(1 - beta2**t) / (1 - beta1**t)
            expected = -rate * first[part] / (np.sqrt(second[part]) + 1e-8)
            assert found[part] == pytest.approx(expected, rel=1e-3)
