"""`teasel status`: how far a study is, from its files alone."""

import argparse
import time
from collections import Counter
from collections.abc import Sequence

from ...words import format_count
from ..schedule.drivers import Driver, read_drivers
from ..schedule.progress import describe_saved
from ..store.results import Results
from ..study.remaining import Undefined, remaining, undefined_scores
from ..study.study import read_study
from ..work.control import Control
from .command_line import DONE, add_results, show

_SILENT_SECONDS = 120.0
_SILENT_DRIVER_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel status`."""
    add_results(parser)


def main(arguments: argparse.Namespace) -> int:
    """Prints how far the study is."""
    print_status(arguments.results)
    return DONE


def print_status(uri: str) -> None:
    """Prints how far a study is; true while it runs and when its driver is dead.

    Raises:
        ResultsError: If there is no study.
    """
    results = Results(uri)
    study = read_study(results)
    everything = study.wanted_trials()
    trials = [trial for trial, _ in everything]
    left = remaining(results, everything)
    tally = left.tally
    show(f"{study.name} in {results.uri}: {tally.done:,} of {len(trials):,} trials done")
    show(f"  {tally.unscored:,} trained, with scores missing")
    show(f"  {tally.untrained:,} to train")
    show(f"  {tally.failed:,} failed")
    print_undefined(undefined_scores(results, everything))
    done = Counter((trial.dataset, trial.method) for trial in left.done)
    wanted = Counter((trial.dataset, trial.method) for trial in trials)
    for cell, count in wanted.items():
        show(f"  {cell[0]}, {cell[1]}: {done[cell]:,} of {count:,}")
    working = [driver for driver in read_drivers(results.store).values() if not _has_gone(driver)]
    for driver in working:
        show(f"  a driver is at work: {driver}")
    if not working:
        show("  no driver is at work")
        if saved := describe_saved(results, (trial for trial, _ in left.untrained)):
            show(f"  {saved}")
    for attempt_id, report in Control(results.store, "").reports().items():
        age = time.time() - report["at"]
        state = "working" if age < _SILENT_SECONDS else f"silent for {age / 60:.0f} min"
        progress = f"{report['step']}/{report['steps']}"
        show(f"  {attempt_id}: {len(report['trials'])} trials at {progress}, {state}")
    failures = len(results.table("failures", ["cause"]))
    if failures:
        show(f"  {format_count(failures, 'failed attempt')}: see `teasel failures {results.uri}`")


def print_undefined(undefined: Sequence[Undefined]) -> None:
    """Prints how many scores are not defined, and why."""
    if undefined:
        show(f"  {sum(each.num_models for each in undefined):,} scores are not defined:")
    for metric, representation, reason, num_models in undefined:
        show(f"    {metric} ({representation}) of {format_count(num_models, 'model')}: {reason}")


def _has_gone(driver: Driver) -> bool:
    return driver.dead or driver.silent_seconds > _SILENT_DRIVER_SECONDS
