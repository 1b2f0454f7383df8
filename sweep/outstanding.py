"""What a results folder still lacks of a study: read off its tables, remembered nowhere else."""

from collections.abc import Sequence
from typing import NamedTuple

from .references import wanted
from .results import Results
from .scoring import MetricRequest
from .trials import Trial


class Outstanding(NamedTuple):
    """Every trial of a study in one of four places.

    Attributes:
        untrained: Without a row.
        unscored: Trained, with the scores that are missing.
        done: Trained and scored.
        failed: Trained to no usable model; the row says why.
    """

    untrained: list[Trial]
    unscored: list[tuple[Trial, tuple[MetricRequest, ...]]]
    done: list[Trial]
    failed: list[Trial]

    @property
    def nothing(self) -> bool:
        """Whether there is nothing left to do."""
        return not self.untrained and not self.unscored


def outstanding(
    results: Results, trials: Sequence[Trial], requests: Sequence[MetricRequest]
) -> Outstanding:
    """Compares what is wanted with what the folder holds."""
    trained = results.done()
    scored = results.scored() if trained else {}
    left = Outstanding([], [], [], [])
    for trial in trials:
        status = trained.get(trial.trial_id)
        if status is None:
            left.untrained.append(trial)
        elif status == "failed":
            left.failed.append(trial)
        else:
            have = scored.get(trial.trial_id, set())
            missing = tuple(
                request for request in wanted(trial.method, requests) if request.key not in have
            )
            if missing:
                left.unscored.append((trial, missing))
            else:
                left.done.append(trial)
    return left
