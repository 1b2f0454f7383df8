"""What a simulated cluster is like: how long things take there, and what goes wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..sweep.work.tasks import ScoreTrials, Task, TrainPack


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


@dataclass(frozen=True)
class Faults:
    """What goes wrong, and how often.

    Attributes:
        crash: Shard of attempts that raise something.
        lose: Shard of attempts whose worker is killed, half of them while they commit.
        out_of_memory_above: The largest pack that fits.
        node_life: Mean seconds until a node goes away; infinite by default.
        node_absence: Mean seconds until one comes back.
        slow: Shard of nodes that are slow, and how many times slower.
        orphans: Shard of a killed driver's tasks that go on and commit.
        clock_jumps: Seconds, a standard deviation, by which the driver's clock is off.
        raises: What an attempt at a task always raises, if it does.
    """

    crash: float = 0.0
    lose: float = 0.0
    out_of_memory_above: float = np.inf
    node_life: float = np.inf
    node_absence: float = 600.0
    slow: tuple[float, float] = (0.0, 1.0)
    orphans: float = 0.5
    clock_jumps: float = 0.0
    raises: Callable[[Task], str | None] = lambda task: None


CALM = Faults()
"""Nothing goes wrong."""
