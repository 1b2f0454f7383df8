"""Decides what follows from a failed attempt: another try, smaller packs, or none."""

from collections import Counter
from typing import Any, NamedTuple

from ..study.packing import PackedTrials
from ..trials.trial import Trial
from ..work.attempt import Failure, without_attempt
from ..work.tasks import Task

MAX_LOST = 5
"""Lost attempts in a row after which a trial that was alone in them has failed."""

MAX_EXCEPTIONS = 3
"""Exceptions in a row after which a trial that was alone has failed; and equal exceptions in a row
after which a whole program is stopped."""

HICCUP_SECONDS = 60.0
"""The time for which a store may refuse every attempt before the run ends."""


class Decision(NamedTuple):
    """What happens to the trials that a failed attempt left undone.

    Attributes:
        packs: The packs to try again, each by itself.
        failed: The trials that have been tried often enough.
        most: The size of this program's largest pack from now on, if packs must be smaller.
        stop: Whether the whole program is given up.
    """

    packs: list[PackedTrials]
    failed: list[Trial]
    most: int | None = None
    stop: bool = False


class Retries:
    """Remembers failures, and decides what to try again.

    A pack that raises an exception is cut in two, so that a bad trial ends up and fails alone.
    A pack that is lost with its worker or node is tried again as a whole. If it is lost again and
    again without a checkpoint in between, it is cut in two as well. A program is stopped when the
    same exception is raised again and again and no single trial can be the reason.

    Args:
        fail_fast: Whether a trial that raises an exception has failed at once.
    """

    def __init__(self, fail_fast: bool = False) -> None:
        self._fail_fast = fail_fast
        self._strikes: Counter[tuple[str, str]] = Counter()
        self._raised: dict[tuple[Any, ...], list[set[str]]] = {}
        self._refused: dict[str, list[float]] = {}  # times at which the store did, by kind

    def note_success(self, task: Task) -> None:
        """Remembers that an attempt has succeeded, so its program and the store work."""
        self._refused.pop(task.kind, None)
        for key in [key for key in self._raised if key[:2] == (task.kind, task.program)]:
            del self._raised[key]

    def note_progress(self, task: Task) -> None:
        """Remembers that an attempt has saved more than the one before."""
        for trial in task.trials:
            self._strikes.pop((task.kind, trial.trial_id), None)

    def has_failed(self, kind: str, trial: Trial) -> bool:
        """Whether a trial was in an attempt of this kind that failed."""
        return self._strikes[kind, trial.trial_id] > 0

    def store_keeps_refusing(self, task: Task, now: float) -> bool:
        """Whether the store has refused attempts of this kind too often and for too long.

        A file that all need is damaged then, or nobody may write to a folder.
        """
        times = self._refused.setdefault(task.kind, [])
        times.append(now)
        return len(times) >= MAX_LOST and now - times[0] > HICCUP_SECONDS

    def decide(self, task: Task, left: PackedTrials, failure: Failure) -> Decision:
        """What happens to the trials that `task` has left undone."""
        size = len(task.trials)
        if failure.cause == "machine":  # another machine tries the same
            return Decision([left], [])
        if failure.cause == "out_of_memory" and size > 1:
            if task.kind == "score":  # else the same group would form again
                self._strike(task, left)
            most = (size + 1) // 2
            return Decision(left.cut(most), [], most=most)
        self._strike(task, left)
        lost = failure.cause == "lost"
        if not lost and self._fail_fast:
            return Decision([], list(left.trials))
        if not lost and self._is_the_programs_fault(task, failure):
            return Decision([], list(left.trials), stop=True)
        strikes = max(self._strikes[task.kind, trial.trial_id] for trial in left.trials)
        if size == 1 and strikes >= (MAX_LOST if lost else MAX_EXCEPTIONS):
            return Decision([], list(left.trials))
        whole = lost and strikes < MAX_EXCEPTIONS
        return Decision(left.cut(len(left.trials) if whole else (size + 1) // 2), [])

    def _strike(self, task: Task, left: PackedTrials) -> None:
        self._strikes.update((task.kind, trial.trial_id) for trial in left.trials)

    def _is_the_programs_fault(self, task: Task, failure: Failure) -> bool:
        message = without_attempt(failure.message, task.attempt_id)
        key = (task.kind, task.program, failure.exception_type, message)
        raised = self._raised.setdefault(key, [])
        raised.append({trial.trial_id for trial in task.trials})
        return len(raised) >= MAX_EXCEPTIONS and not set.intersection(*raised)
