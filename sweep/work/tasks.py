"""Tasks sent to workers: plain, picklable descriptions of work that import nothing heavy."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from ..trials.trial import Trial, short_hash

if TYPE_CHECKING:
    from ..store.checkpoints import Checkpoint
    from ..trials.request import MetricRequest


@dataclass(frozen=True)
class Demand:
    """What a task needs from a machine, or what a machine offers; `gpus` counts accelerators."""

    cpus: float = 1.0
    gpus: float = 0.0

    def __add__(self, demand: "Demand") -> "Demand":
        return Demand(self.cpus + demand.cpus, self.gpus + demand.gpus)

    def __sub__(self, demand: "Demand") -> "Demand":
        return Demand(self.cpus - demand.cpus, self.gpus - demand.gpus)

    def holds(self, demand: "Demand") -> int:
        """The number of tasks with this demand that fit into what `self` offers.

        >>> Demand(cpus=4, gpus=1).holds(Demand(cpus=1, gpus=0.5))
        2
        """
        counts = [int((self.cpus + 1e-6) // demand.cpus)] if demand.cpus else []
        counts += [int((self.gpus + 1e-6) // demand.gpus)] if demand.gpus else []
        return max(0, min(counts, default=0))


class Place(NamedTuple):
    """Where an attempt runs: on a node, and perhaps on one of its accelerators.

    Attributes:
        node: What the executor calls the node; empty if nobody knows.
        host: The node's name.
        accelerator: Its kind and number, as in "GPU 3"; empty for a CPU, or the node as a whole.

    >>> str(Place("5f21", "n1", "GPU 3"))
    'n1, GPU 3'
    """

    node: str = ""
    host: str = ""
    accelerator: str = ""

    @property
    def whole(self) -> "Place":
        """The node."""
        return self._replace(accelerator="")

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.host, self.accelerator)))


NOWHERE = Place()
"""Where an attempt was whose place nobody knows."""


@dataclass(frozen=True)
class Task:
    """An attempt at work on some trials of a results folder.

    Attributes:
        results_uri: URI of the results folder.
        study: The study's name.
        run_id: The name of the run of the attempt.
        trials: The trials to work on.
        attempt: The number of the attempt, from 1.
        demand: What it needs from a machine.
        patience_seconds: The longest time for a step or a score before it counts as hanging.
        deterministic: Whether a GPU sums in a fixed order.
    """

    results_uri: str
    study: str
    run_id: str
    trials: tuple[Trial, ...]
    attempt: int
    demand: Demand
    patience_seconds: float = 3600.0
    deterministic: bool = False

    @property
    def kind(self) -> str:
        """The name of this kind of work in tables and logs."""
        return "train" if isinstance(self, TrainPack) else "score"

    @property
    def pack_id(self) -> str:
        """The name of the set of trials."""
        return short_hash([trial.trial_id for trial in self.trials])

    @property
    def program(self) -> tuple[Any, ...]:
        """The program shared by its trials."""
        return self.trials[0].program

    @cached_property
    def attempt_id(self) -> str:
        """The name of the attempt, used for its files."""
        return f"{self.pack_id}-{self.run_id}-{self.kind}-{self.attempt}"

    def scores_name(self, trial: Trial) -> str:
        """The name of the file for this attempt's scores of one trial."""
        return f"{trial.trial_id}-{self.attempt_id}"


@dataclass(frozen=True)
class TrainPack(Task):
    """Trains trials together and commits their parameters, codes, pictures and rows.

    Attributes:
        model_nums: The paper's model numbers, by trial_id, for trials that have one.
        checkpoint: The checkpoint to resume from, if an earlier attempt left one.
        checkpoint_seconds: The time between checkpoints.
        save_models: Whether to save the parameters.
    """

    model_nums: dict[str, int] = field(default_factory=dict, hash=False)
    checkpoint: "Checkpoint | None" = None
    checkpoint_seconds: float = 600.0
    save_models: bool = True

    def broken_name(self, number: int) -> str:
        """The name for files of models that turned to NaN, numbered by occurrence."""
        return f"{self.attempt_id}-broken-{number}"


@dataclass(frozen=True)
class ScoreTrials(Task):
    """Computes wanted scores of trained trials.

    Attributes:
        requests: The missing scores of each trial.
    """

    requests: tuple[tuple["MetricRequest", ...], ...] = ()
