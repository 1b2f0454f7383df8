import numpy as np
import pandas as pd

from teasel.analysis import (
    accuracy_by_rank,
    exemplars,
    score_table,
    training_curves,
    winning_settings,
)
from teasel.analysis.summary import sort_as_paper
from teasel.tests.support.synthetic import synthetic_scores


def by_hand(**columns: list) -> pd.DataFrame:
    rows = pd.DataFrame(columns)
    rows["dataset"] = rows.get("dataset", "dsprites")
    rows["hyperparameter_value"] = rows.get("hyperparameter_value", 1.0)
    rows["trial_id"] = [f"t{number}" for number in range(len(rows))]
    return rows


def test_a_cell_has_its_mean_and_spread_over_seeds() -> None:
    table = by_hand(
        method=["beta_vae"] * 3, setting=["beta=1", "beta=1", "beta=2"], seed=[0, 1, 0]
    ).assign(mig=[0.2, 0.4, 0.7])
    summary = score_table(table, ["mig", "sap"])
    assert summary["num_models"].tolist() == [2, 1]
    np.testing.assert_allclose(summary["mig"], [0.3, 0.7])
    np.testing.assert_allclose(summary["mig_spread"], [0.1 * np.sqrt(2), np.nan])
    assert "sap" not in summary


def test_models_are_counted_for_every_score() -> None:
    table = by_hand(method=["beta_vae"] * 3, setting=["beta=1"] * 3, seed=[0, 1, 2])
    summary = score_table(table.assign(mig=[0.2, None, None], sap=0.1), ["mig", "sap"])
    columns = ["num_models", "mig_count", "sap_count"]
    assert summary[columns].iloc[0].tolist() == [3, 1, 3]


def test_references_are_marked_and_stand_last() -> None:
    table = by_hand(
        method=["untrained", "my_method", "annealed_vae"], setting=[""] * 3, seed=[0] * 3
    ).assign(mig=0.1)
    summary = score_table(table, ["mig"])
    assert summary["method"].tolist() == ["annealed_vae", "my_method", "untrained"]
    assert summary["reference"].tolist() == [False, False, True]


def test_rows_follow_the_papers_order() -> None:
    table = synthetic_scores(np.random.default_rng(0), num_seeds=2)
    shuffled = table.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(sort_as_paper(shuffled), table)


def test_the_median_of_an_even_number_is_the_better_of_two() -> None:
    table = by_hand(method=["beta_vae"] * 4, setting=["beta=1"] * 4, seed=[0, 1, 2, 3]).assign(
        mig=[0.1, 0.4, 0.3, 0.2]
    )
    found = exemplars(table, "mig")
    assert found["which"].tolist() == ["best", "median", "worst"]
    assert found["trial_id"].tolist() == ["t1", "t2", "t0"]


def test_the_best_by_a_loss_is_the_lowest() -> None:
    table = by_hand(method=["beta_vae"] * 2, setting=["beta=1"] * 2, seed=[0, 1])
    found = exemplars(table.assign(kl=[9.0, 4.0]), "kl").set_index("which")
    assert found["kl"].to_dict() == {"best": 4.0, "median": 4.0, "worst": 9.0}


def test_models_without_the_score_are_no_exemplars() -> None:
    table = by_hand(method=["beta_vae"], setting=["beta=1"], seed=[0]).assign(mig=np.nan)
    assert exemplars(table, "mig").empty


def test_training_curves_are_means_over_the_seeds_of_a_setting() -> None:
    models = by_hand(method=["beta_vae"] * 2, setting=["beta=1"] * 2, seed=[0, 1]).assign(
        hyperparameter="beta"
    )
    curves = pd.DataFrame(
        {
            "trial_id": ["t0", "t0", "t1", "t1"],
            "step": [20, 10, 10, 20],
            "reconstruction": [4.0, 8.0, 6.0, 2.0],
            "kl": [2.0, 1.0, 1.0, 4.0],
        }
    )
    summary = training_curves(models, curves)
    assert summary["step"].tolist() == [10, 20]
    assert summary["reconstruction"].tolist() == [7.0, 3.0]
    assert summary["kl"].tolist() == [1.0, 3.0]
    assert summary["num_models"].tolist() == [2, 2]


def test_a_methods_best_and_worst_setting_and_which_method_wins() -> None:
    table = by_hand(
        method=["beta_vae"] * 4 + ["factor_vae", "untrained"],
        setting=["beta=1", "beta=1", "beta=2", "beta=4", "gamma=10", ""],
        seed=[0, 1, 0, 0, 0, 0],
    ).assign(mig=[0.2, 0.6, 0.5, 0.1, 0.3, 0.9], kl=[1.0, 3.0, 5.0, 2.5, 2.0, 0.0])
    found = winning_settings(table, ["mig", "kl"]).set_index(["score", "method"])
    best = found.loc[("mig", "beta_vae")]
    assert best[["best", "worst", "num_settings"]].tolist() == ["beta=2", "beta=4", 3]
    assert best["best_mean"] == 0.5
    assert best["wins"]
    assert not found.loc[("mig", "factor_vae"), "wins"]
    # Less is better of a KL, and both have 2: they share the first place.
    assert found.loc["kl", "wins"].tolist() == [True, True]
    assert found.loc[("kl", "beta_vae"), "worst"] == "beta=2"


def test_thirds_are_by_rank_within_a_data_set() -> None:
    table = by_hand(method=["beta_vae"] * 7, setting=["beta=1"] * 7, seed=list(range(7))).assign(
        mig=[0.6, 0.5, 0.4, 0.3, 0.2, 0.1, np.nan], downstream_lr_10=range(7)
    )
    found = accuracy_by_rank(table, "mig")
    assert found["third"].tolist() == ["low", "middle", "high"]
    assert found["num_models"].tolist() == [2, 2, 2]
    assert found["downstream_lr_10"].tolist() == [4.5, 2.5, 0.5]
