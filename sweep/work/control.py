"""Files for communication between a driver and its workers; informative, never the truth."""

import contextlib
import math
import platform
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

from ..store.store import Store, StoreError

_ASIDE = "running/aside-"
_SHARE_OF_TIME = 0.02  # that the driver listens, however slow the store is


class Control:
    """The running folder of a results folder, for one run.

    Workers may run on other machines, so communication uses the store: a drain flag that workers
    check between chunks, and a small JSON file with the progress of each running attempt.

    Args:
        store: The results folder's store.
        run_id: The name of the run.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._flag = f"running/drain-{run_id}"
        self._aside = f"{_ASIDE}{run_id}"

    def drain(self) -> None:
        """Requests all workers of this run to save and stop."""
        self._store.write(self._flag, b"")

    @property
    def draining(self) -> bool:
        """Whether the workers of this run were requested to stop."""
        return self._store.exists(self._flag)

    def report(self, attempt_id: str, **facts: Any) -> None:
        """Writes the progress of an attempt, and its machine."""
        facts |= {"at": time.time(), "host": platform.node()}
        self._store.write_json(f"running/{attempt_id}.json", facts)

    def reports(self, attempt_ids: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """The last report of these attempts, or of all attempts, by attempt ID."""
        if attempt_ids is None:
            names = self._store.files("running", ".json")
            attempt_ids = [name.removeprefix("running/").removesuffix(".json") for name in names]
        found: dict[str, dict[str, Any]] = {}
        for attempt_id in attempt_ids:
            with contextlib.suppress(StoreError):  # not begun yet, ended meanwhile, or damaged
                found[attempt_id] = self._store.read_json(f"running/{attempt_id}.json")
        return found

    def forget(self, attempt_id: str) -> None:
        """Removes the report of an attempt that has ended."""
        self._store.remove(f"running/{attempt_id}.json")

    def tell_aside(self, lines: Iterable[str]) -> None:
        """Says which machines and accelerators get no more work, and why."""
        with contextlib.suppress(StoreError):
            self._store.write(self._aside, "\n".join(lines).encode())

    def aside(self) -> list[str]:
        """What all runs have said of machines and accelerators that get no more work."""
        lines: list[str] = []
        for name in self._store.files("running"):
            if name.startswith(_ASIDE):
                with contextlib.suppress(StoreError):  # its run has ended meanwhile
                    lines += self._store.read(name).decode(errors="replace").splitlines()
        return lines

    def close(self) -> None:
        """Removes the messages of this run when it ends."""
        self._store.remove(self._flag)
        self._store.remove(self._aside)


class Listener:
    """Reads the reports of running packs, no more often than a slow store allows.

    Args:
        control: The running folder with the reports.
        clock: The time in seconds.
    """

    def __init__(self, control: Control, clock: Callable[[], float]) -> None:
        self._control = control
        self._clock = clock
        self._reports: dict[str, dict[str, Any]] = {}
        self._heard_at, self._pause = -math.inf, 0.0

    def listen(self, attempt_ids: Collection[str]) -> None:
        """Reads the progress of these attempts, if it is time to."""
        now = self._clock()
        if not 0 <= now - self._heard_at < self._pause:
            self._reports = self._control.reports(attempt_ids)
            self._heard_at = self._clock()
            self._pause = min(60.0, max(1.0, (self._heard_at - now) / _SHARE_OF_TIME))

    def has_begun(self, attempt_id: str) -> bool:
        """Whether an attempt has completed a step."""
        return attempt_id in self._reports

    @property
    def failed(self) -> set[str]:
        """The trials whose models turned to NaN during the attempt and have their row already."""
        return {trial for report in self._reports.values() for trial in report.get("failed", ())}

    def left(self, attempt_id: str) -> float:
        """The fraction of its steps that an attempt has left."""
        report = self._reports.get(attempt_id, {"step": 0, "steps": 1})
        return 1 - report["step"] / max(1, report["steps"])
