"""`teasel failures`: lists what failed, grouped by exception, from a folder's files alone."""

import argparse
from collections import Counter

from ..store.results import Results
from ..study.remaining import undefined_scores
from ..study.study import read_study
from ..work.attempt import describe, without_attempt
from .command_line import DONE, Report, add_json, add_results
from .status import describe_undefined

_MOST_PLACES = 5
_OF_LAST = ("at", "trial_ids", "log", "traceback")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel failures`."""
    add_results(parser)
    add_json(parser)


def main(arguments: argparse.Namespace) -> int:
    """Prints each kind of failure once: how often it occurred, last time, traceback and log.

    Raises:
        ResultsError: If there is no study.
    """
    results = Results(arguments.results)
    wanted = read_study(results).wanted_trials()
    groups: dict[tuple[str, str, str], list[dict]] = {}
    for row in results.table("failures").to_pylist():
        exception = describe(row["exception_type"], row["message"])
        if row["attempt_id"]:
            exception = without_attempt(exception, row["attempt_id"])
        groups.setdefault((row["kind"], row["cause"], exception), []).append(row)
    report, attempts, failed = Report(arguments.json), [], []
    for (kind, cause, exception), rows in groups.items():
        last = max(rows, key=lambda row: row["at"])
        named = {"kind": kind, "cause": cause, "exception": exception, "num": len(rows)}
        attempts.append(named | {name: last[name] for name in _OF_LAST})
        report.add(f"{len(rows)} x {kind}, {cause}: {exception}")
        log = f", {last['log']}" if last["log"] else ""
        report.add(f"  last at {last['at']}, trials {', '.join(last['trial_ids'])}{log}")
        places = Counter(row["place"] for row in rows if row["place"])
        attempts[-1]["places"] = dict(places.most_common())
        if places:
            most = [f"{place} ({num})" for place, num in places.most_common(_MOST_PLACES)]
            more = f" and {len(places) - len(most)} more" if len(places) > len(most) else ""
            report.add(f"  on {'; '.join(most)}{more}")
        for line in last["traceback"].splitlines():
            report.add(f"  | {line}")
    trials = results.table("trials", ["trial_id", "status", "error", "dataset", "method", "seed"])
    for row in trials.to_pylist():
        if row.pop("status") == "failed":
            failed.append(row)
            cell = f"{row['dataset']}, {row['method']}, seed {row['seed']}"
            report.add(f"trial {row['trial_id']} ({cell}): {row['error']}")
    undefined = undefined_scores(results, wanted)
    report.add(results=results.uri, failed_attempts=attempts, failed_trials=failed)
    report.add("\n".join(describe_undefined(undefined)), undefined_scores=undefined)
    if not groups and not undefined and not failed:
        report.add(f"{results.uri}: no failures")
    report.end()
    return DONE
