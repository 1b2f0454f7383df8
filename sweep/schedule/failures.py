"""What follows when an attempt fails: a row that says why, and another try at what is undone."""

import datetime
import itertools
from collections.abc import Callable
from dataclasses import replace

from ..store import checkpoints
from ..store.results import Results
from ..store.store import StoreError
from ..store.tables import FailureRow
from ..study.freeze import check_writable
from ..study.packing import PackedTrials
from ..trials.trial import Trial
from ..work.attempt import Failure
from ..work.machine import ClusterError
from ..work.tasks import Task, TrainPack
from .retries import Decision, Retries
from .states import TrialStates


class Failures:
    """Takes in the attempts of a run that fail.

    Args:
        results: Where the rows go.
        states: What waits; it gets back what is worth another attempt.
        retries: Decides what is.
        clock: Seconds.
    """

    def __init__(
        self, results: Results, states: TrialStates, retries: Retries, clock: Callable[[], float]
    ) -> None:
        self._results = results
        self._states = states
        self._retries = retries
        self._clock = clock

    def take(self, task: Task, failure: Failure) -> None:
        """Writes down what went wrong, and queues what the attempt left undone.

        Raises:
            StoreError: If it went wrong because the results folder refuses: so would all else.
            ClusterError: If its node is not set up as it must be.
        """
        self._write(task, failure)
        if failure.cause == "cluster":
            raise ClusterError(failure.message)
        if failure.cause == "full" or (failure.cause == "store" and self._store_refuses(task)):
            raise StoreError(failure.message)
        if failure.cause == "store":  # for a moment, or only there
            failure = replace(failure, cause="lost")
        left = self._take_committed(task)
        if left and isinstance(task, TrainPack):
            self._train_again(task, left, failure)
        elif left:
            self._score_again(task, left, failure)

    def _store_refuses(self, task: Task) -> bool:
        """Whether the store refuses the driver, too, or one attempt after the other."""
        try:
            check_writable(self._results)
        except StoreError:
            return True
        return self._retries.store_keeps_refusing(task, self._clock())

    def _take_committed(self, task: Task) -> list[Trial]:
        """Counts what a failed attempt has committed all the same; returns what it has not."""
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
        """Counts the models that have turned to NaN on the way."""
        for number in itertools.count(1):
            rows = self._results.rows_of("trials", task.broken_name(number))
            if not rows:
                break
            self._states.failed |= {row["trial_id"] for row in rows}

    def _train_again(self, task: TrainPack, left: list[Trial], failure: Failure) -> None:
        if task.checkpoint and failure.cause == "checkpoint":
            # Else the next run would pick it again.
            checkpoints.remove(self._results, task.checkpoint)
            self._states.backlog.put_back([PackedTrials(tuple(left), None)])
            return
        saved = checkpoints.furthest_of_attempt(self._results, task.attempt_id)
        if saved:
            self._retries.note_progress(task)
        elif task.checkpoint and self._results.store.exists(task.checkpoint.state_file):
            saved = task.checkpoint
        decision = self._retries.decide(task, PackedTrials(tuple(left), saved), failure)
        self._states.backlog.put_back(decision.packs)
        if decision.most:
            self._states.backlog.limit(task.program, decision.most)
        self._give_up(task, decision, failure)

    def _score_again(self, task: Task, left: list[Trial], failure: Failure) -> None:
        decision = self._retries.decide(task, PackedTrials(tuple(left), None), failure)
        self._states.queue_scoring(trial for pack in decision.packs for trial in pack.trials)
        self._give_up(task, decision, failure)

    def _give_up(self, task: Task, decision: Decision, failure: Failure) -> None:
        self._states.give_up(decision.failed)
        stopped = self._states.give_up_program(task.kind, task.program) if decision.stop else []
        if stopped:
            reason = Failure("stopped", f"its program raised too often: {failure}")
            self._write(replace(task, trials=tuple(stopped)), reason)

    def _write(self, task: Task, failure: Failure) -> None:
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
        )
        self._results.add("failures", task.attempt_id, [row])
