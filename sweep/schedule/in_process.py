"""Tasks in this process, one after another: for one core, for a notebook, for tests."""

import time
from collections import deque

from ..store.store import Store
from ..work.attempt import Outcome, carry_out
from ..work.tasks import Demand, Place, Task


class InProcess:
    """Carries tasks out in this process, one after another, when it is waited for."""

    def __init__(self) -> None:
        self._queue: deque[Task] = deque()

    def machines(self) -> list[Demand]:
        """One, of one CPU."""
        return [Demand(cpus=1)]

    def accelerator_bytes(self, share: float) -> int | None:
        """No accelerator."""
        return None

    def blind_to(self, store: Store, name: str) -> list[str]:
        """None: there is no other machine."""
        return []

    def grow(self, num_waiting: int) -> None:
        """Does nothing: one process stays one."""

    def avoid(self, place: Place, demand: Demand) -> bool:
        """There is no other machine."""
        return False

    def readmit(self, place: Place) -> None:
        """Does nothing: the only machine is never avoided."""

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
