"""A study in shards: disjoint, complete, even, in few programs, and the same at every start."""

import pytest

from teasel.models import Settings
from teasel.sweep.grid.grid import load_grid
from teasel.sweep.study.divide import divide, take_shard
from teasel.sweep.study.remaining import WantedTrial
from teasel.sweep.study.shards import Shard, ShardError
from teasel.sweep.study.study import wanted_trials
from teasel.sweep.trials.request import MetricRequest
from teasel.sweep.trials.trial import Trial

REQUEST = MetricRequest.of("mean", "mig", {"num_train": 10})


def wanted(num_settings: int, num_seeds: int) -> list[WantedTrial]:
    return [
        WantedTrial(
            Trial("dsprites", "beta_vae", {"beta": float(beta)}, seed, Settings()), (REQUEST,)
        )
        for beta in range(num_settings)
        for seed in range(num_seeds)
    ]


@pytest.fixture(scope="module")
def everything() -> list[WantedTrial]:
    return wanted_trials([load_grid("locatello2019")[0]])


@pytest.mark.parametrize("count", [1, 3, 512])
def test_every_trial_of_the_study_is_in_just_one_shard(
    everything: list[WantedTrial], count: int
) -> None:
    shards = divide(everything, count)
    ids = [wanted_trial.trial.trial_id for shard in shards for wanted_trial in shard]
    assert len(shards) == count
    assert len(ids) == len(set(ids)) == len(everything) == 12_600


def test_ten_shards_of_the_study_have_whole_packs_and_equal_work(
    everything: list[WantedTrial],
) -> None:
    for shard in divide(everything, 10):
        assert len(shard) == pytest.approx(1260, rel=0.15)
        # 300 trials of each of the 42 programs make five parts of 60: 21 a shard.
        assert len(shard) / len({wanted_trial.trial.program for wanted_trial in shard}) > 30


def test_a_shard_is_the_same_at_every_start(everything: list[WantedTrial]) -> None:
    assert take_shard(everything, Shard(2, 7)) == divide(everything, 7)[1]


def test_a_shard_has_early_and_late_seeds_of_every_setting() -> None:
    shard = take_shard(wanted(6, 50), Shard(2, 5))
    seeds = sorted(wanted_trial.trial.seed for wanted_trial in shard)
    assert seeds[0] < 2
    assert seeds[-1] > 47
    assert len({wanted_trial.trial.setting for wanted_trial in shard}) == 6


def test_a_study_smaller_than_the_number_of_shards_leaves_some_empty() -> None:
    assert sorted(len(shard) for shard in divide(wanted(1, 2), 4)) == [0, 0, 1, 1]


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/3/5"])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ShardError, match="expected NUMBER/COUNT, such as 3/10"):
        Shard.parse(text)


def test_a_shard_reads_as_it_is_written() -> None:
    assert str(Shard.parse("3/10")) == "3/10"
