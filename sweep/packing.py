"""Which trials train together: those of one program, at one step, as many as pay."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .checkpoints import Checkpoint
from .trials import Trial

MOST_ON_A_CPU = 8
"""On a CPU a pack gains only its start-up; more would only make the steps between looks long."""


class PackedTrials(NamedTuple):
    """Trials that train together, and the checkpoint they go on from, if there is one."""

    trials: tuple[Trial, ...]
    checkpoint: str | None


def make_packs(
    trials: Sequence[Trial], saved: Mapping[str, Checkpoint], size: int | str, slots: int
) -> list[PackedTrials]:
    """The trials in packs, in their order; a pack is as early as its first trial.

    Args:
        trials: In the order in which they should be done.
        saved: The checkpoint of each trial that has one. Only trials of one checkpoint, or of
            none, share a pack.
        size: The most trials in a pack; "auto" spreads a program's trials over the slots.
        slots: How many packs can run at a time.
    """
    groups: dict[Any, list[Trial]] = {}
    for trial in trials:
        checkpoint = saved.get(trial.trial_id)
        groups.setdefault((trial.program, checkpoint), []).append(trial)
    place = {trial.trial_id: index for index, trial in enumerate(trials)}
    packs = []
    for (_, checkpoint), members in groups.items():
        most = size
        if isinstance(most, str):
            most = min(MOST_ON_A_CPU, math.ceil(len(members) / slots))
        for first in range(0, len(members), most):
            pack = tuple(members[first : first + most])
            packs.append(PackedTrials(pack, checkpoint.name if checkpoint else None))
    return sorted(packs, key=lambda pack: place[pack.trials[0].trial_id])
