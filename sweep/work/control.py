"""Files by which a driver and its workers talk while a sweep runs; informative, never truth."""

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

    Workers may sit on other machines, so everything goes through the store: a drain flag that
    workers look at between chunks, and a small JSON per running attempt that says how far it is.

    Args:
        store: The results folder's store.
        run_id: Names the run.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._flag = f"running/drain-{run_id}"
        self._aside = f"{_ASIDE}{run_id}"

    def drain(self) -> None:
        """Asks all workers of this run to save and leave."""
        self._store.write(self._flag, b"")

    @property
    def draining(self) -> bool:
        """Whether the workers of this run were asked to leave."""
        return self._store.exists(self._flag)

    def report(self, attempt_id: str, **facts: Any) -> None:
        """Says how far an attempt is, and where."""
        facts |= {"at": time.time(), "host": platform.node()}
        self._store.write_json(f"running/{attempt_id}.json", facts)

    def reports(self, attempt_ids: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """The last report of these attempts, or of every one, by attempt id."""
        if attempt_ids is None:
            names = self._store.files("running", ".json")
            attempt_ids = [name.removeprefix("running/").removesuffix(".json") for name in names]
        found: dict[str, dict[str, Any]] = {}
        for attempt_id in attempt_ids:
            with contextlib.suppress(StoreError):  # not begun yet, ended meanwhile, or damaged
                found[attempt_id] = self._store.read_json(f"running/{attempt_id}.json")
        return found

    def forget(self, attempt_id: str) -> None:
        """Removes an attempt's report: it has ended."""
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
        """Removes what this run has said: it has ended."""
        self._store.remove(self._flag)
        self._store.remove(self._aside)


class Listener:
    """What the running packs report, asked for no oftener than a slow store can bear.

    Args:
        control: Where they report.
        clock: Seconds.
    """

    def __init__(self, control: Control, clock: Callable[[], float]) -> None:
        self._control = control
        self._clock = clock
        self._reports: dict[str, dict[str, Any]] = {}
        self._heard_at, self._pause = -math.inf, 0.0

    def listen(self, attempt_ids: Collection[str]) -> None:
        """Reads how far these attempts are, if it is time to."""
        now = self._clock()
        if not 0 <= now - self._heard_at < self._pause:
            self._reports = self._control.reports(attempt_ids)
            self._heard_at = self._clock()
            self._pause = min(60.0, max(1.0, (self._heard_at - now) / _SHARE_OF_TIME))

    def has_begun(self, attempt_id: str) -> bool:
        """Whether an attempt has made a step."""
        return attempt_id in self._reports

    @property
    def failed(self) -> set[str]:
        """The trials that have got their row on the way: their models turned to NaN."""
        return {trial for report in self._reports.values() for trial in report.get("failed", ())}

    def left(self, attempt_id: str) -> float:
        """The share of its steps that an attempt has not made yet."""
        report = self._reports.get(attempt_id, {"step": 0, "steps": 1})
        return 1 - report["step"] / max(1, report["steps"])
