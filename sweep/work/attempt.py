"""Runs a task in a worker process, and reports how it ended.

The modules that do the work import JAX. They are imported only when a task runs, because a worker
must set its CPU affinity and environment first.
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
from .tasks import NOWHERE, Place, ScoreTrials, Task, TrainPack

_PATIENCE_SECONDS = 5.0  # for a network file system to show a new file
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_BROKEN = (*_FULL, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ESTALE)  # whoever asks
_MOST_CHARACTERS = 4000  # of what an exception says


@dataclass(frozen=True)
class Failure:
    """Why an attempt ended without a result.

    Attributes:
        cause: "exception" (a fault of the code), "out_of_memory", "lost" (the worker or node ended,
            or another driver removed a file; nobody's fault), "full" (the results folder is full
            for everybody), "store" (it refused for another reason), "checkpoint" (the checkpoint
            to resume from is damaged), "cluster" (the node is set up incorrectly), or "machine"
            (it lacks space, rights or data).
        message: The exception's message, on one line.
        exception_type: The name of the exception's class, if there was an exception.
        traceback: The end of the traceback.
    """

    cause: str
    message: str
    exception_type: str | None = None
    traceback: str = ""

    @classmethod
    def of(cls, cause: str, error: BaseException, traceback: str = "") -> "Failure":
        """The failure for an exception."""
        message = str(error).strip().partition("\n")[0][:_MOST_CHARACTERS]
        return cls(cause, message, type(error).__name__, traceback)

    def __str__(self) -> str:
        return describe(self.exception_type, self.message)


def describe(exception_type: str | None, message: str) -> str:
    """An exception in one line, as Python shows it.

    >>> describe("OSError", "no space left"), describe(None, "the program was stopped")
    ('OSError: no space left', 'the program was stopped')
    """
    return f"{exception_type}: {message}" if exception_type else message


def without_attempt(message: str, attempt_id: str) -> str:
    """The message with the attempt's name replaced, so that messages of attempts can be compared.

    >>> without_attempt("cannot read models/0a1-7f-train-1.safetensors", "0a1-7f-train-1")
    'cannot read models/ATTEMPT.safetensors'
    """
    return message.replace(attempt_id, "ATTEMPT")


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: with a value, or with a failure.

    Attributes:
        task: The attempted task.
        value: The result for the scheduler.
        failure: Why there is no value.
        at: The trial ID, and the index of its score, at which the process ended.
        place: Where it ran.
    """

    task: Task
    value: dict[str, Any] | None = None
    failure: Failure | None = None
    at: tuple[str, int] | None = None
    place: Place = NOWHERE


def carry_out(task: Task) -> Outcome:
    """Runs a task in this process and returns its outcome."""
    try:
        store = Store(task.results_uri)
        if store.local and not sees(store, "study.json"):  # its node came after `check_shared`
            raise not_shared(store, [platform.node()])
        return Outcome(task, value=_do(task))
    except (Exception, SystemExit) as error:
        tail = "".join(traceback.format_exception(error))[-_MOST_CHARACTERS:]
        return Outcome(task, failure=Failure.of(_cause(error), error, tail))


def _do(task: Task) -> dict[str, Any]:
    """Does the work and returns the result for the scheduler."""
    if isinstance(task, TrainPack):
        from .train import train

        return train(task)
    if isinstance(task, ScoreTrials):
        from .score import score

        return score(task)
    raise TypeError(f"{type(task).__name__} is not a known kind of task")


def _cause(error: BaseException) -> str:
    if isinstance(error, ClusterError):
        return "cluster"
    if isinstance(error, MissingFileError):
        return "lost"
    if isinstance(error, StoreError):
        return "full" if getattr(error.__cause__, "errno", None) in _FULL else "store"
    if isinstance(error, CheckpointError):
        return "checkpoint"
    if _is_machines(error):
        return "machine"
    exhausted = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
    return "out_of_memory" if exhausted else "exception"


def _is_machines(error: BaseException) -> bool:
    """Whether the error is caused by the machine or its data, not by the task."""
    from ...datasets import DataError
    from .score import MetricError

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__
    if isinstance(error, MetricError):  # of somebody's own, which may name files that aren't there
        return cause is not None and cause.errno in _BROKEN
    return cause is not None or isinstance(error, DataError)


def sees(store: Store, name: str) -> bool:
    """Whether this machine sees a file of a store, at once or after a short wait."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (seen := store.exists(name)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return seen


def not_shared(store: Store, nodes: list[str]) -> ClusterError:
    """The error for nodes that do not see a results folder."""
    return ClusterError(
        f"results folder {store.uri} is not shared with node {', '.join(nodes)}: give --results a "
        "folder that all nodes see, or the URI of an object store"
    )
