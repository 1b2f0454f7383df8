"""Executes tasks in this process, one after another: for one core, notebooks and tests."""

import time
from collections import deque

from ..work.attempt import Outcome, carry_out
from ..work.tasks import Demand, Task
from .executor import Executor


class InProcess(Executor):
    """An executor that runs tasks in this process, one after another, during `wait`."""

    def __init__(self) -> None:
        self._queue: deque[Task] = deque()

    def machines(self) -> list[Demand]:
        """One machine with one CPU."""
        return [Demand(cpus=1)]

    def submit(self, task: Task) -> None:
        """Adds the task to the end of the queue."""
        self._queue.append(task)

    def wait(self, seconds: float) -> list[Outcome]:
        """Runs the first task in the queue, however long it takes."""
        if self._queue:
            return [carry_out(self._queue.popleft())]
        time.sleep(seconds)
        return []

    def shutdown(self) -> None:
        """Empties the queue."""
        self._queue.clear()
