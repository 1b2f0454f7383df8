"""`teasel fetch`: downloads a published results folder and verifies every byte of it."""

import argparse

from ...words import format_count
from ..store.fetch import fetch
from ..store.results import Results
from ..study.remaining import remaining
from ..study.study import read_study
from .command_line import DONE, Report, add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel fetch`."""
    parser.add_argument(
        "uri", metavar="URI", help="path or address of a published folder, or of its .zip or .tar"
    )
    parser.add_argument("results", metavar="DIR", help="a new local folder to write")
    parser.add_argument(
        "--sha256", metavar="HEX", help="expected SHA-256 of its checksums.txt, if you know it"
    )
    add_json(parser)


def main(arguments: argparse.Namespace) -> int:
    """Fetches the folder and prints a summary."""
    fetched = fetch(arguments.uri, arguments.results, arguments.sha256)
    results = Results(arguments.results)
    study = read_study(results)
    tally = remaining(results, study.wanted_trials()).tally
    report = Report(arguments.json)
    report.add(study=study.name, results=results.uri, trials=tally, **fetched._asdict())
    report.add(
        f"{study.name}: {tally.say('trials are done')}; "
        f"{format_count(fetched.num_files, 'file')}, {fetched.num_bytes / 1e6:,.1f} MB in "
        f"{results.uri}, all checksums correct"
    )
    report.end()
    return DONE
