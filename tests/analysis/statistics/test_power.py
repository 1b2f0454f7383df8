import numpy as np
import pytest
from scipy import stats

from teasel.analysis import seeds_needed
from teasel.analysis.statistics.power import count_seeds
from teasel.tests.support.synthetic import synthetic_scores


@pytest.mark.parametrize(
    ("effect", "groups", "expected"),
    # Cohen 1988, table 2.4.1: two groups, two-sided 5 %, power 80 %; one group: 34 pairs at .5.
    [(0.2, 2, 394), (0.5, 2, 64), (0.8, 2, 26), (0.5, 1, 34)],
)
def test_seeds_are_those_of_the_published_power_tables(
    effect: float, groups: int, expected: int
) -> None:
    assert count_seeds(effect, groups, power=0.8, level=0.05) == expected


def test_the_spread_of_the_seeds_is_recovered() -> None:
    table = synthetic_scores(np.random.default_rng(0), seed_share=0.2, noise_share=0.21)
    found = seeds_needed(table, ["mig"], deltas=[0.1])
    np.testing.assert_allclose(found["spread"], np.sqrt(0.41), rtol=0.15)
    assert found["spread"].mean() == pytest.approx(np.sqrt(0.41), rel=0.05)


def test_what_a_seed_does_to_all_settings_alike_drops_out_of_a_paired_comparison() -> None:
    table = synthetic_scores(np.random.default_rng(1), seed_share=0.4, noise_share=0.01)
    found = seeds_needed(table, ["mig"], deltas=[0.2])
    assert (found["num_seeds_paired"] < found["num_seeds"] / 10).all()


def test_with_so_many_seeds_the_difference_is_found_four_times_in_five() -> None:
    means = np.zeros((1, 36, 1))
    table = synthetic_scores(np.random.default_rng(2), means, 200, ["mig"], noise_share=1.0)
    needed = int(seeds_needed(table, ["mig"], deltas=[0.8])["num_seeds"].item())
    rng = np.random.default_rng(3)
    one, other = rng.normal(size=(2, 4000, needed)) + np.array([0.0, 0.8])[:, None, None]
    found = stats.ttest_ind(one, other, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.03)


def test_one_seed_tells_no_spread_and_says_so() -> None:
    found = seeds_needed(synthetic_scores(np.random.default_rng(4), num_seeds=1))
    assert found["num_seeds"].isna().all()
    assert set(found["note"]) == {"no setting has two seeds with this score"}


def test_a_pair_counts_with_the_seeds_that_both_settings_have() -> None:
    # No seed is of all settings: each lacks one of 36 seeds, and is as good as another.
    table = synthetic_scores(np.random.default_rng(7), num_seeds=36, columns=["mig"])
    lacking = table.groupby(["method", "setting"], sort=False).ngroup()
    whole, found = (
        seeds_needed(rows, ["mig"], deltas=[0.2])["num_seeds_paired"]
        for rows in (table, table[table["seed"] != lacking])
    )
    np.testing.assert_allclose(found, whole, rtol=0.05)


def test_seeds_that_settings_do_not_share_give_no_paired_count() -> None:
    table = synthetic_scores(np.random.default_rng(5), num_seeds=4)
    first = (table["setting"] == "c_max=5") & (table["seed"] < 2)
    table = table[first | (table["setting"] == "c_max=10") & (table["seed"] > 1)]
    found = seeds_needed(table, ["mig"])
    assert found["num_seeds"].notna().all()
    assert found["num_seeds_paired"].isna().all()
    assert set(found["note"]) == {"no two seeds are shared by two settings"}


def test_a_score_without_spread_needs_two_seeds() -> None:
    table = synthetic_scores(np.random.default_rng(6), num_seeds=3).assign(mig=1.0)
    found = seeds_needed(table, ["mig"], deltas=[0.1])
    assert set(found["num_seeds"]) == {2}
