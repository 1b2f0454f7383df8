"""The loop that brings a study to its end: what runs next, and what happens when it fails."""

import dataclasses
import datetime
import math
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .. import TeaselError
from . import checkpoints, code_tables
from .control import Control
from .executor import Executor, Failure, Outcome
from .outstanding import Outstanding, Wanted, outstanding
from .packing import Slots, make_packs
from .progress import Snapshot
from .references import REFERENCES
from .results import Results
from .store import StoreError
from .tasks import Demand, ScoreTrials, Task, TrainPack
from .trials import Trial, seeds_first

MAX_LOST = 5
"""Attempts whose worker or node vanished, before the pack counts as failed."""

MAX_SAME_EXCEPTION = 3
"""Attempts that raised the same exception, before their program is stopped."""

_MAX_TRIALS_PER_SCORING = 8
_MAX_WAITING_PER_CPU = 8
_SHARE_OF_TRAINING = 0.8  # of the work on a trial; only the displayed progress depends on it


class DemandError(TeaselError):
    """No machine of the cluster offers what a task needs."""


@dataclass(frozen=True)
class Options:
    """How a run behaves; nothing here changes a number in the results.

    Attributes:
        pack: The most trials in a pack, or "auto".
        gpus_per_pack: The share of an accelerator that a pack gets.
        checkpoint_seconds: How often a training is saved.
        save_models: Whether parameters are kept.
        fail_fast: Whether to stop at the first failure.
        grace_seconds: How long workers get to save themselves when the run is interrupted.
    """

    pack: int | str = "auto"
    gpus_per_pack: float = 1.0
    checkpoint_seconds: float = 600.0
    save_models: bool = True
    fail_fast: bool = False
    grace_seconds: float = 60.0


class Summary(NamedTuple):
    """How a run ended."""

    done: int
    failed: int
    missing: int
    interrupted: bool


def no_signals() -> int:
    """Nobody asks to stop."""
    return 0


class Scheduler:
    """Brings every trial of a study to its row and its scores.

    The results folder is the only truth: what it holds is not done again, and nothing is
    remembered elsewhere.

    Args:
        results: Where the rows go.
        study: The study's name.
        left: What the folder lacks.
        executor: Who carries the work out.
        options: How.
        run_id: Names this run.
        signals: How often the user has asked to stop: 1 means save and leave, 2 means now.
        show: Called with a `Snapshot` about once a second.
        clock: Seconds.
    """

    def __init__(
        self,
        results: Results,
        study: str,
        left: Outstanding,
        executor: Executor,
        options: Options,
        run_id: str,
        signals: Callable[[], int] = no_signals,
        show: Callable[[Snapshot], None] = lambda snapshot: None,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._results = results
        self._study = study
        self._executor = executor
        self._options = options
        self._run_id = run_id
        self._signals = signals
        self._show = show
        self._clock = clock
        self._control = Control(results.store, run_id)
        self._total = sum(len(group) for group in left)
        self._requests = {trial.trial_id: requests for trial, requests in left.untrained}
        self._requests |= {trial.trial_id: requests for trial, requests in left.unscored}
        self._done = {trial.trial_id for trial in left.done}
        self._failed = {trial.trial_id for trial in left.failed}
        self._running: list[Task] = []
        self._packs: deque[TrainPack] = deque()
        self._scorable = deque(left.unscored)
        self._attempts: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._exceptions: Counter[tuple[Any, ...]] = Counter()
        self._warm: set[tuple[Any, ...]] = set()
        self._reports: dict[str, dict[str, Any]] = {}
        # Fixed now: a node that is lost later must not turn its packs into another machine's.
        self._gpus = options.gpus_per_pack if executor.capacity().gpus else 0.0
        checkpoints.forget_trained(results, results.done())
        code_tables.forget_all(results, [*left.done, *left.failed])
        self._queue_first([trial for trial, _ in left.untrained])

    def _queue_first(self, trials: Sequence[Trial]) -> None:
        memory = self._executor.accelerator_bytes() if self._gpus and trials else None
        slots = Slots(
            max(1, self._executor.capacity().holds(Demand(cpus=1, gpus=self._gpus))),
            int(memory * self._gpus) if memory else None,
        )
        saved = checkpoints.latest(self._results)
        for pack in make_packs(seeds_first(trials), saved, self._options.pack, slots):
            self._packs.append(self._train_pack(pack.trials, 1, pack.checkpoint))

    def run(self) -> Summary:
        """Works until everything is done or failed, or the user asks to stop.

        Raises:
            DemandError: If no machine can place a task; nothing has begun then.
            StoreError: If the results folder cannot be written.
        """
        self._check_demand()
        asked_at: float | None = None
        try:
            while True:
                if self._signals() and asked_at is None:
                    asked_at = self._clock()
                    self._control.drain()
                if asked_at is None:
                    self._start_what_fits()
                if not self._running and (asked_at is not None or not self._waiting):
                    break
                if self._signals() > 1 or self._out_of_grace(asked_at):
                    break
                for outcome in self._executor.wait(1.0):
                    self._take(outcome)
                self._hear()
                self._show(self.snapshot())
        finally:
            self._control.close()
            for task in self._running:
                self._control.forget(task.part)
        missing = self._total - len(self._done) - len(self._failed)
        return Summary(len(self._done), len(self._failed), missing, asked_at is not None)

    @property
    def _waiting(self) -> bool:
        """Whether something is queued: with nothing running, for a machine to come back."""
        return bool(self._packs or self._scorable)

    def _out_of_grace(self, asked_at: float | None) -> bool:
        return asked_at is not None and self._clock() - asked_at > self._options.grace_seconds

    def snapshot(self) -> Snapshot:
        """Where the run stands."""
        training = [task for task in self._running if isinstance(task, TrainPack)]
        num_training = sum(len(task.trials) for task in training)
        scoring = sum(len(task.trials) for task in self._running) - num_training
        trained = scoring + len(self._scorable)
        for task in training:
            report = self._reports.get(task.part, {"step": 0, "steps": 1})
            trained += len(task.trials) * report["step"] / max(1, report["steps"])
        ended = len(self._done) + len(self._failed)
        return Snapshot(
            self._total,
            len(self._done),
            len(self._failed),
            num_training,
            scoring,
            ended + _SHARE_OF_TRAINING * trained,
        )

    def _hear(self) -> None:
        """Reads how far the running attempts are; a program that has made a step is compiled."""
        self._reports = self._control.reports()
        for task in self._running:
            if isinstance(task, TrainPack) and task.part in self._reports:
                self._warm.add(task.program)

    # What runs next

    def _start_what_fits(self) -> None:
        free = self._free()
        while (task := self._next(free)) is not None:
            self._running.append(task)
            self._executor.submit(task)
            free = self._free()

    def _free(self) -> Demand:
        offered = self._executor.capacity()
        return Demand(
            offered.cpus - sum(task.demand.cpus for task in self._running),
            offered.gpus - sum(task.demand.gpus for task in self._running),
        )

    def _next(self, free: Demand) -> Task | None:
        """The task to start now, if any fits into what is free.

        With accelerators, training comes first, and scoring takes the CPUs beside it; unless the
        scores fall far behind. On CPUs alone a trained model is scored first.
        """
        choices = [self._next_scoring, self._next_pack]
        if self._gpus:
            choices.reverse()
        for choose in choices:
            if (task := choose(free)) is not None:
                return task
        return None

    def _next_scoring(self, free: Demand) -> ScoreTrials | None:
        if not self._scorable or not free.holds(Demand()):
            return None
        slots = max(1, int(self._executor.capacity().cpus))
        num = min(_MAX_TRIALS_PER_SCORING, math.ceil(len(self._scorable) / slots))
        chosen: list[Wanted] = []
        while self._scorable and len(chosen) < num:
            # One that was in a failed attempt is scored alone, so that it fails alone.
            if self._attempts[self._scorable[0].trial.trial_id]:
                num = 1
                if chosen:
                    break
            chosen.append(self._scorable.popleft())
        self._attempts.update(trial.trial_id for trial, _ in chosen)
        return ScoreTrials(
            self._results.uri,
            self._study,
            self._run_id,
            trials=tuple(trial for trial, _ in chosen),
            attempt=max(self._attempts[trial.trial_id] for trial, _ in chosen),
            demand=Demand(),
            requests=tuple(missing for _, missing in chosen),
        )

    def _next_pack(self, free: Demand) -> TrainPack | None:
        behind = len(self._scorable) > _MAX_WAITING_PER_CPU * self._executor.capacity().cpus
        if behind and self._running:
            return None
        cold = {task.program for task in self._running if isinstance(task, TrainPack)} - self._warm
        for pack in self._packs:
            # One pack of a program goes first, so that the others find it compiled.
            if free.holds(pack.demand) and pack.program not in cold:
                self._packs.remove(pack)
                return pack
        return None

    # What happens when something ends

    def _take(self, outcome: Outcome) -> None:
        task = outcome.task
        self._running = [other for other in self._running if other.part != task.part]
        self._control.forget(task.part)
        if outcome.failure is not None:
            self._take_failure(task, outcome.failure)
        elif outcome.value is not None and not outcome.value["interrupted"]:
            if isinstance(task, TrainPack):
                self._warm.add(task.program)
                failed = set(outcome.value["failed"])
                self._failed |= failed
                for trial in task.trials:
                    requests = self._requests[trial.trial_id]
                    if requests and trial.trial_id not in failed:
                        self._scorable.append(Wanted(trial, requests))
                    elif trial.trial_id not in failed:
                        self._done.add(trial.trial_id)
            else:
                self._done |= {trial.trial_id for trial in task.trials}

    def _take_failure(self, task: Task, failure: Failure) -> None:
        """Writes down what went wrong, and queues what the attempt left undone.

        Raises:
            StoreError: If it went wrong because the results folder refused: so would all else.
        """
        self._write_failure(task, failure)
        if failure.cause == "store":
            raise StoreError(failure.exception.removeprefix("StoreError: "))
        wanted = [Wanted(trial, self._requests[trial.trial_id]) for trial in task.trials]
        left = outstanding(self._results, wanted)
        self._done |= {trial.trial_id for trial in left.done}
        self._failed |= {trial.trial_id for trial in left.failed}
        if self._options.fail_fast:
            self._packs.clear()
            self._scorable.clear()
            self._failed |= {trial.trial_id for trial, _ in (*left.untrained, *left.unscored)}
        elif isinstance(task, TrainPack):
            self._scorable += left.unscored
            self._train_again(task, [trial for trial, _ in left.untrained], failure)
        else:
            self._score_again(task, left.unscored, failure)

    def _train_again(self, task: TrainPack, trials: list[Trial], failure: Failure) -> None:
        size = max(1, len(trials))
        if failure.cause == "out_of_memory" and len(task.trials) > 1:
            size = math.ceil(len(task.trials) / 2)
            too_large = [p for p in self._packs if p.program == task.program]
            self._packs = deque(p for p in self._packs if p.program != task.program)
            trials = [*trials, *(trial for pack in too_large for trial in pack.trials)]
        elif failure.cause == "lost":
            self._lost.update(trial.trial_id for trial in trials)
            self._failed |= {t.trial_id for t in trials if self._lost[t.trial_id] >= MAX_LOST}
        elif self._counts_out(task, task.program, failure):
            given_up = [pack for pack in self._packs if pack.program == task.program]
            self._packs = deque(pack for pack in self._packs if pack not in given_up)
            trials_given_up = [trial for pack in given_up for trial in pack.trials]
            self._failed |= {trial.trial_id for trial in (*trials, *trials_given_up)}
        again = [trial for trial in trials if trial.trial_id not in self._failed]
        packs = make_packs(again, checkpoints.latest(self._results), size, Slots(1))
        for pack in reversed(packs):
            self._packs.appendleft(self._train_pack(pack.trials, task.attempt + 1, pack.checkpoint))

    def _score_again(self, task: Task, unscored: list[Wanted], failure: Failure) -> None:
        """Queues them again; one that failed alone, as often as it may, has failed."""
        for wanted in unscored:
            alone = len(task.trials) == 1
            if failure.cause == "lost":
                self._lost[wanted.trial.trial_id] += alone
                hopeless = self._lost[wanted.trial.trial_id] >= MAX_LOST
            else:
                hopeless = alone and self._counts_out(task, wanted.trial.trial_id, failure)
            if hopeless:
                self._failed.add(wanted.trial.trial_id)
            else:
                self._scorable.append(wanted)

    def _counts_out(self, task: Task, what: Any, failure: Failure) -> bool:
        """Whether the same exception has now been raised too often by `what`."""
        key = (task.kind, what, failure.exception.replace(task.part, ""))
        self._exceptions[key] += 1
        return self._exceptions[key] >= MAX_SAME_EXCEPTION

    def _write_failure(self, task: Task, failure: Failure) -> None:
        log = f"logs/{task.part}.log"
        row = {
            "pack_id": task.pack_id,
            "kind": task.kind,
            "trial_ids": [trial.trial_id for trial in task.trials],
            "attempt": task.attempt,
            **dataclasses.asdict(failure),
            "log": log if self._results.store.exists(log) else None,
            "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        self._results.add("failures", task.part, [row])

    # Demands

    def _train_pack(
        self, trials: Sequence[Trial], attempt: int, checkpoint: str | None
    ) -> TrainPack:
        gpus = 0.0 if trials[0].method in REFERENCES else self._gpus
        return TrainPack(
            self._results.uri,
            self._study,
            self._run_id,
            tuple(trials),
            attempt,
            Demand(cpus=1, gpus=gpus),
            checkpoint=checkpoint,
            checkpoint_seconds=self._options.checkpoint_seconds,
            save_models=self._options.save_models,
        )

    def _check_demand(self) -> None:
        largest = self._executor.largest()
        for demand in {task.demand for task in self._packs} | {Demand()}:
            if not largest.holds(demand):
                raise DemandError(
                    f"a task needs {demand.cpus:g} CPU and {demand.gpus:g} accelerators of one "
                    f"machine; the largest here has {largest.cpus:g} and {largest.gpus:g}"
                )
