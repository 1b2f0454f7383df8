import numpy as np
import pytest

from teasel.analysis.statistics.contest import hold_contest

NAMES = ["a", "b", "c"]


def means(values: np.ndarray):
    return lambda counts: values @ counts / counts.sum()


def noise(num_seeds: int, *centres: float) -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=(len(centres), num_seeds))
    return drawn + np.array(centres)[:, None]


def test_a_number_far_above_the_others_is_told_and_two_alike_are_a_tie() -> None:
    values = noise(12, 0, 10, 0)
    contest = hold_contest(NAMES, means(values), 12, 12)
    assert contest.highest == [1]
    assert sorted(contest.lowest) == [0, 2]
    values[2] += 10
    tied = hold_contest(NAMES, means(values), 12, 12)
    assert sorted(tied.highest) == [1, 2]
    assert tied.lowest == [0]


def test_noise_tells_nothing_and_what_all_seeds_say_alike_is_told() -> None:
    contest = hold_contest(NAMES, means(noise(12, 0, 0, 0)), 12, 12)
    assert sorted(contest.highest) == sorted(contest.lowest) == [0, 1, 2]
    still = np.repeat([[0.5], [0.5], [0.75]], 12, axis=1)
    assert hold_contest(NAMES, means(still), 12, 12).highest == [2]
    # What is common to all numbers of a seed tells them apart no less.
    shared = still + 100 * np.random.default_rng(1).normal(size=12)
    assert hold_contest(NAMES, means(shared), 12, 12).highest == [2]


def test_few_seeds_tell_nothing_however_far_apart() -> None:
    contest = hold_contest(NAMES, means(noise(9, 0, 10, 0)), 9, 9)
    assert len(contest.highest) == 3
    assert np.isnan(contest.low).all()


def test_what_is_no_number_takes_no_part_nor_does_what_is_left_out() -> None:
    values = noise(12, 0, 10, 0)
    values[0] = np.nan
    contest = hold_contest(NAMES, means(values), 12, 12)
    assert contest.names == ("b", "c")
    assert contest.highest == [0]
    alone = contest.without("b")
    assert (alone.names, alone.highest, alone.values.tolist()) == (
        ("c",),
        [0],
        [pytest.approx(values[2].mean())],
    )
