"""The parts of the bound, against enumeration and closed forms."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from teasel.metrics import METRICS, UndefinedScoreError
from teasel.metrics.bounds import importance_bound, kl_to_standard, log_aggregate_posterior, surgery

RNG = np.random.default_rng(0)
N, D = 50, 3
MEAN, LOG_VARIANCE = RNG.normal(size=(N, D)), RNG.normal(-1, 0.5, size=(N, D))


def test_the_aggregate_posterior_is_the_mean_of_all_densities() -> None:
    codes = RNG.normal(size=(7, D))
    each = [
        [
            multivariate_normal(m, np.diag(np.exp(v))).logpdf(z)
            for m, v in zip(MEAN, LOG_VARIANCE, strict=True)
        ]
        for z in codes
    ]
    found = log_aggregate_posterior(codes.astype(np.float32), MEAN, LOG_VARIANCE)
    np.testing.assert_allclose(found, logsumexp(each, axis=1) - np.log(N), rtol=1e-5)


def test_images_block_by_block_are_as_all_at_once(monkeypatch) -> None:
    codes = RNG.normal(size=(7, D))
    expected = log_aggregate_posterior(codes, MEAN, LOG_VARIANCE)
    monkeypatch.setattr("teasel.metrics.bounds._BLOCK", 7 * 6)
    np.testing.assert_allclose(
        log_aggregate_posterior(codes, MEAN, LOG_VARIANCE), expected, rtol=1e-12
    )


def _terms(mean, log_variance, num: int = 1):
    """A code of each posterior, `num` times over, and the densities there."""
    deviation = np.exp(log_variance / 2)
    codes = np.tile(mean, (num, 1)) + np.tile(deviation, (num, 1)) * RNG.normal(
        size=(num * len(mean), mean.shape[1])
    )
    posterior = (
        norm(np.tile(mean, (num, 1)), np.tile(deviation, (num, 1))).logpdf(codes).sum(axis=1)
    )
    return codes, np.zeros(len(codes)), norm.logpdf(codes).sum(axis=1), posterior


def test_posteriors_far_apart_tell_the_image() -> None:
    mean, log_variance = 1000.0 * np.arange(N)[:, None], np.zeros((N, 1))
    found = surgery(mean, log_variance, *_terms(mean, log_variance))
    assert found.mutual_information == pytest.approx(np.log(N))
    assert found.mutual_information_error < 1e-6
    assert found.active_units == 1


def test_posteriors_that_are_the_prior_tell_nothing() -> None:
    nothing = np.zeros((N, D))
    found = surgery(nothing, nothing, *_terms(nothing, nothing), kl=0.0)
    assert found.mutual_information == pytest.approx(0, abs=1e-12)
    assert found.marginal_kl == pytest.approx(0, abs=1e-12)
    assert found.active_units == 0


def test_the_mean_kl_is_the_sum_of_its_parts_within_their_errors() -> None:
    kl = kl_to_standard(MEAN, LOG_VARIANCE)
    found = surgery(MEAN, LOG_VARIANCE, *_terms(MEAN, LOG_VARIANCE, num=40), kl=kl)
    error = np.hypot(found.mutual_information_error, found.marginal_kl_error)
    assert abs(found.mutual_information + found.marginal_kl - found.kl) < 4 * error
    assert 0 < error < 0.1
    by_hand = [
        0.5 * (m**2 + np.exp(v) - v - 1).sum() for m, v in zip(MEAN, LOG_VARIANCE, strict=True)
    ]
    assert kl == pytest.approx(np.mean(by_hand))


def test_a_bound_of_weights_worked_by_hand() -> None:
    weights = np.log([[1.0, 3.0], [2.0, 2.0]])
    np.testing.assert_allclose(importance_bound(weights), np.log([2, 2]))
    np.testing.assert_array_equal(importance_bound(weights[:, :1]), weights[:, 0])


class _Model:
    """Posteriors N(x, 1), prior N(0, 1), a likelihood of exp(-1) whatever the code."""

    num_images, has_analytic_kl = 400, True

    def posteriors(self):
        return np.linspace(-1, 1, 400)[:, None], np.zeros((400, 1))

    def log_terms(self, indices, num, seed):
        mean = np.linspace(-1, 1, 400)[indices, None, None]
        codes = mean + np.random.default_rng(seed).normal(size=(len(indices), num, 1))
        density = norm.logpdf(codes)[:, :, 0], norm.logpdf(codes - mean)[:, :, 0]
        return codes, np.full(density[0].shape, -1.0), *density


def test_the_scores_of_a_model_that_is_known() -> None:
    found = METRICS["elbo_surgery"](_Model(), np.random.RandomState(0), num_images=300)
    assert found["reconstruction"] == pytest.approx(1)
    assert found["reconstruction_error"] == 0
    assert found["kl"] == pytest.approx(np.mean(np.linspace(-1, 1, 400) ** 2) / 2)
    assert found["active_units"] == 1
    assert 0 < found["mutual_information"] < found["kl"]
    bounds = [
        METRICS["importance_bound"](_Model(), np.random.RandomState(0), num_samples=num)
        for num in (1, 10, 1000)
    ]
    values = [found["bound"] for found in bounds]
    assert values == sorted(values)
    assert values[0] == pytest.approx(bounds[0]["elbo"])
    assert values[-1] == pytest.approx(-1, abs=0.01)  # the likelihood does not look at the code


@pytest.mark.parametrize("name", ["elbo_surgery", "importance_bound"])
def test_a_model_whose_densities_are_no_numbers_has_no_scores(name: str) -> None:
    class Broken(_Model):
        def log_terms(self, indices, num, seed):
            codes, likelihood, *others = super().log_terms(indices, num, seed)
            return codes, np.nan * likelihood, *others

    with pytest.raises(UndefinedScoreError, match="not finite"):
        METRICS[name](Broken(), np.random.RandomState(0))
