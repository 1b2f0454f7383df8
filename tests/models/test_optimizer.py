import math
from typing import get_args, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import METHODS, OPTIMIZERS, Info, Method, MethodEntry, Replica, Settings, Trainer
from teasel.models.optimizer import adam, learning_rate_at


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
    optimizer = factory(**factory.example).optimizer(OPTIMIZERS["adam"](1e-4), 1e-4)
    # So small that epsilon counts.
    gradients = [3e-8, -2e-7, 5e-8]
    parts = ("encoder", "decoder", *(("adversary",) if name == "factor_vae" else ()))
    state = optimizer.init(dict.fromkeys(parts, jnp.zeros(())))
    first, second = dict.fromkeys(parts, 0.0), dict.fromkeys(parts, 0.0)
    for t, gradient in enumerate(gradients, start=1):
        found, state = optimizer.update(dict.fromkeys(parts, jnp.asarray(gradient)), state)
        for part in parts:
            adversary = name == "factor_vae" and part == "adversary"
            beta1, beta2 = (0.5, 0.9) if adversary else (0.9, 0.999)
            beta1 = 0.5 if name == "infogan" else beta1  # Chen et al. 2016, appendix C
            slower = 0.2 if (name, part) == ("infogan", "encoder") else 1.0
            first[part] = beta1 * first[part] + (1 - beta1) * gradient
            second[part] = beta2 * second[part] + (1 - beta2) * gradient**2
            rate = slower * 1e-4 * np.sqrt(1 - beta2**t) / (1 - beta1**t)
            expected = -rate * first[part] / (np.sqrt(second[part]) + 1e-8)
            assert found[part] == pytest.approx(expected, rel=1e-3)


def slope() -> Method:
    """The method whose loss is its one weight: the gradient is 1, and it starts at 2."""

    def loss(model, params, batch, key, step):
        del model, batch, key, step
        zero = jnp.zeros(())
        return params["encoder"]["weight"], Info(zero, zero, zero, jnp.zeros(1))

    return Method(loss, lambda model, key: {"encoder": {"weight": jnp.full((), 2.0)}})


def _weights(form, rates, num_steps, **settings) -> list[float]:
    """After some steps, of a model for each learning rate."""

    def draw(data, key, batch_size):
        return jnp.zeros((batch_size, 16, 16, 1))

    trainer = Trainer(
        MethodEntry(slope),
        Settings(batch_size=2, num_latents=1, learning_rate=0.1, **settings),
        (16, 16, 1),
        draw,
        (),
        form=form,
    )
    replicas = [Replica({}, seed, learning_rate=rate) for seed, rate in enumerate(rates)]
    pack, _ = trainer.advance(trainer.start(replicas), num_steps)
    return [float(params["encoder"]["weight"]) for params in trainer.parameters(pack)]


FIRST_UPDATES = {  # by hand, of a gradient of 1 at a weight of 2, over the learning rate
    "adam": 1,
    "adamw": 1 + 1e-4 * 2,
    "rmsprop": 1 / math.sqrt(0.1),
    "sgd": 1,
}


@pytest.mark.parametrize("form", ["direct", "products"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_first_update_of_an_optimizer_is_that_computed_by_hand(name, form) -> None:
    # Strict in the tests alone: Optax raises a number to the power of a whole one.
    with jax.numpy_dtype_promotion("standard"):
        found = _weights(form, [None, 0.5], 1, optimizer=name, steps=5)
    expected = [rate * FIRST_UPDATES[name] for rate in (0.1, 0.5)]
    np.testing.assert_allclose(2 - np.array(found), expected, rtol=5e-5)


def test_the_settings_name_every_optimizer() -> None:
    hints = get_type_hints(Settings, include_extras=False)
    assert set(get_args(hints["optimizer"])) == set(OPTIMIZERS)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"steps": 100}, {0: 1, 50: 1, 100: 1}),
        ({"steps": 100, "warmup_steps": 1}, {0: 1, 1: 1, 100: 1}),
        ({"steps": 100, "warmup_steps": 10}, {0: 0.1, 4: 0.5, 9: 1, 10: 1, 99: 1}),
        # (1 + cos(pi * t)) / 2 of what is left after the warm-up.
        ({"steps": 100, "schedule": "cosine"}, {0: 1, 25: 0.853553, 50: 0.5, 75: 0.146447, 100: 0}),
        (
            {"steps": 110, "schedule": "cosine", "warmup_steps": 10},
            {0: 0.1, 9: 1, 10: 1, 60: 0.5, 85: 0.146447, 109: 0.00024672, 110: 0, 200: 0},
        ),
        ({"steps": 5, "schedule": "cosine", "warmup_steps": 10}, {0: 0.1, 4: 0.5}),
        ({"steps": 0, "schedule": "cosine"}, {0: 1}),
    ],
)
def test_the_learning_rate_of_a_step_is_that_computed_by_hand(settings, expected) -> None:
    settings = Settings(**settings)
    at = jax.jit(lambda highest, step: learning_rate_at(settings, highest, step))
    for step, share in expected.items():
        found = at(jnp.float32(0.02), jnp.int32(step))
        assert found.dtype == jnp.float32
        assert float(found) == pytest.approx(0.02 * share, rel=1e-4, abs=2e-8), step


@pytest.mark.parametrize("form", ["direct", "products"])
def test_a_training_follows_the_schedule_from_its_first_step_to_its_last(form) -> None:
    found = _weights(
        form, [None, 0.01], 6, optimizer="sgd", schedule="cosine", warmup_steps=2, steps=6
    )
    # 1/2 and 1 of the warm-up, then four steps at 0, 1/4, 1/2 and 3/4 of the cosine.
    total = 0.5 + 1 + sum((1 + math.cos(math.pi * t / 4)) / 2 for t in range(4))
    np.testing.assert_allclose(found, [2 - 0.1 * total, 2 - 0.01 * total], rtol=1e-6)
