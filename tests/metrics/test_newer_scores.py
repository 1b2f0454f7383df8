"""What holds of the scores since the paper: of perfect, copied, rotated, noisy and dead codes."""

import importlib
import itertools
from typing import Any

import numpy as np
import pytest

from teasel.metrics import (
    DCIES,
    UndefinedScoreError,
    dci_es,
    dcimig,
    infomec,
    latent_information,
    linear_r2,
    mcc,
    mig,
    mig_sup,
    reduced_downstream,
    strong_generalization,
    unfairness,
    unfairness_matrix,
)

RNG = np.random.default_rng(0)
SIZES = (3, 4, 5)
FACTORS = np.stack(np.unravel_index(np.arange(1_200) % 60, SIZES), axis=1)
Z = (FACTORS - FACTORS.mean(axis=0)) / FACTORS.std(axis=0)
NOISE = RNG.normal(size=(1_200, 3))
ROTATED = Z @ np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
HALF = (slice(0, 600), slice(600, 1_200))


def split_scores(codes: np.ndarray, factors: np.ndarray = FACTORS) -> dict[str, float]:
    train, test = HALF
    es = dci_es(codes[train], factors[train], codes[test], factors[test], num_trees=4)
    r2 = linear_r2(codes[train], factors[train], codes[test], factors[test])
    return {**es._asdict(), "r2": float(r2.mean())}


def scores(codes: np.ndarray, factors: np.ndarray = FACTORS) -> dict[str, float]:
    """Those that are 1 for perfect codes."""
    found = {"mig_sup": mig_sup(codes, factors), "dcimig": dcimig(codes, factors)}
    found |= mcc(codes, factors)._asdict()
    if factors.dtype.kind == "i":
        found |= infomec(codes, factors)._asdict()
    return found


def test_the_factors_themselves_have_the_best_scores() -> None:
    found = scores(Z)
    # Its steps end before a logistic regression is quite certain.
    assert 0.99 < found.pop("explicitness") <= 1
    assert found == pytest.approx(dict.fromkeys(found, 1.0), abs=1e-9)
    found = split_scores(Z)
    assert found.pop("explicitness") > 0.8  # five values need two or three levels of a tree
    assert found == pytest.approx({"size": 1, "informativeness": 1, "r2": 1}, abs=1e-9)


@pytest.mark.parametrize("factors", [FACTORS, FACTORS / 7])
def test_the_order_and_the_scale_and_the_sign_of_latents_do_not_matter(factors) -> None:
    codes = np.round(Z + 0.3 * NOISE, 3)
    other = -4.0 * codes[:, [2, 0, 1]]
    assert scores(other, factors) == pytest.approx(scores(codes, factors), abs=0.01)
    assert split_scores(other, factors) == pytest.approx(split_scores(codes, factors), abs=0.03)
    # Of each latent by itself: all but those that drop a latent of small range or variance.
    uneven = codes * [1e-6, 1, 1e6]
    dropping = {"modularity", "compactness", "mig_sup"}
    kept = {key: each for key, each in scores(codes, factors).items() if key not in dropping}
    found = scores(uneven, factors)
    assert {key: found[key] for key in kept} == pytest.approx(kept, abs=0.01)
    assert split_scores(uneven, factors)["r2"] == pytest.approx(split_scores(codes, factors)["r2"])


def test_a_factor_in_two_latents_is_modular_but_not_compact() -> None:
    twice = Z[:, [0, 0, 1, 1, 2, 2]]
    found = scores(twice)
    assert (found["modularity"], found["mig_sup"], found["dcimig"]) == pytest.approx((1, 1, 1))
    assert found["compactness"] == pytest.approx((1 / 2 - 1 / 6) / (1 - 1 / 6))
    assert mig(twice, FACTORS) == pytest.approx(0)
    assert found["pearson"] == pytest.approx(1)
    assert split_scores(twice)["size"] == 0.5


def test_two_factors_in_a_latent_are_compact_but_not_modular() -> None:
    pair = FACTORS[:, :1] + 3.0 * FACTORS[:, 1:2]  # tells both
    found = infomec(pair, FACTORS[:, :2])
    assert found.compactness == 1
    assert found.modularity == pytest.approx(0, abs=1e-9)
    assert mig_sup(pair, FACTORS[:, :2]) == pytest.approx(0, abs=1e-9)


def test_rotation_costs_all_but_what_is_linear() -> None:
    perfect, rotated = scores(Z), scores(ROTATED)
    for key in ("modularity", "compactness", "mig_sup", "dcimig", "pearson", "spearman"):
        assert rotated[key] < perfect[key] - 0.1, key
    assert rotated["explicitness"] == pytest.approx(perfect["explicitness"], abs=0.1)
    assert split_scores(ROTATED)["r2"] == pytest.approx(1)
    # Trees need more capacity for a factor that lies across the axes.
    assert split_scores(ROTATED)["explicitness"] < split_scores(Z)["explicitness"] - 0.02


def test_noise_lowers_every_score_and_constants_have_the_lowest() -> None:
    clean, noisy = scores(Z), scores(Z + 0.5 * NOISE)
    assert all(noisy[key] < clean[key] for key in clean)
    dead = scores(np.ones((1_200, 4)))
    assert dead == pytest.approx(dict.fromkeys(dead, 0.0), abs=1e-9)
    found = split_scores(np.ones((1_200, 4)))
    assert found["explicitness"] == 1  # no capacity would help
    assert found["informativeness"] == pytest.approx(0, abs=0.05)
    assert found["r2"] == pytest.approx(0, abs=0.05)


def test_a_latent_of_small_range_is_inactive() -> None:
    padded = np.column_stack([Z, 0.01 * NOISE])
    assert infomec(padded, FACTORS)[:2] == pytest.approx((1, 1))
    assert infomec(padded, FACTORS, least_range=0.0).modularity < 0.9


def test_mig_sup_leaves_out_a_latent_that_hardly_varies_and_dcimig_needs_none_of_it() -> None:
    padded = np.column_stack([Z, 0.01 * NOISE])
    assert mig_sup(padded, FACTORS) == pytest.approx(1)
    assert mig_sup(padded, FACTORS, least_variance=0.0) == pytest.approx(0.5, abs=0.01)
    assert mig_sup(0.01 * Z, FACTORS) == 0
    assert dcimig(padded, FACTORS) == pytest.approx(1, abs=0.01)


def _made(kind: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    factors = np.stack([rng.integers(size, size=2_000) for size in (3, 5, 8)], axis=1)
    if kind == "uneven":
        steps = np.minimum(rng.geometric(0.5, size=2_000), 4)
        factors = np.stack([steps, rng.integers(5, size=2_000)], axis=1)
        return factors + 0.5 * rng.normal(size=factors.shape), factors
    z = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    if kind == "padded":
        return np.column_stack(
            [z + 0.3 * rng.normal(size=z.shape), 0.02 * rng.normal(size=z.shape)]
        ), factors
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    return z @ turn + 0.2 * rng.normal(size=z.shape), factors


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("mixed", (0.5655, 0.5831, 0.87472)),
        ("padded", (0.99934, 0.99949, 0.73801)),
        ("uneven", (1, 1, 0.64043)),
    ],
)
def test_infomec_is_that_of_its_authors(kind, expected) -> None:
    # The steps of github.com/kylehkhsu/latent_quantization, by scikit-learn 1.9's estimators.
    assert infomec(*_made(kind)) == pytest.approx(expected, abs=2e-5)


def test_dcimig_takes_the_best_latent_of_each_factor_and_weighs_by_entropy() -> None:
    gone = dcimig(Z[:, [0, 2, 2]], FACTORS)
    assert gone == pytest.approx(np.log(15) / np.log(60))


def test_the_information_of_continuous_latents_is_that_of_scikit_learn() -> None:
    from sklearn.feature_selection import mutual_info_classif

    codes = Z @ RNG.normal(size=(3, 4)) + 0.5 * RNG.normal(size=(1_200, 4))
    for k in (1, 3, 10):
        theirs = [mutual_info_classif(codes, y, n_neighbors=k, random_state=0) for y in FACTORS.T]
        ours = latent_information(codes, FACTORS, k)
        np.testing.assert_allclose(ours, np.transpose(theirs), atol=1e-6)


def test_the_information_of_quantized_latents_is_that_of_counting() -> None:
    matrix = latent_information(Z, FACTORS)
    np.testing.assert_allclose(matrix, np.diag(np.log(SIZES)), atol=1e-9)


def test_the_assignment_is_the_best_of_all() -> None:
    codes = ROTATED + 0.2 * NOISE
    matrix = np.abs(np.corrcoef(codes.T, FACTORS.T)[:3, 3:])
    best = max(
        np.mean([matrix[latent, factor] for factor, latent in enumerate(order)])
        for order in itertools.permutations(range(3))
    )
    assert mcc(codes, FACTORS).pearson == pytest.approx(best)
    assert mcc(Z**3, FACTORS).spearman == pytest.approx(1)
    assert mcc(Z**3, FACTORS).pearson < 0.99
    assert mcc(Z[:, :2], FACTORS).pearson == pytest.approx(2 / 3)


def test_r2_is_that_of_scikit_learn() -> None:
    from sklearn.linear_model import LinearRegression

    codes, (train, test) = ROTATED + 0.5 * NOISE, HALF
    model = LinearRegression().fit(codes[train], FACTORS[train, 1])
    ours = linear_r2(codes[train], FACTORS[train], codes[test], FACTORS[test])
    assert ours[1] == pytest.approx(model.score(codes[test], FACTORS[test, 1]))


def test_a_curve_that_falls_in_a_straight_line_has_no_explicitness(monkeypatch) -> None:
    curve = np.linspace(1, 0, 9)  # of a constant, then at depth 1 to 8
    for losses, expected in (
        (np.concatenate([[1], curve]), 0.0),  # the triangle itself
        (np.concatenate([[1], np.zeros(9)]), 1.0),  # the least capacity does it
        (np.concatenate([np.ones(9), [0]]), -7 / 8),  # only the largest does
        (np.ones(10), 1.0),
    ):
        module = importlib.import_module("teasel.metrics.dci_es")
        monkeypatch.setattr(module, "_losses", lambda *_, losses=losses: losses)
        found = dci_es(Z, FACTORS, Z, FACTORS, max_depth=9)
        assert found == pytest.approx(DCIES(expected, 1.0, 1 - losses.min()))


def test_the_top_of_a_forest_is_a_shallower_one() -> None:
    from sklearn.ensemble import RandomForestClassifier

    from teasel.metrics.dci_es import _losses

    kind: Any = RandomForestClassifier

    codes, labels, (train, test) = ROTATED + 0.3 * NOISE, FACTORS[:, 2], HALF
    points = codes[train], labels[train], codes[test], labels[test]
    losses = _losses(points, False, 0, 30, 4)
    assert losses[0] == pytest.approx(0.8, abs=0.02)
    for depth in range(1, 5):
        forest = kind(30, max_depth=depth, max_features=1.0, random_state=0)
        theirs = 1 - forest.fit(*points[:2]).score(*points[2:])
        assert losses[depth] == pytest.approx(theirs, abs=0.04)


def test_predictions_that_follow_another_factor_are_unfair() -> None:
    factors = np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (25, 1))
    # The latent tells the sum, so a sum of 1 leaves open which factor is 1.
    sums = factors.sum(axis=1, keepdims=True)
    matrix = unfairness_matrix(sums, factors, sums, factors)
    # Of a sum of 1 all points get the same guess g: with the other factor at 0 the sums 0, 1 give
    # predictions 0, g, and at 1 the sums 1, 2 give g, 1: one of two differs from all by a quarter.
    assert matrix[[0, 1], [1, 0]] == pytest.approx(0.25)
    assert np.isnan(matrix[[0, 1], [0, 1]]).all()
    assert unfairness(factors, factors, factors, factors) == (0, 0)
    # In testing the two are the same, and so are their predictions: all of one value, or none.
    same = factors[:, [0, 0]]
    assert unfairness(factors, factors, same, same) == pytest.approx((0.5, 0.5))
    with pytest.raises(UndefinedScoreError, match="two factors with two values"):
        unfairness(factors, factors[:, :1], factors, factors[:, :1])


def test_trees_do_without_what_a_factor_has_twice() -> None:
    factors = np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (25, 1))
    twice = factors[:, [0, 0, 1]]
    # Factor 0 keeps a latent, factor 1 is guessed.
    assert reduced_downstream(twice, factors, twice, factors) == (0.75, 0.25)
    assert reduced_downstream(twice, factors, twice, factors, num_dropped=3) == (0.5, 0.5)


def test_a_latent_of_its_own_tells_a_factor_wherever_another_is() -> None:
    factors = np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (25, 1))
    assert strong_generalization(factors, factors, factors, factors) == (1, 0)
    # A latent that says whether the two differ says the opposite where the other one changes, and
    # nothing to trees that have seen both of its values.
    differ = factors[:, :1] ^ factors[:, 1:]
    assert strong_generalization(differ, factors, differ, factors) == (0, 0.5)
    with pytest.raises(UndefinedScoreError, match="another factor with two values"):
        strong_generalization(factors, factors[:, :1], factors, factors[:, :1])


@pytest.mark.parametrize("score", [mcc, mig_sup, dcimig, infomec])
def test_no_factor_that_varies_has_no_score(score) -> None:
    with pytest.raises(UndefinedScoreError, match="a factor with two values, got one"):
        score(Z, np.ones((1_200, 2), int))
    with pytest.raises(UndefinedScoreError, match="two values"):
        score(Z[:1], FACTORS[:1])
