"""`teasel failures`: what failed, grouped by exception, from a folder's files alone."""

import argparse
import re

from ..store.results import Results
from .command_line import DONE, add_results


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
    _ = results.study
    groups: dict[tuple[str, str, str], list[dict]] = {}
    for row in results.table("failures").to_pylist():
        # Every attempt has files of its own name, and may complain of them.
        attempt_id = rf"{row['pack_id']}-\w+-{row['kind']}-{row['attempt']}"
        exception = re.sub(attempt_id, "PART", row["exception"])
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
