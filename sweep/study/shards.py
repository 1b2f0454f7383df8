"""Shards of a study: several drivers do one each, side by side, without a word between them."""

import heapq
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ... import TeaselError
from ..trials.trial import seeds_first
from .costs import cost
from .remaining import WantedTrial

_MOST_TOGETHER = 64
"""Trials of one program that a shard takes at a time: the largest pack that pays."""


class ShardError(TeaselError):
    """A shard is not written as it should be; says how."""


@dataclass(frozen=True)
class Shard:
    """The `number`-th of `count` shards, from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard that ``3/10`` stands for.

        Raises:
            ShardError: If the text is not of that form, or there is no such shard.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if match:
            shard = cls(int(match[1]), int(match[2]))
            if 1 <= shard.number <= shard.count:
                return shard
        raise ShardError(f"--shard {text}: expected NUMBER/COUNT, as in 3/10, counted from 1")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, everything: Sequence[WantedTrial]) -> list[WantedTrial]:
        """What belongs to this shard, in its order."""
        return divide(everything, self.count)[self.number - 1]


def divide(everything: Sequence[WantedTrial], count: int) -> list[list[WantedTrial]]:
    """What is wanted, in `count` shards: each trial in one of them.

    Every program is cut into parts that make whole packs, each with all of its settings and early
    as well as late seeds, and the costliest part left goes to the shard with the least to do. It
    depends on nothing but what is wanted, so a shard that is begun again is the same one.
    """
    most = min(_MOST_TOGETHER, math.ceil(len(everything) / count))
    loads = [(0.0, number) for number in range(count)]
    place: dict[str, int] = {}
    for seconds, _, part in sorted(_parts(everything, most), reverse=True):
        load, number = loads[0]
        heapq.heapreplace(loads, (load + seconds, number))
        place |= dict.fromkeys(part, number)
    shards: list[list[WantedTrial]] = [[] for _ in range(count)]
    for wanted_trial in everything:
        shards[place[wanted_trial.trial.trial_id]].append(wanted_trial)
    return shards


def _parts(everything: Sequence[WantedTrial], most: int) -> list[tuple[float, int, list[str]]]:
    """Seconds, place and trial_ids of parts of one program, `most` trials in each at the most."""
    wanted = {wanted_trial.trial.trial_id: wanted_trial for wanted_trial in everything}
    programs: dict[object, list[WantedTrial]] = {}
    for trial in seeds_first(wanted_trial.trial for wanted_trial in everything):
        programs.setdefault(trial.program, []).append(wanted[trial.trial_id])
    parts = []
    for members in programs.values():
        num = math.ceil(len(members) / most)
        for first in range(num):
            part = members[first::num]
            bill = cost(part, (), save_models=False, measured={})
            names = [wanted_trial.trial.trial_id for wanted_trial in part]
            parts.append((bill.train_seconds + bill.score_seconds, -len(parts), names))
    return parts
