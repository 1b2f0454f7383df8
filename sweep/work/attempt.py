"""What a worker process does with a task: the work, and a word on how it ended.

What does the work imports JAX, and a worker sets its CPU affinity and environment before that: so
it is imported when a task runs.
"""

import errno
import platform
import time
import traceback
from dataclasses import dataclass
from typing import Any

from ..store.checkpoints import CheckpointError
from ..store.store import MissingFileError, Store, StoreError
from .machine import ClusterError
from .tasks import ScoreTrials, Task, TrainPack

_PATIENCE_SECONDS = 5.0  # for a network file system to show a new file
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True)
class Failure:
    """Why an attempt ended without a result.

    Attributes:
        cause: "exception" (the code's fault), "out_of_memory", "lost" (the worker's or the node's
            end, or that of a file that another driver has removed: nobody's fault), "full" (the
            results folder takes no more from anybody), "store" (it refused for another reason),
            "checkpoint" (what it should go on from is damaged), or "cluster" (the node is not set
            up as it must be).
        exception: One line: type and message.
        traceback: The tail of the traceback.
    """

    cause: str
    exception: str
    traceback: str = ""


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: with a value, or with a failure."""

    task: Task
    value: dict[str, Any] | None = None
    failure: Failure | None = None


def carry_out(task: Task) -> Outcome:
    """Runs a task in this process, and says how it ended."""
    try:
        store = Store(task.results_uri)
        if store.local and not sees(store, "study.json"):  # its node came after `check_shared`
            raise unshared(store, [platform.node()])
        return Outcome(task, value=_do(task))
    except Exception as error:
        line = f"{type(error).__name__}: {error}".split("\n")[0]
        tail = "".join(traceback.format_exception(error))[-4000:]
        return Outcome(task, failure=Failure(_cause(error), line, tail))


def _do(task: Task) -> dict[str, Any]:
    """What the scheduler wants to know of the work, done."""
    if isinstance(task, TrainPack):
        from .train import train

        return train(task)
    if isinstance(task, ScoreTrials):
        from .score import score

        return score(task)
    raise TypeError(f"{type(task).__name__} is no work of its own")


def _cause(error: Exception) -> str:
    if isinstance(error, ClusterError):
        return "cluster"
    if isinstance(error, MissingFileError):
        return "lost"
    if isinstance(error, StoreError):
        return "full" if getattr(error.__cause__, "errno", None) in _FULL else "store"
    if isinstance(error, CheckpointError):
        return "checkpoint"
    exhausted = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
    return "out_of_memory" if exhausted else "exception"


def sees(store: Store, name: str) -> bool:
    """Whether this machine sees a file of a store, at once or a little later."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (seen := store.exists(name)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return seen


def unshared(store: Store, nodes: list[str]) -> ClusterError:
    """The error that these nodes do not see a results folder."""
    return ClusterError(
        f"results folder {store.uri} is not shared with node {', '.join(nodes)}: give --results a "
        "folder that all nodes see, or the URI of an object store"
    )
