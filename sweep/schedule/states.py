"""Where every trial of a run stands: it waits to be trained or scored, is done, or has failed."""

from collections import deque
from collections.abc import Iterable
from typing import Any

from ..study.packing import Backlog
from ..study.remaining import Remaining, WantedTrial
from ..trials.trial import Trial


class TrialStates:
    """The trials of a run, but for those in an attempt, which the scheduler knows.

    Args:
        left: What the results folder lacks.
        backlog: Those that wait to be trained.

    Attributes:
        total: How many there are.
        backlog: Those that wait to be trained.
        scorable: Those that wait to be scored, with the scores that are missing.
        done: The ids of those trained and scored.
        failed: The ids of those given up.
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
        """Whether something is queued: with nothing running, for a machine to come back."""
        return bool(len(self.backlog) or self.scorable)

    def mark_trained(self, trials: Iterable[Trial], failed: Iterable[str]) -> None:
        """Takes in that trials have their rows; those named turned out to be no usable model."""
        self.failed |= set(failed)
        usable = [trial for trial in trials if trial.trial_id not in self.failed]
        self.mark_scored(trial for trial in usable if not self._requests[trial.trial_id])
        self.queue_scoring(trial for trial in usable if self._requests[trial.trial_id])

    def queue_scoring(self, trials: Iterable[Trial]) -> None:
        """Queues trials for scoring."""
        self.scorable += [WantedTrial(trial, self._requests[trial.trial_id]) for trial in trials]

    def mark_scored(self, trials: Iterable[Trial]) -> None:
        """Takes in that trials have all they need."""
        self.done |= {trial.trial_id for trial in trials}

    def give_up(self, trials: Iterable[Trial]) -> None:
        """Takes in that trials have been tried often enough."""
        self.failed |= {trial.trial_id for trial in trials}

    def give_up_program(self, kind: str, program: Any) -> list[Trial]:
        """Gives up what waits of a program to be trained, or to be scored; returns it."""
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
