import re

import numpy as np
import pytest
from matplotlib.figure import Figure
from pandas import DataFrame
from scipy.stats import norm

from teasel.analysis import importance, probability_of_improvement, variance_explained
from teasel.analysis.plots.plots import plot_importance
from teasel.analysis.report.variation import describe_seeds_share
from teasel.testing.synthetic import cell_means, synthetic_scores


def overall(table: DataFrame, dataset: str, score: str) -> DataFrame:
    found = importance(table, [score]).query("method == '' and dataset == @dataset")
    return found.set_index("part")


def test_shares_of_a_study_done_by_hand() -> None:
    # Two methods of two settings with two seeds; sums of squares worked out on paper:
    # 32 between methods, 4 between settings, 4 within; F's denominators have 1, 2 and 4 degrees.
    table = DataFrame(
        {
            "dataset": "d",
            "method": ["a"] * 4 + ["b"] * 4,
            "setting": ["1", "1", "2", "2"] * 2,
            "hyperparameter_value": [1.0, 1.0, 2.0, 2.0] * 2,
            "seed": [0, 1] * 4,
            "mig": [0.0, 2.0, 2.0, 4.0, 5.0, 5.0, 7.0, 7.0],
        }
    )
    found = overall(table, "d", "mig")
    np.testing.assert_allclose(found["share"], [32 / 44, 8 / 44, 4 / 44])
    expected = [(32 - 1) / 45, (8 - 2) / 45, 1 - 37 / 45]
    np.testing.assert_allclose(found["corrected"], expected)


def test_plain_shares_are_those_of_least_squares_on_one_hot_columns() -> None:
    table = synthetic_scores(np.random.default_rng(0), num_seeds=4, columns=["mig"])
    table = table[table["dataset"] == "dsprites"].sample(frac=0.7, random_state=0)
    values = table["mig"].to_numpy()
    explained = {}
    for name, names in (("method", table["method"]), ("both", table["method"] + table["setting"])):
        columns = (names.to_numpy()[:, None] == np.unique(names)).astype(float)
        rest = values - columns @ np.linalg.lstsq(columns, values)[0]
        explained[name] = 1 - rest @ rest / ((values - values.mean()) @ (values - values.mean()))
    found = overall(table, "dsprites", "mig")["share"]
    assert found["method"] == pytest.approx(explained["method"])
    assert found["method"] + found["setting"] == pytest.approx(explained["both"])


def test_known_shares_of_12600_trials_are_recovered() -> None:
    table = synthetic_scores(np.random.default_rng(1), seed_share=0.05, noise_share=0.36)
    found = importance(table).query("method == ''").set_index(["dataset", "score", "part"])
    assert len(table) == 12_600
    truth = {"method": 0.37, "setting": 0.22, "seed": 0.41}
    for part, share in truth.items():
        assert found.loc[("average", "average", part), "corrected"] == pytest.approx(
            share, abs=0.01
        )
        each = found.xs(part, level="part")["corrected"]
        assert each.between(share - 0.06, share + 0.06).all()


def test_each_methods_own_share_is_recovered() -> None:
    means = cell_means(np.random.default_rng(2), num_datasets=1, num_scores=1)
    within = means[0, :, 0].reshape(6, 6).var(axis=1)
    truth = within / (within + 0.41)
    table = synthetic_scores(np.random.default_rng(2), means, num_seeds=400, columns=["mig"])
    found = importance(table, ["mig"]).query("method != '' and part == 'setting'")
    np.testing.assert_allclose(found["corrected"], truth, atol=0.04)


def test_two_seeds_explain_half_of_pure_noise_and_the_correction_takes_it_off() -> None:
    # Plain R2 of 36 groups of 2 in pure noise is 35 / 71 = .493 on average.
    means = np.zeros((70, 36, 6))
    table = synthetic_scores(np.random.default_rng(3), means, num_seeds=2)
    found = variance_explained(table).query("dataset == 'average'").set_index("row")
    assert found.loc["method and setting", "share"] == pytest.approx(35 / 71, abs=0.015)
    assert found.loc["method and setting", "corrected"] == pytest.approx(0, abs=0.025)


def test_there_is_no_interval_below_ten_seeds() -> None:
    for num_seeds, there in ((9, False), (10, True)):
        table = synthetic_scores(np.random.default_rng(4), num_seeds=num_seeds)
        found = importance(table)
        assert found["low"].notna().all() == there
        assert found["note"].eq("").all() == there


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"mig": 0.5}, "one value for all models"),
        ({"mig": np.nan}, "no model has this score"),
        ({"mig": np.inf}, "no model has this score"),
    ],
)
def test_a_score_that_does_not_vary_has_no_shares_and_says_why(change: dict, note: str) -> None:
    table = synthetic_scores(np.random.default_rng(5), num_seeds=3).assign(**change)
    found = overall(table, "dsprites", "mig")
    assert found[["share", "corrected"]].isna().all(axis=None)
    assert set(found["note"]) == {note}


def test_one_seed_has_plain_shares_only_and_says_why() -> None:
    table = synthetic_scores(np.random.default_rng(6), num_seeds=1)
    found = overall(table, "dsprites", "mig")
    assert found["share"].sum() == pytest.approx(1)
    assert found["corrected"].isna().all()
    assert found["note"].str.startswith("one seed per setting").all()


def test_one_method_explains_nothing_and_no_models_give_no_rows() -> None:
    table = synthetic_scores(np.random.default_rng(7), num_seeds=3)
    one = table[table["method"] == "beta_vae"]
    assert overall(one, "dsprites", "mig").loc["method", "corrected"] == pytest.approx(0)
    assert importance(table[:0]).empty


def test_missing_models_leave_the_shares_about_right() -> None:
    table = synthetic_scores(np.random.default_rng(8), num_seeds=30).sample(
        frac=0.6, random_state=0
    )
    found = importance(table).query("method == '' and dataset == 'average'").set_index("part")
    assert found.loc["method", "corrected"] == pytest.approx(0.37, abs=0.03)


def test_how_often_one_method_beats_another_is_recovered() -> None:
    # Of two Gaussians a distance d apart, the higher wins with chance Phi(d / sqrt(2) sigma).
    means = np.zeros((1, 12, 1))
    means[0, 6:] = 0.5
    table = synthetic_scores(
        np.random.default_rng(9), means, num_seeds=400, columns=["mig"], noise_share=1.0
    )
    found = probability_of_improvement(table, "mig").set_index(["row", "column"])["probability"]
    assert found["factor_vae", "beta_vae"] == pytest.approx(norm.cdf(0.5 / np.sqrt(2)), abs=0.02)
    assert found["factor_vae", "beta_vae"] + found["beta_vae", "factor_vae"] == pytest.approx(1)
    assert found["beta_vae", "beta_vae"] == pytest.approx(0.5)


def test_ties_are_half_a_win() -> None:
    table = synthetic_scores(np.random.default_rng(10), num_seeds=2).assign(mig=1.0)
    assert set(probability_of_improvement(table, "mig")["probability"]) == {0.5}


def test_the_parts_of_a_bar_make_100_percent_also_where_one_is_below_zero() -> None:
    shares = [("method", -0.1), ("setting", 0.4), ("seed", 0.7)]
    summary = DataFrame(shares, columns=["part", "corrected"]).assign(dataset="d", score="mig")
    axes = plot_importance(summary, np.array([Figure().add_subplot()]))
    widths = [bar.get_width() for bar in axes[0].patches]
    np.testing.assert_allclose(widths, [0, 400 / 11, 700 / 11])


def test_the_seeds_part_in_words_is_that_of_the_bars() -> None:
    # Of pure noise and two seeds, omega squared of method and setting is as often below zero.
    table = synthetic_scores(np.random.default_rng(14), np.zeros((1, 36, 6)), num_seeds=2)
    summary = importance(table)
    assert summary.query("part == 'seed' and method == ''")["corrected"].max() > 1.05
    told = describe_seeds_share(summary.query("method == '' and dataset == 'dsprites'"))
    percents = [int(number) for number in re.findall(r"(\d+) %", told)]
    assert len(percents) == 2
    assert max(percents) <= 100
    assert "of a score's bar" in told


def test_what_seeds_do_to_all_settings_alike_is_taken_off_too_much() -> None:
    # Of a pure effect of S seeds: no part of 36 (S - 1) degrees is explained, 35 are taken off.
    table = synthetic_scores(
        np.random.default_rng(13), np.zeros((1, 36, 1)), 10, ["mig"], 1.0, noise_share=1e-9
    )
    found = overall(table, "dsprites", "mig")["corrected"]
    assert found[["method", "setting"]].sum() == pytest.approx(-35 / (36 * 9 + 1), rel=1e-3)


def test_a_probability_without_an_interval_says_why() -> None:
    table = synthetic_scores(np.random.default_rng(11), num_seeds=3)
    table.loc[table["method"] == "beta_vae", "mig"] = np.nan
    found = probability_of_improvement(table, "mig").set_index(["row", "column"])
    assert found["low"].isna().all()
    assert found.loc[("beta_vae", "factor_vae"), "note"] == "no run has this score"
    assert found.loc[("factor_vae", "dip_vae_i"), "note"].startswith("no interval with fewer")
    assert probability_of_improvement(table[:0], "mig").empty
