"""Publishes a results folder: one folder with a summary of its scores, and checksums."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from ...errors import UnknownNameError
from ...settings import Settings
from ...sweep.commands.checks import verify
from ...sweep.schedule.drivers import check_idle
from ...sweep.store.checksums import PublicationError, list_all, new_folder, write_checksums
from ...sweep.store.results import Results
from ...sweep.store.tables import TRIALS
from ...sweep.study.publish import MAY_LACK, copy_study, describe_data
from ...sweep.study.remaining import Tally
from ...version import __version__
from ...words import format_count
from .absent import name_absent
from .explorer import find_template
from .export import as_text, write
from .page import describe_study, list_notices, make_sections, raise_failed, read_report
from .parts import Report

_MADE_WITH = ("teasel_version", "code", "jax_version", "numpy_version", "sklearn_version", "device")


class Published(NamedTuple):
    """A published folder.

    Attributes:
        study: The study's name.
        folder: Its path.
        num_models: The number of trained models.
        num_files: The number of files, including the checksums.
        num_bytes: The size of the files.
        sha256: The SHA-256 of `checksums.txt`, which covers every byte.
        trials: The number of the study's trials in each state; None for a hand-made study.
        findings: The findings of `teasel verify`, without those that do no harm.
    """

    study: str
    folder: str
    num_models: int
    num_files: int
    num_bytes: int
    sha256: str
    trials: Tally | None
    findings: dict[str, list[str]]


def publish(
    results: str | Path | Results,
    folder: str | Path,
    without: Collection[str] = (),
    licence: str = "",
    cite: str = "",
) -> Published:
    """Writes a results folder for publication, with a README and checksums; returns a summary.

    The copy is itself a results folder that every command reads. Files that can be made again are
    left out, as are names of machines and folders. Nothing appears at `folder` until everything
    is written.

    Args:
        results: a path, a URI or an open results folder.
        folder: a new or empty local folder.
        without: "models", "codes" or both, which are left out.
        licence: the licence of the published results, such as "CC-BY-4.0".
        cite: how to cite them.

    Raises:
        PublicationError: if no model is done, or if `folder` is not new or cannot be written.
        UnknownNameError: if `without` names anything else.
        ResultsError: if there is no study.
        DriverError: if a driver is at work on it.
        StoreError: if a file is damaged.
    """
    for name in without:
        if name not in MAY_LACK:
            raise UnknownNameError("part to leave out", name, MAY_LACK)
    source = results if isinstance(results, Results) else Results(results)
    study = source.study
    check_idle(source)
    if "done" not in source.statuses().values():
        raise PublicationError(
            f"{source.uri}: no model is done yet, so there is nothing to publish"
        )
    with new_folder(folder) as made:
        target = Results(made)
        copy_study(source, target, without)
        found = verify(target).lines
        findings = {kind: lines for kind, lines in found.items() if kind != "no number"}
        report = read_report(target)
        facts = {"without": without, "licence": licence, "cite": cite, "findings": findings}
        target.store.write("README.md", _write_card(report, made, facts).encode())
        sha256 = write_checksums(target.store)
        files = list(list_all(target.store))
        return Published(
            study=study["study"],
            folder=str(Path(folder).expanduser().resolve()),
            num_models=len(report.trials),
            num_files=len(files),
            num_bytes=sum((made / name).stat().st_size for name in files),
            sha256=sha256,
            trials=report.left.tally if report.left is not None else None,
            findings=findings,
        )


def _write_card(report: Report, folder: Path, facts: dict[str, Any]) -> str:
    """The README of a published folder."""
    scores = make_sections(report, ["scores"])
    raise_failed(scores, folder)
    absent = name_absent(report.folder, report.left, report.names)
    shown = report._replace(left=None)
    trials = pq.read_schema(next((folder / "tables" / "trials").glob("*.parquet"))).names
    made_with = {
        name: ", ".join(map(str, report.trials[name].dropna().unique()))
        for name in _MADE_WITH
        if name in report.trials
    }
    template = find_template("card.md", text=lambda words: as_text(str(words)))
    return template.render(
        facts,
        study=report.folder.study["study"],
        lead=describe_study(shown),
        notices=list_notices(report),
        num_models=format_count(len(report.trials), "model"),
        tally=report.left.tally if report.left is not None else None,
        absent=[line for element in absent for line in write(element, folder)],
        scores=[line for each in scores[0]["elements"] for line in write(each, folder)],
        datasets=describe_data(report.folder.study),
        sources=report.trials.groupby("dataset")["data_source"].first().to_dict(),
        made_with=made_with,
        settings=Settings._fields,
        hyperparameters=[name for name in trials if name not in TRIALS],
        version=__version__,
    )
