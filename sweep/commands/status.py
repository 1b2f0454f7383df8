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
from .command_line import DONE, Report, add_json, add_results

_SILENT_SECONDS = 120.0
_SILENT_DRIVER_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel status`."""
    add_results(parser)
    add_json(parser)


def main(arguments: argparse.Namespace) -> int:
    """Prints how far the study is."""
    print_status(arguments.results, arguments.json)
    return DONE


def print_status(uri: str, as_json: bool = False) -> None:
    """Prints how far a study is; true while it runs and when its driver is dead.

    Args:
        uri: The results folder.
        as_json: Whether to print JSON instead of lines.

    Raises:
        ResultsError: If there is no study.
    """
    results = Results(uri)
    study = read_study(results)
    everything = study.wanted_trials()
    trials = [trial for trial, _ in everything]
    left = remaining(results, everything)
    tally = left.tally
    report = Report(as_json)
    report.add(
        f"{study.name} in {results.uri}: {tally.done:,} of {len(trials):,} trials done\n"
        f"  {tally.unscored:,} trained, with scores missing\n"
        f"  {tally.untrained:,} to train\n"
        f"  {tally.failed:,} failed",
        study=study.name,
        results=results.uri,
        num_trials=len(trials),
        trials=tally,
    )
    add_undefined(report, undefined_scores(results, everything))
    done = Counter((trial.dataset, trial.method) for trial in left.done)
    wanted = Counter((trial.dataset, trial.method) for trial in trials)
    for cell, count in wanted.items():
        report.add(f"  {cell[0]}, {cell[1]}: {done[cell]:,} of {count:,}")
    names = ("dataset", "method", "num_done", "num_trials")
    report.add(
        cells=[
            dict(zip(names, (*cell, done[cell], count), strict=True))
            for cell, count in wanted.items()
        ]
    )
    working = [driver for driver in read_drivers(results.store).values() if not _has_gone(driver)]
    for driver in working:
        report.add(f"  a driver is at work: {driver}")
    report.add(drivers=working)
    if not working:
        report.add("  no driver is at work")
        if saved := describe_saved(results, (trial for trial, _ in left.untrained)):
            report.add(f"  {saved}")
    attempts = []
    for attempt_id, told in Control(results.store, "").reports().items():
        age = time.time() - told["at"]
        state = "working" if age < _SILENT_SECONDS else f"silent for {age / 60:.0f} min"
        progress = f"{told['step']}/{told['steps']}"
        report.add(f"  {attempt_id}: {len(told['trials'])} trials at {progress}, {state}")
        attempts.append({"attempt_id": attempt_id, "silent_seconds": age} | told)
    failures = len(results.table("failures", ["cause"]))
    if failures:
        words = format_count(failures, "failed attempt")
        report.add(f"  {words}: see `teasel failures {results.uri}`")
    report.add(attempts=attempts, num_failed_attempts=failures)
    report.end()


def add_undefined(report: Report, undefined: Sequence[Undefined]) -> None:
    """Says how many scores are not defined, and why."""
    if undefined:
        report.add(f"  {sum(each.num_models for each in undefined):,} scores are not defined:")
    for metric, representation, reason, num_models in undefined:
        count = format_count(num_models, "model")
        report.add(f"    {metric} ({representation}) of {count}: {reason}")
    report.add(undefined_scores=undefined)


def _has_gone(driver: Driver) -> bool:
    return driver.dead or driver.silent_seconds > _SILENT_DRIVER_SECONDS
