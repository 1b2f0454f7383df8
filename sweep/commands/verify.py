"""`teasel verify`: reports what is wrong with a results folder, and can quarantine it."""

import argparse

import pyarrow as pa

from ...words import first_lines
from ..schedule.drivers import check_idle
from ..store.files import list_files, manifest, read_file, write_manifest
from ..store.results import Results
from ..study.remaining import remaining, undefined_scores
from ..study.study import read_study
from .checks import Findings, verify
from .command_line import DONE, FAILED, Report, add_json, add_results

ADVICE = {
    "newer": "upgrade Teasel to read these files; they stay where they are",
    "damaged": "`teasel verify {uri} --quarantine` moves these files to {uri}/quarantine; running "
    "the study again then restores their content",
    "gone": "`teasel verify {uri} --quarantine` forgets these trainings and their scores; running "
    "the study again then repeats them",
    "rows gone": "running the study again trains these trials again and keeps their scores",
    "points gone": "`teasel verify {uri} --quarantine` forgets the shortest training on the data "
    "set; running the study again then repeats it and writes the points",
    "pictures or curves gone": "the report leaves them out; to make them again, use `teasel forget "
    "{uri} --select ...` and run the study again",
    "rows that stand twice": "Teasel reads one of each, other readers read all; `teasel compact "
    "{uri}` removes duplicates",
    "rows that disagree": "attempts on different devices can differ; Teasel uses the first",
    "no number": "these were computed as NaN or null, and do not count as damage; `teasel forget "
    "{uri} --select ...` removes them",
}
"""What the user can do about each kind of finding, in the order in which they are shown."""

_SOUND = {"no number"}  # findings that do no harm

_MOST_LINES = 20  # of one kind


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `teasel verify`."""
    add_results(parser)
    parser.add_argument(
        "--quarantine",
        action="store_true",
        help="move damaged files aside, so that the next run makes their content again",
    )
    add_json(parser)


def main(arguments: argparse.Namespace) -> int:
    """Prints each fault of a results folder on a line.

    Raises:
        ResultsError: If there is no study.
        DriverError: If something is to be moved aside while a driver is at work.
        StoreError: If the store cannot be reached.
    """
    results, report = Results(arguments.results), Report(arguments.json)
    report.add(
        results=results.uri, moved=[], trials=None, num_undefined_scores=None, num_unsealed=0
    )
    sound = _verify(report, results, arguments.quarantine)
    report.add(sound=sound)
    report.end()
    return DONE if sound else FAILED


def _verify(report: Report, results: Results, quarantine: bool) -> bool:
    found = verify(results)
    if quarantine and (found.damaged or found.lost):
        _add(report, found, results.uri)
        put_aside(results, found)
        report.add(
            f"{len(found.damaged)} files moved to {results.uri}/quarantine. What is left:",
            moved=found.damaged,
        )
        if not results.exists():
            report.add(f"{results.uri}: no study.json; running the study again restores it")
            return False
        found = verify(results)
    _add(report, found, results.uri)
    sound = not found.lines.keys() - _SOUND
    if not {"damaged", "newer"} & found.lines.keys():
        _add_state(report, results, sound)
    if found.unsealed:
        report.add(f"{len(found.unsealed):,} files have no digest; an earlier version wrote them")
    report.add(num_unsealed=len(found.unsealed))
    return sound


def put_aside(results: Results, found: Findings) -> None:
    """Moves damaged files to quarantine; forgets trainings that lost files, and their scores.

    A score is forgotten with its trial if it names the attempt that lost files, or no attempt.

    Raises:
        DriverError: If a driver is at work.
        StoreError: If the folder cannot be written.
    """
    check_idle(results)
    store = results.store
    for file in found.damaged:
        store.move(file, f"quarantine/{file}")
    for folder in {file.rpartition("/")[0] for file in found.damaged if file.endswith(".parquet")}:
        if manifest(store, folder):
            write_manifest(store, folder, list_files(store, folder).compacted)
    for table in ("trials", "scores") if found.lost else ():
        for file in list_files(store, f"tables/{table}").files:
            rows = read_file(store, file)
            named = "model_attempt_id" in rows.column_names
            attempts = rows["model_attempt_id"].to_pylist() if named else [None] * len(rows)
            whose = zip(rows["trial_id"].to_pylist(), attempts, strict=True)
            kept = [
                each not in found.lost or attempt not in (None, found.lost[each])
                for each, attempt in whose
            ]
            if not all(kept):
                store.move(file, f"quarantine/{file}")
                results.write_rows(file, rows.filter(pa.array(kept)))


def _add(report: Report, found: Findings, uri: str) -> None:
    report.add(findings=found.lines, lost=list(found.lost))
    for kind, advice in ADVICE.items():
        lines = found.lines.get(kind, [])
        if lines:
            report.add(f"{kind}: {len(lines):,} ({advice.format(uri=uri)})")
        for line in first_lines(lines, _MOST_LINES):
            report.add(f"  {line}")


def _add_state(report: Report, results: Results, clean: bool) -> None:
    wanted = read_study(results).wanted_trials()
    tally = remaining(results, wanted).tally
    undefined = sum(each.num_models for each in undefined_scores(results, wanted))
    words = ["clean"] if clean else []
    words += [f"{tally.done:,} trials done, {tally.failed:,} failed", tally.waiting]
    words += [f"{undefined:,} scores are not defined"] if undefined else []
    report.add(f"{results.uri}: {'; '.join(words)}", trials=tally, num_undefined_scores=undefined)
