"""How trials are put into packs, before anything runs."""

from collections.abc import Iterator
from functools import cache

import pytest

from teasel.models import Settings, pack_memory
from teasel.sweep.grid.grid import load_grid
from teasel.sweep.study.costs import train_seconds
from teasel.sweep.study.packing import (
    Backlog,
    PackedTrials,
    Slots,
    largest_pack,
    make_packs,
    memory_of,
)
from teasel.sweep.trials.trial import Trial, seeds_first

MEMORY = 140 * 10**9


@pytest.fixture(scope="module", autouse=True)
def _trace_programs_once() -> Iterator[None]:
    """The memory of a program is traced for the first test that asks for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("teasel.sweep.study.packing.pack_memory", cache(pack_memory))
        yield


@pytest.fixture(scope="module")
def study() -> list[Trial]:
    return seeds_first(load_grid("locatello2019")[0].trials())


def trials_of(num: int, dataset: str = "dsprites") -> list[Trial]:
    return [Trial(dataset, "beta_vae", {"beta": 1.0}, seed, Settings()) for seed in range(num)]


def test_a_slot_of_512_gets_one_pack_and_all_cost_about_the_same(study: list[Trial]) -> None:
    packs = make_packs(study, {}, "auto", Slots(512, MEMORY))
    assert 512 <= len(packs) <= 512 + 42  # each of the 42 programs may leave a rest
    seconds = sorted(sum(train_seconds(trial, {}) for trial in pack.trials) for pack in packs)
    assert seconds[-1] < 1.2 * seconds[len(seconds) // 2]


def test_one_accelerator_gets_the_largest_packs(study: list[Trial]) -> None:
    packs = make_packs(study, {}, "auto", Slots(1, MEMORY))
    assert max(len(pack.trials) for pack in packs) == 64
    assert len(packs) == 42 * 5  # 300 trials of a program: four times 64, and 44


def test_a_data_set_that_stays_on_the_host_leaves_the_accelerator_to_the_models() -> None:
    trial = trials_of(1, "shapes3d")[0]
    memory = memory_of(trial, 1, "gpu")
    windows = 2 * 25 * 64 * 64 * 64 * 3  # of 25 steps each, by the bytes of their images
    model = memory.total - memory.data + windows
    size = largest_pack(trial, memory.data)
    assert 1 < size < 64
    assert size * model <= 0.8 * memory.data < 2 * size * model


def test_packs_get_smaller_when_little_is_left() -> None:
    backlog = Backlog(trials_of(100), {}, "auto")
    slots = Slots(4, MEMORY)
    sizes = [
        len(pack.trials)
        for unfinished in (400, 100, 10, 2)
        if (pack := backlog.take(slots, unfinished, lambda trial: True))
    ]
    assert sizes == [64, 25, 3, 1]


def test_a_program_that_does_not_fit_comes_in_smaller_packs_also_what_waits_to_be_tried_again() -> (
    None
):
    trials = trials_of(12)
    backlog = Backlog(trials[6:], {}, 6)
    backlog.put_back([PackedTrials(tuple(trials[:6]), "saved")])
    backlog.limit(trials[0].program, 4)
    packs = [backlog.take(Slots(1), 12, lambda trial: True) for _ in range(4)]
    assert [(len(pack.trials), pack.checkpoint) for pack in packs if pack] == [
        (4, "saved"),
        (2, "saved"),
        (4, None),
        (2, None),
    ]
    assert len(backlog) == 0


def test_a_program_is_given_up_as_a_whole() -> None:
    bad, good = trials_of(4), trials_of(3, "cars3d")
    backlog = Backlog([*bad[1:], *good], {}, 2)
    backlog.put_back([PackedTrials((bad[0],), None)])
    assert {trial.trial_id for trial in backlog.give_up(bad[0].program)} == {
        trial.trial_id for trial in bad
    }
    assert len(backlog) == len(good)


def test_the_quick_start_trains_two_and_two_not_three_and_one() -> None:
    packs = make_packs(seeds_first(load_grid("quickstart")[0].trials()), {}, "auto", Slots(2))
    models = [len(pack.trials) for pack in packs if pack.trials[0].method == "beta_tc_vae"]
    assert models == [2, 2]
