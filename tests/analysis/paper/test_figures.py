import numpy as np
import pytest
from matplotlib.figure import Figure
from pandas import DataFrame
from scipy.stats import t

from teasel.analysis import (
    dataset_correlation,
    embedding,
    figure_1,
    figure_2,
    figure_3,
    figure_4,
    figure_4_datasets,
    figure_5,
    figure_6,
    representation,
    scores,
    with_unsupervised_of_samples,
)
from teasel.analysis.plots.plots import plot_strength
from teasel.analysis.tables import Codes
from teasel.tests.support.synthetic import SyntheticResults, cell_means, synthetic_scores


@pytest.fixture(scope="module")
def mean(made_results: SyntheticResults) -> DataFrame:
    return scores(made_results, wide=True)


@pytest.fixture(scope="module")
def sampled(made_results: SyntheticResults) -> DataFrame:
    return scores(made_results, "sampled", wide=True)


def test_figure_1_separates_samples_from_means(mean: DataFrame, sampled: DataFrame) -> None:
    # The made total correlation of samples falls with strength, that of means rises.
    found = figure_1(mean, sampled)
    rows = found.query(
        "score == 'gaussian_total_correlation' and method == 'beta_vae' and dataset == 'dsprites'"
    )
    for kind, sign in (("sampled", -1), ("mean", 1)):
        line = rows[rows["representation"] == kind]
        assert line["hyperparameter_value"].tolist() == [1, 2, 4, 6, 8, 16]
        assert (sign * np.diff(line["value"]) > 0).all()
    assert set(found["num_models"]) == {3}


def test_figure_2_has_every_data_set_and_their_mean_with_its_spread(mean: DataFrame) -> None:
    found = figure_2(mean, ["mig", "sap"]).set_index(["dataset", "row", "column"])["correlation"]
    each = [found[name, "mig", "sap"] for name in ("dsprites", "color_dsprites")]
    assert found["average", "mig", "sap"] == pytest.approx(np.mean(each))
    average = figure_2(mean, ["mig", "sap"]).query("dataset == 'average' and row < column")
    assert average[["lowest", "highest"]].iloc[0].tolist() == [min(each), max(each)]
    assert average["num_models"].item() == 216


def test_figure_4_takes_the_total_correlation_of_the_samples(
    mean: DataFrame, sampled: DataFrame
) -> None:
    table = with_unsupervised_of_samples(mean, sampled)
    name = "gaussian_total_correlation"
    np.testing.assert_array_equal(
        table.set_index("trial_id")[name].sort_index(),
        sampled.set_index("trial_id")[name].sort_index(),
    )
    np.testing.assert_array_equal(table["mig"], mean["mig"])
    found = figure_4(table, [name], ["kl"]).query("dataset == 'dsprites'")
    assert found["correlation"].item() > 0.9  # both fall with strength


def test_settings_correlate_between_data_sets_as_their_true_means_do() -> None:
    means = cell_means(np.random.default_rng(1), num_datasets=4, num_scores=1)
    table = synthetic_scores(np.random.default_rng(2), means, num_seeds=200, columns=["mig"])
    found = dataset_correlation(table, "mig").pivot(
        index="row", columns="column", values="correlation"
    )
    ranks = means[:, :, 0].argsort(axis=1).argsort(axis=1)
    names = ["dsprites", "color_dsprites", "noisy_dsprites", "scream_dsprites"]
    np.testing.assert_allclose(found.loc[names, names], np.corrcoef(ranks), atol=0.05)


def test_single_models_correlate_less_than_settings() -> None:
    table = synthetic_scores(np.random.default_rng(3), num_seeds=10, columns=["mig"])
    pairs = table.pivot(index=["setting", "method", "seed"], columns="dataset", values="mig")
    single = pairs.corr("spearman").loc["dsprites", "color_dsprites"]
    found = figure_4_datasets(table, ["mig"]).query("row == 'dsprites'").set_index("column")
    assert found.loc["color_dsprites", "correlation"] > single


def test_data_sets_without_settings_in_common_have_no_correlation_and_say_so() -> None:
    table = synthetic_scores(np.random.default_rng(4), num_seeds=2, columns=["mig"])
    first = table.query("dataset == 'dsprites' and method == 'beta_vae'")
    second = table.query("dataset == 'cars3d' and method == 'factor_vae'")
    assert dataset_correlation(first, "mig")["correlation"].tolist() == [1.0]
    assert dataset_correlation(first[:0], "mig").empty
    two = first[first["setting"].isin(["beta=1", "beta=2"])]
    assert dataset_correlation(two, "mig")["correlation"].isna().all()
    found = dataset_correlation(table.loc[[*first.index, *second.index]], "mig")
    apart = found.query("row != column")
    assert apart["correlation"].isna().all()
    assert set(apart["note"]) == {"0 settings in common, 3 needed"}


def test_figure_5_has_both_classifiers_and_efficiencies(mean: DataFrame) -> None:
    found = figure_5(mean).query("dataset == 'dsprites'")
    assert len(found) == 6 * 10
    assert found["correlation"].notna().all()


def test_figure_6_has_the_models_that_have_both_scores(mean: DataFrame) -> None:
    table = mean.copy()
    table.loc[:9, "efficiency_gbt"] = np.nan
    assert len(figure_6(table)) == len(mean) - 10
    assert figure_6(table.drop(columns="efficiency_gbt")).empty


def test_a_map_of_codes_keeps_neighbours_together(made_results: SyntheticResults) -> None:
    codes = representation(made_results, "0000000000000000")
    clusters = np.repeat([[0.0] * 10, [50.0] * 10], 100, axis=0)
    noise = np.random.default_rng(5).normal(size=clusters.shape)
    factors = np.repeat([0, 1], 100)[:, None]
    found = embedding(Codes(clusters + noise, codes.log_variances, factors))
    centres = found.groupby("factor 1")[["x", "y"]].mean().to_numpy()
    apart = np.linalg.norm(centres[0] - centres[1])
    within = found.groupby("factor 1")[["x", "y"]].std().to_numpy().max()
    assert apart > 2 * within


def test_a_map_of_too_few_points_is_refused() -> None:
    few = np.zeros((5, 2))
    with pytest.raises(ValueError, match="at least 10 points, got 5"):
        embedding(Codes(few, few, few))


def test_a_mean_by_setting_is_students_and_by_method_counts_seeds_not_models() -> None:
    # With all variance in the seed's own effect, 6 settings of 12 seeds are 12 observations.
    table = synthetic_scores(
        np.random.default_rng(6),
        np.zeros((1, 36, 1)),
        num_seeds=12,
        columns=["mig"],
        seed_share=1.0,
        noise_share=1e-9,
    )
    half = t.ppf(0.975, 11) * table["mig"].iloc[:12].std() / np.sqrt(12)
    for by in ("method", "setting"):
        found = figure_3(table, ["mig"], by).iloc[0]
        assert found["value"] == pytest.approx(table["mig"].iloc[:12].mean(), abs=1e-3)
        assert (found["high"] - found["low"]) / 2 == pytest.approx(half, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "seeds", "rows", "note"),
    [
        ({}, 1, 6, "no interval with fewer than 10 seeds (here 1)"),
        ({"mig": 0.5}, 12, 6, ""),
        ({"mig": np.nan}, 12, 0, ""),
    ],
)
def test_means_of_few_constant_or_missing_scores_are_defined(
    change: dict, seeds: int, rows: int, note: str
) -> None:
    table = synthetic_scores(np.random.default_rng(7), num_seeds=seeds).assign(**change)
    table = table[table["dataset"] == "cars3d"].drop(columns="sap")
    found = figure_3(table, ["mig", "sap"])
    assert len(found) == rows
    assert set(found["note"]) <= {note}
    if "mig" in change:
        np.testing.assert_allclose(found["low"], found["high"])


def test_a_setting_with_fewer_seeds_than_the_others_has_no_interval() -> None:
    table = synthetic_scores(np.random.default_rng(8), num_seeds=12)
    table = table.query("setting != 'beta=16' or seed < 9")
    found = figure_3(table, ["mig"], "setting").query("method == 'beta_vae'")
    few = found["setting"] == "beta=16"
    assert found["low"].isna().equals(few)
    assert set(found.loc[few, "note"]) == {"no interval with fewer than 10 seeds (here 9)"}


def test_the_mean_over_data_sets_has_an_interval_of_its_own() -> None:
    # Independent data sets: the mean of seven is known better than one.
    table = synthetic_scores(np.random.default_rng(9), num_seeds=20, columns=["mig", "sap"])
    found = figure_2(table, ["mig", "sap"]).query("row < column").set_index("dataset")
    width = found["high"] - found["low"]
    assert 0 < width["average"] < width.drop("average").min()
    few = figure_2(table.query("seed < 3"), ["mig", "sap"]).query("row < column").iloc[-1]
    assert np.isnan(few["low"])
    assert few["note"] == "mean over 7 data sets; no interval with fewer than 10 seeds (here 3)"


def test_figure_1_draws_a_lone_setting_at_its_own_tick() -> None:
    rows = [("beta=1", 1.0, "mean"), ("beta=4", 4.0, "mean"), ("beta=4", 4.0, "sampled")]
    summary = DataFrame(rows, columns=["setting", "hyperparameter_value", "representation"])
    summary = summary.assign(method="beta_vae", hyperparameter="beta", score="mutual_info_score")
    summary = summary.assign(value=1.0, spread=0.1, low=0.9, high=1.1)
    axes = plot_strength(summary, np.array([Figure().add_subplot()]))
    places = {line.get_marker(): list(line.get_xdata()) for line in axes[0].lines}
    assert places["o"] == [1]
    assert places["s"] == [0, 1]
