"""The protocol between the scheduler and what executes its tasks."""

import uuid
from typing import Protocol

from ..store.store import Store
from ..work.attempt import Outcome, not_shared
from ..work.tasks import Demand, Place, Task


class Executor(Protocol):
    """Executes tasks, many at a time, without knowing about studies.

    What is written out here is that of one machine without an accelerator.
    """

    def machines(self) -> list[Demand]:
        """What each machine offers now. A task must fit into one."""
        ...

    def accelerator_bytes(self, share: float) -> int | None:
        """The memory of a share of one accelerator; None if there is none."""
        return None

    def blind_to(self, store: Store, name: str) -> list[str]:
        """The machines that do not see a file which this process has written to a store."""
        return []

    def grow(self, num_waiting: int) -> None:
        """Tells a cluster that can grow how many trials wait for a machine."""

    def avoid(self, place: Place, demand: Demand) -> bool:
        """Gives no more work to a place, and returns True; False if there is no other.

        `demand` is that of the attempt that has failed there.
        """
        return False

    def readmit(self, place: Place) -> None:
        """Gives work to a place again."""

    def submit(self, task: Task) -> None:
        """Starts an attempt."""
        ...

    def wait(self, seconds: float) -> list[Outcome]:
        """Waits up to `seconds` for attempts to end, and returns those that have."""
        ...

    def shutdown(self) -> None:
        """Ends all running tasks at once."""
        ...


def check_shared(store: Store, executor: Executor) -> None:
    """Checks that every machine sees what this process writes.

    Raises:
        ClusterError: If a machine does not; the message says which.
    """
    name = f"running/probe-{uuid.uuid4().hex}"
    store.write(name, b"")
    try:
        blind = executor.blind_to(store, name)
    finally:
        store.remove(name)
    if blind:
        raise not_shared(store, sorted(blind))
