"""`teasel verify`: says what is wrong with a results folder, and puts aside what is."""

import argparse

import pyarrow as pa
import pyarrow.compute as pc

from ..schedule.drivers import check_idle
from ..store.files import list_files, manifest, read_file, write_manifest
from ..store.results import Results
from ..study.remaining import remaining, undefined_scores
from ..study.study import read_study
from .checks import Findings, verify
from .command_line import DONE, FAILED, add_results

ADVICE = {
    "damaged": "`teasel verify {uri} --quarantine` moves these files to {uri}/quarantine; the same "
    "run then makes again what they held",
    "gone": "`teasel verify {uri} --quarantine` forgets these trainings; the same run then does "
    "them again, and keeps their scores",
    "rows gone": "the same run trains these trials again, and keeps their scores",
    "points gone": "the next training on this data set writes them again",
    "pictures or curves gone": "the report goes without; all else of these trials is there",
    "rows that stand twice": "teasel reads one of them, other readers all; `teasel compact {uri}` "
    "leaves one",
    "rows that disagree": "attempts on different devices, say; the first stands",
    "no number": "these were computed so; to run again gives the same",
}
"""What each kind of finding means for the user, in the order in which they are shown."""

_MOST_LINES = 20  # of one kind


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel verify`."""
    add_results(parser)
    parser.add_argument(
        "--quarantine",
        action="store_true",
        help="put aside what is damaged, so that a run makes it again",
    )


def main(arguments: argparse.Namespace) -> int:
    """Prints what is wrong with the folder."""
    return DONE if print_verified(arguments.results, arguments.quarantine) else FAILED


def print_verified(uri: str, quarantine: bool = False) -> bool:
    """Prints what is wrong with a results folder, a line each; returns whether nothing is.

    Args:
        uri: The folder.
        quarantine: Whether to put aside what is damaged, so that a run makes it again.

    Raises:
        ResultsError: If there is no study.
        DriverError: If something is to be put aside while a driver is at work.
        StoreError: If the store cannot be reached.
    """
    results = Results(uri)
    found = verify(results)
    if quarantine and (found.damaged or found.lost):
        _print(found, results.uri)
        put_aside(results, found)
        print(f"{len(found.damaged)} files moved to {results.uri}/quarantine; after that:")
        found = verify(results)
    _print(found, results.uri)
    if not found.damaged:
        _print_state(results, clean=not found.lines)
    return not found.lines


def put_aside(results: Results, found: Findings) -> None:
    """Moves damaged files to the folder's quarantine, and forgets trainings whose codes are gone.

    Raises:
        DriverError: If a driver is at work.
        StoreError: If the folder cannot be written.
    """
    check_idle(results)
    store = results.store
    for file in found.damaged:
        if store.exists(file):
            store.write(f"quarantine/{file}", store.read(file))
            store.remove(file)
    for folder in {file.rpartition("/")[0] for file in found.damaged}:
        if manifest(store, folder):
            write_manifest(store, folder, list_files(store, folder).compacted)
    lost = pa.array(sorted(found.lost), pa.string())
    for file in list_files(store, "tables/trials").files:
        rows = read_file(store, file)
        kept = rows.filter(~pc.field("trial_id").isin(lost))
        if len(kept) < len(rows):
            store.write(f"quarantine/{file}", store.read(file))
            results.write_rows(file, kept)


def _print(found: Findings, uri: str) -> None:
    for kind, advice in ADVICE.items():
        lines = found.lines.get(kind, [])
        if lines:
            print(f"{kind}: {len(lines):,} ({advice.format(uri=uri)})")
        for line in lines[:_MOST_LINES]:
            print(f"  {line}")
        if len(lines) > _MOST_LINES:
            print(f"  and {len(lines) - _MOST_LINES:,} more")


def _print_state(results: Results, clean: bool) -> None:
    wanted = read_study(results).wanted_trials()
    tally = remaining(results, wanted).tally
    undefined = sum(each.num_models for each in undefined_scores(results, wanted))
    words = ["clean"] if clean else []
    words += [f"{tally.done:,} trials done, {tally.failed:,} failed", tally.waiting]
    words += [f"{undefined:,} scores are not defined"] if undefined else []
    print(f"{results.uri}: {'; '.join(words)}")
