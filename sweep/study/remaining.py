"""What a results folder still lacks of a study: read off its tables, remembered nowhere else."""

from collections.abc import Iterable
from typing import NamedTuple

from ..store.results import Results
from ..trials.request import MetricRequest
from ..trials.trial import Trial


class Wanted(NamedTuple):
    """A trial, and the scores wanted of it."""

    trial: Trial
    requests: tuple[MetricRequest, ...]


class Outstanding(NamedTuple):
    """Every trial of a study in one of four places.

    Attributes:
        untrained: Without a row, with the scores that are missing; a forgotten one has some.
        unscored: Trained, with the scores that are missing.
        done: Trained and scored.
        failed: Trained to no usable model; the row says why.
    """

    untrained: list[Wanted]
    unscored: list[Wanted]
    done: list[Trial]
    failed: list[Trial]

    @property
    def nothing(self) -> bool:
        """Whether there is nothing left to do."""
        return not self.untrained and not self.unscored


def outstanding(results: Results, wanted: Iterable[Wanted]) -> Outstanding:
    """Compares what is wanted with what the folder holds."""
    trained = results.done()
    scored = results.scored()
    left = Outstanding([], [], [], [])
    for trial, requests in wanted:
        status = trained.get(trial.trial_id)
        have = scored.get(trial.trial_id, set())
        missing = tuple(request for request in requests if request.key not in have)
        if status is None:
            left.untrained.append(Wanted(trial, missing))
        elif status == "failed":
            left.failed.append(trial)
        elif missing:
            left.unscored.append(Wanted(trial, missing))
        else:
            left.done.append(trial)
    return left
