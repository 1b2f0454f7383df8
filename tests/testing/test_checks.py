"""The checks of plug-ins: each says what is wrong of an entry that is wrong in one way."""

from dataclasses import replace
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.datasets import from_function
from teasel.metrics import METRICS, Bounds, Count, Metric, check_codes
from teasel.models import METHODS, Info, Method, MethodEntry, Weight, forward, regularized
from teasel.testing import check_dataset, check_method, check_metric

REFERENCE = "nobody 2026"


def method_of(loss) -> MethodEntry:
    """A method of one hyper-parameter with this `loss(weight, passed) -> loss, info`."""

    def mine(weight: Weight) -> Method:
        """The method of a test."""
        return Method(
            lambda model, params, batch, key, step: loss(
                weight, forward(model, params, batch.images, key, step)
            )
        )

    return MethodEntry(mine, reference=REFERENCE, example={"weight": 2.0})


def test_all_that_a_method_lacks_is_said_at_once() -> None:
    def mine(weight: float) -> Method:
        return METHODS["beta_vae"](weight)

    with pytest.raises(AssertionError) as raised:
        check_method(mine)
    message = str(raised.value)
    assert message.startswith("the method mine lacks:\n")
    for piece in ("a reference", "a docstring", "bounds of weight", "an example of weight"):
        assert f"\n* {piece}" in message


def test_an_example_out_of_bounds_is_named() -> None:
    entry = replace(METHODS["beta_vae"], example={"beta": -1.0})
    with pytest.raises(AssertionError, match=r"example of beta_vae .*: beta is -1\.0; it must be"):
        check_method(entry)


def _broken_sum(weight, passed):
    loss, info = regularized(passed, weight * passed.kl)
    return 2.0 * loss, info


def _branches(weight, passed):
    return regularized(passed, passed.kl * (2.0 if weight > 1 else 1.0))


def _half_stopped(weight, passed):
    return regularized(passed, weight * passed.kl + jax.lax.stop_gradient(passed.kl))


def _wrong_info(weight, passed):
    loss, info = regularized(passed, weight * passed.kl)
    return loss, Info(*info[:3], jnp.stack([info.kl]))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (_broken_sum, r"and reconstruction \+ regularizer .*: return regularized"),
        (_branches, r"use jnp\.where instead of `if`"),
        pytest.param(
            *(_half_stopped, r"finite differences say .*: look for stop_gradient"),
            marks=pytest.mark.slow,
        ),
        (_wrong_info, r"info\.kl_per_latent of mine is float32\[1\]; expected float32\[3\]"),
    ],
)
def test_a_loss_that_is_wrong_in_one_way_is_found(loss, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_method(method_of(loss))


def _pairs(weight, model, params, batch, key, step):
    passed = forward(model, params, batch.images, key, step)
    means = model.encode(params, batch.views).mean
    apart = jnp.mean(jnp.sum(jnp.square(passed.posterior.mean - means), axis=1))
    return regularized(passed, passed.kl + weight * apart)


def _labels(weight, model, params, batch, key, step):
    passed = forward(model, params, batch.images, key, step)
    first = batch.labels[:, 0].astype(passed.codes.dtype)
    return regularized(
        passed, passed.kl + weight * jnp.mean(jnp.square(passed.codes[:, 0] - first))
    )


@pytest.mark.slow
@pytest.mark.parametrize(("batch", "loss"), [("pairs", _pairs), ("labels", _labels)])
def test_a_loss_of_pairs_or_labels_passes(batch, loss) -> None:
    def mine(weight: Weight) -> Method:
        """The method of a test."""
        return Method(
            lambda model, params, given, key, step: loss(weight, model, params, given, key, step)
        )

    entry = MethodEntry(mine, reference=REFERENCE, example={"weight": 2.0}, batch=batch)
    check_method(entry, plain={"weight": 0.0})


def test_weights_of_its_own_are_refused() -> None:
    made = METHODS["beta_vae"](1.0)

    def mine() -> Method:
        """The method of a test."""
        return made._replace(
            initial_parameters=lambda model, key: jax.tree.map(
                lambda leaf: 2 * leaf, made.initial_parameters(model, key)
            )
        )

    with pytest.raises(AssertionError, match="the decoder of mine does not start as"):
        check_method(MethodEntry(mine, reference=REFERENCE))


def spread(representation, rng, *, num_train: Count = 100) -> dict[str, float]:
    """The mean standard deviation of the codes."""
    codes, _ = representation.sample(rng, num_train)
    return {"spread": float(check_codes(codes).std(axis=0).mean())}


def test_a_metric_that_is_right_passes() -> None:
    check_metric(Metric(spread, REFERENCE, samples_points=False))
    check_metric(Metric(spread, REFERENCE, needs="nothing"))


def _looking(representation, rng, *, num_train: Count = 100):
    """The mean of the first factor, of images that it asks for."""
    codes, factors = representation.sample(rng, num_train)
    check_codes(codes)
    first = float(factors[:, 0].mean())
    representation.encode(factors, rng)
    return {"first": first}


def test_a_metric_that_needs_more_than_it_says_is_refused() -> None:
    check_metric(Metric(_looking, REFERENCE))
    with pytest.raises(AssertionError, match="says that it needs 'nothing', and raised IndexError"):
        check_metric(Metric(_looking, REFERENCE, needs="nothing"))
    with pytest.raises(AssertionError, match=r"it calls encode.* expected scores, or needs='all"):
        check_metric(Metric(_looking, REFERENCE, needs="discrete factors"))
    with pytest.raises(TypeError, match="it needs 'classes'; expected one of nothing, factors, "):
        check_metric(Metric(spread, REFERENCE, needs="classes"))


def _integer(representation, rng, *, num_train: Count = 100):
    """An integer."""
    return {"spread": int(spread(representation, rng, num_train=num_train)["spread"])}


def _unchecked(representation, rng, *, num_train: Count = 100):
    """The first code."""
    return {"first": float(np.nan_to_num(representation.sample(rng, num_train)[0][0, 0]))}


def _undefined(representation, rng, *, num_train: Count = 100):
    """Infinite where the codes do not vary."""
    codes = check_codes(representation.sample(rng, num_train)[0])
    with np.errstate(divide="ignore"):
        return {"x": float(np.max(1 / np.ptp(codes, axis=0)))}


def _unseeded(representation, rng, *, num_train: Count = 100):
    """Random."""
    scores = spread(representation, rng, num_train=num_train)
    return {"spread": scores["spread"] + float(np.random.default_rng().random())}


def _encodes(representation, rng, *, num_train: Count = 100):
    """The first code."""
    factors = np.zeros((1, len(representation.factor_sizes)), int)
    return {"x": float(check_codes(representation.encode(factors, rng))[0, 0])}


def _greedy(representation, rng, *, num_train: Count = 15_001):
    """`spread` of many points."""
    return spread(representation, rng, num_train=num_train)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_integer, "'spread': 0, a int, .*; expected a finite float: convert by float"),
        (
            _unchecked,
            r"of codes with .*; expected an UndefinedScoreError .* call teasel\.metrics\.check_co",
        ),
        (_undefined, "'x': inf, a float, of a constant latent; expected a finite float"),
        (_unseeded, r"from the same RandomState\(3\): draw from the rng that is given"),
        (_encodes, "samples_points=False can only sample"),
        (_greedy, r"_greedy samples 15,001 points; .* gets at most 15,000"),
    ],
)
def test_a_metric_that_is_wrong_in_one_way_is_found(function, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_metric(Metric(function, REFERENCE, samples_points=False))


def test_all_that_a_metric_lacks_is_said_at_once() -> None:
    def mine(representation, rng, *, size: int, share: Annotated[float, Bounds(ge=0)] = 0.5): ...

    with pytest.raises(AssertionError) as raised:
        check_metric(Metric(mine, "", version=0))
    message = str(raised.value)
    for piece in ("a reference", "a docstring", "a version", "the parameter num_train"):
        assert f"\n* {piece}" in message
    assert "\n* a default of size\n* bounds of size" in message
    assert "share" not in message


def test_images_that_hardly_differ_are_found() -> None:
    dark = from_function(
        "dark", {"level": 4}, lambda factors: np.zeros((len(factors), 64, 64, 1), np.uint8)
    )
    with pytest.raises(AssertionError, match=r"images of dark hardly differ.* uint8 from 0 to 255"):
        check_dataset(dark)


def test_a_name_that_is_in_no_catalogue_is_said() -> None:
    for check, what in ((check_method, "method"), (check_metric, "metric")):
        with pytest.raises(AssertionError, match=f"there is no {what} 'nothing'"):
            check("nothing")
    with pytest.raises(AssertionError, match=r"'dsprites_mimi' \(did you mean 'dsprites_mini'"):
        check_dataset("dsprites_mimi")
    assert "nothing" not in METRICS
