"""Likelihoods against SciPy's distributions, in float64."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from teasel.models import (
    LIKELIHOODS,
    METHODS,
    Batch,
    Model,
    Replica,
    Settings,
    Trainer,
    check_hyperparameters,
    pack_memory,
)
from teasel.models.likelihoods import own_parameters

SHAPE = (16, 16, 1)
RNG = np.random.default_rng(0)
OUTPUTS = RNG.normal(0, 3, (4, 3, 3, 2))
LEVELS = RNG.integers(0, 256, OUTPUTS.shape)
LEVELS[0, 0, 0], LEVELS[1, 1, 1] = 0, 255
IMAGES = LEVELS / 255
SCALE = 0.07
SIGMOID = 1 / (1 + np.exp(-OUTPUTS))


def _logistic() -> np.ndarray:
    """The mass between two levels, and at the lowest and highest all that lies beyond."""
    cdf = stats.logistic(SIGMOID, SCALE).cdf
    sf = stats.logistic(SIGMOID, SCALE).sf
    half = 0.5 / 255
    inner = np.where(
        IMAGES < SIGMOID,
        cdf(IMAGES + half) - cdf(IMAGES - half),
        sf(IMAGES - half) - sf(IMAGES + half),
    )
    mass = np.where(LEVELS == 0, cdf(half), np.where(LEVELS == 255, sf(1 - half), inner))
    return -np.log(mass)


EXPECTED = {
    "bernoulli": -stats.bernoulli(SIGMOID).logpmf(1) * IMAGES
    - stats.bernoulli(SIGMOID).logpmf(0) * (1 - IMAGES),
    "gaussian": -stats.norm(SIGMOID, SCALE).logpdf(IMAGES),
    "gaussian_learned": -stats.norm(SIGMOID, SCALE).logpdf(IMAGES),
    "discretized_logistic": _logistic(),
    "l2": (IMAGES - SIGMOID) ** 2,
    "l2_tanh": (IMAGES - (np.tanh(OUTPUTS) + 1) / 2) ** 2,
}


@pytest.mark.parametrize("name", LIKELIHOODS.own)
def test_a_likelihood_is_that_of_its_distribution(name) -> None:
    with jax.enable_x64(True):
        own = {"log_scale": jnp.log(jnp.float64(SCALE))} if LIKELIHOODS[name].scaled else {}
        found = LIKELIHOODS[name].function(jnp.asarray(OUTPUTS), jnp.asarray(IMAGES), own)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, EXPECTED[name].sum(axis=(1, 2, 3)), rtol=1e-9)


@pytest.mark.parametrize("name", LIKELIHOODS.own)
def test_the_mean_of_a_likelihood_is_an_image(name) -> None:
    outputs = jnp.asarray([-1e4, -2.0, 0.0, 2.0, 1e4])
    slope = 2 if name == "l2_tanh" else 1
    found = LIKELIHOODS[name].mean(outputs)
    np.testing.assert_allclose(found, stats.logistic.cdf(slope * np.asarray(outputs)), atol=1e-6)
    assert found.min() >= 0
    assert found.max() <= 1


def test_reconstruction_is_the_sum_of_cross_entropies_over_pixels_and_channels() -> None:
    # Logit 0: -log 1/2 whatever the pixel. Logit log 3: p = 3/4; pixel 1 gives log 4/3, pixel 0
    # gives log 4, pixel 1/2 their mean.
    logits = jnp.log(jnp.asarray([[1.0, 3.0], [3.0, 3.0]])).reshape(1, 2, 2, 1)
    images = jnp.asarray([[0.3, 1.0], [0.0, 0.5]]).reshape(1, 2, 2, 1)
    expected = np.log(2) + np.log(4 / 3) + np.log(4) + (np.log(4 / 3) + np.log(4)) / 2
    found = LIKELIHOODS["bernoulli"].function(logits, images, {})
    np.testing.assert_allclose(found, [expected], rtol=1e-6)


def test_reconstruction_stays_finite_at_large_logits() -> None:
    logits = jnp.asarray([1000.0, -1000.0]).reshape(2, 1, 1, 1)
    found = LIKELIHOODS["bernoulli"].function(logits, jnp.zeros((2, 1, 1, 1)), {})
    np.testing.assert_array_equal(found, [1000, 0])


@pytest.mark.parametrize("scale", [1e-3, 0.03, 1.0, 50.0])
@pytest.mark.parametrize("output", [-30.0, -1.0, 0.2, 4.0, 30.0])
def test_the_256_levels_share_all_the_probability(output, scale) -> None:
    with jax.enable_x64(True):
        levels = jnp.arange(256, dtype=jnp.float64).reshape(256, 1, 1, 1) / 255
        own = {"log_scale": jnp.log(jnp.float64(scale))}
        found = LIKELIHOODS["discretized_logistic"].function(
            jnp.full((256, 1, 1, 1), output, jnp.float64), levels, own
        )
    assert np.exp(-np.asarray(found)).sum() == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("name", LIKELIHOODS.own)
def test_gradients_are_finite_wherever_the_outputs_go(name) -> None:
    """In float32, at every level next to the edges and at scales far from the data's."""
    outputs = jnp.asarray([-1e6, -200.0, -20.0, 0.0, 20.0, 200.0, 1e6])
    levels = jnp.asarray([0.0, 1.0, 128.0, 254.0, 255.0]) / 255
    grid = jnp.broadcast_to(outputs[:, None], (7, 5)).reshape(7, 5, 1, 1)
    images = jnp.broadcast_to(levels[None], (7, 5)).reshape(7, 5, 1, 1)

    def total(outputs, log_scale):
        own = {"log_scale": log_scale}
        return jnp.sum(LIKELIHOODS[name].function(outputs, images, own))

    compiled = jax.jit(jax.value_and_grad(total, (0, 1)))
    for log_scale in (-9.0, -3.0, 0.0, 4.0):
        for leaf in jax.tree.leaves(compiled(grid, jnp.float32(log_scale))):
            assert np.isfinite(leaf).all(), log_scale


def test_the_edge_levels_have_a_gradient_that_pulls_towards_them() -> None:
    """A where() whose other branch has a gradient that is no number would leave NaN."""
    own = {"log_scale": jnp.float32(-3.0)}
    for level, sign in ((0.0, 1), (1.0, -1)):
        images = jnp.full((1, 1, 1, 1), level)
        gradient = jax.grad(
            lambda outputs, images=images: LIKELIHOODS["discretized_logistic"].function(
                outputs, images, own
            )[0]
        )(jnp.zeros((1, 1, 1, 1)))
        assert sign * float(gradient[0, 0, 0, 0]) > 0.1


def test_the_scale_that_is_learned_best_is_that_of_the_deviations() -> None:
    """The derivative by the logarithm of the scale is N - sum of squares / scale^2."""
    with jax.enable_x64(True):
        outputs, images = jnp.asarray(OUTPUTS), jnp.asarray(IMAGES)
        slope = jax.grad(
            lambda log_scale: jnp.sum(
                LIKELIHOODS["gaussian_learned"].function(outputs, images, {"log_scale": log_scale})
            )
        )
        squares = ((IMAGES - SIGMOID) ** 2).sum()
        assert float(slope(jnp.log(jnp.float64(SCALE)))) == pytest.approx(
            OUTPUTS.size - squares / SCALE**2, rel=1e-9
        )
        best = np.log(np.sqrt(squares / OUTPUTS.size))
        assert float(slope(jnp.float64(best))) == pytest.approx(0, abs=1e-9)


def test_only_a_likelihood_that_learns_its_scale_has_a_parameter() -> None:
    for name in LIKELIHOODS.own:
        model = Model(SHAPE, width=0.1, likelihood=name, likelihood_scale=0.25)
        params = jax.eval_shape(lambda model=model: model.initial_parameters(jax.random.key(0)))
        learned = name in ("gaussian_learned", "discretized_logistic")
        assert set(params) == {"encoder", "decoder"} | ({"likelihood"} if learned else set())
        assert LIKELIHOODS[name].learned == learned
    (own,) = own_parameters(LIKELIHOODS["gaussian_learned"], 0.25).values()
    assert float(own) == pytest.approx(math.log(0.25))
    assert own_parameters(LIKELIHOODS["l2"], 0.25) == {}


@pytest.mark.parametrize(("name", "scale"), [("gaussian", 0.5), ("gaussian_learned", 0.5)])
def test_a_model_starts_at_the_scale_of_its_settings(name, scale) -> None:
    settings = Settings(width=0.1, likelihood=name, likelihood_scale=scale, num_latents=2)
    model = Model.of(settings, SHAPE)
    params = jax.jit(model.initial_parameters)(jax.random.key(0))
    zeros = params | {"decoder": jax.tree.map(jnp.zeros_like, params["decoder"])}  # means of 1/2
    found = jax.jit(model.reconstruction)(zeros, jnp.zeros((1, 2)), jnp.ones((1, *SHAPE)))
    assert float(found[0]) == pytest.approx(-256 * stats.norm(0.5, scale).logpdf(1), rel=1e-5)
    if name == "gaussian_learned":
        zeros["likelihood"] = {"log_scale": jnp.log(2.0)}
        found = jax.jit(model.reconstruction)(zeros, jnp.zeros((1, 2)), jnp.ones((1, *SHAPE)))
        assert float(found[0]) == pytest.approx(-256 * stats.norm(0.5, 2).logpdf(1), rel=1e-5)


def _draw(data, key, batch_size):
    return data[jax.random.randint(key, (batch_size,), 0, len(data))]


def _trainer(name: str, form: str = "direct") -> Trainer:
    settings = Settings(
        steps=2,
        batch_size=4,
        num_latents=2,
        learning_rate=1e-2,
        width=0.1,
        likelihood=name,
        likelihood_scale=0.5,
    )
    data = np.random.default_rng(0).integers(0, 256, (8, *SHAPE)).astype(np.float32) / 255
    return Trainer(METHODS["beta_vae"], settings, SHAPE, _draw, data, form=form)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        pytest.param("discretized_logistic", "direct", marks=pytest.mark.slow),
        pytest.param("gaussian_learned", "products", marks=pytest.mark.slow),
    ],
)
def test_a_learned_scale_trains_is_saved_restored_and_kept(name, form) -> None:
    trainer = _trainer(name, form)
    replicas = [Replica({"beta": 1.0}, seed, str(seed)) for seed in (0, 1)]
    pack, _ = trainer.advance(trainer.start(replicas), 1)
    saved = trainer.save(pack)
    scales = [float(kept["likelihood"]["log_scale"]) for kept in trainer.parameters(pack)]
    # Adam's first step is the learning rate, whatever the gradient.
    np.testing.assert_allclose(np.abs(np.array(scales) - np.log(0.5)), 1e-2, rtol=1e-3)
    again, _ = trainer.advance(trainer.restore(saved), 1)
    through, _ = trainer.advance(pack, 1)
    jax.tree.map(
        np.testing.assert_array_equal, trainer.parameters(again), trainer.parameters(through)
    )
    after = [float(kept["likelihood"]["log_scale"]) for kept in trainer.parameters(through)]
    assert not set(after) & set(scales)


def test_the_scale_counts_in_a_packs_memory() -> None:
    """Its parameter is no layer's."""
    found = [
        pack_memory(METHODS["beta_vae"], Settings(likelihood=name), SHAPE, 0, 1, platform="gpu")
        for name in ("gaussian", "gaussian_learned")
    ]
    assert found[1].parameters == found[0].parameters + 4
    assert found[1].optimizer == found[0].optimizer + 8


def test_bits_per_dimension_are_nats_by_hand() -> None:
    # 8 bits for each of 16 x 16 x 3 pixels.
    nats = 8 * 16 * 16 * 3 * math.log(2)
    for name in LIKELIHOODS.own:
        found = Model((16, 16, 3), likelihood=name).bits_per_dimension(-nats)
        if name.startswith("l2"):
            assert found is None
        else:
            assert found == pytest.approx(8)


@pytest.mark.parametrize("name", ["gaussian", "l2"])
def test_an_evaluation_reports_bits_per_dimension(name, monkeypatch) -> None:
    trainer = _trainer(name)
    row = np.array([10.0, 300.0, 2.0, 7.0, 1.5, 0.5])  # `CURVES`, and the KL of two latents
    monkeypatch.setattr(trainer, "_evaluate", lambda *given: row)
    (found,) = trainer.evaluate(trainer.start([Replica({"beta": 1.0}, 0)]), 1)
    expected = 302 / (256 * math.log(2))
    assert found["bits_per_dimension"] == (None if name == "l2" else pytest.approx(expected))


def test_a_method_s_reconstruction_is_that_of_the_likelihood() -> None:
    """Through the loss, not around it: the mean over a batch of the sums over pixels."""
    entry = METHODS["beta_vae"]
    method = entry(**check_hyperparameters(entry, {"beta": 1.0}))
    images = jnp.asarray(RNG.random((3, *SHAPE)), jnp.float32)
    found = {}
    for name in ("l2", "gaussian"):
        model = Model(SHAPE, 2, width=0.1, likelihood=name, likelihood_scale=0.5)
        params = jax.jit(model.initial_parameters)(jax.random.key(0))
        given = params, Batch(images), jax.random.key(1), jnp.int32(0)
        _, info = jax.jit(lambda *rest, model=model: method.loss(model, *rest))(*given)
        found[name] = float(info.reconstruction)
    # -log N = squares / (2 * 0.25) + log(0.5 sqrt(2 pi)) for each pixel.
    expected = 2 * found["l2"] + 256 * math.log(0.5 * math.sqrt(2 * math.pi))
    assert found["gaussian"] == pytest.approx(expected, rel=1e-5)


def test_an_unknown_likelihood_is_named_beside_the_known_ones() -> None:
    with pytest.raises(ValueError, match="likelihood is 'poisson'; expected one of bernoulli, gau"):
        _trainer("poisson")
