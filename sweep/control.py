"""Files by which a driver and its workers talk while a sweep runs; informative, never truth."""

import contextlib
import json
import time
from collections.abc import Iterable
from typing import Any

from .store import Store, StoreError


class Control:
    """The running folder of a results folder, for one run.

    Workers may sit on other machines, so everything goes through the store: a drain flag that
    workers look at between chunks, and a small JSON per running attempt that says how far it is.

    Args:
        store: The results folder's store.
        run_id: Names the run.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._flag = f"running/drain-{run_id}"

    def drain(self) -> None:
        """Asks all workers of this run to save and leave."""
        self._store.write(self._flag, b"")

    @property
    def draining(self) -> bool:
        """Whether the workers of this run were asked to leave."""
        return self._store.exists(self._flag)

    def report(self, part: str, **facts: Any) -> None:
        """Says how far an attempt is."""
        self._store.write(f"running/{part}.json", json.dumps(facts | {"at": time.time()}).encode())

    def reports(self, parts: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """The last report of these attempts, or of every one, by part name."""
        if parts is None:
            names = self._store.files("running", ".json")
            parts = [name.removeprefix("running/").removesuffix(".json") for name in names]
        found: dict[str, dict[str, Any]] = {}
        for part in parts:
            with contextlib.suppress(StoreError):  # not begun yet, or ended meanwhile
                found[part] = json.loads(self._store.read(f"running/{part}.json"))
        return found

    def forget(self, part: str) -> None:
        """Removes an attempt's report: it has ended."""
        self._store.remove(f"running/{part}.json")

    def close(self) -> None:
        """Removes the drain flag: the run has ended."""
        self._store.remove(self._flag)
