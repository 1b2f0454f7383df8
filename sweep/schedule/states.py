"""The state of every trial of a run: waiting to be trained or scored, done, or failed."""

from collections import deque
from collections.abc import Iterable
from typing import Any

from ..study.packing import Backlog
from ..study.remaining import Remaining, WantedTrial
from ..trials.trial import Trial


class TrialStates:
    """The trials of a run, except those in an attempt: the scheduler knows these.

    Args:
        left: What the results folder lacks.
        backlog: The trials that wait to be trained.

    Attributes:
        total: The number of trials.
        backlog: The trials that wait to be trained.
        scorable: The trials that wait to be scored, with the scores that are missing.
        done: The ids of the trials that are trained and scored.
        failed: The ids of the trials that are given up.
    """

    def __init__(self, left: Remaining, backlog: Backlog) -> None:
        self.total = sum(left.tally)
        self.backlog = backlog
        self.scorable = deque(left.unscored)
        self.done = {trial.trial_id for trial in left.done}
        self.failed = {trial.trial_id for trial in left.failed}
        wanted = [*left.untrained, *left.unscored]
        self._requests = {trial.trial_id: requests for trial, requests in wanted}

    @property
    def waiting(self) -> bool:
        """Whether trials are queued. If nothing runs, they wait for a machine to come back."""
        return bool(len(self.backlog) or self.scorable)

    def mark_trained(self, trials: Iterable[Trial], failed: Iterable[str]) -> None:
        """Notes that trials have their rows. The models of those in `failed` are not usable."""
        self.failed |= set(failed)
        usable = [trial for trial in trials if trial.trial_id not in self.failed]
        self.mark_scored(trial for trial in usable if not self._requests[trial.trial_id])
        self.queue_scoring(trial for trial in usable if self._requests[trial.trial_id])

    def queue_scoring(self, trials: Iterable[Trial]) -> None:
        """Queues trials for scoring."""
        self.scorable += [WantedTrial(trial, self._requests[trial.trial_id]) for trial in trials]

    def put_last(self, trial_id: str, place: int, is_kept: bool) -> None:
        """Puts the score that ended a process behind the trial's others.

        `is_kept` says that the scores before it are stored already: they are dropped.
        """
        wanted = self._requests[trial_id]
        before = () if is_kept else wanted[:place]
        self._requests[trial_id] = (*before, *wanted[place + 1 :], *wanted[place : place + 1])

    def mark_scored(self, trials: Iterable[Trial]) -> None:
        """Notes that trials have all their scores."""
        self.done |= {trial.trial_id for trial in trials}

    def give_up(self, trials: Iterable[Trial]) -> None:
        """Notes that trials have been tried often enough."""
        self.failed |= {trial.trial_id for trial in trials}

    def give_up_program(self, kind: str, program: Any) -> list[Trial]:
        """Gives up and returns the trials of a program that wait to be trained, or to be scored."""
        if kind == "train":
            trials = self.backlog.give_up(program)
        else:
            trials = [
                wanted_trial.trial
                for wanted_trial in self.scorable
                if wanted_trial.trial.program == program
            ]
            self.scorable = deque(s for s in self.scorable if s.trial.program != program)
        self.give_up(trials)
        return trials
