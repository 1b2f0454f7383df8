"""Handles failed attempts: writes a row with the reason, and queues unfinished work again."""

import datetime
import itertools
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..store import checkpoints
from ..store.results import Results
from ..store.store import StoreError
from ..store.tables import FailureRow
from ..study.freeze import check_writable
from ..study.packing import PackedTrials
from ..trials.trial import Trial
from ..work.attempt import Failure, without_attempt
from ..work.machine import ClusterError
from ..work.tasks import NOWHERE, Place, Task, TrainPack
from .retries import Decision, Retries
from .states import TrialStates

_LOG = logging.getLogger("teasel")

_NUMBERS = re.compile(r"\b[0-9a-f]{8,}\b|\d+")


class Failures:
    """Handles the failed attempts of a run.

    Args:
        results: The results folder for the rows.
        states: The states of the trials, which get back those worth another attempt.
        retries: Decides which trials are worth another attempt.
        clock: The time in seconds.
    """

    def __init__(
        self, results: Results, states: TrialStates, retries: Retries, clock: Callable[[], float]
    ) -> None:
        self._results = results
        self._states = states
        self._retries = retries
        self._clock = clock
        self._said: set[str] = set()

    def take(self, task: Task, failure: Failure, place: Place, is_places: bool = False) -> None:
        """Writes down what went wrong, and queues what the attempt left undone.

        `is_places` says that the place is to blame, and that there are others.

        Raises:
            StoreError: If the results folder cannot be written, so that later attempts would fail.
            ClusterError: If its node is set up incorrectly, or is broken and the last one.
        """
        if failure.cause in ("cluster", "machine"):
            check_writable(self._results)  # else the folder has gone, and that is all
        self._say_once(task, failure)
        if failure.cause == "cluster" or (failure.cause == "machine" and not is_places):
            self._write(task, failure, place)
            raise ClusterError(failure.message)
        if failure.cause == "full" or (failure.cause == "store" and self._store_refuses(task)):
            self._write(task, failure, place)
            raise StoreError(failure.message)
        left = self._take_committed(task)
        known = failure
        if is_places:
            known = replace(failure, cause="machine")
        elif failure.cause == "store":  # for a moment, or only there
            known = replace(failure, cause="lost")
        decision = Decision([], [])
        if left and isinstance(task, TrainPack):
            decision = self._train_again(task, left, known)
        elif left:
            decision = self._score_again(task, left, known)
        self._states.give_up(decision.failed)
        self._write(task, failure, place, decision.failed)
        stopped = self._states.give_up_program(task.kind, task.program) if decision.stop else []
        if stopped:
            reason = Failure("stopped", f"its program raised too often: {failure}")
            self._write(replace(task, trials=tuple(stopped)), reason, NOWHERE, stopped)

    def _say_once(self, task: Task, failure: Failure) -> None:
        """Logs the first failure of each kind at once; numbers do not distinguish kinds."""
        what = f"training {task.trials[0].method}" if isinstance(task, TrainPack) else "scoring"
        message = _NUMBERS.sub("#", without_attempt(str(failure), task.attempt_id))
        if (cause := f"{what}, {failure.cause}, {message}") not in self._said:
            self._said.add(cause)
            how = failure.cause.replace("_", " ")
            _LOG.warning(
                "%s failed (%s): %s; see `teasel failures %s`",
                *(what, how, failure, self._results.uri),
            )

    def _store_refuses(self, task: Task) -> bool:
        """Whether the store also refuses the driver, or refuses attempt after attempt."""
        try:
            check_writable(self._results)
        except StoreError:
            return True
        return self._retries.store_keeps_refusing(task, self._clock())

    def _take_committed(self, task: Task) -> list[Trial]:
        """Counts the trials that a failed attempt has committed; returns the others."""
        if isinstance(task, TrainPack):
            self._take_broken(task)
            rows = self._results.rows_of("trials", task.attempt_id)
            if not rows:
                return [t for t in task.trials if t.trial_id not in self._states.failed]
            failed = [row["trial_id"] for row in rows if row["status"] == "failed"]
            self._states.mark_trained(task.trials, failed)
            return []
        left = [t for t in task.trials if not self._results.rows_of("scores", task.scores_name(t))]
        self._states.mark_scored(trial for trial in task.trials if trial not in left)
        return left

    def _take_broken(self, task: TrainPack) -> None:
        """Counts the models that turned to NaN during the attempt."""
        for number in itertools.count(1):
            rows = self._results.rows_of("trials", task.broken_name(number))
            if not rows:
                break
            self._states.failed |= {row["trial_id"] for row in rows}

    def _train_again(self, task: TrainPack, left: list[Trial], failure: Failure) -> Decision:
        if task.checkpoint and failure.cause == "checkpoint":
            # Else the next run would pick it again.
            checkpoints.remove(self._results, task.checkpoint)
            self._states.backlog.put_back([PackedTrials(tuple(left), None)])
            return Decision([], [])
        saved = checkpoints.furthest_of_attempt(self._results, task.attempt_id)
        if saved:
            self._retries.note_progress(task)
        elif task.checkpoint and self._results.store.exists(task.checkpoint.state_file):
            saved = task.checkpoint
        decision = self._retries.decide(task, PackedTrials(tuple(left), saved), failure)
        self._states.backlog.put_back(decision.packs)
        if decision.most:
            self._states.backlog.limit(task.program, decision.most)
        return decision

    def _score_again(self, task: Task, left: list[Trial], failure: Failure) -> Decision:
        decision = self._retries.decide(task, PackedTrials(tuple(left), None), failure)
        self._states.queue_scoring(trial for pack in decision.packs for trial in pack.trials)
        return decision

    def _write(
        self, task: Task, failure: Failure, place: Place, given_up: Sequence[Trial] = ()
    ) -> None:
        log = f"logs/{task.attempt_id}.log"
        row = FailureRow(
            pack_id=task.pack_id,
            kind=task.kind,
            trial_ids=[trial.trial_id for trial in task.trials],
            attempt=task.attempt,
            attempt_id=task.attempt_id,
            **vars(failure),
            log=log if self._results.store.exists(log) else None,
            at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            place=str(place) or None,
            given_up=[trial.trial_id for trial in given_up],
        )
        self._results.add("failures", task.attempt_id, [row])
