from pathlib import Path

import numpy as np
import pytest

from teasel.analysis import (
    dataset_correlation,
    importance,
    probability_of_improvement,
    rank_correlation,
    table_1,
)
from teasel.analysis.statistics.correlation import spearman
from teasel.analysis.statistics.resampling import bootstrap_error, jackknife_error, student_interval
from teasel.tests.support.coverage import ESTIMATORS, SCORES, SHAPES, STUDY, coverage, true_shares
from teasel.tests.support.synthetic import cell_means, synthetic_scores


def weighted_mean(values: np.ndarray):
    return lambda counts: (values * counts).sum(axis=-1) / counts.sum()


def test_the_jackknife_error_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(0).normal(size=12)
    error = jackknife_error(weighted_mean(values), 12)
    assert error == pytest.approx(values.std(ddof=1) / np.sqrt(12))


def test_the_bootstrap_error_of_a_mean_approaches_the_textbook_one() -> None:
    values = np.random.default_rng(1).normal(size=12)
    error = bootstrap_error(weighted_mean(values), 12, num_resamples=20_000)
    assert error == pytest.approx(values.std(ddof=1) / np.sqrt(12), rel=0.02)


def test_an_interval_of_a_mean_is_students() -> None:
    # Student's t of 9 degrees of freedom is 2.2622 at 97.5 % (any table).
    low, high = student_interval(np.ones(2), np.array(0.1), num_seeds=np.array([10, 9]))
    np.testing.assert_allclose(low, [1 - 0.22622, np.nan], atol=1e-5)
    np.testing.assert_allclose(high, [1.22622, np.nan], atol=1e-5)


def test_seeds_that_all_give_0_or_1_leave_room_for_one_that_does_not() -> None:
    # Of 12 trials without a failure, the rule of three has 3 / 12 as the most that may fail.
    nothing = np.zeros(4)
    low, high = student_interval(np.array([0, 1, -1, 0.5]), nothing, 12)
    np.testing.assert_allclose(low, [0, 0.75, -1, 0.5])
    np.testing.assert_allclose(high, [0.25, 1, -0.75, 0.5])


def test_no_probability_success_share_or_correlation_has_an_interval_of_no_width() -> None:
    table = synthetic_scores(np.random.default_rng(9), num_seeds=12, columns=SCORES)
    table = table[table["dataset"].isin(["dsprites", "cars3d"])]
    table["mig"] = (table["method"] == "beta_vae") * 1.0 + 0.01 * table["hyperparameter_value"]
    table["sap"] = table["mig"]
    for estimate, value in ESTIMATORS.values():
        found = estimate(table)
        edge = (found[value].abs() < 1e-12) | ((found[value].abs() - 1).abs() < 1e-12)
        assert ((found["high"] - found["low"])[edge].dropna() > 0.1).all()
    wins = probability_of_improvement(table, "mig").query("row == 'beta_vae' != column")
    assert wins[["probability", "low", "high"]].round(9).to_numpy().tolist() == [[1, 0.75, 1]] * 5
    alone = rank_correlation(table, ["mig"])
    assert alone["correlation"].item() == 1
    assert np.isnan(alone["low"].item())


def test_the_same_call_gives_the_same_interval_and_a_generator_another() -> None:
    table = synthetic_scores(np.random.default_rng(2), num_seeds=12)
    first, second = (rank_correlation(table, num_resamples=50) for _ in range(2))
    assert first.equals(second)
    other = rank_correlation(table, num_resamples=50, rng=np.random.default_rng(9))
    assert not first["low"].equals(other["low"])


def test_a_seed_that_moves_all_settings_alike_counts_once_not_36_times() -> None:
    # All that varies is the seed's own effect: 20 seeds are 20 observations, not 720.
    table = synthetic_scores(
        np.random.default_rng(3),
        np.zeros((1, 36, 2)),
        num_seeds=20,
        columns=["mig", "sap"],
        seed_share=1.0,
        noise_share=1e-6,
    )
    found = rank_correlation(table, ["mig"], ["sap"])
    assert (found["high"] - found["low"]).item() > 0.5


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_interval_needs_as_many_seeds_of_every_setting_behind_it(name: str) -> None:
    table = synthetic_scores(np.random.default_rng(8), num_seeds=20, columns=SCORES)
    table = table[table["dataset"].isin(["dsprites", "cars3d"])]
    few = (table["setting"] == "beta=4") & (table["dataset"] == "cars3d") & (table["seed"] > 1)
    estimate, _ = ESTIMATORS[name]
    whole, found = estimate(table), estimate(table[~few])
    assert whole["low"].notna().all()
    poor = found["note"].str.contains("no interval with fewer than [12]0 seeds .here 2.")
    assert poor.any()
    np.testing.assert_array_equal(found["low"].isna(), poor)
    if name == "importance":  # of one method alone
        assert not poor[found["method"] == "dip_vae_i"].any()


NOISE = 0.0154  # the simulation's own error of one entry, of 200 studies


@pytest.mark.slow
@pytest.mark.parametrize("num_seeds", [20, 50])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_interval_shown_holds_the_truth_about_as_often_as_it_says(
    name: str, num_seeds: int
) -> None:
    rng = np.random.default_rng(4)
    means = cell_means(rng, num_datasets=2, num_scores=len(SCORES))
    estimate, value = ESTIMATORS[name]
    held = coverage(
        estimate,
        value,
        rng,
        num_seeds,
        truth=true_shares(means, SCORES) if name == "importance" else None,
        means=means,
        columns=SCORES,
        seed_share=0.05,
        noise_share=0.36,
        correlation=0.5,
    )
    assert held.mean() > 0.93
    assert held.min() > 0.95 - 4 * NOISE


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["skewed", "collapsed", "seldom"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_scores_as_they_are_have_intervals_that_hold(name: str, shape: str) -> None:
    rng = np.random.default_rng(10)
    means = cell_means(rng, num_datasets=2, num_scores=len(SCORES))
    estimate, value = ESTIMATORS[name]
    truth = true_shares(means, SCORES) if (name, shape) == ("importance", "skewed") else None
    held = coverage(*(estimate, value, rng, 20, 200, truth), means=means, **STUDY, **SHAPES[shape])
    assert held.mean() > 0.9
    assert held.min() > 0.9 - 4 * 0.021  # the simulation's own error at 90 %


def test_a_correlation_between_data_sets_is_corrected_for_the_noise_of_seeds() -> None:
    rng = np.random.default_rng(11)
    means = cell_means(rng, num_datasets=2, num_scores=1, dataset_correlation=0.95)
    truth = spearman(means[..., 0].T)[0, 1]
    found = dataset_correlation(
        synthetic_scores(rng, means, 10, ["mig"], noise_share=2.0), "mig", num_resamples=20
    ).iloc[1]
    assert found["correlation"] < truth - 0.1
    assert found["high"] < truth  # of ten seeds, and so of the noisy means
    assert found["corrected_low"] < truth < found["corrected_high"]
    assert abs(found["corrected"] - truth) < truth - found["correlation"]


def test_a_correlation_of_mere_noise_is_not_corrected() -> None:
    table = synthetic_scores(np.random.default_rng(12), np.zeros((2, 36, 1)), 10, ["mig"])
    found = dataset_correlation(table, "mig", num_resamples=20).iloc[1]
    assert np.isfinite(found["correlation"])
    assert np.isnan(found[["corrected", "corrected_low", "corrected_high"]].astype(float)).all()


def interval_of_one_setting(shape: str, num_seeds: int) -> float:
    """How often the interval of one setting's mean holds the truth, in 20,000 made settings."""
    rng = np.random.default_rng(13)
    size = (20_000, num_seeds)
    scores, mean = {
        "skewed": (rng.beta(1, 8, size), 1 / 9),
        "collapsed": (rng.normal(0.2, 0.1, size), 0.2),
        "both": (rng.beta(1, 8, size), 1 / 9),
        "seldom": (rng.normal(0.5, 0.02, size), 0.5),
    }[shape]
    share = {"skewed": 0, "collapsed": 1 / 3, "both": 1 / 3, "seldom": 0.05}[shape]
    scores = np.where(rng.random(size) < share, 0, scores)
    error = scores.std(axis=1, ddof=1) / np.sqrt(num_seeds)
    low, high = student_interval(scores.mean(axis=1), error, num_seeds, fewest=2)
    return float(((low <= (1 - share) * mean) & ((1 - share) * mean <= high)).mean())


@pytest.mark.parametrize(
    ("shape", "coverages"),
    [  # of 3, 5, 10, 20 and 50 seeds; docs/analysis.md has these numbers
        ("skewed", (0.90, 0.90, 0.92, 0.93, 0.94)),
        ("collapsed", (0.94, 0.93, 0.95, 0.95, 0.95)),
        ("both", (0.88, 0.87, 0.90, 0.92, 0.94)),
        ("seldom", (0.79, 0.56, 0.43, 0.64, 0.92)),
    ],
)
def test_the_mean_of_one_setting_is_covered_as_the_docs_say(
    shape: str, coverages: tuple[float, ...]
) -> None:
    found = [interval_of_one_setting(shape, num) for num in (3, 5, 10, 20, 50)]
    assert found == pytest.approx(coverages, abs=0.012)
    page = (Path(__file__).parents[3] / "docs" / "analysis.md").read_text()
    assert f"| {' | '.join(f'.{round(100 * each)}' for each in coverages)} |" in page


@pytest.mark.slow
def test_the_fewest_seeds_with_an_interval_cover_too() -> None:
    rng = np.random.default_rng(5)
    means = cell_means(rng, num_datasets=2, num_scores=len(SCORES))
    held = coverage(
        lambda table: table_1(table, SCORES), "success", rng, 10, means=means, columns=SCORES
    )
    assert held.min() > 0.95 - 4 * NOISE


@pytest.mark.slow
def test_shares_near_none_and_near_all_are_covered_too() -> None:
    # The settings of six methods make 0, 5, 20, 49, 83 and 96 % of their method's variance.
    within = np.sqrt([0, 0.02, 0.1, 0.4, 2, 10])[:, None] * np.linspace(
        -1.464, 1.464, 6
    )  # of variance 1
    means = within.reshape(1, 36, 1)
    held = coverage(
        lambda table: importance(table, ["mig"]),
        "corrected",
        np.random.default_rng(6),
        10,
        truth=true_shares(means, ["mig"]),
        means=means,
        columns=["mig"],
    )
    assert held.min() > 0.95 - 4 * NOISE


def test_the_true_shares_are_those_of_the_means_and_of_what_seeds_do() -> None:
    # `cell_means` gives the methods 37 % and the settings 22 %, exactly.
    means = cell_means(np.random.default_rng(7), num_datasets=1, num_scores=2)
    np.testing.assert_allclose(true_shares(means, ["mig", "sap"])[:3], [0.37, 0.22, 0.41])
