"""Divides a study into shards, which several drivers can run side by side independently."""

import heapq
import math
from collections.abc import Sequence

from ..trials.trial import seeds_first
from .costs import cost
from .remaining import WantedTrial
from .shards import Shard

_MOST_TOGETHER = 64
"""Trials of one program that a shard takes at a time: the largest worthwhile pack."""


def take_shard(everything: Sequence[WantedTrial], shard: Shard) -> list[WantedTrial]:
    """The trials of a shard, in order."""
    return divide(everything, shard.count)[shard.number - 1]


def divide(everything: Sequence[WantedTrial], count: int) -> list[list[WantedTrial]]:
    """The wanted trials, divided into `count` shards.

    Every program is cut into parts of whole packs, each with all of its settings and with early and
    late seeds. The costliest remaining part goes to the shard with the least work. The result
    depends only on the wanted trials, so a restarted shard is the same.
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
    """Seconds, index and trial_ids of the parts of one program, with at most `most` trials each."""
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
