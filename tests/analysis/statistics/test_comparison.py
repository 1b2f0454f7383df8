"""Two studies agree where nothing differs, and are told apart where something does."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from teasel.analysis import compare_studies
from teasel.analysis.paper_grid import DISENTANGLEMENT
from teasel.tests.support.synthetic import cell_means, synthetic_scores


def two_studies(second_seeds: int = 100, shift: float = 0.0, num_seeds: int = 12) -> pd.DataFrame:
    """Two made studies of the same truth, the second `shift` higher; seeds from `second_seeds`."""
    rng = np.random.default_rng(0)
    means = cell_means(rng, 2)
    tables = [synthetic_scores(rng, means, num_seeds) for _ in range(2)]
    tables[1]["seed"] += second_seeds
    tables[1][list(DISENTANGLEMENT)] += shift
    return pd.concat([table.assign(study=name) for table, name in zip(tables, "ab", strict=True)])


@pytest.mark.parametrize("second_seeds", [0, 6, 100])
def test_of_studies_of_one_truth_about_one_cell_in_twenty_differs(second_seeds: int) -> None:
    found = compare_studies(two_studies(second_seeds))
    assert len(found) == 2 * 36 * len(DISENTANGLEMENT)
    share = (found["comparison"] == "differs").mean()
    assert 0.02 < share < 0.08
    assert ((found["low"] > 0) | (found["high"] < 0)).mean() == share
    assert (found["p_value"] < 0.05).mean() == share
    assert (found["p_adjusted"] < 0.05).sum() == 0


def test_a_difference_is_found_and_survives_the_correction() -> None:
    found = compare_studies(two_studies(shift=3.0))
    assert (found["comparison"] == "differs").mean() > 0.99
    assert (found["p_adjusted"] < 0.05).mean() > 0.9
    assert found["difference"].mean() == pytest.approx(3.0, abs=0.1)


def test_the_numbers_of_a_cell_are_those_of_its_models() -> None:
    table = two_studies(second_seeds=0, num_seeds=10)
    row = compare_studies(table, "mig").iloc[0]
    key = {name: row[name] for name in ("dataset", "method", "setting")}
    cell = table[(table[list(key)] == pd.Series(key)).all(axis=1)].pivot(
        index="seed", columns="study", values="mig"
    )
    assert row[["first", "first_spread"]].tolist() == pytest.approx(
        [cell["a"].mean(), cell["a"].std()]
    )
    assert row[["second", "second_spread"]].tolist() == pytest.approx(
        [cell["b"].mean(), cell["b"].std()]
    )
    assert row[["first_seeds", "second_seeds", "num_same"]].tolist() == [10, 10, 0]
    paired = stats.ttest_rel(cell["b"], cell["a"])  # of the same seeds it is the paired test
    assert row["p_value"] == pytest.approx(paired.pvalue)
    assert (row["low"], row["high"]) == pytest.approx(tuple(paired.confidence_interval()))


def test_the_same_models_agree_to_the_bit() -> None:
    table = two_studies().query("study == 'a'")
    found = compare_studies(pd.concat([table, table.assign(study="b")]))
    assert set(found["num_same"]) == {12}
    assert set(found["comparison"]) == {"agrees"}
    assert (found[["difference", "low", "high"]] == 0).all(axis=None)
    assert set(found["p_adjusted"]) == {1.0}


def test_only_cells_of_both_are_compared_and_few_seeds_say_so() -> None:
    table = two_studies()
    few = table[(table["study"] == "a") | ((table["seed"] < 109) & (table["method"] == "beta_vae"))]
    few.loc[few["dataset"] == few["dataset"].iat[0], "mig"] = np.nan
    found = compare_studies(few, ["mig", "sap"])
    assert set(found["method"]) == {"beta_vae"}
    assert len(found) == 6 * 3  # mig has one data set left
    assert set(found["comparison"]) == {"not comparable"}
    assert set(found["why"]) == {"no interval with fewer than 10 seeds (here 9)"}
    assert found[["low", "p_value", "p_adjusted"]].isna().all(axis=None)


def test_studies_without_a_common_cell_have_no_rows() -> None:
    table = two_studies()
    apart = table[(table["study"] == "a") == (table["method"] == "beta_vae")]
    assert compare_studies(apart).empty


def test_other_than_two_studies_are_refused() -> None:
    table = two_studies()
    with pytest.raises(ValueError, match=r"of two studies, .* got those of a$"):
        compare_studies(table[table["study"] == "a"])
    with pytest.raises(ValueError, match="got those of one, without a column study"):
        compare_studies(table.drop(columns="study"))
