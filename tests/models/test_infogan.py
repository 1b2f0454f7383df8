"""InfoGAN: its bound where it is known, and who learns from what."""

from math import log, pi

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import METHODS, Batch, Model, Replica, Settings, Trainer, infogan
from teasel.models.networks import Posterior

MODEL = Model((16, 16, 1), num_latents=5, network="mlp", width=0.02, code_categories=3)


def test_the_bound_of_a_recognised_category_is_its_entropy() -> None:
    codes, _ = infogan.draw(MODEL, jax.random.key(0), 200)
    sure = Posterior(100 * codes, jnp.zeros_like(codes))
    assert float(infogan.information(codes, sure, 3)[0]) == pytest.approx(log(3))
    knows_nothing = Posterior(jnp.zeros_like(codes), jnp.zeros_like(codes))
    assert float(infogan.information(codes, knows_nothing, 3)[0]) == pytest.approx(0, abs=1e-6)


def test_the_bound_of_continuous_codes_is_worked_by_hand() -> None:
    codes = jnp.array([[0.5, -1.0], [0.0, 1.0]])
    found = Posterior(
        jnp.array([[0.5, 0.0], [1.0, 1.0]]), jnp.log(jnp.array([[0.1, 1.0], [2.0, 1.0]]))
    )
    densities = [-0.5 * log(2 * pi * 0.1), -0.5 - 0.5 * log(2 * pi)]
    densities += [-0.25 - 0.5 * log(2 * pi * 2), -0.5 * log(2 * pi)]
    _, continuous = infogan.information(codes, found, 0)
    assert float(continuous) == pytest.approx(sum(densities) / 2 + 2 * log(2), rel=1e-6)


def test_codes_are_one_category_and_numbers_beside_noise() -> None:
    codes, noise = infogan.draw(MODEL, jax.random.key(0), 3000)
    np.testing.assert_array_equal(np.sort(codes[:, :3]), [[0, 0, 1]] * 3000)
    assert (np.abs(np.mean(codes[:, :3], axis=0) - 1 / 3) < 0.04).all()
    assert np.abs(codes[:, 3:]).max() <= 1
    assert np.var(codes[:, 3:]) == pytest.approx(1 / 3, abs=0.02)
    assert noise.shape == (3000, 62)


def _gradient(continuous: float, categorical: float):
    made = METHODS["infogan"](continuous, categorical)
    params = made.initial_parameters(MODEL, jax.random.key(0))
    batch = Batch(jax.random.uniform(jax.random.key(1), (8, 16, 16, 1)))
    run = jax.jit(jax.grad(lambda p: made.loss(MODEL, p, batch, jax.random.key(2), 0)[0]))
    return run(params)


@pytest.mark.slow
def test_the_critic_learns_from_its_own_cross_entropy_and_recognition_from_the_bound() -> None:
    with jax.enable_x64(True):
        of_critic, both = _gradient(0.0, 0.0), _gradient(0.7, 1.0)
        heads = of_critic["encoder"]["mean"]["kernel"], both["encoder"]["mean"]["kernel"]
        assert (heads[0][:, :5] == 0).all()
        assert (np.abs(heads[0][:, 5]) > 0).any()
        np.testing.assert_allclose(heads[0][:, 5], heads[1][:, 5], rtol=1e-6)
        assert (np.abs(heads[1][:, :5]) > 0).any()
        params = METHODS["infogan"](0.0, 0.0).initial_parameters(MODEL, jax.random.key(0))
        images = jax.random.uniform(jax.random.key(1), (8, 16, 16, 1))
        codes, noise = infogan.draw(MODEL, jax.random.key(2), 8)
        generated = infogan._generate(MODEL, params, codes, noise)

        def cross_entropy(encoder):
            given = {"encoder": encoder}
            real = infogan._recognise(MODEL, given, images)[1]
            fake = infogan._recognise(MODEL, given, generated)[1]
            return -jnp.mean(jnp.log(jax.nn.sigmoid(real))) - jnp.mean(
                jnp.log(1 - jax.nn.sigmoid(fake))
            )

        expected = jax.grad(cross_entropy)(params["encoder"])
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-8),
            of_critic["encoder"],
            expected,
        )


@pytest.mark.slow
def test_it_learns_to_recognise_the_codes_of_its_own_images() -> None:
    def sample(data, key, num):
        centres = jax.random.uniform(key, (num, 2), minval=4, maxval=12)
        y, x = jnp.meshgrid(jnp.arange(16.0), jnp.arange(16.0), indexing="ij")
        away = (y[None] - centres[:, :1, None]) ** 2 + (x[None] - centres[:, 1:, None]) ** 2
        return jnp.exp(-away / 8)[..., None]

    settings = Settings(
        steps=400, batch_size=32, num_latents=3, learning_rate=1e-3, network="mlp", width=0.1
    )
    trainer = Trainer(METHODS["infogan"], settings, (16, 16, 1), sample, ())
    pack = trainer.start([Replica({"continuous_weight": 1.0}, seed=0)])
    before = trainer.evaluate(pack, 10)[0]["regularizer"]
    pack, _ = trainer.advance(pack, 400)
    after = trainer.evaluate(pack, 10)[0]["regularizer"]
    assert -after > -before + 3  # nats
