"""Finds the drivers at work on a results folder, each of which keeps a heartbeat file there.

This keeps two people from running one study twice by mistake. Correctness does not depend on it:
two drivers at work on the same trials waste machine time but lose no row.
"""

import contextlib
import datetime
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import TeaselError
from ..store.results import Results
from ..store.store import Store, StoreError
from ..store.versions import upgrade_driver
from ..study.shards import Shard

_LOG = logging.getLogger("teasel")

BEAT_SECONDS = 5.0
_PATIENCE_BEATS = 4
_SILENT_SECONDS = 60.0  # after which a driver is taken for gone
_FORGOTTEN_SECONDS = 3600.0  # more than the clocks of two machines differ by


class DriverError(TeaselError):
    """Another driver is at work on the folder; the message says which."""


class Driver(NamedTuple):
    """A driver, as described in its file.

    Attributes:
        host: The machine that it runs on.
        pid: Its process ID there.
        since: When it started.
        shard: Number and count of its shard of the study, or None for all trials.
        beat: How often it has written the file.
        at: When it last wrote the file, in its machine's seconds since 1970.
        pid_namespace: The namespace of `pid`: a machine, or one of its containers.
        begun: Whether it has checked that no other driver is at work.
    """

    host: str
    pid: int
    since: str
    shard: tuple[int, int] | None
    beat: int
    at: float
    pid_namespace: str = ""
    begun: bool = True

    def __str__(self) -> str:
        shard = f"shard {Shard(*self.shard)}, " if self.shard else ""
        return f"{shard}process {self.pid} on {self.host}, since {self.since}"

    @property
    def silent_seconds(self) -> float:
        """Seconds since it last wrote its file, if the clocks agree."""
        return time.time() - self.at

    @property
    def dead(self) -> bool:
        """Whether its process is known to have ended, which only its own machine can tell."""
        if self.pid_namespace != process_namespace():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return self.pid == os.getpid()  # the number has been given to this process since

    def leaves_room_for(self, shard: Shard | None) -> bool:
        """Whether `shard` is another shard of the same division as this driver's."""
        if shard is None or self.shard is None:
            return False
        number, count = self.shard
        return shard.count == count and shard.number != number


def process_namespace() -> str:
    """The PID namespace of this process, which distinguishes containers on one host."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return platform.node()


def read_drivers(store: Store) -> dict[str, Driver]:
    """The drivers with a file, by file name. A killed driver's file stays until the next run."""
    found = {}
    for name in store.files("running/drivers", ".json"):
        with contextlib.suppress(StoreError):  # it has ended meanwhile, or the file is damaged
            # A driver of another version may say more, or less.
            facts: dict[str, Any] = {"shard": None} | upgrade_driver(store.read_json(name))
            found[name] = Driver(**{key: facts[key] for key in Driver._fields if key in facts})
    return found


def check_idle(results: Results) -> None:
    """Checks that no driver is at work on a folder.

    Raises:
        DriverError: If a driver is at work.
    """
    for driver in others_at_work(results):
        raise DriverError(f"{results.uri}: a driver is at work here ({driver}); stop it first")


def others_at_work(results: Results, run_id: str = "") -> list[Driver]:
    """The drivers known to be at work on a folder, except that of a run."""
    return [
        driver
        for name, driver in read_drivers(results.store).items()
        if name != _name(run_id) and not driver.dead and driver.silent_seconds < _SILENT_SECONDS
    ]


def _name(run_id: str) -> str:
    return f"running/drivers/{run_id}.json"


@contextlib.contextmanager
def at_work(results: Results, run_id: str, shard: Shard | None = None) -> Iterator[None]:
    """Marks a driver as at work while the context lasts.

    Raises:
        DriverError: If another driver is at work on the same trials.
    """
    ended, begun = threading.Event(), threading.Event()
    since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    name = _name(run_id)
    me = (platform.node(), os.getpid(), since, (shard.number, shard.count) if shard else None)

    def beat(count: int) -> None:
        driver = Driver(*me, count, time.time(), process_namespace(), begun.is_set())
        with contextlib.suppress(StoreError):
            results.store.write_json(name, driver._asdict())

    def keep_beating() -> None:
        count = 1
        while not ended.wait(BEAT_SECONDS):
            count += 1
            beat(count)

    beat(1)
    thread = threading.Thread(target=keep_beating, daemon=True)
    thread.start()
    try:
        _make_room(results, shard, name)
        begun.set()
        _tidy(results.store)
        yield
    finally:
        ended.set()
        thread.join()
        results.store.remove(name)


def _make_room(results: Results, shard: Shard | None, own: str) -> None:
    """Removes the files of drivers whose heartbeat has stopped.

    A driver on another machine cannot be queried, and clocks differ, so its file is watched for a
    few beats. If two drivers start at once, each sees the other. The one whose name comes first
    waits until the other has started or stopped.

    Raises:
        DriverError: If another driver's heartbeat continues.
    """
    silent = {}
    for name, driver in read_drivers(results.store).items():
        if name == own:
            continue
        if driver.dead or driver.silent_seconds > _FORGOTTEN_SECONDS:
            results.store.remove(name)
        elif not driver.leaves_room_for(shard):
            silent[name] = driver
    deadline = time.monotonic() + _PATIENCE_BEATS * BEAT_SECONDS
    if silent:
        _LOG.info("Another driver was here (%s). Is it still at work?", next(iter(silent.values())))
    while silent and time.monotonic() < deadline:
        time.sleep(BEAT_SECONDS / 10)
        now = read_drivers(results.store)
        for name, driver in silent.items():
            beats = name in now and now[name].beat != driver.beat
            if beats and (now[name].begun or name < own):
                raise DriverError(
                    f"{results.uri}: another driver is at work here ({driver}); two would do the "
                    "same work twice"
                )
        silent = {name: driver for name, driver in silent.items() if name in now}
    for name in silent:
        results.store.remove(name)


def _tidy(store: Store) -> None:
    """Removes the remains of killed processes: reports, flags and half-written files."""
    left = [name for name in store.files("running") if not name.startswith("running/probe")]
    known = [Path(name).stem for name in store.files("running/drivers", ".json")]  # after `left`
    for name in left:
        if not any(run_id in name for run_id in known):
            store.remove(name)
    store.remove_half_written(_FORGOTTEN_SECONDS)
