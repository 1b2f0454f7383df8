"""What every public function asks of the tables and names it is given."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from pandas import DataFrame

import teasel.analysis as analysis
from teasel.errors import UnknownNameError
from teasel.tests.support.synthetic import SyntheticResults


def twice(table: DataFrame) -> DataFrame:
    """The models as those of two studies."""
    return pd.concat([table.assign(study=name) for name in ("one", "other")], ignore_index=True)


def of_dsprites(table: DataFrame) -> DataFrame:
    return table[table["dataset"] == "dsprites"]


OF_MODELS: dict[str, Callable[[DataFrame], object]] = {
    "compare_with_paper": lambda table: analysis.compare_with_paper(
        DataFrame([{"row": "mig", "column": "sap", "correlation": 0, "low": 0, "high": 0}]),
        *("figure_2", table, "correlation", "dsprites"),
    ),
    "dataset_correlation": lambda table: analysis.dataset_correlation(table, "mig"),
    "accuracy_by_rank": lambda table: analysis.accuracy_by_rank(table, "mig"),
    "exemplars": lambda table: analysis.exemplars(table, "mig"),
    "figure_1": lambda table: analysis.figure_1(table, table[:0]),
    "figure_2": analysis.figure_2,
    "figure_3": analysis.figure_3,
    "figure_4": analysis.figure_4,
    "figure_4_datasets": analysis.figure_4_datasets,
    "figure_5": analysis.figure_5,
    "figure_6": analysis.figure_6,
    "compare_settings": lambda table: analysis.compare_settings(of_dsprites(table), "mig"),
    "compare_studies": lambda table: analysis.compare_studies(twice(table)),
    "distance_from_untrained": lambda table: analysis.distance_from_untrained(
        of_dsprites(table), "mig"
    ),
    "hyperparameter_importance": analysis.hyperparameter_importance,
    "hyperparameter_means": analysis.hyperparameter_means,
    "importance": analysis.importance,
    "probability_of_improvement": lambda table: analysis.probability_of_improvement(table, "mig"),
    "rank_correlation": analysis.rank_correlation,
    "rank_correlations": lambda table: analysis.rank_correlations({"a": table}, ["mig", "sap"]),
    "rate_rules": analysis.rate_rules,
    "score_table": analysis.score_table,
    "seeds_needed": analysis.seeds_needed,
    "table_1": analysis.table_1,
    "transfer_between_datasets": analysis.transfer_between_datasets,
    "winning_settings": analysis.winning_settings,
    "training_curves": lambda table: analysis.training_curves(
        table, DataFrame({"trial_id": table["trial_id"], "step": 1, "reconstruction": 1, "kl": 1})
    ),
    "unsupervised_selection": analysis.unsupervised_selection,
    "variance_explained": analysis.variance_explained,
    "with_unsupervised_of_samples": lambda table: analysis.with_unsupervised_of_samples(
        table, table
    ),
}
ALIKE = ("differences_from_paper", "paper_coverage")
"""Which say of models twice what they say of them once."""
OF_NO_MODELS = (
    *("Codes", "Names", "embedding", "export", "fingerprints", "publish"),
    *(
        "make_figure",
        "published_numbers",
        "rank_stability",
        "representation",
        "scores",
        "study_names",
        "to_latex",
        "trials",
        "write_report",
    ),
)


@pytest.fixture(scope="module")
def both() -> DataFrame:
    """Wide scores of both representations, a few models of two data sets."""
    results = SyntheticResults(np.random.default_rng(0), num_datasets=2, num_seeds=2)
    return analysis.scores(results, representation=None, wide=True)


def test_every_public_function_is_listed_here() -> None:
    assert {*OF_MODELS, *ALIKE, *OF_NO_MODELS} == set(analysis.__all__)


@pytest.mark.parametrize("name", OF_MODELS)
def test_a_model_that_stands_in_two_rows_is_refused(name: str, both: DataFrame) -> None:
    OF_MODELS[name](both[both["representation"] == "mean"])
    words = r"two rows of dsprites, beta_vae, beta=1, seed 0: .* choose one representation"
    with pytest.raises(ValueError, match=words):
        OF_MODELS[name](both)


@pytest.mark.parametrize("name", ALIKE)
def test_what_models_are_is_said_alike_of_both_representations(name: str, both: DataFrame) -> None:
    tell = getattr(analysis, name)
    twice, once = (str(tell(table)) for table in (both, both[both["representation"] == "mean"]))
    assert twice == once


@pytest.mark.parametrize("compare", [analysis.compare_settings, analysis.distance_from_untrained])
def test_the_standing_on_several_data_sets_is_refused(compare, both: DataFrame) -> None:
    mean = both[both["representation"] == "mean"]
    with pytest.raises(
        ValueError, match="models of dsprites, color_dsprites: expected models of one"
    ):
        compare(mean, "mig")
    with pytest.raises(UnknownNameError, match="magic"):
        compare(of_dsprites(mean), "magic")


@pytest.mark.parametrize("side", [0, 1])
def test_figure_1_and_4_refuse_both_representations_on_either_side(
    side: int, both: DataFrame
) -> None:
    tables = [both[both["representation"] == kind] for kind in ("mean", "sampled")]
    tables[side] = both
    for function in (analysis.figure_1, analysis.with_unsupervised_of_samples):
        with pytest.raises(ValueError, match="choose one representation"):
            function(*tables)


OF_SCORES: dict[str, Callable[..., object]] = {
    "dataset_correlation": analysis.dataset_correlation,
    "exemplars": analysis.exemplars,
    "figure_2": analysis.figure_2,
    "figure_3": analysis.figure_3,
    "figure_4": analysis.figure_4,
    "figure_4, columns": lambda table, scores: analysis.figure_4(table, ["kl"], scores),
    "figure_4_datasets": analysis.figure_4_datasets,
    "figure_5": analysis.figure_5,
    "figure_5, columns": lambda table, scores: analysis.figure_5(table, ["mig"], scores),
    "compare_studies": lambda table, scores: analysis.compare_studies(twice(table), scores),
    "hyperparameter_importance": analysis.hyperparameter_importance,
    "hyperparameter_means": analysis.hyperparameter_means,
    "importance": analysis.importance,
    "probability_of_improvement": analysis.probability_of_improvement,
    "rank_correlation": analysis.rank_correlation,
    "rank_correlation, columns": lambda table, scores: analysis.rank_correlation(
        table, "mig", scores
    ),
    "rank_correlations": lambda table, scores: analysis.rank_correlations({"a": table}, scores),
    "score_table": analysis.score_table,
    "seeds_needed": analysis.seeds_needed,
    "accuracy_by_rank": analysis.accuracy_by_rank,
    "table_1": analysis.table_1,
    "transfer_between_datasets": analysis.transfer_between_datasets,
    "winning_settings": analysis.winning_settings,
    "rate_rules": lambda table, scores: analysis.rate_rules(table, scores),
    "unsupervised_selection": lambda table, scores: analysis.unsupervised_selection(
        table, scores=scores
    ),
    "variance_explained": analysis.variance_explained,
}
OF_ONE_SCORE = (
    "accuracy_by_rank",
    "dataset_correlation",
    "exemplars",
    "probability_of_improvement",
)


@pytest.mark.parametrize("name", [name for name in OF_SCORES if name not in OF_ONE_SCORE])
def test_a_lone_score_is_a_list_of_one(name: str, both: DataFrame) -> None:
    mean = both[both["representation"] == "mean"]
    lone, listed = (OF_SCORES[name](mean, given) for given in ("sap", ["sap"]))
    assert len(lone)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(lone, listed)


@pytest.mark.parametrize("name", OF_SCORES)
def test_an_unknown_score_is_refused(name: str, both: DataFrame) -> None:
    mean = both[both["representation"] == "mean"]
    with pytest.raises(ValueError, match=r"unknown score 'mgi' \(did you mean 'mig'\?\)"):
        OF_SCORES[name](mean, "mgi")
    with pytest.raises(ValueError, match=r"unknown score 'x' \(one of: beta_vae_score, .*\)"):
        OF_SCORES[name](mean, "x")


def test_an_unknown_score_to_choose_by_is_refused(both: DataFrame) -> None:
    with pytest.raises(ValueError, match="unknown score 'elb'"):
        analysis.unsupervised_selection(both, {"elb": 1})


def test_groups_may_be_made_by_a_lone_column(both: DataFrame) -> None:
    mean = both[both["representation"] == "mean"]
    for function in (analysis.exemplars, analysis.score_table):
        lone, listed = (function(mean, "mig", by=by) for by in ("method", ["method"]))
        pd.testing.assert_frame_equal(lone, listed)
        assert set(lone["method"]) == set(mean["method"])
    with pytest.raises(ValueError, match='by is \'model\': expected "method" or "setting"'):
        analysis.figure_3(mean, by="model")


def test_a_lone_score_is_one_also_of_what_differs(both: DataFrame) -> None:
    # The made scores are computed without one_vs_rest, which is of no concern to MIG.
    said = "; ".join(analysis.differences_from_paper(both, "explicitness_test"))
    assert "parameters of explicitness other" in said
    assert "other parameters" not in "; ".join(analysis.differences_from_paper(both, "mig"))
