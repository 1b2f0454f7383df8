"""The map of docs/theorem.md: no zero derivative, the same distribution, an inverse."""

from typing import Any

import jax
import numpy as np
import pytest
from scipy import stats

from teasel.datasets import load
from teasel.docs.theorem import SETTINGS, draw_rotation, entangle, jitter, terms
from teasel.metrics import mig
from teasel.models import METHODS, Model, TrainedModel

SIZE, NUM = 5, 4000
PRIORS = [stats.norm, stats.uniform, stats.laplace]


@pytest.fixture(params=PRIORS, ids=[prior.name for prior in PRIORS])
def prior(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def codes(prior: Any) -> np.ndarray:
    return prior.rvs(size=(NUM, SIZE), random_state=0)


ROTATION = draw_rotation(np.random.default_rng(1), SIZE)


def test_a_rotation_is_orthogonal_and_has_no_zero() -> None:
    np.testing.assert_allclose(ROTATION @ ROTATION.T, np.eye(SIZE), atol=1e-12)
    many = np.stack([draw_rotation(np.random.default_rng(seed), 3) for seed in range(2000)])
    assert np.abs(many.mean(axis=0)).max() < 0.05  # as likely to turn one way as another
    assert (many != 0).all()


def test_every_code_depends_on_every_other(prior: Any, codes: np.ndarray) -> None:
    step = 1e-6
    for latent in range(SIZE):
        moved = codes.copy()
        moved[:, latent] += step
        apart = entangle(moved, ROTATION, prior) - entangle(codes, ROTATION, prior)
        inside = np.isfinite(apart).all(axis=1)
        assert inside.mean() > 0.999  # a step may leave the support
        assert (np.abs(apart[inside] / step) > 1e-6).all()


def test_the_distribution_is_the_same(prior: Any, codes: np.ndarray) -> None:
    found = entangle(codes, ROTATION, prior)
    for column in found.T:
        assert stats.kstest(column, prior.cdf).pvalue > 1e-3
    # Independent too: of the largest of a point's codes, and of the smallest.
    places = prior.cdf(found)
    assert stats.kstest(places.max(axis=1) ** SIZE, "uniform").pvalue > 1e-3
    assert stats.kstest((1 - places.min(axis=1)) ** SIZE, "uniform").pvalue > 1e-3
    assert np.abs(np.corrcoef(places.T) - np.eye(SIZE)).max() < 0.06


def test_the_transposed_rotation_is_the_inverse(prior: Any, codes: np.ndarray) -> None:
    back = entangle(entangle(codes, ROTATION, prior), ROTATION.T, prior)
    np.testing.assert_allclose(back, codes, atol=1e-7)


def test_a_perfect_code_loses_its_score() -> None:
    data, rng = load("dsprites_mini"), np.random.default_rng(0)
    factors = data.factors(rng.integers(len(data), size=NUM))
    perfect = jitter(factors, data.factor_sizes, rng)
    assert mig(perfect, factors) > 0.8
    assert mig(entangle(perfect, ROTATION, stats.uniform), factors) < 0.2


@pytest.mark.slow
def test_the_terms_of_the_bound_stay() -> None:
    data, rng = load("dsprites_mini"), np.random.default_rng(0)
    model = Model.of(SETTINGS, data.image_shape)
    made = TrainedModel(
        METHODS["beta_vae"], {"beta": 8.0}, model, model.initial_parameters(jax.random.key(0))
    )
    found = terms(made, data.images(np.arange(0, len(data), 5000)), rng)
    for before, after in found.values():
        np.testing.assert_allclose(after, before, rtol=1e-5)
