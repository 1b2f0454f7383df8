"""Which trials train together: those of one program, at one step, as many as pay."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..models import METHODS, Memory, Settings, pack_memory, pack_size
from .checkpoints import Checkpoint
from .data import definition
from .references import REFERENCES
from .trials import Trial

MOST_ON_A_CPU = 8
"""On a CPU a pack gains only its start-up; more would only make the steps between looks long."""


class PackedTrials(NamedTuple):
    """Trials that train together, and the checkpoint they go on from, if there is one."""

    trials: tuple[Trial, ...]
    checkpoint: str | None


class Slots(NamedTuple):
    """Where packs can run.

    Attributes:
        num: How many at a time.
        accelerator_bytes: The memory that each has on its accelerator; None on a CPU.
    """

    num: int
    accelerator_bytes: int | None = None


def make_packs(
    trials: Sequence[Trial], saved: Mapping[str, Checkpoint], size: int | str, slots: Slots
) -> list[PackedTrials]:
    """The trials in packs, in their order; a pack is as early as its first trial.

    Args:
        trials: In the order in which they should be done.
        saved: The checkpoint of each trial that has one. Only trials of one checkpoint, or of
            none, share a pack.
        size: The most trials in a pack; "auto" spreads a program's trials over the slots, within
            what an accelerator's memory holds.
        slots: Where they can run.
    """
    groups: dict[Any, list[Trial]] = {}
    for trial in trials:
        checkpoint = saved.get(trial.trial_id)
        groups.setdefault((trial.program, checkpoint), []).append(trial)
    place = {trial.trial_id: index for index, trial in enumerate(trials)}
    packs = []
    for (_, checkpoint), members in groups.items():
        most = _auto(members, slots) if isinstance(size, str) else size
        for first in range(0, len(members), most):
            pack = tuple(members[first : first + most])
            packs.append(PackedTrials(pack, checkpoint.name if checkpoint else None))
    return sorted(packs, key=lambda pack: place[pack.trials[0].trial_id])


def memory_of(trial: Trial, num_replicas: int, on_cpu: bool) -> Memory:
    """The memory of a pack of such trials; arithmetic only, no backend is started."""
    data, training = definition(trial), trial.training
    settings = Settings(training.steps, training.batch_size, training.num_latents)
    return pack_memory(
        METHODS[trial.method],
        settings,
        data.image_shape,
        data.num_bytes,
        num_replicas,
        on_cpu=on_cpu,
    )


def _auto(members: Sequence[Trial], slots: Slots) -> int:
    share = math.ceil(len(members) / slots.num)
    if slots.accelerator_bytes is None or members[0].method in REFERENCES:
        return min(MOST_ON_A_CPU, share)
    return pack_size(share, memory_of(members[0], 1, on_cpu=False), slots.accelerator_bytes)
