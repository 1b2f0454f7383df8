"""The loop that completes a study: chooses what runs next, and handles what has ended."""

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import InitVar, dataclass
from typing import NamedTuple

from ...errors import TeaselError
from ..grid.locatello2019 import model_num
from ..store import checkpoints, code_tables
from ..store.results import Results
from ..study.packing import Backlog, PackedTrials, Slots
from ..study.remaining import Remaining
from ..trials.references import REFERENCES
from ..trials.trial import Trial, seeds_first
from ..work.attempt import Failure, Outcome
from ..work.control import Control, Listener
from ..work.machine import ClusterError
from ..work.tasks import Demand, Place, ScoreTrials, Task, TrainPack
from .executor import Executor
from .failures import Failures
from .folding import Folding
from .places import Places
from .progress import Snapshot
from .retries import Retries
from .states import TrialStates

_LOG = logging.getLogger("teasel")

_MAX_TRIALS_PER_SCORING = 8
_MAX_WAITING_PER_CPU = 8
_PERHAPS_THE_PLACES = ("exception", "lost", "store")
"""Causes of failures that may lie in the machine or the accelerator; the others never do."""
_SHARE_OF_TRAINING = 0.8  # of the work on a trial; only the displayed progress depends on it


class DemandError(TeaselError):
    """No machine in the cluster offers what a task needs."""


@dataclass(frozen=True)
class Options:
    """Options of a run. Only `deterministic` changes results, in the last bits on a GPU.

    Attributes:
        pack: The most trials in a pack, or "auto".
        gpus_per_pack: The share of an accelerator that a pack gets.
        checkpoint_seconds: The time between checkpoints of a training.
        patience_seconds: The longest time that an attempt may take for a step or a score.
        deterministic: Whether a GPU sums in a fixed order.
        save_models: Whether to save parameters.
        fail_fast: Whether to save and stop as soon as a trial has failed.
        grace_seconds: The time that workers get to save when the run is interrupted.
    """

    pack: int | str = "auto"
    gpus_per_pack: float = 1.0
    checkpoint_seconds: float = 600.0
    patience_seconds: float = 3600.0
    deterministic: bool = False
    save_models: bool = True
    fail_fast: bool = False
    grace_seconds: float = 60.0


class Summary(NamedTuple):
    """The outcome of a run."""

    done: int
    failed: int
    missing: int
    interrupted: bool


def _in_order(left: Remaining) -> list[Trial]:
    """The trials to train, with those first that balance the study, given the trained ones."""
    trained = [*left.done, *left.failed, *(trial for trial, _ in left.unscored)]
    untrained = [trial for trial, _ in left.untrained]
    known = {trial.trial_id for trial in trained}
    every = seeds_first([*trained, *untrained])
    return [trial for trial in every if trial.trial_id not in known]


@dataclass(eq=False)
class Scheduler:
    """Trains and scores every remaining trial of a study.

    The results folder is the only truth: finished work is not repeated, and nothing is stored
    elsewhere.

    Args:
        results: The results folder for the rows.
        study: The study's name.
        left: The remaining work.
        executor: What executes the tasks.
        options: The options of the run.
        run_id: The name of this run.
        signals: How often the user has requested a stop: 1 means save and stop, 2 means stop now.
        show: Called with a `Snapshot` about once a second.
        clock: The time in seconds.
    """

    results: Results
    study: str
    left: InitVar[Remaining]
    executor: Executor
    options: Options
    run_id: str
    signals: Callable[[], int] = lambda: 0
    show: Callable[[Snapshot], None] = lambda snapshot: None
    clock: Callable[[], float] = lambda: 0.0

    def __post_init__(self, left: Remaining) -> None:
        results = self.results
        self._control = Control(results.store, self.run_id)
        self._listener = Listener(self._control, self.clock)
        saved = checkpoints.furthest_by_trial(results)
        self._states = TrialStates(left, Backlog(_in_order(left), saved, self.options.pack))
        self._retries = Retries(self.options.fail_fast)
        self._places = Places(self.executor)
        self._failures = Failures(results, self._states, self._retries, self.clock)
        self._folding = Folding(results, self.run_id, self.clock)
        self._running: dict[str, Task] = {}
        self._packs: dict[str, TrainPack] = {}  # those of them that train
        self._used = Demand(0)
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._asked_at: float | None = None  # to save and leave
        self._misfit: ClusterError | None = None
        self._warm: set[object] = set()
        self._machines: list[Demand] = []
        self._offered = Demand(0)
        self._gpus = 0.0  # of a pack
        self._accelerator_bytes: int | None = None  # for a pack
        self._slots = Slots(1)
        self._left_to_train = 0.0

    def run(self) -> Summary:
        """Works until everything is done or failed, or until the user or a failure stops the run.

        Raises:
            DemandError: If no machine can place a task. Nothing has started then.
            StoreError: If the results folder cannot be written.
            ClusterError: If a node does not see the folder, or JAX does not see its accelerator.
                The other workers have saved their state then.
        """
        self._set_up()
        failed_before = len(self._states.failed)
        try:
            while True:
                failed = self.options.fail_fast and len(self._states.failed) > failed_before
                if self._asked_at is None and (self.signals() or failed or self._misfit):
                    self._asked_at = self.clock()
                    self._control.drain()
                if self._asked_at is None:
                    self._start_what_fits()
                if not self._running and (self._asked_at is not None or not self._states.waiting):
                    break
                if self.signals() > 1 or self._out_of_grace:
                    break
                for outcome in self.executor.wait(1.0):
                    self._take(outcome)
                    self._folding.fold(self._running)
                self._listener.listen(self._packs)
                self._states.failed |= self._listener.failed
                self.show(self.snapshot())
        finally:
            self._control.close()
            for attempt_id in self._running:
                self._control.forget(attempt_id)
        if self._misfit:
            raise self._misfit
        if self._asked_at is None:  # else somebody may be waiting for the end
            self._folding.finish()
        done, failed = len(self._states.done), len(self._states.failed)
        missing = self._states.total - done - failed
        return Summary(done, failed, missing, bool(self.signals()))

    def _set_up(self) -> None:
        """Decides what packs get, and removes remains of finished trials from earlier runs.

        Raises:
            DemandError: If no machine can place a task. Nothing is removed then.
        """
        self._look_around()
        # Fixed now: a node that is lost later must not turn its packs into another machine's.
        self._gpus = self.options.gpus_per_pack if self._offered.gpus else 0.0
        self._check_demand()
        if self._gpus and len(self._states.backlog):
            self._accelerator_bytes = self.executor.accelerator_bytes(self._gpus)
        checkpoints.forget_trained(self.results, self.results.statuses())
        code_tables.forget_all(self.results, self._states.done | self._states.failed)

    @property
    def _out_of_grace(self) -> bool:
        grace = self.options.grace_seconds
        return self._asked_at is not None and self.clock() - self._asked_at > grace

    def snapshot(self) -> Snapshot:
        """The current state of the run."""
        training = sum(self._num_training(task) for task in self._packs.values())
        scoring = sum(
            len(task.trials) for key, task in self._running.items() if key not in self._packs
        )
        trained = scoring + len(self._states.scorable) + training - self._unfinished
        done, failed = len(self._states.done), len(self._states.failed)
        needed = Demand() if self._states.scorable else Demand(gpus=self._gpus)
        return Snapshot(
            self._states.total,
            done,
            failed,
            training,
            scoring,
            progress=done + _SHARE_OF_TRAINING * trained,
            saving=self._asked_at is not None,
            aside=tuple(map(str, self._places.aside)),
            stranded=not any(machine.holds(needed) for machine in self._machines),
        )

    def _num_training(self, task: TrainPack) -> int:
        """The number of models of a pack in training, without those that turned to NaN."""
        return sum(trial.trial_id not in self._states.failed for trial in task.trials)

    @property
    def _unfinished(self) -> float:
        """The trials in training, each counted by the fraction of its steps that is left."""
        return sum(
            self._num_training(task) * self._listener.left(attempt_id)
            for attempt_id, task in self._packs.items()
        )

    # What runs next

    def _look_around(self) -> None:
        """Updates what all machines offer."""
        self._machines = self.executor.machines()
        self._offered = Demand(
            sum(machine.cpus for machine in self._machines),
            sum(machine.gpus for machine in self._machines),
        )

    def _start_what_fits(self) -> None:
        self._look_around()
        demand = Demand(gpus=self._gpus)
        slots = sum(machine.holds(demand) for machine in self._machines)
        self._slots = Slots(max(1, slots), self._accelerator_bytes)
        self._left_to_train = len(self._states.backlog) + self._unfinished
        while (task := self._next(self._offered - self._used)) is not None:
            self._attempts.update((task.kind, trial.trial_id) for trial in task.trials)
            self._running[task.attempt_id] = task
            if isinstance(task, TrainPack):
                self._packs[task.attempt_id] = task
            self._used += task.demand
            self.executor.submit(task)
        self.executor.grow(len(self._states.backlog))

    def _next(self, free: Demand) -> Task | None:
        """The task to start now, if one fits into what is free.

        With accelerators, training comes first and scoring uses the CPUs beside it, unless the
        scores fall far behind. On CPUs alone, trained models are scored first.
        """
        behind = len(self._states.scorable) > _MAX_WAITING_PER_CPU * self._offered.cpus
        if not self._gpus or behind:
            return self._next_scoring(free) or self._next_pack(free)
        # An accelerator that comes free must not wait for a CPU until something is scored.
        kept = Demand(cpus=free.gpus // self._gpus if len(self._states.backlog) else 0)
        return self._next_pack(free) or self._next_scoring(free - kept)

    def _next_scoring(self, free: Demand) -> ScoreTrials | None:
        if not self._states.scorable or not free.holds(Demand()):
            return None
        share = math.ceil(len(self._states.scorable) / max(1, self._offered.cpus))
        chosen = [self._states.scorable.popleft()]
        # One that was in a failed attempt is scored alone, so that it fails alone.
        while len(chosen) < min(share, _MAX_TRIALS_PER_SCORING) and not any(
            self._retries.has_failed("score", wanted_trial.trial)
            for wanted_trial in (chosen[-1], self._states.scorable[0])
        ):
            chosen.append(self._states.scorable.popleft())
        trials = tuple(trial for trial, _ in chosen)
        return ScoreTrials(
            self.results.store.uri_with_secrets,
            self.study,
            self.run_id,
            trials,
            self._next_attempt("score", trials),
            Demand(),
            self.options.patience_seconds,
            requests=tuple(missing for _, missing in chosen),
        )

    def _next_pack(self, free: Demand) -> TrainPack | None:
        def fits(trial: Trial) -> bool:
            return free.holds(self._demand_of(trial)) > 0

        def is_ready(trial: Trial) -> bool:
            return fits(trial) and trial.program not in compiling

        if not any(fits(trial) for trial in self._states.backlog.heads):
            return None
        for attempt_id, pack in self._packs.items():
            if self._listener.has_begun(attempt_id):
                self._warm.add(pack.program)
        compiling = {pack.program for pack in self._packs.values()} - self._warm
        # A program that is being compiled is left alone, so that others find it compiled; but no
        # slot stays empty for that.
        for accepts in (is_ready, fits):
            if packed := self._states.backlog.take(self._slots, self._left_to_train, accepts):
                return self._train_pack(packed)
        return None

    def _train_pack(self, pack: PackedTrials) -> TrainPack:
        return TrainPack(
            self.results.store.uri_with_secrets,
            self.study,
            self.run_id,
            pack.trials,
            self._next_attempt("train", pack.trials),
            self._demand_of(pack.trials[0]),
            self.options.patience_seconds,
            model_nums={
                trial.trial_id: number
                for trial in pack.trials
                if (number := model_num(trial)) is not None
            },
            checkpoint=pack.checkpoint,
            checkpoint_seconds=self.options.checkpoint_seconds,
            save_models=self.options.save_models,
            deterministic=self.options.deterministic,
        )

    def _next_attempt(self, kind: str, trials: Iterable[Trial]) -> int:
        return 1 + max(self._attempts[kind, trial.trial_id] for trial in trials)

    def _demand_of(self, trial: Trial) -> Demand:
        return Demand(cpus=1, gpus=0.0 if trial.method in REFERENCES else self._gpus)

    def _check_demand(self) -> None:
        largest = max(self._machines, key=lambda one: (one.gpus, one.cpus), default=Demand(0))
        for demand in {self._demand_of(trial) for trial in self._states.backlog.heads} | {Demand()}:
            if not any(machine.holds(demand) for machine in self._machines):
                raise DemandError(
                    f"a task needs {demand.cpus:g} CPU and {demand.gpus:g} accelerators of one "
                    f"machine; the largest here has {largest.cpus:g} and {largest.gpus:g}"
                )

    # What happens when something ends

    def _take(self, outcome: Outcome) -> None:
        task = outcome.task
        del self._running[task.attempt_id]
        self._packs.pop(task.attempt_id, None)
        self._used -= task.demand
        self._control.forget(task.attempt_id)
        aside = dict(self._places.aside)
        if outcome.failure is not None:
            if outcome.at and isinstance(task, ScoreTrials):
                self._states.put_last(*outcome.at, is_kept=task.attempt > 1)
            try:
                self._take_failure(task, outcome.failure, outcome.place)
            except ClusterError as error:  # raised when the others have saved themselves
                self._misfit = error
        elif outcome.value is not None and outcome.value["interrupted"]:
            self._states.failed |= set(outcome.value.get("failed", ()))
        elif outcome.value is not None:
            self._retries.note_success(task)
            self._places.note_success(outcome.place)
            if isinstance(task, TrainPack):
                self._warm.add(task.program)
                self._states.mark_trained(task.trials, outcome.value["failed"])
            else:
                self._states.mark_scored(task.trials)
        if aside != self._places.aside:
            self._control.tell_aside(f"{place}: {why}" for place, why in self._places.aside.items())

    def _take_failure(self, task: Task, failure: Failure, place: Place) -> None:
        """Finds out whether the place is to blame or the trials, and queues what is left."""
        is_places = False
        if failure.cause == "machine":
            why = "it lacks space, rights or data"
            is_places = self._places.set_aside(place.whole, task.demand, why)
        elif failure.cause in _PERHAPS_THE_PLACES:
            is_places = self._places.note_failure(place, task)
        failed = set(self._states.failed)
        self._failures.take(task, failure, place, is_places)
        self._places.note_given_up(self._states.failed - failed)
