"""`teasel status`: shows a study's progress from its files alone, once or until it is done."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import groupby

from ...words import format_count, printable
from ..schedule.progress import duration
from ..schedule.status import Attempt, Status, StatusReader, TimeLeft
from ..store.results import Results
from ..store.store import StoreError
from ..study.remaining import Undefined
from .command_line import DONE, FAILED, Report, add_json, add_results, show

_SECONDS = 2.0
"""Time between two readings of the files."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel status`."""
    add_results(parser)
    form = parser.add_mutually_exclusive_group()
    add_json(form)
    form.add_argument(
        "--follow", action="store_true", help="keep showing changes until the study is done"
    )


def main(arguments: argparse.Namespace) -> int:
    """Prints a study's progress, which is correct while a driver runs and after it has died.

    Raises:
        ResultsError: If there is no study.
        StoreError: If a file cannot be read.
    """
    if arguments.follow:
        return follow_status(arguments.results)
    status = StatusReader(Results(arguments.results)).read()
    if status.damaged:
        raise StoreError(status.damaged[0])
    report = Report(arguments.json)
    report.add("\n".join(describe_status(status)), **status._asdict())
    report.end()
    return DONE


def follow_status(uri: str, seconds: float = _SECONDS) -> int:
    """Shows a study's progress until it is done; returns the exit code.

    A terminal gets a panel that is redrawn. Other outputs get a line for each change.

    Args:
        uri: The results folder.
        seconds: Time between two readings.

    Raises:
        ResultsError: If there is no study.
        StoreError: If the first reading fails. Later failures are shown and tried again.
    """
    reader = StatusReader(Results(uri))
    status = reader.read()
    looks = _looks(reader, status, seconds)
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        with Live(console=Console(), auto_refresh=False, vertical_overflow="crop") as live:
            for status, trouble in looks:
                lines = [*describe_status(status), *trouble]
                live.update(Text(printable("\n".join(lines))), refresh=True)
    else:
        said = ""
        for status, trouble in looks:
            line = "; ".join([summarise(status), *trouble])
            if line != said:
                show(line, sys.stdout)
            said = line
    return FAILED if status.trials.failed else DONE


def _looks(
    reader: StatusReader, status: Status, seconds: float
) -> Iterator[tuple[Status, list[str]]]:
    """Yields the status, and any error of reading it again, until the study is done."""
    trouble: list[str] = []
    while True:
        yield status, trouble
        if status.is_done:
            return
        time.sleep(seconds)
        try:
            status, trouble = reader.read(), []
        except StoreError as error:
            trouble = [str(error)]


def summarise(status: Status) -> str:
    """A study's progress in one line, which changes only when a trial or an attempt does."""
    training, scoring = (
        sum(len(each.trials) for each in status.attempts if each.is_training is kind)
        for kind in (True, False)
    )
    words = [f"{status.study}: {status.trials.say('trials done')}"]
    if training or scoring:
        words.append(f"{training:,} training, {scoring:,} being scored")
    if status.num_failed_attempts:
        words.append(format_count(status.num_failed_attempts, "failed attempt"))
    words += [f"set aside: {'; '.join(status.aside)}"] if status.aside else []
    words += [] if status.drivers or status.is_done else ["no driver is at work"]
    return ", ".join(words)


def describe_status(status: Status) -> list[str]:
    """A study's progress, in lines."""
    tally = status.trials
    lines = [
        f"{status.study} in {status.results}: {tally.done:,} of {status.num_trials:,} trials done",
        f"  {tally.unscored:,} trained, with scores missing",
        f"  {tally.untrained:,} to train",
        f"  {tally.failed:,} failed",
        *describe_undefined(status.undefined_scores),
    ]
    for cell in status.cells:
        failed = f", {cell.num_failed:,} failed" if cell.num_failed else ""
        done = f"{cell.num_done:,} of {cell.num_trials:,}"
        lines.append(f"  {cell.dataset}, {cell.method}: {done}{failed}")
    lines += [f"  a driver is at work: {driver}" for driver in status.drivers]
    if not status.drivers:
        lines += ["  no driver is at work", *([f"  {status.saved}"] if status.saved else [])]
    for host, attempts in groupby(sorted(status.attempts, key=_host), _host):
        lines += [f"  on {host}:"] if host else []
        lines += [f"  {'  ' if host else ''}{attempt}" for attempt in attempts]
    lines += [f"  set aside: {line}" for line in status.aside]
    if status.time_left:
        lines.append(f"  {describe_time_left(status.time_left)}")
    if status.num_failed_attempts:
        words = format_count(status.num_failed_attempts, "failed attempt")
        lines.append(f"  {words}: see `teasel failures {status.results}`")
    if status.failures:
        last = status.failures[0]
        lines.append(f"  the last one failed {last.at}, {last.cause}: {last.reason}")
    return lines + [f"  {line}" for line in status.damaged]


def describe_time_left(left: TimeLeft) -> str:
    """The time left in words, with its interval if known."""
    if left.low is None or left.high is None:
        return f"about {duration(left.seconds)} left"
    interval = f"{duration(left.low)} to {duration(left.high)}"
    return f"about {duration(left.seconds)} left, 95 % interval {interval}"


def describe_undefined(undefined: Sequence[Undefined]) -> list[str]:
    """The number of undefined scores, and the reasons."""
    lines = []
    if undefined:
        lines.append(f"  {sum(each.num_models for each in undefined):,} scores are not defined:")
    for metric, representation, reason, num_models in undefined:
        count = format_count(num_models, "model")
        lines.append(f"    {metric} ({representation}) of {count}: {reason}")
    return lines


def _host(attempt: Attempt) -> str:
    return attempt.host
