"""What a simulated cluster is like: how long things take there, and what goes wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...sweep.trials.trial import Trial
from ...sweep.work.attempt import Failure
from ...sweep.work.tasks import ScoreTrials, Task, TrainPack


class Durations(NamedTuple):
    """Seconds that things take on a machine of speed 1.

    Attributes:
        start: Of a process, until it has its data.
        compile: Of a program that nobody has compiled for a pack of this size.
        step: Of a pack.
        encode: Of a pack, from its last step to its rows.
        score: Of the trials of a scoring.
    """

    start: Callable[[Task], float]
    compile: Callable[[TrainPack], float]
    step: Callable[[TrainPack], float]
    encode: Callable[[TrainPack], float]
    score: Callable[[ScoreTrials], float]


INSTANT = Durations(
    start=lambda task: 0.0,
    compile=lambda task: 0.0,
    step=lambda task: 0.0,
    encode=lambda task: 0.0,
    score=lambda task: 0.0,
)
"""Everything is done as soon as it begins."""


@dataclass(frozen=True)
class Faults:
    """What goes wrong, and how often.

    Attributes:
        crash: Share of attempts that raise something.
        lose: Share of attempts whose worker is killed, half of them while they commit.
        out_of_memory_above: The largest pack that fits.
        node_life: Mean seconds until a node goes away; infinite by default.
        node_absence: Mean seconds until one comes back.
        slow: Share of nodes that are slow, and how many times slower.
        orphans: Share of a killed driver's tasks that go on and commit.
        clock_jumps: Seconds, a standard deviation, by which the driver's clock is off.
        fails: How an attempt at a task fails for a reason of its own, if it does; asked once, when
            the attempt begins.
        broken: Places at which every attempt on an accelerator raises within a second, as "n0" or
            "n0, GPU 3".
        broken_since: Seconds from the beginning until they break, with what runs on them.
        diverges: Whether the loss of a trained model is no number.
    """

    crash: float = 0.0
    lose: float = 0.0
    out_of_memory_above: float = np.inf
    node_life: float = np.inf
    node_absence: float = 600.0
    slow: tuple[float, float] = (0.0, 1.0)
    orphans: float = 0.5
    clock_jumps: float = 0.0
    fails: Callable[[Task], Failure | None] = lambda task: None
    broken: frozenset[str] = frozenset()
    broken_since: float = 0.0
    diverges: Callable[[Trial], bool] = lambda trial: False


CALM = Faults()
"""Nothing goes wrong."""
