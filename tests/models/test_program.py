"""What reaches a method, seen by one that answers with what it was given."""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import (
    Batch,
    Bounds,
    Info,
    Method,
    MethodEntry,
    Purpose,
    Replica,
    Settings,
    Trainer,
)
from teasel.models.randomness import key_for

SETTINGS = Settings(steps=10, batch_size=2, num_latents=1, learning_rate=0.25)
SEEDS, SCALES = (3, 8), (1.0, 2.0)


def mirror(scale: Annotated[float, Bounds()]) -> Method:
    """The method whose losses are its image, its step and its noise."""

    def initial(model, key):
        del model
        return {"encoder": {"weight": jax.random.normal(key)}, "decoder": {}}

    def loss(model, params, batch, key, step):
        del model
        kl = step.astype(jnp.float32)
        info = Info(batch.images[0, 0, 0, 0], kl, scale * jax.random.normal(key), kl.reshape(1))
        return params["encoder"]["weight"], info

    return Method(loss, initial_parameters=initial)


def _draw(data, key, batch_size):
    del data
    return jnp.full((batch_size, 16, 16, 1), jax.random.normal(key))


def _normals(purpose: Purpose, steps) -> np.ndarray:
    """(seeds, steps) normals from the keys that belong to them."""
    return np.array(
        [[jax.random.normal(key_for(seed, purpose, step)) for step in steps] for seed in SEEDS]
    )


@pytest.fixture(scope="module", params=["direct", "products"])
def trainer(request) -> Trainer:
    return Trainer(MethodEntry(mirror), SETTINGS, (16, 16, 1), _draw, (), form=request.param)


@pytest.fixture
def pack(trainer):
    return trainer.start(
        [Replica({"scale": scale}, seed) for scale, seed in zip(SCALES, SEEDS, strict=True)]
    )


def test_every_step_gets_its_number_and_the_images_and_noise_of_its_seed(trainer, pack) -> None:
    start = _normals(Purpose.WEIGHTS, [0])[:, 0]
    for steps in ([0, 1], [2, 3, 4]):
        pack, curves = trainer.advance(pack, len(steps))
        images, noise = (_normals(p, steps).mean(1) for p in (Purpose.BATCH, Purpose.NOISE))
        np.testing.assert_allclose(curves["reconstruction"], images, atol=1e-5)
        np.testing.assert_allclose(curves["regularizer"], SCALES * noise, atol=1e-5)
        np.testing.assert_allclose(curves["kl"], np.mean(steps))
        # A gradient of 1 moves Adam by the learning rate: .25 lower at each step.
        np.testing.assert_allclose(curves["loss"], start - 0.25 * np.mean(steps), atol=1e-3)
    weights = [parameters["encoder"]["weight"] for parameters in trainer.parameters(pack)]
    np.testing.assert_allclose(weights, start - 5 * 0.25, atol=1e-3)


def test_evaluation_is_at_the_packs_step_on_batches_and_noise_of_their_own(trainer, pack) -> None:
    pack, _ = trainer.advance(pack, 3)
    found = trainer.evaluate(pack, 2, first=5)
    purposes = (Purpose.EVALUATION, Purpose.EVALUATION_NOISE)
    images, noise = (_normals(purpose, [5, 6]).mean(1) for purpose in purposes)
    for place, result in enumerate(found):
        assert result["reconstruction"] == pytest.approx(images[place], abs=1e-5)
        assert result["regularizer"] == pytest.approx(SCALES[place] * noise[place], abs=1e-5)
        assert result["kl_per_latent"] == [result["kl"]] == [3]


@pytest.mark.parametrize("form", ["direct", "products"])
def test_views_and_labels_reach_the_loss(form) -> None:
    def seen() -> Method:
        def loss(model, params, batch, key, step):
            del model, key, step
            view = batch.views[0, 0, 0, 0]
            label = batch.labels[0, 1].astype(jnp.float32)
            info = Info(view, label, batch.images[0, 0, 0, 0], label.reshape(1))
            return params["encoder"]["weight"], info

        return Method(loss, lambda model, key: {"encoder": {"weight": jnp.zeros(())}})

    def draw(data, key, batch_size):
        del data, key
        images = jnp.full((batch_size, 16, 16, 1), 0.5)
        labels = jnp.full((batch_size, 2), 7, jnp.int32)
        return Batch(images, views=images / 2, labels=labels)

    trainer = Trainer(MethodEntry(seen, batch="pairs"), SETTINGS, (16, 16, 1), draw, (), form=form)
    pack, curves = trainer.advance(trainer.start([Replica({}, 0), Replica({}, 1)]), 2)
    (evaluated, _) = trainer.evaluate(pack, 1)
    for found in (curves, evaluated):
        np.testing.assert_allclose(found["reconstruction"], 0.25)
        np.testing.assert_allclose(found["kl"], 7)
        np.testing.assert_allclose(found["regularizer"], 0.5)


def test_what_a_trained_model_does_without_is_not_kept() -> None:
    def two() -> Method:
        def initial(model, key):
            del model, key
            return {name: {"weight": jnp.ones(())} for name in ("encoder", "mine", "teacher")}

        return Method(lambda *given: given[0], initial, only_in_training=("teacher",))

    trainer = Trainer(MethodEntry(two), SETTINGS, (16, 16, 1), _draw, ())
    (kept,) = trainer.parameters(trainer.start([Replica({}, 0)]))
    assert set(kept) == {"encoder", "mine"}


def test_the_default_settings_are_the_papers() -> None:
    settings = Settings()
    assert (settings.steps, settings.batch_size) == (300_000, 64)
    assert (settings.num_latents, settings.learning_rate) == (10, 1e-4)
    assert (settings.network, settings.width, settings.activation) == ("conv", 1, "default")
    assert (settings.likelihood, settings.optimizer) == ("bernoulli", "adam")
    assert (settings.schedule, settings.warmup_steps) == ("constant", 0)
