"""Data for a live page: a study's status, models, curves and pictures."""

import gzip
import hashlib
import json
import math
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...errors import TeaselError
from ...sweep.commands.command_line import to_json
from ...sweep.commands.status import describe_time_left, summarise
from ...sweep.schedule.status import Attempt, StatusReader
from ...sweep.store.files import read_file
from ...sweep.store.kept import Kept
from ...sweep.store.results import Results
from ..names import Names
from .explorer import (
    CURVE_DIGITS,
    MOST_POINTS,
    name_picture,
    read_curves,
    read_models,
    round_numbers,
)
from .parts import Report, read_both, read_done

SHARE_OF_TIME = 0.1
"""The least time between two readings of the models, however many there are."""

MOST_CURVES = 96
"""The most models in training whose losses are shown."""

_TABLES = ("trials", "scores", "curves", "pictures")


class Content(NamedTuple):
    """Served content: JSON in gzip, and a revision that changes with it."""

    revision: str
    content: bytes


class _Models(NamedTuple):
    """The models from the last reading, and its time."""

    revision: str = ""
    report: Report | None = None
    models: Content = Content("", b"")
    at: float = -math.inf
    seconds: float = 0.0


class Watched:
    """A results folder for the page. Only changed files are read again; nothing is written.

    Several threads may call it at once.

    Args:
        uri: The folder, which may still be empty.
        seconds: The least time between two readings.
        clock: The time in seconds.

    Raises:
        StoreError: If the URI is not understood.
    """

    def __init__(
        self, uri: str | Path, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.results, self._seconds, self._clock = Results(uri), seconds, clock
        store = self.results.store
        self._reader = StatusReader(self.results)
        self._curves = Kept(store, "tables/curves", self._read_losses)
        self._pictures = Kept(store, "tables/pictures", self._list_pictures)
        self._looking, self._reading = threading.Lock(), threading.Lock()
        self._next_look, self._trouble = -math.inf, ""
        self._status: dict[str, Any] = {}
        self._read = _Models()
        self._losses: dict[str, dict[int, float | None]] = {}
        self._drawn: dict[str, tuple[str, str, str]] = {}
        self._read_curves = Content("", b"")

    def status(self) -> dict[str, Any]:
        """The study's progress as JSON; `trouble` is the error if it cannot be read."""
        with self._looking:
            began = self._clock()
            if began >= self._next_look:
                try:
                    self._status = self._look()
                except TeaselError as error:
                    self._status = {"line": None} | self._status | {"trouble": str(error)}
                ended = self._clock()
                self._next_look = began + max(self._seconds, (ended - began) / SHARE_OF_TIME)
            trouble = " ".join(filter(None, [self._status["trouble"], self._trouble]))
            revision = f'"{self._wanted_revision()}"'
            return self._status | {"trouble": trouble, "revision": revision}

    def models(self) -> Content:
        """The models from `read_models`, or null if there are none.

        If new ones cannot be read, the last ones stay, and `status` has the reason.
        """
        with self._reading:
            wanted = self._wanted_revision()
            if self._read.revision != wanted:
                began, self._trouble = self._clock(), ""
                try:
                    report = self._read_report()
                    models = None if report is None else self._describe(report)
                    self._read = _Models(wanted, report, Content(wanted, compress(models)))
                except TeaselError as error:
                    self._trouble = str(error)
                ended = self._clock()
                self._read = self._read._replace(at=ended, seconds=ended - began)
            return self._read.models

    def curves(self) -> Content:
        """The training curves of the models from the last reading.

        Raises:
            TeaselError: If they cannot be read.
        """
        with self._reading:
            revision, report = self._read.revision, self._read.report
            if report is not None and self._read_curves.revision != revision:
                began = self._clock()
                self._read_curves = Content(revision, compress(read_curves(report)))
                seconds = self._read.seconds + self._clock() - began
                self._read = self._read._replace(seconds=seconds)
            return self._read_curves

    def picture(self, name: str) -> bytes | None:
        """The PNG at one of the addresses in `models`; None for any other address.

        Raises:
            StoreError: If it cannot be read.
        """
        if name not in self._drawn:
            return None
        file, trial_id, kind = self._drawn[name]
        rows = read_file(self.results.store, file, ["trial_id", "kind", "png"])
        chosen = (pc.field("trial_id") == trial_id) & (pc.field("kind") == kind)
        return next(iter(rows.filter(chosen)["png"].to_pylist()), None)

    def _look(self) -> dict[str, Any]:
        if not self.results.exists():
            words = f"There is no study in {self.results.uri} yet (no study.json)."
            return {"line": words, "trouble": ""}
        status = self._reader.read()
        names = Names.of_study(self.results.study)
        known = {name for cell in status.cells for name in (cell.dataset, cell.method)}
        left = f"; {describe_time_left(status.time_left)}" if status.time_left else ""
        tally = status.trials
        ended = tally.done + tally.failed
        attempts = self._describe_attempts(status.attempts)
        facts: dict[str, Any] = to_json(status)
        return facts | {
            "line": f"{summarise(status)}{left}.",
            "trouble": " ".join([*status.damaged, *(f"Set aside: {it}." for it in status.aside)]),
            "share": ended / max(1, status.num_trials),
            "labels": {name: names.label(name) for name in known},
            "drivers": [str(driver) for driver in status.drivers],
            "attempts": attempts,
        }

    def _describe_attempts(self, attempts: Iterable[Attempt]) -> list[dict[str, Any]]:
        """The state of each attempt, with its losses so far, from files and earlier readings."""
        training = [attempt for attempt in attempts if attempt.is_training]
        packs = tuple(f"tables/curves/{each.attempt_id.partition('-')[0]}-" for each in training)
        stored = self._curves.read(lambda file: file.startswith(packs))
        seen: dict[str, dict[int, float | None]] = {}
        for attempt in training:
            for trial_id, loss in zip(attempt.trials, attempt.loss, strict=False):
                if len(seen) < MOST_CURVES:
                    files = [each[trial_id] for each in stored if trial_id in each]
                    whole = self._losses.get(trial_id, {})
                    for each in files:
                        whole = whole | each
                    seen[trial_id] = whole | {attempt.step: loss}
        self._losses = seen
        return [
            to_json(attempt)
            | {
                "label": "a pack" if attempt.is_training else "scores",
                "state": "working" if attempt.is_working else "silent",
                "curves": {each: thin(seen[each]) for each in attempt.trials if each in seen},
            }
            for attempt in attempts
        ]

    def _wanted_revision(self) -> str:
        """The revision of the files to read models from; a new one, if it is time for that."""
        pause = self._read.seconds / SHARE_OF_TIME
        if self._clock() - self._read.at < pause:
            return self._read.revision
        try:
            sizes = [self.results.store.sizes(f"tables/{table}") for table in _TABLES]
            study = self.results.store.sizes().get("study.json")
        except TeaselError:
            return self._read.revision
        return hashlib.sha256(repr([study, sizes]).encode()).hexdigest()[:16]

    def _read_report(self) -> Report | None:
        """The models that are done, with their scores; None if there are none."""
        if not self.results.exists():
            return None
        names = Names.of_study(self.results.study)
        models = read_done(self.results, names)
        if models.empty:
            return None
        return Report(self.results, names, models, *read_both(self.results, names))

    def _describe(self, report: Report) -> dict[str, Any]:
        place = {trial_id: number for number, trial_id in enumerate(report.trials["trial_id"])}
        found: dict[int, list[tuple[str, str]]] = {}
        drawn = {}
        for listed in self._pictures.read():
            for file, trial_id, kind in listed:
                name = name_picture(trial_id, kind)
                if trial_id in place and name not in drawn:
                    drawn[name] = (file, trial_id, kind)
                    found.setdefault(place[trial_id], []).append((kind, f"pictures/{name}"))
        self._drawn = drawn
        curves = bool(self.results.store.files("tables/curves", ".parquet"))
        return read_models(report) | {"pictures": found, "curves": curves}

    def _list_pictures(self, file: str) -> list[tuple[str, str, str]]:
        """The models whose pictures are in a file; the pictures themselves are not read."""
        with self.results.store.open(file) as stream:
            try:
                rows = pq.ParquetFile(stream).read(["trial_id", "kind"]).to_pydict()
            except (OSError, ValueError, LookupError, pa.ArrowException) as error:
                reason = str(error).partition("\n")[0]
                raise self.results.store.damaged(file, reason) from error
        return [(file, *each) for each in zip(rows["trial_id"], rows["kind"], strict=True)]

    def _read_losses(self, file: str) -> dict[str, dict[int, float | None]]:
        found: dict[str, dict[int, float | None]] = {}
        rows = read_file(self.results.store, file, ["trial_id", "step", "loss"])
        for row in rows.to_pylist():
            found.setdefault(row["trial_id"], {})[row["step"]] = row["loss"]
        return found


def thin(losses: dict[int, float | None]) -> list[tuple[int, float | None]]:
    """The losses at a few of their steps, including the first and the last.

    >>> thin({2: 0.5, 1: None})
    [(1, None), (2, 0.5)]
    """
    steps = sorted(losses)
    every = max(1, math.ceil(len(steps) / MOST_POINTS))
    few = sorted({*steps[::every], *steps[-1:]})
    numbers = (math.nan if losses[step] is None else losses[step] for step in few)
    return list(zip(few, round_numbers(numbers, CURVE_DIGITS), strict=True))  # type: ignore[arg-type]


def compress(value: Any) -> bytes:
    """A JSON value compressed with gzip."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return gzip.compress(text.encode(), compresslevel=6, mtime=0)
