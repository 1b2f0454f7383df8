import numpy as np
import pytest
from scipy.stats import spearmanr

from teasel.analysis import rank_correlation
from teasel.analysis.paper_grid import DISENTANGLEMENT
from teasel.analysis.statistics.correlation import Ranks, spearman
from teasel.tests.support.synthetic import synthetic_scores


def test_spearman_is_scipys_also_with_ties() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, size=(200, 4)).astype(float)
    np.testing.assert_allclose(spearman(values), spearmanr(values).statistic, atol=1e-12)


def test_a_seed_that_counts_twice_is_a_seed_that_stands_twice() -> None:
    rng = np.random.default_rng(1)
    values, counts = rng.normal(size=(30, 3)), rng.integers(0, 4, size=30)
    repeated = np.repeat(values, counts, axis=0)
    np.testing.assert_allclose(Ranks(values).correlate(counts), spearman(repeated), atol=1e-12)


@pytest.mark.parametrize("truth", [-0.3, 0.0, 0.8])
def test_a_known_correlation_is_recovered(truth: float) -> None:
    # Of Gaussian scores: 6/pi asin(rho/2) (Pearson 1907).
    matrix = np.array([[1.0, truth], [truth, 1.0]])
    means = np.zeros((1, 36, 2))
    table = synthetic_scores(
        np.random.default_rng(2), means, num_seeds=500, columns=["mig", "sap"], correlation=matrix
    )
    found = rank_correlation(table, ["mig"], ["sap"])["correlation"].item()
    assert found == pytest.approx(6 / np.pi * np.arcsin(truth / 2), abs=0.02)


def test_a_score_that_half_the_models_lack_is_left_out_with_its_reason() -> None:
    table = synthetic_scores(np.random.default_rng(3), num_seeds=2)
    table.loc[: len(table) // 2, "sap"] = np.nan
    found = rank_correlation(table).set_index(["row", "column"])
    assert found.loc[("mig", "sap"), "note"] == "SAP: scored for 251 of 504 models"
    assert np.isnan(found.loc[("mig", "sap"), "correlation"])
    assert np.isfinite(found.loc[("mig", "modularity"), "correlation"])
    assert set(found["num_models"]) == {504}


def test_all_entries_are_over_the_same_models() -> None:
    table = synthetic_scores(np.random.default_rng(4), num_seeds=2)
    table.loc[:9, "sap"] = np.nan
    assert set(rank_correlation(table)["num_models"]) == {494}


def test_a_constant_score_ranks_nothing_and_says_so() -> None:
    table = synthetic_scores(np.random.default_rng(5), num_seeds=1).assign(mig=0.25)
    found = rank_correlation(table, ["mig", "sap"])
    assert found["correlation"].isna().tolist() == [True, True, True, False]
    few = "no interval with fewer than 10 seeds (here 1)"
    assert found["note"].tolist() == ["MIG: one value for all models"] * 3 + [few]


def test_references_are_left_out() -> None:
    table = synthetic_scores(np.random.default_rng(6), num_seeds=1)
    table.loc[0, "method"] = "untrained"
    assert set(rank_correlation(table)["num_models"]) == {len(table) - 1}


def test_no_models_give_no_correlation() -> None:
    table = synthetic_scores(np.random.default_rng(7), num_seeds=1)[:0]
    found = rank_correlation(table)
    assert len(found) == len(DISENTANGLEMENT) ** 2
    assert found["correlation"].isna().all()
    assert found["note"].str.contains("scored for 0 of 0 models").all()
