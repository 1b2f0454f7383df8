import json
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest

from teasel.analysis import fingerprints, representation, scores, trials
from teasel.analysis.names import PAPER_NAMES
from teasel.metrics import METRICS
from teasel.sweep.store.results import Results, ResultsError
from teasel.sweep.store.tables import to_table
from teasel.sweep.trials.references import REFERENCES as CODED
from teasel.tests.support.synthetic import SyntheticResults

# The Contract of DESIGN.md.
TIDY = [
    *("trial_id", "dataset", "method", "hyperparameter", "hyperparameter_value", "setting", "seed"),
    *("representation", "metric", "score", "value", "metric_seed", "num_points", "factor"),
    *("beta", "gamma", "lambda_od", "c_max"),  # of the made study's methods
]
WIDE = [
    *("beta_vae_score", "factor_vae_score", "mig", "dci_disentanglement", "dci_completeness"),
    *("dci_informativeness_test", "modularity", "explicitness_test", "sap"),
    *("gaussian_total_correlation", "mutual_info_score", "downstream_lr_10"),
    *("downstream_gbt_10000", "efficiency_lr", "efficiency_gbt", "reconstruction", "kl", "elbo"),
]


class Tables:
    """Results of rows given by hand."""

    study: ClassVar = {"study": "by hand"}

    def __init__(self, **tables: list[dict]):
        self._tables = tables

    def table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        return to_table(name, self._tables.get(name, []))


def model(trial_id: str, **columns: object) -> dict:
    return {"trial_id": trial_id, "dataset": "cars3d", "seed": 0, "status": "done", **columns}


def score(trial_id: str, value: float | None, metric: str = "mig", **columns: object) -> dict:
    row = {"trial_id": trial_id, "representation": "mean", "metric": metric, "score": metric}
    made = {"metric_version": "1", "parameters_hash": "a", "metric_seed": 0}
    return row | {"value": value, **made, **columns}


def test_tidy_scores_have_the_columns_of_the_contract(made_results: SyntheticResults) -> None:
    tidy = scores(made_results)
    assert list(tidy.columns) == TIDY
    assert set(tidy["representation"]) == {"mean"}
    assert len(tidy) == 216 * 20


def test_wide_scores_have_the_papers_columns_and_a_row_per_model(
    made_results: SyntheticResults,
) -> None:
    wide = scores(made_results, wide=True)
    assert set(WIDE) <= set(wide.columns)
    assert len(wide) == wide["trial_id"].nunique() == 216


def test_both_representations_give_two_wide_rows_per_model(made_results: SyntheticResults) -> None:
    wide = scores(made_results, representation=None, wide=True)
    assert wide.groupby("trial_id")["representation"].agg(sorted).map(tuple).unique().tolist() == [
        ("mean", "sampled")
    ]


def test_wide_and_tidy_hold_the_same_values(made_results: SyntheticResults) -> None:
    tidy = scores(made_results).query("metric == 'dci' and score == 'completeness'")
    wide = scores(made_results, wide=True)
    both = tidy.merge(wide, on="trial_id")
    np.testing.assert_array_equal(both["value"], both["dci_completeness"])


def test_efficiency_is_accuracy_at_100_over_accuracy_at_10000(
    made_results: SyntheticResults,
) -> None:
    wide = scores(made_results, wide=True)
    expected = wide["downstream_gbt_100"] / wide["downstream_gbt_10000"]
    np.testing.assert_allclose(wide["efficiency_gbt"], expected)


def test_the_swept_hyperparameter_is_the_first_that_varies() -> None:
    rows = [
        model("a", method="dip", lambda_d_factor=10.0, lambda_od=1.0, steps=5),
        model("b", method="dip", lambda_d_factor=10.0, lambda_od=2.0, steps=5),
        model("c", method="plain", beta=4.0, steps=5),
        model("d", method="untrained", steps=0),
    ]
    table = trials(Tables(trials=rows)).set_index("trial_id")
    assert table["hyperparameter"].tolist()[:3] == ["lambda_od", "lambda_od", "beta"]
    assert table["hyperparameter"].isna()["d"]
    np.testing.assert_array_equal(table["hyperparameter_value"], [1.0, 2.0, 4.0, np.nan])
    assert table["setting"].tolist() == ["lambda_od=1", "lambda_od=2", "beta=4", ""]


def test_models_that_differ_in_a_training_setting_are_different_settings() -> None:
    rows = [model(str(n), method="plain", beta=4.0, steps=n) for n in (600, 300_000)]
    assert trials(Tables(trials=rows))["setting"].tolist() == ["steps=600", "steps=300000"]


def test_strengths_that_differ_in_their_last_digit_are_different_settings() -> None:
    rows = [model(str(beta), method="plain", beta=beta, steps=1) for beta in (4.0, 4.0000001)]
    assert trials(Tables(trials=rows))["setting"].tolist() == ["beta=4", "beta=4.0000001"]


def test_ids_are_text_even_if_there_is_no_model() -> None:
    made = Tables()
    assert scores(made, wide=True)["trial_id"].dtype == trials(made)["trial_id"].dtype == "str"


def test_error_rows_and_failed_trials_are_no_scores() -> None:
    rows = [model("a", method="m"), model("b", method="m"), model("c", method="m", status="failed")]
    errors = [score("a", 0.5), score("b", None, error="constant code"), score("c", 0.1)]
    results = Tables(trials=rows, scores=errors)
    assert scores(results)["trial_id"].tolist() == ["a", "c"]
    wide = scores(results, wide=True).set_index("trial_id")["mig"]
    np.testing.assert_array_equal(wide.loc[["a", "b"]], [0.5, np.nan])
    assert "c" not in wide.index


def test_scores_made_with_other_parameters_are_left_out_with_a_warning() -> None:
    rows = [model("a", method="m"), model("b", method="m")]
    made = [score("a", 0.5), score("b", 0.6), score("b", 0.9, parameters_hash="other")]
    with pytest.warns(UserWarning, match="without 1 score of version 1, parameters other, seed 0:"):
        assert scores(Tables(trials=rows, scores=made))["value"].tolist() == [0.5, 0.6]


def test_of_two_versions_of_a_metric_that_are_as_frequent_the_newer_is_taken() -> None:
    versions = ("9", "10", "2")
    made = [score("a", float(v), metric_version=v, parameters_hash=v) for v in versions]
    with (
        pytest.warns(UserWarning, match="without 1 score of version 9"),
        pytest.warns(UserWarning, match="without 1 score of version 2"),
    ):
        found = scores(Tables(trials=[model("a", method="m")], scores=made))
    assert found["value"].tolist() == [10.0]


def test_a_score_that_was_made_anew_at_newer_points_stands_and_others_stay() -> None:
    rows = [model("a", method="m"), model("b", method="m")]
    made = [score("a", 0.1, points=1), score("a", 0.2, points=2), score("b", 0.3, points=1)]
    for order in (made, made[::-1]):
        found = scores(Tables(trials=rows, scores=order))
        assert found.set_index("trial_id")["value"].to_dict() == {"a": 0.2, "b": 0.3}


def test_versions_of_a_method_are_settings_of_their_own() -> None:
    rows = [model(str(v), method="m", beta=4.0, method_version=v) for v in (1, 2)]
    assert trials(Tables(trials=rows))["setting"].tolist() == [
        "method_version=1",
        "method_version=2",
    ]


@pytest.mark.parametrize(
    ("metric", "parameters", "others"),
    [
        ("mig", "{}", ""),
        ("mig", '{"num_train": 7}', "mig"),
        ("beta_vae_score", "{}", "beta_vae_score"),  # version 1
        ("beta_vae_score", '{"one_vs_rest": true}', ""),
        ("downstream_lr", '{"one_vs_rest": true}', ""),
        ("downstream_lr", '{"one_vs_rest": false}', "downstream_lr"),
        ("explicitness", "", "explicitness"),
    ],
)
def test_metrics_with_other_parameters_than_the_papers_are_named(
    metric: str, parameters: str, others: str
) -> None:
    made = Tables(
        trials=[model("a", method="m")], scores=[score("a", 0.5, metric, parameters=parameters)]
    )
    assert scores(made, wide=True)["other_parameters"].tolist() == [others]


def test_an_unknown_representation_is_refused(made_results: SyntheticResults) -> None:
    with pytest.raises(ValueError, match='\'median\': expected "mean", "sampled" or None'):
        scores(made_results, representation="median")


def test_a_results_folder_reads_like_a_made_one(
    write_folder: Callable[..., Results], tmp_path: Path, made_results: SyntheticResults
) -> None:
    write_folder(made_results, curves=[], pictures=[])
    assert (
        scores(tmp_path, wide=True)["mig"].tolist()
        == scores(made_results, wide=True)["mig"].tolist()
    )


def test_the_defaults_known_of_a_metric_are_its_own() -> None:
    own = {
        name: {key: parameter.default for key, parameter in METRICS.own[name].parameters.items()}
        for name in PAPER_NAMES.defaults
    }
    del own["beta_vae_score"]["one_vs_rest"]  # version 1 had no such parameter
    assert json.loads(json.dumps(own)) == PAPER_NAMES.defaults


def test_every_reference_that_a_grid_may_list_is_one_here() -> None:
    assert set(PAPER_NAMES.references) == {"untrained", *CODED}


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("read", [scores, trials, fingerprints])
def test_a_folder_without_a_study_is_refused(read, opened: bool, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="nowhere: no results here"):
        read(Results(tmp_path / "nowhere") if opened else tmp_path / "nowhere")


def test_a_representation_has_means_log_variances_and_factors(
    made_results: SyntheticResults,
) -> None:
    codes = representation(made_results, "0000000000000003")
    assert codes.means.shape == codes.log_variances.shape == (15_000, 10)
    assert codes.factors.shape == (15_000, 5)
