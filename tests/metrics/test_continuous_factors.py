"""Scores of factors that are no whole numbers: what is defined of them, and what is refused."""

import numpy as np
import pytest

from teasel.metrics import (
    METRICS,
    UndefinedScoreError,
    dci,
    dci_es,
    dcimig,
    discretize,
    explicitness,
    infomec,
    irs,
    linear_r2,
    mcc,
    mig,
    mig_sup,
    modularity,
    sap,
    sap_matrix,
)

RNG = np.random.default_rng(0)
FACTORS = RNG.uniform(size=(1_000, 2))
CODES = FACTORS + 0.01 * RNG.normal(size=(1_000, 2))
MIXED = FACTORS @ [[1.0, 0.5], [-0.5, 1.0]]
HALF = (slice(0, 600), slice(600, 1_000))


def split(
    codes: np.ndarray, factors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    train, test = HALF
    return codes[train], factors[train], codes[test], factors[test]


def test_dci_of_continuous_factors_is_that_of_regression_trees() -> None:
    good, mixed = dci(*split(CODES, FACTORS)), dci(*split(MIXED, FACTORS))
    assert min(good.disentanglement, good.completeness) > 0.97
    assert mixed.disentanglement < good.disentanglement - 0.3
    assert 0.99 < good.informativeness_test <= good.informativeness_train <= 1


def test_dci_s_importance_of_a_continuous_factor_is_that_of_scikit_learn() -> None:
    from sklearn.ensemble import GradientBoostingRegressor

    noisy = MIXED + 0.1 * RNG.normal(size=MIXED.shape)
    found = dci(*split(noisy, FACTORS))
    train, test = HALF
    theirs = [
        GradientBoostingRegressor(random_state=0).fit(noisy[train], y[train]) for y in FACTORS.T
    ]
    for factor, model in enumerate(theirs):
        np.testing.assert_allclose(
            found.importance[:, factor], model.feature_importances_, rtol=0, atol=1e-3
        )
    r2 = [model.score(noisy[test], y[test]) for model, y in zip(theirs, FACTORS.T, strict=True)]
    assert found.informativeness_test == pytest.approx(np.mean(r2), abs=2e-3)


def test_the_unit_of_a_continuous_factor_does_not_matter() -> None:
    units = FACTORS * [1e-30, 1e30]
    for score in (
        lambda y: dci(*split(CODES, y)).importance,
        lambda y: dci(*split(CODES, y)).informativeness_test,
        lambda y: sap(*split(CODES, y)),
        lambda y: linear_r2(*split(CODES, y)),
        lambda y: dci_es(*split(CODES, y)),
    ):
        np.testing.assert_allclose(score(units), score(FACTORS), rtol=0, atol=1e-5)
    for score in (mig, modularity, mig_sup, dcimig, mcc):
        assert score(CODES, units) == pytest.approx(score(CODES, FACTORS), abs=1e-3)


def test_sap_of_a_continuous_factor_is_the_gap_of_squared_correlations() -> None:
    matrix = sap_matrix(*split(MIXED, FACTORS))
    train = np.corrcoef(MIXED[:600].T, FACTORS[:600].T)[:2, 2:] ** 2
    np.testing.assert_allclose(matrix, train, atol=1e-12)
    gaps = np.abs(train[0] - train[1])
    assert sap(*split(MIXED, FACTORS)) == pytest.approx(gaps.mean())


def test_mig_of_a_continuous_factor_is_that_of_its_bins() -> None:
    assert mig(CODES, FACTORS, 8) == mig(CODES, discretize(FACTORS, 8), 8)
    assert modularity(CODES, FACTORS, 8) == modularity(CODES, discretize(FACTORS, 8), 8)


def test_a_discrete_factor_beside_a_continuous_one_is_scored_as_by_itself() -> None:
    labels = RNG.integers(5, size=(1_000, 1))
    codes = np.column_stack([labels + 0.3 * RNG.normal(size=(1_000, 1)), FACTORS[:, :1]])
    both, sides = np.column_stack([labels, FACTORS[:, :1]]), (labels, FACTORS[:, :1])
    for score in (
        lambda y: mig(codes, y),
        lambda y: sap(*split(codes, y)),
        lambda y: dci(*split(codes, y)).informativeness_test,
        lambda y: dci_es(*split(codes, y)).informativeness,
    ):
        assert score(both) == pytest.approx(np.mean([score(each) for each in sides]))
    importance = dci(*split(codes, both)).importance
    np.testing.assert_array_equal(importance[:, :1], dci(*split(codes, labels)).importance)


def test_whole_numbers_are_classes_whatever_their_type() -> None:
    labels = RNG.integers(5, size=(1_000, 2))
    for score in (mig, modularity, mig_sup, dcimig, irs):
        assert score(CODES, labels.astype(float)) == score(CODES, labels)
    assert sap(*split(CODES, labels.astype(np.float32))) == sap(*split(CODES, labels))
    # One fraction in testing makes the factor continuous, also where it is trained.
    fraction = labels.astype(float)
    fraction[-1, 0] = 0.5
    assert sap_matrix(*split(CODES, fraction))[:, 0] == pytest.approx(0, abs=0.02)


def test_what_takes_values_for_classes_refuses_continuous_factors() -> None:
    message = "integers, got 0.*: this score treats each value as a class; those of METRICS whose"
    for score in (irs, infomec):
        with pytest.raises(ValueError, match=message):
            score(CODES, FACTORS)
    with pytest.raises(ValueError, match=message):
        explicitness(*split(CODES, FACTORS))
    for bad in (np.inf, 1e200):
        with pytest.raises(ValueError, match="must be finite"):
            mig(CODES, np.where(FACTORS > 0.5, bad, FACTORS))


def test_a_continuous_factor_with_one_value_is_left_out() -> None:
    constant = np.column_stack([FACTORS, np.full(1_000, 0.1)])
    for score in (mig, mig_sup, dcimig):
        assert score(CODES, constant) == score(CODES, FACTORS)
    assert mcc(CODES, constant) == pytest.approx(mcc(CODES, FACTORS))
    assert sap(*split(CODES, constant)) == sap(*split(CODES, FACTORS))
    assert np.isnan(linear_r2(*split(CODES, constant))[2])
    with pytest.raises(UndefinedScoreError, match="one value of each"):
        mig(CODES, constant[:, 2:])


def test_the_catalogue_names_what_continuous_factors_have() -> None:
    scored = {name for name in METRICS.own if METRICS[name].needs == "factors"}
    assert scored == {
        *("mig", "dci", "modularity", "sap"),
        *("mig_sup", "dcimig", "mcc", "linear_r2", "dci_es"),
    }
