"""Finds what a results folder still lacks of a study, from its tables alone."""

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
    """The number of trials in each state, as every command counts them.

    Attributes:
        done: Trained, and every wanted score has a value or a reason why it is not defined.
        failed: Training gave no usable model, or all attempts are used up.
        untrained: Waiting to be trained.
        unscored: Trained, and waiting for scores.
    """

    done: int
    failed: int
    untrained: int
    unscored: int

    def say(self, of: str) -> str:
        """The counts in words; `of` names what is counted."""
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{self.done:,} of {sum(self):,} {of}{failed}"

    @property
    def waiting(self) -> str:
        """The counts of trials that are not done, in words."""
        return f"not done yet: {self.untrained:,} to train, {self.unscored:,} to score"


class Remaining(NamedTuple):
    """Every trial of a study in one of four states.

    Attributes:
        untrained: Trials without a row, with their missing scores; a forgotten trial may have some.
        unscored: Trained trials, with their missing scores.
        done: Trained and scored trials.
        failed: Trials whose training gave no usable model; the row says why.
        given_up: IDs of untrained or unscored trials that used up their attempts in the last run.
            They count as failed, and the next run tries them again.
    """

    untrained: list[WantedTrial]
    unscored: list[WantedTrial]
    done: list[Trial]
    failed: list[Trial]
    given_up: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether no work remains."""
        return not self.untrained and not self.unscored

    @property
    def tally(self) -> Tally:
        """The number of trials in each state."""
        untrained, unscored = (
            sum(trial.trial_id not in self.given_up for trial, _ in group)
            for group in (self.untrained, self.unscored)
        )
        failed = len(self.failed) + len(self.given_up)
        return Tally(len(self.done), failed, untrained, unscored)


def remaining(results: Results, wanted: Collection[WantedTrial]) -> Remaining:
    """Compares the wanted trials with the content of the folder."""
    given_up = results.table("failures", ["given_up"])["given_up"].to_pylist()
    return compare(wanted, results.statuses(), results.scored_requests(), given_up)


def compare(
    wanted: Collection[WantedTrial],
    trained: Mapping[str, str],
    scored: Mapping[str, Collection[RequestKey]],
    given_up: Iterable[Iterable[str] | None],
) -> Remaining:
    """Compares the wanted trials with what exists.

    Args:
        wanted: The trials of a study.
        trained: The status of each trained trial.
        scored: The keys of the requests that each scored trial has.
        given_up: The trials that each failed attempt gave up.
    """
    gone = {trial_id for trial_ids in given_up for trial_id in trial_ids or ()}
    left = Remaining([], [], [], [])
    known: dict[tuple[int, int, str], tuple[MetricRequest, ...]] = {}
    for trial, requests in wanted:
        status = trained.get(trial.trial_id)
        have = scored.get(trial.trial_id, ())
        case = id(requests), id(have), trial.dataset  # thousands of trials share them
        if case not in known:
            known[case] = tuple(one for one in requests if one.key_on(trial.dataset) not in have)
        missing = known[case]
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
    """A metric that is not defined for some models, with one reason.

    Attributes:
        metric: The name of the metric.
        representation: "mean" or "sampled".
        reason: The metric's message.
        num_models: The number of models.
    """

    metric: str
    representation: str
    reason: str
    num_models: int


def undefined_scores(results: Results, wanted: Collection[WantedTrial]) -> list[Undefined]:
    """The wanted scores that are not defined, and the reasons."""
    key, texts = IDENTITY["scores"], text_columns("scores")
    rows = read_table(results.store, "tables/scores", [*key, "error"], key, texts)
    if rows is None:
        return []
    return count_undefined(rows.filter(pc.field("error").is_valid()).to_pylist(), wanted)


def count_undefined(
    undefined: Iterable[Mapping[str, Any]], wanted: Iterable[WantedTrial]
) -> list[Undefined]:
    """The wanted scores that are not defined in these rows, and the reasons."""
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
    """Why trials failed, by trial_id: the reason in the row, or else of the last failed attempt.

    This includes trials that a later attempt finished.
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
