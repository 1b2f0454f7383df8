"""Small cases whose scores follow from the definition with pen and paper."""

import numpy as np
import pytest

from teasel.metrics import (
    METRICS,
    TableRepresentation,
    completeness,
    dci,
    dci_es,
    dcimig,
    discretize,
    disentanglement,
    explicitness,
    irs,
    linear_r2,
    mcc,
    mig,
    mig_sup,
    modularity,
    mutual_information_matrix,
    sample_factors,
    sample_integers,
    sap,
    udr,
    unsupervised_scores,
)

# Every combination of two factors of two values, four times over.
FACTORS = np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (4, 1))


def test_information_of_a_copied_factor_is_log_two() -> None:
    matrix = mutual_information_matrix(FACTORS.astype(float), FACTORS)
    np.testing.assert_allclose(matrix, np.log(2) * np.eye(2), atol=1e-15)


def test_the_gap_is_what_the_second_latent_leaves() -> None:
    copied = FACTORS[:, [0, 0, 1]]  # factor 0 twice: gap 0; factor 1 once: gap 1
    assert mig(copied, FACTORS) == pytest.approx(0.5)
    assert mig(FACTORS[:, :1], FACTORS) == pytest.approx(0.5)  # one latent, nothing competes


def test_a_factor_with_one_value_is_left_out_of_the_gap() -> None:
    with_constant = np.column_stack([FACTORS, np.zeros(len(FACTORS), int)])
    assert mig(FACTORS, with_constant) == pytest.approx(1)
    with pytest.raises(ValueError, match="one value of each factor"):
        mig(FACTORS, np.zeros((16, 1), int))


def test_modularity_is_one_for_a_permutation_and_zero_for_an_even_mixture() -> None:
    assert modularity(FACTORS[:, ::-1], FACTORS) == pytest.approx(1)
    # The sum of both tells the same about each: 1 - (sum - max) / max = 0.
    assert modularity(FACTORS.sum(axis=1, keepdims=True), FACTORS) == pytest.approx(0)
    assert modularity(np.zeros((16, 1)), FACTORS) == 0


def test_a_value_on_an_edge_belongs_to_the_bin_above() -> None:
    bins = discretize(np.arange(5.0)[:, None], num_bins=4)
    assert bins.ravel().tolist() == [0, 1, 2, 3, 3]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_values_too_close_for_bins_between_them_are_told_apart(kind: type) -> None:
    near = np.array([1, np.nextafter(kind(1), kind(2))], kind)[FACTORS]
    assert mig(near, FACTORS) == pytest.approx(1)
    assert np.ptp(discretize(np.full((5, 1), 1e9, kind))) == 0


def test_sap_of_one_latent_per_factor_is_the_distance_to_chance() -> None:
    # Balanced classes: the other latent, independent of the factor, predicts half the points.
    assert sap(FACTORS * 2 - 1.0, FACTORS, FACTORS * 2 - 1.0, FACTORS) == pytest.approx(0.5)


def test_explicitness_of_a_copied_factor_is_one_and_of_nothing_one_half() -> None:
    assert explicitness(FACTORS, FACTORS, FACTORS, FACTORS) == (1, 1)
    nothing = np.zeros((16, 2))
    assert explicitness(nothing, FACTORS, nothing, FACTORS) == (0.5, 0.5)


def test_explicitness_leaves_out_a_factor_with_one_value() -> None:
    constant = np.column_stack([FACTORS, np.zeros(16, int)])
    assert explicitness(FACTORS, constant, FACTORS, constant) == (1, 1)
    with pytest.raises(ValueError, match="two values"):
        explicitness(FACTORS, constant[:, 2:], FACTORS, constant[:, 2:])


@pytest.mark.parametrize("one_vs_rest", [False, True])
def test_explicitness_leaves_out_a_value_that_the_test_lacks(one_vs_rest: bool) -> None:
    values = np.arange(30)[:, None] % 3
    codes = np.eye(3)[values.ravel()]
    seen = values.ravel() < 2
    scores = explicitness(codes, values, codes[seen], values[seen], one_vs_rest)
    assert scores == (1, 1)


def test_explicitness_matches_a_value_that_only_the_test_has_by_value() -> None:
    train, test = np.array([0, 2] * 9)[:, None], np.array([0, 1, 2] * 6)[:, None]
    # 0 lies below all others and 2 above: either is told apart, whatever 1 does between them.
    assert explicitness(train - 1.0, train, test - 1.0, test) == (1, 1)


def test_one_latent_competes_with_none() -> None:
    # The first factor is all of the latent, and nothing of it tells of the second: gaps 1 and 0.
    assert mig(FACTORS[:, :1], FACTORS) == pytest.approx(0.5)
    assert completeness(np.ones((1, 2))) == pytest.approx(1)


def test_dci_of_copied_factors_is_perfect() -> None:
    scores = dci(FACTORS, FACTORS, FACTORS, FACTORS)
    np.testing.assert_allclose(scores.importance, np.eye(2), atol=1e-12)
    assert scores.disentanglement == pytest.approx(1, abs=1e-9)
    assert scores.completeness == pytest.approx(1, abs=1e-9)
    assert scores.informativeness_train == scores.informativeness_test == 1


def test_dci_of_a_factor_with_one_value_needs_no_latent() -> None:
    constant = np.column_stack([FACTORS, np.full(16, 3)])
    unseen = constant.copy()
    unseen[:4, 2] = 5
    scores = dci(FACTORS, constant, FACTORS, unseen)
    assert scores.importance[:, 2].tolist() == [0, 0]
    assert scores.informativeness_test == pytest.approx((1 + 1 + 0.75) / 3)


def test_disentanglement_weighs_rows_and_completeness_columns() -> None:
    importance = np.array([[1.0, 1.0], [0.0, 0.0]])
    # Row 0 is spread evenly over both factors (0) and has all the weight.
    assert disentanglement(importance) == pytest.approx(0, abs=1e-9)
    # Either column has one latent only (1).
    assert completeness(importance) == pytest.approx(1, abs=1e-8)


def test_robustness_of_a_copied_factor_is_one() -> None:
    assert irs(FACTORS, FACTORS) == pytest.approx(1)
    assert irs(np.zeros((16, 2)), FACTORS) == 0
    # In either half of factor 0 the sum of both is 1/2 from its mean, at most 1 overall.
    assert irs(FACTORS.sum(axis=1, keepdims=True), FACTORS) == pytest.approx(0.5)


def test_unsupervised_scores_of_two_correlated_latents() -> None:
    copied = FACTORS[:, [0, 0]].astype(float)
    scores = unsupervised_scores(copied)
    assert scores.mutual_info_score == pytest.approx(np.log(2))
    # C = v [[1, 1], [1, 1]] has eigenvalues 2v, 0: 2 tr C - 2 v sqrt(2) = v (4 - 2 sqrt 2).
    assert scores.gaussian_wasserstein_correlation_norm == pytest.approx(2 - np.sqrt(2), rel=1e-6)
    assert scores.gaussian_total_correlation > 15  # infinite but for rounding
    assert unsupervised_scores(copied[:, :1]) == (0, 0, 0, 0)


def test_the_ranking_score_of_permuted_models_is_one() -> None:
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(500, 3))
    models = [codes, -codes[:, [2, 0, 1]], codes[:, [1, 2, 0]]]
    informative = [np.ones(3)] * 3
    np.testing.assert_allclose(udr(models, informative, "spearman"), 1, atol=0.1)
    assert (udr(models, informative) > 0.8).all()


def test_the_ranking_score_of_a_rotated_model_is_lower() -> None:
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(500, 2))
    rotation = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    informative = [np.ones(2)] * 3
    scores = udr([codes, codes, codes @ rotation], informative)
    assert scores[2] < 0.7 * scores[:2].min()


def test_latents_that_tell_nothing_take_no_part_in_the_ranking() -> None:
    codes = np.random.default_rng(0).normal(size=(200, 3))
    kls = [np.array([1, 1, 0.001])] * 2
    noisy = codes.copy()
    noisy[:, 2] = 0
    np.testing.assert_allclose(udr([codes, noisy], kls), udr([codes[:, :2]] * 2, [np.ones(2)] * 2))
    assert udr([codes, codes], [np.zeros(3)] * 2).tolist() == [0, 0]
    with pytest.raises(ValueError, match="two models"):
        udr([codes], [np.ones(3)])


def test_the_factor_score_counts_the_latents_that_vary() -> None:
    grid = np.stack(np.unravel_index(np.arange(16), (4, 4)), axis=1).astype(float)
    codes = np.column_stack([grid, np.full(16, 0.3), 1e-3 * grid[:, 0]])
    table = TableRepresentation(
        codes, None, (4, 4), lambda factors, rng: np.ravel_multi_index(tuple(factors.T), (4, 4))
    )
    few = {"num_train": 100, "num_test": 100, "num_variance": 500}
    scores = METRICS["factor_vae_score"](table, np.random.default_rng(0), **few)
    assert scores == {"factor_vae_score": 1.0, "train_accuracy": 1.0, "num_active_dims": 2.0}
    assert METRICS["irs"](table, np.random.default_rng(0), num_train=500)["num_active_dims"] == 3


def test_factors_are_drawn_column_by_column_from_either_generator() -> None:
    draws = np.random.RandomState(5)
    expected = np.column_stack([draws.randint(3, size=7), draws.randint(5, size=7)])
    np.testing.assert_array_equal(sample_factors(np.random.RandomState(5), (3, 5), 7), expected)
    modern = sample_factors(np.random.default_rng(5), (3, 5), 1_000)
    assert modern.min(axis=0).tolist() == [0, 0]
    assert modern.max(axis=0).tolist() == [2, 4]
    assert int(sample_integers(np.random.default_rng(0), 1)) == 0


def test_a_sampled_table_draws_fresh_noise_at_every_visit() -> None:
    means, log_variances = np.zeros((4, 2)), np.log([[0.25, 4.0]] * 4)
    table = TableRepresentation(means, log_variances, (4,), lambda factors, rng: factors[:, 0])
    rng = np.random.default_rng(0)
    same = np.zeros((20_000, 1), int)
    first, second = table.encode(same, rng), table.encode(same, rng)
    assert (first != second).all()
    np.testing.assert_allclose(first.std(axis=0), [0.5, 2.0], rtol=0.02)
    assert abs(np.corrcoef(first[:, 0], second[:, 0])[0, 1]) < 0.03


def test_a_table_of_other_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the same"):
        TableRepresentation(np.zeros((4, 2)), np.zeros((4, 3)), (4,), lambda factors, rng: factors)


@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (np.zeros((3, 2)), np.zeros((4, 1), int), "as many"),
        (np.zeros(3), np.zeros((3, 1), int), r"\(N, D\)"),
        (np.zeros((0, 2)), np.zeros((0, 1), int), r"\(N, D\)"),
        (
            np.zeros((3, 2)),
            np.full((3, 1), 0.5),
            "integers, got 0.5: this score treats each value as",
        ),
        (np.zeros((3, 2)), np.full((3, 1), np.nan), "factors must be finite, got nan"),
        (np.zeros((3, 2)), np.full((3, 1), "red"), "factors must be numbers, got <U3"),
        (np.full((3, 2), np.nan), np.zeros((3, 1), int), r"latents \[0, 1\]"),
    ],
)
def test_malformed_arrays_are_refused_with_a_reason(codes, factors, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        irs(codes, factors)
    if "integers" not in message:  # what takes continuous factors refuses all else alike
        for score in (mig, modularity, mig_sup, dcimig, mcc):
            with pytest.raises(ValueError, match=message):
                score(codes, factors)
        for score in (dci, sap, linear_r2, dci_es):
            with pytest.raises(ValueError, match=message):
                score(codes, factors, codes, factors)


def test_the_size_of_the_codes_does_not_matter_however_small() -> None:
    tiny = (1e-25 * FACTORS).astype(np.float32)
    assert explicitness(tiny, FACTORS, tiny, FACTORS) == (1, 1)
    np.testing.assert_allclose(
        udr([tiny] * 2, [np.ones(2)] * 2), udr([FACTORS] * 2, [np.ones(2)] * 2)
    )
    nothing = 1e-300 * FACTORS  # whose squares underflow in float64 too
    assert explicitness(nothing, FACTORS, nothing, FACTORS) == (0.5, 0.5)


@pytest.mark.parametrize("score", [dci, sap, explicitness])
def test_testing_on_other_latents_or_factors_than_in_training_is_refused(score) -> None:
    with pytest.raises(ValueError, match="2 latents in training and 1 in testing"):
        score(FACTORS, FACTORS, FACTORS[:, :1], FACTORS)
    with pytest.raises(ValueError, match="2 factors in training and 1 in testing"):
        score(FACTORS, FACTORS, FACTORS, FACTORS[:, :1])


def test_fewer_points_than_bins_have_a_score() -> None:
    assert 0 <= mig(FACTORS[:3], FACTORS[:3]) <= 1
    assert 0 <= dci(FACTORS[:3], FACTORS[:3], FACTORS, FACTORS).informativeness_test <= 1


def test_constant_codes_that_rounding_would_make_vary_depend_on_nothing() -> None:
    # The mean of 150 times 0.1 is not 0.1: each variance would be 1e-34, each correlation 1.
    assert unsupervised_scores(np.full((150, 3), 0.1)) == (0, 0, 0, 0)


@pytest.mark.parametrize("kind", [complex, object, str])
def test_codes_that_are_no_real_numbers_are_refused(kind: type) -> None:
    with pytest.raises(ValueError, match="real numbers"):
        unsupervised_scores(np.ones((4, 2)).astype(kind))
