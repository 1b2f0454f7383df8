"""`teasel status` and `teasel failures`: what a results folder says, from its files alone."""

import time
from collections import Counter

from ..schedule.drivers import Driver, read_drivers
from ..store.results import Results
from ..study.remaining import remaining
from ..study.study import frozen_grids, work
from ..work.attempt import describe, without_attempt
from ..work.control import Control

_SILENT_SECONDS = 120.0
_SILENT_DRIVER_SECONDS = 30.0


def print_status(uri: str) -> None:
    """Prints how far a study is; true while it runs and when its driver is dead.

    Raises:
        ResultsError: If there is no study.
    """
    results = Results(uri)
    grids = frozen_grids(results)
    everything = work(grids)
    trials = [trial for trial, _ in everything]
    left = remaining(results, everything)
    print(f"{grids[0].study} in {results.uri}: {len(left.done):,} of {len(trials):,} trials done")
    print(f"  {len(left.unscored):,} trained, with scores missing")
    print(f"  {len(left.untrained):,} to train")
    print(f"  {len(left.failed):,} failed")
    done = Counter((trial.dataset, trial.method) for trial in left.done)
    wanted = Counter((trial.dataset, trial.method) for trial in trials)
    for cell, count in wanted.items():
        print(f"  {cell[0]}, {cell[1]}: {done[cell]:,} of {count:,}")
    working = [driver for driver in read_drivers(results.store).values() if not _gone(driver)]
    for driver in working:
        print(f"  a driver is at work: {driver}")
    if not working:
        print("  no driver is at work")
    for attempt_id, report in Control(results.store, "").reports().items():
        age = time.time() - report["at"]
        state = "working" if age < _SILENT_SECONDS else f"silent for {age / 60:.0f} min"
        progress = f"{report['step']}/{report['steps']}"
        print(f"  {attempt_id}: {len(report['trials'])} trials at {progress}, {state}")
    failures = len(results.table("failures", ["cause"]))
    if failures:
        print(f"  {failures:,} failed attempts: see `teasel failures {results.uri}`")


def _gone(driver: Driver) -> bool:
    return driver.dead or driver.silent_seconds > _SILENT_DRIVER_SECONDS


def print_failures(uri: str) -> None:
    """Prints every kind of failure once: how often, when last, its traceback and its log.

    Raises:
        ResultsError: If there is no study.
    """
    results = Results(uri)
    _ = results.study
    groups: dict[tuple[str, str, str], list[dict]] = {}
    for row in results.table("failures").to_pylist():
        exception = describe(row["exception_type"], row["message"])
        if row["attempt_id"]:
            exception = without_attempt(exception, row["attempt_id"])
        groups.setdefault((row["kind"], row["cause"], exception), []).append(row)
    for (kind, cause, exception), rows in groups.items():
        last = max(rows, key=lambda row: row["at"])
        print(f"{len(rows)} x {kind}, {cause}: {exception}")
        log = f", {last['log']}" if last["log"] else ""
        print(f"  last at {last['at']}, trials {', '.join(last['trial_ids'])}{log}")
        for line in last["traceback"].splitlines():
            print(f"  | {line}")
    failed = results.table("trials", ["status", "error", "dataset", "method", "seed"])
    for row in failed.to_pylist():
        if row["status"] == "failed":
            cell = f"{row['dataset']}, {row['method']}, seed {row['seed']}"
            print(f"trial {row['trial_id']} ({cell}): {row['error']}")
    if not groups and "failed" not in failed["status"].to_pylist():
        print(f"{results.uri}: no failures")
