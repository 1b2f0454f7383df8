"""Who carries tasks out: the protocol that the scheduler speaks."""

import uuid
from typing import Protocol

from ..store.store import Store
from ..work.attempt import Outcome, not_shared
from ..work.tasks import Demand, Place, Task


class Executor(Protocol):
    """Carries out tasks, many at a time; knows nothing of studies."""

    def machines(self) -> list[Demand]:
        """What each machine offers, now: a task must fit into one."""
        ...

    def accelerator_bytes(self, share: float) -> int | None:
        """The memory of a share of one accelerator; None if there is none."""
        ...

    def blind_to(self, store: Store, name: str) -> list[str]:
        """The machines that do not see a file that this process has written to a store."""
        ...

    def grow(self, num_waiting: int) -> None:
        """Says how many trials wait for a machine, to a cluster that can grow."""
        ...

    def avoid(self, place: Place, demand: Demand) -> bool:
        """Gives no more work to a place, and returns True; False if there is no other.

        `demand` is that of the attempt that has failed there.
        """
        ...

    def readmit(self, place: Place) -> None:
        """Gives work to a place again."""
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
        raise not_shared(store, sorted(blind))
