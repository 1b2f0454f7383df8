from dataclasses import replace
from typing import Any

import pytest

from teasel.sweep.store.results import Results
from teasel.sweep.study.comparisons import add_comparisons, list_partners
from teasel.sweep.study.remaining import WantedTrial
from teasel.sweep.study.study import read_study

METHODS = {"beta_vae": {"trained": True}, "pca": {"trained": False}}


def test_a_seed_is_compared_with_the_five_before_it_and_the_first_six_with_each_other() -> None:
    seeds = [3, 1, 4, 15, 9, 2, 6, 5]
    partners = list_partners(seeds)
    assert partners[3] == [1, 4, 15, 9, 2]
    assert partners[2] == [3, 1, 4, 15, 9]
    assert partners[6] == [1, 4, 15, 9, 2]
    assert partners[5] == [4, 15, 9, 2, 6]


def test_a_later_seed_changes_no_earlier_pair_and_from_the_sixth_on_no_score() -> None:
    for count in range(1, 12):
        before, after = list_partners(range(count)), list_partners(range(count + 1))
        for seed in before:
            assert set(before[seed]) <= set(after[seed])
            assert count < 6 or before[seed] == after[seed]


@pytest.mark.parametrize(("cells", "num_seeds", "pairs"), [(7 * 36, 50, 63_000), (36, 7, 1_260)])
def test_the_pairs_of_a_study_are_bounded(cells: int, num_seeds: int, pairs: int) -> None:
    partners = list_partners(range(num_seeds))
    assert cells * sum(map(len, partners.values())) == pairs


def test_what_failed_and_what_nothing_trained_is_no_partner_and_four_seeds_are_too_few(
    finished: Results,
) -> None:
    one = next(
        trial for trial, _ in read_study(finished).wanted_trials() if trial.method == "beta_vae"
    )
    trials = [replace(one, seed=seed) for seed in range(7)]
    trials += [replace(one, seed=seed, method="pca") for seed in range(7)]
    wanted = [WantedTrial(trial, ()) for trial in trials]

    def count(statuses: dict[str, str]) -> list[Any]:
        found = add_comparisons(wanted, ["mig", "udr"], statuses, METHODS)
        return [request.parameters["partners"] for _, asked in found for request in asked]

    done = {trial.trial_id: "done" for trial in trials}
    assert len(count(done)) == 7
    failed = done | {trials[2].trial_id: "failed"}
    assert count(failed) == [
        [1, 3, 4, 5],
        [0, 3, 4, 5],
        [0, 1, 4, 5],
        [0, 1, 3, 5],
        [0, 1, 3, 4],
        [1, 3, 4, 5],
    ]
    assert count({trial.trial_id: "done" for trial in trials[:4]}) == []
