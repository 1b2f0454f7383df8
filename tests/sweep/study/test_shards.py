"""A study in shares: disjoint, complete, even, in few programs, and the same at every start."""

import pytest

from teasel.sweep.grid.grid import load_grid
from teasel.sweep.study.remaining import Wanted
from teasel.sweep.study.shards import Share, ShareError, divide
from teasel.sweep.study.study import work
from teasel.sweep.trials.request import MetricRequest
from teasel.sweep.trials.trial import Training, Trial

REQUEST = MetricRequest.of("mean", "mig", {"num_train": 10})


def wanted(num_settings: int, num_seeds: int) -> list[Wanted]:
    return [
        Wanted(Trial("dsprites", "beta_vae", {"beta": float(beta)}, seed, Training()), (REQUEST,))
        for beta in range(num_settings)
        for seed in range(num_seeds)
    ]


@pytest.fixture(scope="module")
def everything() -> list[Wanted]:
    return work([load_grid("locatello2019")[0]])


@pytest.mark.parametrize("count", [1, 3, 512])
def test_every_trial_of_the_study_is_in_just_one_share(
    everything: list[Wanted], count: int
) -> None:
    shares = divide(everything, count)
    ids = [some.trial.trial_id for share in shares for some in share]
    assert len(shares) == count
    assert len(ids) == len(set(ids)) == len(everything) == 12_600


def test_ten_shares_of_the_study_have_whole_packs_and_equal_work(everything: list[Wanted]) -> None:
    for share in divide(everything, 10):
        assert len(share) == pytest.approx(1260, rel=0.15)
        # 300 trials of each of the 42 programs make five parts of 60: 21 a share.
        assert len(share) / len({some.trial.program for some in share}) > 30


def test_a_share_is_the_same_at_every_start(everything: list[Wanted]) -> None:
    assert Share(2, 7).of(everything) == divide(everything, 7)[1]


def test_a_share_has_early_and_late_seeds_of_every_setting() -> None:
    share = Share(2, 5).of(wanted(6, 50))
    seeds = sorted(some.trial.seed for some in share)
    assert seeds[0] < 2
    assert seeds[-1] > 47
    assert len({some.trial.setting for some in share}) == 6


def test_a_study_smaller_than_the_number_of_shares_leaves_some_empty() -> None:
    assert sorted(len(share) for share in divide(wanted(1, 2), 4)) == [0, 0, 1, 1]


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/3/5"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ShareError, match="expected NUMBER/COUNT, as in 3/10"):
        Share.parse(text)


def test_a_share_reads_as_it_is_written() -> None:
    assert str(Share.parse("3/10")) == "3/10"
