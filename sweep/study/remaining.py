"""What a results folder still lacks of a study: read off its tables, remembered nowhere else."""

from collections.abc import Iterable
from typing import NamedTuple

from ..store.results import Results
from ..trials.request import MetricRequest
from ..trials.trial import Trial


class WantedTrial(NamedTuple):
    """A trial, and the scores wanted of it."""

    trial: Trial
    requests: tuple[MetricRequest, ...]


class Remaining(NamedTuple):
    """Every trial of a study in one of four places.

    Attributes:
        untrained: Without a row, with the scores that are missing; a forgotten one has some.
        unscored: Trained, with the scores that are missing.
        done: Trained and scored.
        failed: Trained to no usable model; the row says why.
    """

    untrained: list[WantedTrial]
    unscored: list[WantedTrial]
    done: list[Trial]
    failed: list[Trial]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing left to do."""
        return not self.untrained and not self.unscored


def remaining(results: Results, wanted: Iterable[WantedTrial]) -> Remaining:
    """Compares what is wanted with what the folder holds."""
    trained = results.done()
    scored = results.scored()
    left = Remaining([], [], [], [])
    for trial, requests in wanted:
        status = trained.get(trial.trial_id)
        have = scored.get(trial.trial_id, set())
        missing = tuple(request for request in requests if request.key not in have)
        if status is None:
            left.untrained.append(WantedTrial(trial, missing))
        elif status == "failed":
            left.failed.append(trial)
        elif missing:
            left.unscored.append(WantedTrial(trial, missing))
        else:
            left.done.append(trial)
    return left
