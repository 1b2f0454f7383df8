"""All that holds of every method, and each one's whole loss against its paper's formula.

A new method adds a row to `CASES`, worked by hand, and one to `PLAIN`. In `CASES` the forward pass
is replaced by a fixed one: 6 images, 3 latents, codes that are not the means.
"""

import sys
from importlib import import_module
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.catalogue import REQUIRED
from teasel.models import METHODS, Batch, Model
from teasel.models.factor_vae import adversary_loss
from teasel.models.networks import Posterior
from teasel.models.objective import Forward
from teasel.testing import check_method
from teasel.testing.methods import missing_pieces
from teasel.testing.require import require_pieces
from teasel.words import readable

B, D, STEP, RECONSTRUCTION = 6, 3, 10, 123.4
RNG = np.random.default_rng(0)
MEAN = RNG.normal(size=(B, D)) @ RNG.normal(size=(D, D)) + [0.5, -1.0, 2.0]
LOG_VARIANCE = RNG.normal(-0.5, 0.4, size=(B, D))
CODES = MEAN + np.exp(LOG_VARIANCE / 2) * RNG.normal(size=(B, D))
PERMUTED = np.stack([column[RNG.permutation(B)] for column in CODES.T], axis=1)

SIZES = [D, *[1000] * 6, 2]
LAYERS = [*(f"dense_{index}" for index in range(1, 7)), "logits"]
ADVERSARY = {
    name: {
        "kernel": RNG.normal(size=(inputs, outputs)) * np.sqrt(2 / inputs),
        "bias": 0.1 * RNG.normal(size=outputs),
    }
    for name, inputs, outputs in zip(LAYERS, SIZES[:-1], SIZES[1:], strict=True)
}

KL_PER_LATENT = 0.5 * np.mean(MEAN**2 + np.exp(LOG_VARIANCE) - LOG_VARIANCE - 1, axis=0)
KL = KL_PER_LATENT.sum()


def _from_identity(covariance, off_diagonal, diagonal):
    """Kumar et al. 2018, eq. 6 and 7: each (i, j) and (j, i), and each i."""
    return sum(
        diagonal * (covariance[i, i] - 1) ** 2 if i == j else off_diagonal * covariance[i, j] ** 2
        for i in range(D)
        for j in range(D)
    )


def _total_correlation():
    """Chen et al. 2018, section 4: log q(z) - sum of log q(z_l), without 1 / (B N)."""
    total = 0.0
    for z in CODES:
        density = np.exp(-0.5 * (z - MEAN) ** 2 / np.exp(LOG_VARIANCE)) / np.sqrt(
            2 * np.pi * np.exp(LOG_VARIANCE)
        )
        total += np.log(density.prod(axis=1).sum()) - np.log(density.sum(axis=0)).sum()
    return total / B


def _adversary(codes):
    """The inputs of each of its layers, and its logits."""
    inputs = [codes]
    for name in LAYERS[:-1]:
        outputs = inputs[-1] @ ADVERSARY[name]["kernel"] + ADVERSARY[name]["bias"]
        inputs.append(np.where(outputs > 0, outputs, 0.2 * outputs))
    return inputs, inputs[-1] @ ADVERSARY["logits"]["kernel"] + ADVERSARY["logits"]["bias"]


def _log_probabilities(codes):
    _, logits = _adversary(codes)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def _cross_entropy_gradient(codes, label):
    """The gradient of half the mean of -log p(label), layer by layer from the last."""
    inputs, _ = _adversary(codes)
    outward = 0.5 / B * (np.exp(_log_probabilities(codes)) - np.eye(2)[label])
    gradient = {}
    for name, values in zip(reversed(LAYERS), reversed(inputs), strict=True):
        gradient[name] = {"kernel": values.T @ outward, "bias": outward.sum(axis=0)}
        outward = outward @ ADVERSARY[name]["kernel"].T * np.where(values > 0, 1, 0.2)
    return gradient


COVARIANCE = np.cov(MEAN.T, bias=True)
VARIANCES = np.diag(np.exp(LOG_VARIANCE).mean(axis=0))
LOGITS = _adversary(CODES)[1]
ANNEALED = {"c_max": 8.0, "gamma": 7.0, "iteration_threshold": 40.0}

CASES = [
    ("beta_vae", {"beta": 4.0}, 4 * KL),
    ("untrained", {}, KL),
    # A quarter of the way, at the end, and with more capacity than the KL.
    ("annealed_vae", ANNEALED, 7 * (KL - 8 / 4)),
    ("annealed_vae", ANNEALED | {"iteration_threshold": 5.0}, 7 * abs(KL - 8)),
    ("annealed_vae", ANNEALED | {"c_max": 800.0}, 7 * (800 / 4 - KL)),
    (
        "dip_vae_i",
        {"lambda_od": 2.0, "lambda_d_factor": 3.0},
        KL + _from_identity(COVARIANCE, 2, 6),
    ),
    (
        "dip_vae_ii",
        {"lambda_od": 2.0, "lambda_d_factor": 3.0},
        KL + _from_identity(COVARIANCE + VARIANCES, 2, 6),
    ),
    ("beta_tc_vae", {"beta": 4.0}, KL + 3 * _total_correlation()),
    ("beta_tc_vae", {"beta": 0.5}, KL - 0.5 * _total_correlation()),
    ("factor_vae", {"gamma": 7.0}, KL + 7 * np.mean(LOGITS[:, 0] - LOGITS[:, 1])),
]


PLAIN = {
    "beta_vae": {"beta": 1.0},
    "factor_vae": {"gamma": 0.0},
    "dip_vae_i": {"lambda_od": 0.0},
    "dip_vae_ii": {"lambda_od": 0.0},
    "beta_tc_vae": {"beta": 1.0},
    "annealed_vae": {"c_max": 0.0, "gamma": 1.0},  # |KL - 0| = KL
    "untrained": {},
    "iwae": None,
    **{key: {"beta": 1.0} for key in ("ada_gvae", "ada_ml_vae", "gvae", "ml_vae")},
    "infogan": None,
}
"""Hyper-parameters that leave the plain variational autoencoder; None if there are none."""

MINIMISE = {"infogan": ("decoder",)}
"""Networks whose gradient is that of the loss, where not of both: the others play against it."""


@pytest.mark.parametrize("name", METHODS.own)
def test_a_method_lacks_nothing(name) -> None:
    method = METHODS[name]
    missing = missing_pieces(method)
    if method.label == readable(name):
        missing.append("a label: MethodEntry(..., label='FactorVAE')")
    if not method.colour and name != "untrained":
        missing.append("a colour: MethodEntry(..., colour='#c8603a')")
    module = method.factory.__module__.rpartition(".")[2]
    own = Path(__file__).with_name(f"test_{module}.py")
    if name not in {case for case, *_ in CASES} and not own.exists():
        missing.append("a loss worked by hand: a row of CASES in tests/models/test_losses.py")
    if name not in PLAIN:
        missing.append("the values that make it plain: a row of PLAIN in the same file")
    require_pieces(f"the method {name}", missing)


# Their formulas are held below. A new method's gradient is checked at once.
GRADIENTS_LATER = {*METHODS.own} & {
    "factor_vae",
    *("beta_vae", "annealed_vae", "dip_vae_i", "dip_vae_ii", "beta_tc_vae", "untrained"),
    *("ada_gvae", "ada_ml_vae", "gvae", "ml_vae", "iwae", "infogan"),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in GRADIENTS_LATER else name
        for name in METHODS.own
    ],
)
def test_a_method_does_what_every_method_must(name) -> None:
    minimise = MINIMISE.get(name, ("encoder", "decoder"))
    check_method(name, plain=PLAIN[name], minimise=minimise)


@pytest.fixture
def loss(monkeypatch):
    """(name, hyper-parameters, key) -> the loss, its `Info` and the adversary's gradient."""

    def passes(*_):
        posterior = Posterior(jnp.asarray(MEAN), jnp.asarray(LOG_VARIANCE))
        reconstruction = jnp.asarray(RECONSTRUCTION)
        kl = jnp.asarray(KL_PER_LATENT)
        return Forward(posterior, jnp.asarray(CODES), reconstruction, kl.sum(), kl.sum(), kl)

    for method in METHODS.own.values():
        module = sys.modules[method.factory.__module__]
        monkeypatch.setattr(module, "forward", passes, raising=False)

    def compute(name, values, key=None):
        params = {"adversary": jax.tree.map(jnp.asarray, ADVERSARY)}
        batch = Batch(jnp.zeros((B, 64, 64, 1)))
        key = jax.random.key(1) if key is None else key
        method = METHODS[name](**values)
        (value, info), gradient = jax.value_and_grad(method.loss, 1, has_aux=True)(
            Model((64, 64, 1), D), params, batch, key, jnp.int32(STEP)
        )
        return value, info, gradient["adversary"]

    with jax.enable_x64(True):
        yield compute


@pytest.mark.parametrize(("name", "values", "regularizer"), CASES, ids=[name for name, *_ in CASES])
def test_the_loss_is_that_of_the_papers_formula(name, values, regularizer, loss) -> None:
    found, info, _ = loss(name, values)
    np.testing.assert_allclose(info.regularizer, regularizer, rtol=1e-10)
    np.testing.assert_allclose(found, RECONSTRUCTION + regularizer, rtol=1e-10)
    np.testing.assert_allclose(info.reconstruction, RECONSTRUCTION, rtol=1e-12)
    np.testing.assert_allclose(info.kl, KL, rtol=1e-12)
    np.testing.assert_array_equal(info.kl_per_latent, KL_PER_LATENT)


def test_the_adversarys_loss_calls_codes_joint_and_permuted_codes_not() -> None:
    half_joint = -0.5 * _log_probabilities(CODES)[:, 0].mean()
    half_permuted = -0.5 * _log_probabilities(PERMUTED)[:, 1].mean()
    with jax.enable_x64(True):
        adversary = jax.tree.map(jnp.asarray, ADVERSARY)
        found = adversary_loss(adversary, jnp.asarray(CODES), jnp.asarray(PERMUTED))
    np.testing.assert_allclose(found, half_joint + half_permuted, rtol=1e-10)


def test_the_adversary_learns_from_sampled_and_permuted_codes_by_the_gradient_worked_by_hand(
    loss, monkeypatch
) -> None:
    asked = []

    def permutes(codes, key):
        np.testing.assert_array_equal(codes, CODES)
        asked.append(key)
        return jnp.asarray(PERMUTED)

    monkeypatch.setattr(import_module("teasel.models.factor_vae"), "permute_latents", permutes)
    keys = [jax.random.key(1), jax.random.key(2)]
    _, _, found = loss("factor_vae", {"gamma": 7.0}, keys[0])
    expected = jax.tree.map(
        np.add, _cross_entropy_gradient(CODES, 0), _cross_entropy_gradient(PERMUTED, 1)
    )
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-12),
        found,
        expected,
    )
    # Every step permutes anew, and by another key than its noise.
    loss("factor_vae", {"gamma": 7.0}, keys[1])
    assert len({tuple(jax.random.key_data(key).tolist()) for key in asked + keys}) == 4


def test_the_defaults_are_the_papers() -> None:
    expected = {
        "beta_vae": {"beta": REQUIRED},
        "factor_vae": {"gamma": REQUIRED},
        "dip_vae_i": {"lambda_od": REQUIRED, "lambda_d_factor": 10.0},
        "dip_vae_ii": {"lambda_od": REQUIRED, "lambda_d_factor": 1.0},
        "beta_tc_vae": {"beta": REQUIRED},
        "annealed_vae": {"c_max": REQUIRED, "gamma": 1000.0, "iteration_threshold": 100_000.0},
        "untrained": {},
    }
    for name, defaults in expected.items():
        parameters = METHODS[name].parameters
        assert {key: parameters[key].default for key in parameters} == defaults
