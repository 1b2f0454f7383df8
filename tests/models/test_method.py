from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import METHODS, Bounds, check_hyperparameters
from teasel.models.method import Weight

EXAMPLES = {name: dict.fromkeys(METHODS[name].parameters, 2.0) for name in METHODS}
IMAGES = np.random.default_rng(0).integers(0, 2, (4, 64, 64, 1)).astype(np.float32)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_named_in_the_catalogue_as_its_factory_is(name) -> None:
    assert METHODS[name].name == name
    assert (METHODS[name].factory.__doc__ or "").startswith("Returns the method")


@pytest.mark.parametrize("name", METHODS)
def test_every_argument_of_a_factory_has_bounds(name) -> None:
    for hyperparameter in METHODS[name].parameters.values():
        assert hyperparameter.bounds != Bounds()


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_is_reconstruction_plus_regularizer_and_its_gradients_are_finite(name) -> None:
    method = METHODS[name](**EXAMPLES[name])
    params = method.initial_parameters(jax.random.key(0), (64, 64, 1), 3)
    (loss, info), gradients = jax.value_and_grad(method.loss, has_aux=True)(
        params, IMAGES, jax.random.key(1), jnp.int32(5)
    )
    assert loss == info.reconstruction + info.regularizer
    np.testing.assert_allclose(info.kl, np.sum(info.kl_per_latent), rtol=1e-5)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradients))


@pytest.mark.parametrize("name", METHODS)
def test_the_same_factory_takes_traced_hyperparameters(name) -> None:
    params = METHODS[name](**EXAMPLES[name]).initial_parameters(jax.random.key(0), (64, 64, 1), 3)

    def loss(values):
        step, key = jnp.int32(5), jax.random.key(1)
        return METHODS[name](**values).loss(params, IMAGES, key, step)[0]

    traced = jax.jit(loss)({h: jnp.float32(v) for h, v in EXAMPLES[name].items()})
    np.testing.assert_allclose(traced, loss(EXAMPLES[name]), rtol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_all_methods_start_from_the_same_weights(name) -> None:
    def encoder_and_decoder(name):
        method = METHODS[name](**EXAMPLES[name])
        params = method.initial_parameters(jax.random.key(7), (64, 64, 1), 3)
        return {part: params[part] for part in ("encoder", "decoder")}

    jax.tree.map(
        np.testing.assert_array_equal, encoder_and_decoder(name), encoder_and_decoder("beta_vae")
    )


def test_only_the_reference_is_never_trained() -> None:
    untrained = [name for name in METHODS if not METHODS[name](**EXAMPLES[name]).trainable]
    assert untrained == ["untrained"]


def test_bounds_are_read_from_the_signature() -> None:
    beta = METHODS["beta_vae"].parameters["beta"]
    assert beta.bounds == get_args(Weight)[1] == Bounds(ge=0)
    assert beta.required


def test_values_become_floats_in_the_order_of_the_signature() -> None:
    for four in (4, np.int64(4), np.float32(4)):
        checked = check_hyperparameters(METHODS["beta_vae"], {"beta": four})
        assert checked == {"beta": 4.0}
        assert type(checked["beta"]) is float
    assert check_hyperparameters(METHODS["untrained"], {}) == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "beta_vae needs the hyper-parameter 'beta': a finite number of at least 0"),
        ({"beta": -1}, "beta_vae: beta is -1; it must be a finite number of at least 0"),
        ({"beta": float("nan")}, "beta is nan; it must be a finite number"),
        ({"beta": float("inf")}, "beta is inf; it must be a finite number"),
        ({"beta": "4"}, "beta is '4'; it must be a finite number"),
        ({"beta": True}, "beta is True; it must be a finite number"),
        ({"beta": 1e39}, r"beta is 1e\+39; it must be a finite number of at least 0, in float32"),
        ({"beta": 10**400}, "it must be a finite number"),
        ({"beta": 1, "gamma": 2}, "beta_vae has no hyper-parameter 'gamma'; it takes beta"),
    ],
)
def test_bad_hyperparameters_are_named(values, message) -> None:
    with pytest.raises(ValueError, match=message):
        check_hyperparameters(METHODS["beta_vae"], values)


def test_a_method_without_hyperparameters_says_so() -> None:
    with pytest.raises(ValueError, match="untrained has no hyper-parameter 'beta'; it takes none"):
        check_hyperparameters(METHODS["untrained"], {"beta": 1})
