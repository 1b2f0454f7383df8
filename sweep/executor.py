"""Who carries tasks out: the protocol that the scheduler speaks, and this process."""

import errno
import platform
import time
import traceback
import uuid
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from .. import TeaselError
from .checkpoints import CheckpointError
from .store import MissingFileError, Store, StoreError
from .tasks import Demand, Task

_PATIENCE_SECONDS = 5.0  # for a network file system to show a new file
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class ClusterError(TeaselError):
    """There is no usable cluster; says what was tried."""


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


class Executor(Protocol):
    """Carries out tasks, many at a time; knows nothing of studies."""

    def machines(self) -> list[Demand]:
        """What each machine offers, now: a task must fit into one."""
        ...

    def accelerator_bytes(self) -> int | None:
        """The memory of one accelerator; None if there is none."""
        ...

    def blind_to(self, store: Store, name: str) -> list[str]:
        """The machines that do not see a file that this process has written to a store."""
        ...

    def grow(self, num_waiting: int) -> None:
        """Says how many trials wait for a machine, to a cluster that can grow."""
        ...

    def submit(self, task: Task) -> None:
        """Begins an attempt."""
        ...

    def wait(self, seconds: float) -> list[Outcome]:
        """The attempts that have ended, after at most `seconds` if there is none yet."""
        ...

    def shutdown(self) -> None:
        """Ends what still runs, at once."""
        ...


class InProcess:
    """Carries tasks out in this process, one after another, when it is waited for."""

    def __init__(self) -> None:
        self._queue: deque[Task] = deque()

    def machines(self) -> list[Demand]:
        """One, of one CPU."""
        return [Demand(cpus=1)]

    def accelerator_bytes(self) -> int | None:
        """No accelerator."""
        return None

    def blind_to(self, store: Store, name: str) -> list[str]:
        """None: there is no other machine."""
        return []

    def grow(self, num_waiting: int) -> None:
        """Does nothing: one process stays one."""

    def submit(self, task: Task) -> None:
        """Puts the task at the end of the queue."""
        self._queue.append(task)

    def wait(self, seconds: float) -> list[Outcome]:
        """Does the first task of the queue, however long it takes."""
        if self._queue:
            return [carry_out(self._queue.popleft())]
        time.sleep(seconds)
        return []

    def shutdown(self) -> None:
        """Forgets the queue."""
        self._queue.clear()


def check_shared(store: Store, executor: Executor) -> None:
    """Makes sure that every machine sees what this process writes.

    Raises:
        ClusterError: If one does not; says which.
    """
    name = f"running/probe-{uuid.uuid4().hex}"
    store.write(name, b"")
    try:
        blind = executor.blind_to(store, name)
    finally:
        store.remove(name)
    if blind:
        raise _unshared(store, sorted(blind))


def sees(store: Store, name: str) -> bool:
    """Whether this machine sees a file of a store, at once or a little later."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (seen := store.exists(name)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return seen


def _unshared(store: Store, nodes: list[str]) -> ClusterError:
    return ClusterError(
        f"results folder {store.uri} is not shared with node {', '.join(nodes)}: give --results a "
        "folder that all nodes see, or the URI of an object store"
    )


def carry_out(task: Task) -> Outcome:
    """Runs a task in this process, and says how it ended."""
    try:
        store = Store(task.results)
        if store.local and not sees(store, "study.json"):  # its node came after `check_shared`
            raise _unshared(store, [platform.node()])
        return Outcome(task, value=task.run())
    except Exception as error:
        line = f"{type(error).__name__}: {error}".split("\n")[0]
        tail = "".join(traceback.format_exception(error))[-4000:]
        return Outcome(task, failure=Failure(_cause(error), line, tail))


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
