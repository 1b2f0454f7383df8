from typing import get_args

import numpy as np
import pytest

from teasel.models import METHODS, Bounds, check_hyperparameters
from teasel.models.method import Weight


def test_only_the_reference_is_never_trained() -> None:
    untrained = [
        name for name in METHODS.own if not METHODS[name](**METHODS[name].example).trainable
    ]
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
