"""`teasel failures`: what failed, grouped by exception, from a folder's files alone."""

import argparse

from ..store.results import Results
from ..study.remaining import undefined_scores
from ..study.study import read_study
from ..work.attempt import describe, without_attempt
from .command_line import DONE, add_results, show
from .status import print_undefined


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel failures`."""
    add_results(parser)


def main(arguments: argparse.Namespace) -> int:
    """Prints what failed."""
    print_failures(arguments.results)
    return DONE


def print_failures(uri: str) -> None:
    """Prints every kind of failure once: how often, when last, its traceback and its log.

    Raises:
        ResultsError: If there is no study.
    """
    results = Results(uri)
    wanted = read_study(results).wanted_trials()
    groups: dict[tuple[str, str, str], list[dict]] = {}
    for row in results.table("failures").to_pylist():
        exception = describe(row["exception_type"], row["message"])
        if row["attempt_id"]:
            exception = without_attempt(exception, row["attempt_id"])
        groups.setdefault((row["kind"], row["cause"], exception), []).append(row)
    for (kind, cause, exception), rows in groups.items():
        last = max(rows, key=lambda row: row["at"])
        show(f"{len(rows)} x {kind}, {cause}: {exception}")
        log = f", {last['log']}" if last["log"] else ""
        show(f"  last at {last['at']}, trials {', '.join(last['trial_ids'])}{log}")
        for line in last["traceback"].splitlines():
            show(f"  | {line}")
    failed = results.table("trials", ["status", "error", "dataset", "method", "seed"])
    for row in failed.to_pylist():
        if row["status"] == "failed":
            cell = f"{row['dataset']}, {row['method']}, seed {row['seed']}"
            show(f"trial {row['trial_id']} ({cell}): {row['error']}")
    undefined = undefined_scores(results, wanted)
    print_undefined(undefined)
    if not groups and not undefined and "failed" not in failed["status"].to_pylist():
        show(f"{results.uri}: no failures")
