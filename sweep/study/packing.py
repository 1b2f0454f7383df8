"""Packs trials that train together: trials of one program, at one step, as many as worthwhile."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ...datasets.feed import STEPS, fits
from ...models import METHODS, PACK_SIZES, Memory, pack_memory, pack_size
from ..store.checkpoints import Checkpoint
from ..trials.data import definition
from ..trials.references import REFERENCES
from ..trials.trial import Trial
from .costs import train_seconds

MOST_ON_A_CPU = 8
"""The largest pack on a CPU, where packing saves only start-up time and lengthens each step."""


class PackedTrials(NamedTuple):
    """Trials that train together, and the checkpoint that they resume from, if any."""

    trials: tuple[Trial, ...]
    checkpoint: Checkpoint | None

    def cut(self, most: int) -> "list[PackedTrials]":
        """The same trials, in packs of at most `most`."""
        return [
            PackedTrials(self.trials[first : first + most], self.checkpoint)
            for first in range(0, len(self.trials), most)
        ]


class Slots(NamedTuple):
    """The slots in which packs can run.

    Attributes:
        num: The number of packs that run at a time.
        accelerator_bytes: The accelerator memory of each slot; None on a CPU.
    """

    num: int
    accelerator_bytes: int | None = None


class Backlog:
    """Trials that wait for training, in order.

    A pack is formed when a slot is free, with an equal share of all unfinished work. Packs are
    large while much is left and get smaller towards the end, so that no slot idles while another
    has a long pack.

    Args:
        trials: The trials, in the order in which to train them.
        saved: The checkpoint of each trial that has one. Only trials of one checkpoint, or of
            none, share a pack.
        size: The most trials in a pack, or "auto".
    """

    def __init__(
        self, trials: Sequence[Trial], saved: Mapping[str, Checkpoint], size: int | str
    ) -> None:
        self._size = size
        self._most: dict[Any, int] = {}
        self._place = {trial.trial_id: place for place, trial in enumerate(trials)}
        self._again: deque[PackedTrials] = deque()
        self._groups: dict[Any, deque[Trial]] = {}
        for trial in trials:
            key = (trial.program, saved.get(trial.trial_id))
            self._groups.setdefault(key, deque()).append(trial)
        seconds = [len(group) * _seconds(group[0]) for group in self._groups.values()]
        self._mean_seconds = sum(seconds) / max(1, len(trials))

    def __len__(self) -> int:
        again = sum(len(pack.trials) for pack in self._again)
        return again + sum(len(group) for group in self._groups.values())

    @property
    def heads(self) -> list[Trial]:
        """One trial of every kind that waits."""
        return [pack.trials[0] for pack in self._again] + [g[0] for g in self._groups.values()]

    def take(
        self, slots: Slots, unfinished: float, accepts: Callable[[Trial], bool]
    ) -> PackedTrials | None:
        """The pack to start now, of a program whose trials are accepted; None if there is none.

        Packs that have failed before go first, then the pack whose first trial is the earliest.

        Args:
            slots: The slots in which packs can run.
            unfinished: Number of waiting or training trials; one half done counts half.
            accepts: Whether trials like this one can start.
        """
        for pack in self._again:
            if accepts(pack.trials[0]):
                self._again.remove(pack)
                most = self._most.get(pack.trials[0].program, len(pack.trials))
                first, *rest = pack.cut(most)
                self._again.extendleft(reversed(rest))
                return first
        keys = [key for key, group in self._groups.items() if accepts(group[0])]
        if not keys:
            return None
        key = min(keys, key=lambda key: self._place[self._groups[key][0].trial_id])
        group, checkpoint = self._groups[key], key[1]
        size = min(len(group), self._pack_size(group[0], slots, unfinished))
        trials = tuple(group.popleft() for _ in range(size))
        if not group:
            del self._groups[key]
        return PackedTrials(trials, checkpoint)

    def put_back(self, packs: Iterable[PackedTrials]) -> None:
        """Queues packs that are to be tried again unchanged."""
        self._again += packs

    def limit(self, program: Any, most: int) -> None:
        """Limits later packs of a program to `most` trials."""
        self._most[program] = min(most, self._most.get(program, most))

    def give_up(self, program: Any) -> list[Trial]:
        """Removes all waiting trials of a program."""
        given_up = [pack for pack in self._again if pack.trials[0].program == program]
        self._again = deque(pack for pack in self._again if pack not in given_up)
        trials = [trial for pack in given_up for trial in pack.trials]
        for key in [key for key in self._groups if key[0] == program]:
            trials += self._groups.pop(key)
        return trials

    def _pack_size(self, trial: Trial, slots: Slots, unfinished: float) -> int:
        most = self._most.get(trial.program)
        if not isinstance(self._size, str):
            return min(self._size, most or self._size)
        if most is None:
            most = self._most[trial.program] = largest_pack(trial, slots.accelerator_bytes)
        share = unfinished / slots.num * self._mean_seconds / _seconds(trial)
        # The nearest size: what is left over makes smaller packs; a larger one is waited for.
        return min(most, max(1, math.floor(share + 0.5)))


def make_packs(
    trials: Sequence[Trial], saved: Mapping[str, Checkpoint], size: int | str, slots: Slots
) -> list[PackedTrials]:
    """The packs of a study, as if all of them could start at once (see `Backlog`)."""
    backlog = Backlog(trials, saved, size)
    packs = []
    while (pack := backlog.take(slots, len(trials), lambda trial: True)) is not None:
        packs.append(pack)
    return packs


def _seconds(trial: Trial) -> float:
    """The relative cost of a training; a reference costs hardly anything."""
    return max(1.0, train_seconds(trial, measured={}))


def largest_pack(trial: Trial, accelerator_bytes: int | None, platform: str = "gpu") -> int:
    """The most trials like this one that can train together in this accelerator memory."""
    if accelerator_bytes is None or trial.method in REFERENCES:
        return MOST_ON_A_CPU
    memory = memory_of(trial, 1, platform)
    if not fits(memory.data, accelerator_bytes):  # it stays on the host, which sends windows
        window = STEPS * trial.training.batch_size * math.prod(definition(trial).row_shape)
        memory = memory._replace(data=0, activations=memory.activations + 2 * window)
    return pack_size(max(PACK_SIZES), memory, accelerator_bytes)


def memory_of(trial: Trial, num_replicas: int, platform: str) -> Memory:
    """The memory of a pack of such trials, computed without starting a backend."""
    data = definition(trial)
    return pack_memory(
        METHODS[trial.method],
        trial.training,
        data.image_shape,
        data.num_bytes,
        num_replicas,
        platform=platform,
    )
