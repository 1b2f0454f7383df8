"""The progress of a study, from its files alone; repeated readings read only new files."""

import math
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow.compute as pc

from ..store.files import read_file, without_repeated
from ..store.kept import Kept
from ..store.results import Results, requests_by_trial
from ..store.tables import IDENTITY, REQUEST_KEY, text_columns
from ..study.remaining import Remaining, Tally, Undefined, WantedTrial, compare, count_undefined
from ..study.study import Study, read_study
from ..trials.request import RequestKey
from ..work.attempt import describe, without_attempt
from ..work.control import Control
from .drivers import Driver, read_drivers
from .progress import describe_saved

SILENT_SECONDS = 120.0
"""The time without a report after which an attempt no longer counts as working."""

_SILENT_DRIVER_SECONDS = 30.0
_MOST_FAILURES = 20


class Cell(NamedTuple):
    """The numbers of trials of a method on a data set: all, done and failed."""

    dataset: str
    method: str
    num_done: int
    num_failed: int
    num_trials: int


class Attempt(NamedTuple):
    """A running attempt, from its last report.

    Attributes:
        attempt_id: Its name.
        trials: The IDs of its trials.
        step: Its current step.
        steps: Its last step: updates of a training, or scores of a trial.
        at: The time of the report, in its machine's seconds since 1970.
        silent_seconds: Seconds since the report, if the clocks agree.
        host: Its machine; empty if not reported.
        doing: The metric that it computes.
        loss: The loss of each trial, if it trains.
    """

    attempt_id: str
    trials: list[str]
    step: int
    steps: int
    at: float
    silent_seconds: float
    host: str = ""
    doing: str = ""
    loss: Sequence[float | None] = ()

    @property
    def is_working(self) -> bool:
        """Whether it has reported recently."""
        return self.silent_seconds < SILENT_SECONDS

    @property
    def is_training(self) -> bool:
        """Whether it trains a pack; otherwise it scores trials."""
        return "-train-" in self.attempt_id

    def __str__(self) -> str:
        silent = f"silent for {self.silent_seconds / 60:.0f} min"
        state = "working" if self.is_working else silent
        return f"{self.attempt_id}: {len(self.trials)} trials at {self.step}/{self.steps}, {state}"


class Failure(NamedTuple):
    """A failed attempt, or an unusable model, with the first line of the reason."""

    at: str
    kind: str
    cause: str
    reason: str
    num_trials: int


class TimeLeft(NamedTuple):
    """Seconds until the study is done, if the number of running attempts stays the same.

    Attributes:
        seconds: The remaining work at the mean rates so far.
        low: The lower end of the 95 % interval, and `high` the upper; None with fewer than two
            packs.
    """

    seconds: float
    low: float | None = None
    high: float | None = None


class Status(NamedTuple):
    """The progress of a study.

    Attributes:
        study: The study's name.
        results: The results folder.
        num_trials: The number of trials.
        trials: The number of trials in each state.
        undefined_scores: Wanted scores that are not defined.
        cells: The trials of each method on each data set.
        drivers: The drivers at work.
        attempts: The running attempts.
        aside: The machines and accelerators that get no more work, and the reasons.
        num_failed_attempts: The number of failed attempts.
        failures: The failures, latest first.
        time_left: The time left; None if nothing runs or nothing has been measured yet.
        saved: The saved steps of interrupted trainings, in words.
        damaged: The faults of files that are left out, a line each.
    """

    study: str
    results: str
    num_trials: int
    trials: Tally
    undefined_scores: list[Undefined]
    cells: list[Cell]
    drivers: list[Driver]
    attempts: list[Attempt]
    aside: list[str]
    num_failed_attempts: int
    failures: list[Failure]
    time_left: TimeLeft | None
    saved: str
    damaged: list[str]

    @property
    def is_done(self) -> bool:
        """Whether no work remains."""
        return not self.trials.untrained and not self.trials.unscored


class _Scored(NamedTuple):
    """The content of a file of scores: requests and seconds by trial, and undefined scores."""

    requests: dict[str, frozenset[RequestKey]]
    seconds: dict[str, float]
    undefined: list[dict[str, Any]]


class _Read(NamedTuple):
    """The content of the tables, valid until one of their files changes."""

    left: Remaining
    undefined: list[Undefined]
    cells: list[Cell]
    seconds: dict[tuple[str, ...], list[float]]
    num_failed_attempts: int
    failures: list[Failure]


class StatusReader:
    """Reads the progress of a study; later readings skip unchanged files.

    Args:
        results: The folder, which is only read.
        clock: The time in seconds since 1970.
    """

    def __init__(self, results: Results, clock: Callable[[], float] = time.time) -> None:
        self._results, self._clock = results, clock
        store = results.store
        self._trials = Kept(store, "tables/trials", self._read_trials)
        self._scores = Kept(store, "tables/scores", self._read_scores)
        self._failures = Kept(store, "tables/failures", self._read_failures)
        self._kept = (self._trials, self._scores, self._failures)
        self._study: tuple[bytes, Study, list[WantedTrial]] | None = None
        self._read: tuple[Any, _Read] | None = None
        self._first: dict[str, Attempt] = {}

    def read(self) -> Status:
        """The study's progress now.

        Raises:
            ResultsError: If there is no study.
            StoreError: If the folder cannot be read.
        """
        content, study, wanted = self._wanted()
        read = self._tables(content, wanted)
        tally, store = read.left.tally, self._results.store
        drivers = [driver for driver in read_drivers(store).values() if not _has_gone(driver)]
        attempts = self._attempts()
        saved = ""
        if not drivers:
            saved = describe_saved(self._results, (trial for trial, _ in read.left.untrained))
        return Status(
            study.name,
            self._results.uri,
            len(wanted),
            tally,
            read.undefined,
            read.cells,
            drivers,
            attempts,
            Control(store, "").aside() if drivers else [],
            read.num_failed_attempts,
            read.failures,
            self._time_left(read, attempts) if drivers else None,
            saved,
            [str(error) for each in self._kept for error in each.damaged],
        )

    def _wanted(self) -> tuple[bytes, Study, list[WantedTrial]]:
        content = self._results.store.read("study.json") if self._results.exists() else b""
        if self._study is None or self._study[0] != content:
            study = read_study(self._results)
            self._study = content, study, study.wanted_trials()
        return self._study

    def _tables(self, content: bytes, wanted: list[WantedTrial]) -> _Read:
        trained: dict[str, dict[str, Any]] = {}
        for rows in self._trials.read():
            trained |= rows
        scores, failed = self._scores.read(), [r for rows in self._failures.read() for r in rows]
        state = (content, *(each.sizes for each in self._kept))
        if self._read is None or self._read[0] != state:
            self._read = state, _compare(wanted, trained, scores, failed)
        return self._read[1]

    def _attempts(self) -> list[Attempt]:
        now = self._clock()
        told = Control(self._results.store, "").reports()
        attempts = [
            Attempt(**{key: facts[key] for key in Attempt._fields if key in facts})
            for facts in (
                told_last | {"attempt_id": attempt_id, "silent_seconds": now - told_last["at"]}
                for attempt_id, told_last in told.items()
            )
        ]
        self._first = {each.attempt_id: self._first.get(each.attempt_id, each) for each in attempts}
        return attempts

    def _time_left(self, read: _Read, attempts: Iterable[Attempt]) -> TimeLeft | None:
        working = [attempt for attempt in attempts if attempt.is_working]
        seconds = {kind: list(values) for kind, values in read.seconds.items()}
        reached: dict[str, int] = {}
        trial_of = {trial.trial_id: trial for trial, _ in read.left.untrained}
        for attempt in (each for each in working if each.is_training):
            first = self._first[attempt.attempt_id]
            num = (attempt.step - first.step) * len(attempt.trials)
            trial = trial_of.get(attempt.trials[0]) if attempt.trials else None
            if num > 0 and attempt.at > first.at and trial:
                cell = ("train", trial.dataset, trial.method)
                seconds.setdefault(cell, []).append((attempt.at - first.at) / num)
            reached |= dict.fromkeys(attempt.trials, attempt.step)
        work: dict[tuple[str, ...], list[float]] = defaultdict(list)
        lacking = [*read.left.untrained, *read.left.unscored]
        if lacking and not any(cell[0] == "score" for cell in seconds):
            from ..study.costs import score_seconds

            seconds["score", ""] = [score_seconds(each) for each in lacking[0].requests]
        for trial, requests in lacking:
            if trial.trial_id in read.left.given_up:
                continue
            if trial.trial_id in trial_of:
                steps = max(0, trial.training.steps - reached.get(trial.trial_id, 0))
                work["train", trial.dataset, trial.method].append(steps)
            work["score", trial.dataset].append(len(requests))
        mates = statistics.fmean([len(each.trials) for each in working if each.is_training] or [1])
        return estimate(work, seconds, len(working), max(1.0, mates))

    def _read_trials(self, file: str) -> dict[str, dict[str, Any]]:
        columns = ["trial_id", "dataset", "method", "status", "error", "steps", "attempt_id"]
        columns += ["train_seconds", "encode_seconds", "finished_at"]
        rows = read_file(self._results.store, file, columns).to_pylist()
        return {row["trial_id"]: row for row in rows}

    def _read_scores(self, file: str) -> _Scored:
        key = ["trial_id", *REQUEST_KEY]
        columns = [*key, "error", "seconds"]
        rows = read_file(self._results.store, file, columns, text_columns("scores"))
        one, seconds = without_repeated(rows, key), {}
        if "seconds" in rows.column_names:
            means = one.group_by("trial_id").aggregate([("seconds", "mean")]).to_pydict()
            seconds = dict(zip(means["trial_id"], means["seconds_mean"], strict=True))
        undefined = rows.filter(pc.field("error").is_valid()).to_pylist()
        return _Scored(requests_by_trial(one), seconds, undefined)

    def _read_failures(self, file: str) -> list[dict[str, Any]]:
        columns = [*IDENTITY["failures"], "cause", "exception_type", "message", "attempt_id"]
        columns += ["trial_ids", "given_up"]
        return read_file(self._results.store, file, columns).to_pylist()


def _compare(
    wanted: list[WantedTrial],
    trained: Mapping[str, Mapping[str, Any]],
    scores: Sequence[_Scored],
    failed: Sequence[Mapping[str, Any]],
) -> _Read:
    requests: dict[str, frozenset[RequestKey]] = {}
    means: dict[str, float] = {}
    for each in scores:
        for trial_id, keys in each.requests.items():
            requests[trial_id] = requests[trial_id] | keys if trial_id in requests else keys
        means |= each.seconds
    attempts = {tuple(row[name] for name in IDENTITY["failures"]): row for row in failed}
    statuses = {trial_id: row["status"] for trial_id, row in trained.items()}
    given_up = [row.get("given_up") for row in attempts.values()]
    left = compare(wanted, statuses, requests, given_up)
    done = Counter((trial.dataset, trial.method) for trial in left.done)
    lost = [trial for trial, _ in (*left.untrained, *left.unscored)]
    lost = [*left.failed, *(trial for trial in lost if trial.trial_id in left.given_up)]
    gone = Counter((trial.dataset, trial.method) for trial in lost)
    total = Counter((trial.dataset, trial.method) for trial, _ in wanted)
    cells = [Cell(*cell, done[cell], gone[cell], count) for cell, count in total.items()]
    seconds: dict[tuple[str, ...], list[float]] = defaultdict(list)
    packs: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for row in trained.values():
        if row["steps"] and row["status"] == "done" and row.get("train_seconds") is not None:
            spent = row["train_seconds"] + (row.get("encode_seconds") or 0.0)
            cell = (row["dataset"], row["method"], row.get("attempt_id") or row["trial_id"])
            if math.isfinite(spent):
                packs[cell].append(spent / row["steps"])
    for (dataset, method, _), taken in packs.items():
        seconds["train", dataset, method].append(statistics.fmean(taken))
    for trial_id, mean in means.items():
        if trial_id in trained and mean is not None and math.isfinite(mean):
            seconds["score", trained[trial_id]["dataset"]].append(mean)
    undefined = [row for each in scores for row in each.undefined]
    return _Read(
        left,
        count_undefined(undefined, wanted),
        cells,
        seconds,
        len(attempts),
        _latest_failures(attempts.values(), trained.values()),
    )


def _latest_failures(
    attempts: Iterable[Mapping[str, Any]], trained: Iterable[Mapping[str, Any]]
) -> list[Failure]:
    found = []
    for row in attempts:
        why = describe(row.get("exception_type"), row.get("message") or "")
        reason = without_attempt(why, row.get("attempt_id") or why).partition("\n")[0]
        found.append(
            Failure(row["at"] or "", row["kind"], row["cause"], reason, len(row["trial_ids"]))
        )
    for row in trained:
        if row["status"] == "failed":
            reason = (row["error"] or "").partition("\n")[0]
            found.append(Failure(row["finished_at"] or "", "train", "model", reason, 1))
    return sorted(found, key=lambda failure: failure.at, reverse=True)[:_MOST_FAILURES]


def estimate(
    work: Mapping[tuple[str, ...], Sequence[float]],
    seconds: Mapping[tuple[str, ...], Sequence[float]],
    num_attempts: int,
    pack_size: float = 1.0,
) -> TimeLeft | None:
    """Estimates the time left from the rates of packs so far, with a 95 % interval.

    A cell's work is assumed to take its mean seconds per unit; a cell without a pack takes the mean
    of all packs of its kind. Future packs are assumed to vary like past ones. Given n packs with
    standard deviation s, the mean of the next m has the standard error s * sqrt(1/n + 1/m), with
    n - 1 degrees of freedom. Cells are treated as independent (Welch 1947).

    Args:
        work: Remaining units of each trial, by cell: its kind ("train" or "score"), then the rest.
        seconds: Seconds per unit of each finished pack (a scored trial is one), by cell.
        num_attempts: The number of attempts that run at once.
        pack_size: The number of trials in a future training pack.

    >>> estimate({("train", "a"): [10, 10]}, {("train", "a"): [1, 3]}, num_attempts=2)
    TimeLeft(seconds=20.0, low=0.0, high=199.69...)
    """
    whole = variance = fourth = 0.0
    for cell, units in work.items():
        if not (total := float(sum(units))):
            continue
        kind = [one for key, values in seconds.items() if key[0] == cell[0] for one in values]
        taken = list(seconds.get(cell, ())) or kind
        if not taken:
            return None
        whole += total * statistics.fmean(taken)
        spread = taken if len(taken) > 1 else kind
        num = max(1.0, len(units) / (pack_size if cell[0] == "train" else 1))
        own = statistics.variance(spread) if len(spread) > 1 else math.nan
        of_cell = total**2 * own * (1 / len(taken) + 1 / num)
        variance += of_cell
        fourth += of_cell**2 / max(1, len(spread) - 1)
    if not num_attempts:
        return None
    mean = whole / num_attempts
    if math.isnan(variance):
        return TimeLeft(mean)
    half = 0.0
    if variance:
        from scipy.special import stdtrit

        half = float(stdtrit(variance**2 / fourth, 0.975)) * math.sqrt(variance) / num_attempts
    return TimeLeft(mean, max(0.0, mean - half), mean + half)


def _has_gone(driver: Driver) -> bool:
    return driver.dead or driver.silent_seconds > _SILENT_DRIVER_SECONDS
