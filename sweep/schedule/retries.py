"""What a failed attempt means for its trials: once more, in smaller packs, or no more."""

from collections import Counter
from typing import Any, NamedTuple

from ..study.packing import PackedTrials
from ..trials.trial import Trial
from ..work.attempt import Failure, without_attempt
from ..work.tasks import Task

MAX_LOST = 5
"""Attempts in a row whose worker or node vanished, before a trial that was alone has failed."""

MAX_EXCEPTIONS = 3
"""Attempts in a row that raised, before a trial that was alone has failed; and equal exceptions
in a row of one program, before the program is stopped."""

HICCUP_SECONDS = 60.0
"""For how long a store may refuse every attempt, and be all right again."""


class Decision(NamedTuple):
    """What becomes of the trials that a failed attempt left undone.

    Attributes:
        packs: To be tried again, each by itself.
        failed: Tried often enough.
        most: The largest pack of this program from now on, if it must be smaller.
        stop: Whether the whole program is given up.
    """

    packs: list[PackedTrials]
    failed: list[Trial]
    most: int | None = None
    stop: bool = False


class Retries:
    """Remembers failures, and decides what is worth another attempt.

    A pack that raises is cut in two, so that one bad trial ends up alone and fails alone. A worker
    or a node that vanishes is nobody's fault at first; a pack that it happens to again and again,
    without a checkpoint in between, is cut in two as well. A program is stopped when the same
    exception comes again and again and no one trial can be to blame.

    Args:
        fail_fast: Whether what raises has failed at once.
    """

    def __init__(self, fail_fast: bool = False) -> None:
        self._fail_fast = fail_fast
        self._strikes: Counter[tuple[str, str]] = Counter()
        self._raised: dict[tuple[Any, ...], list[set[str]]] = {}
        self._refused: dict[str, list[float]] = {}  # when the store did so, in a row, by kind

    def note_success(self, task: Task) -> None:
        """Remembers that an attempt has ended well: its program works, and so does the store."""
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
        """Whether the store has now refused too many attempts of this kind for it to be a hiccup.

        It has a damaged file then that all need, or a folder that nobody may write to.
        """
        times = self._refused.setdefault(task.kind, [])
        times.append(now)
        return len(times) >= MAX_LOST and now - times[0] > HICCUP_SECONDS

    def decide(self, task: Task, left: PackedTrials, failure: Failure) -> Decision:
        """Says what becomes of the trials that `task` has left undone."""
        size = len(task.trials)
        if failure.cause == "machine":  # another will do it
            return Decision([left], [])
        if failure.cause == "out_of_memory" and size > 1:
            if task.kind == "score":  # a group that would form again: alone from now on
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
