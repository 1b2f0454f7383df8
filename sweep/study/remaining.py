"""What a results folder still lacks of a study: read off its tables, remembered nowhere else."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import pyarrow.compute as pc

from ..store.files import read_table
from ..store.results import Results
from ..store.tables import IDENTITY, REQUEST_KEY, text_columns
from ..trials.request import MetricRequest, RequestKey
from ..trials.trial import Trial
from ..work.attempt import describe


class WantedTrial(NamedTuple):
    """A trial, and the scores wanted of it."""

    trial: Trial
    requests: tuple[MetricRequest, ...]


class Tally(NamedTuple):
    """How many trials are where: every command counts them so.

    Attributes:
        done: Trained, and every wanted score has its value, or the reason why it is not defined.
        failed: Trained to no usable model, or tried as often as is worth while.
        untrained: Wait to be trained.
        unscored: Are trained, and wait for scores.
    """

    done: int
    failed: int
    untrained: int
    unscored: int

    def say(self, of: str) -> str:
        """The counts in words, `of` saying what is counted."""
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{self.done:,} of {sum(self):,} {of}{failed}"

    @property
    def waiting(self) -> str:
        """What is not done yet, in words."""
        return f"not done yet: {self.untrained:,} to train, {self.unscored:,} to score"


class Remaining(NamedTuple):
    """Every trial of a study in one of four places.

    Attributes:
        untrained: Without a row, with the scores that are missing; a forgotten one has some.
        unscored: Trained, with the scores that are missing.
        done: Trained and scored.
        failed: Trained to no usable model; the row says why.
        given_up: The ids of those untrained or unscored that the last run tried often enough: they
            have failed, and the next run tries them anew.
    """

    untrained: list[WantedTrial]
    unscored: list[WantedTrial]
    done: list[Trial]
    failed: list[Trial]
    given_up: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing left to do."""
        return not self.untrained and not self.unscored

    @property
    def tally(self) -> Tally:
        """How many trials are where."""
        untrained, unscored = (
            sum(trial.trial_id not in self.given_up for trial, _ in group)
            for group in (self.untrained, self.unscored)
        )
        failed = len(self.failed) + len(self.given_up)
        return Tally(len(self.done), failed, untrained, unscored)


def remaining(results: Results, wanted: Iterable[WantedTrial]) -> Remaining:
    """Compares what is wanted with what the folder holds."""
    given_up = results.table("failures", ["given_up"])["given_up"].to_pylist()
    return compare(wanted, results.statuses(), results.scored_requests(), given_up)


def compare(
    wanted: Iterable[WantedTrial],
    trained: Mapping[str, str],
    scored: Mapping[str, Collection[RequestKey]],
    given_up: Iterable[Iterable[str] | None],
) -> Remaining:
    """Compares what is wanted with what there is.

    Args:
        wanted: The trials of a study.
        trained: The status of each trained trial.
        scored: The keys of the requests that each scored trial has.
        given_up: The trials that each failed attempt gave up.
    """
    gone = {trial_id for trial_ids in given_up for trial_id in trial_ids or ()}
    left = Remaining([], [], [], [])
    for trial, requests in wanted:
        status = trained.get(trial.trial_id)
        have = scored.get(trial.trial_id, ())
        missing = tuple(one for one in requests if one.key_on(trial.dataset) not in have)
        if status is None:
            left.untrained.append(WantedTrial(trial, missing))
        elif status == "failed":
            left.failed.append(trial)
        elif missing:
            left.unscored.append(WantedTrial(trial, missing))
        else:
            left.done.append(trial)
    undone = {trial.trial_id for trial, _ in (*left.untrained, *left.unscored)}
    return left._replace(given_up=frozenset(gone & undone))


class Undefined(NamedTuple):
    """A metric that is not defined for some models, for one reason.

    Attributes:
        metric: Which.
        representation: "mean" or "sampled".
        reason: What the metric says.
        num_models: For how many.
    """

    metric: str
    representation: str
    reason: str
    num_models: int


def undefined_scores(results: Results, wanted: Collection[WantedTrial]) -> list[Undefined]:
    """Which of the wanted scores are not defined, and why."""
    key, texts = IDENTITY["scores"], text_columns("scores")
    rows = read_table(results.store, "tables/scores", [*key, "error"], key, texts)
    if rows is None:
        return []
    return count_undefined(rows.filter(pc.field("error").is_valid()).to_pylist(), wanted)


def count_undefined(
    undefined: Iterable[Mapping[str, Any]], wanted: Iterable[WantedTrial]
) -> list[Undefined]:
    """Which of the wanted scores are not defined, of these rows of scores, and why."""
    undefined = list(undefined)
    without = {row["trial_id"] for row in undefined}
    asked = {
        trial.trial_id: {one.key_on(trial.dataset) for one in requests}
        for trial, requests in wanted
        if trial.trial_id in without
    }
    found: set[tuple[str, str, str, str]] = set()
    for row in undefined:
        key = RequestKey(*(row[name] for name in REQUEST_KEY))
        if key in asked.get(row["trial_id"], ()):
            found.add((row["metric"], row["representation"], row["error"], row["trial_id"]))
    counts = Counter((metric, kind, error) for metric, kind, error, _ in found)
    return [Undefined(*what, count) for what, count in sorted(counts.items())]


def failure_reasons(results: Results) -> dict[str, str]:
    """Why trials have failed, by trial_id: what their row says, else their last failed attempt.

    Trials that a later attempt has finished are among them.
    """
    attempts = results.table("failures", ["trial_ids", "exception_type", "message", "at"])
    rows = sorted(attempts.to_pylist(), key=lambda row: row["at"] or "")
    found = {
        trial_id: describe(row["exception_type"], row["message"] or "")
        for row in rows
        for trial_id in row["trial_ids"]
    }
    trials = results.table("trials", ["status", "error"]).filter(pc.field("status") == "failed")
    return found | {row["trial_id"]: row["error"] for row in trials.to_pylist()}
