"""A cluster on paper: the real scheduler and real rows, in virtual time, with faults drawn by lot.

It answers two questions that no machine here can: whether a study survives whatever happens to it,
and how long it takes on hundreds of accelerators.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...sweep.store import checkpoints, code_tables
from ...sweep.store.results import Results
from ...sweep.store.store import Store
from ...sweep.store.tables import ScoreRow, TrialRow
from ...sweep.work.attempt import Failure, Outcome
from ...sweep.work.control import Control
from ...sweep.work.tasks import NOWHERE, Demand, Place, ScoreTrials, Task, TrainPack
from .conditions import CALM, INSTANT, Durations, Faults

_BROKEN = Failure("exception", "uncorrectable ECC error", "RuntimeError")


class DriverKilledError(BaseException):
    """The driver is killed: as a signal would, it passes every handler of errors."""


@dataclass(eq=False)
class Node:
    """A machine, what is left of it, what runs on it, and how slow it is."""

    name: str
    offers: Demand
    free: Demand
    slowness: float = 1.0
    alive: bool = True
    avoided: bool = False
    held: set[str] = field(default_factory=set)
    attempts: "dict[Attempt, None]" = field(default_factory=dict)

    def free_accelerator(self) -> str:
        """The first accelerator that no attempt has and nobody holds; attempts have whole ones."""
        taken = self.held | {attempt.place.accelerator for attempt in self.attempts}
        return next(name for n in itertools.count() if (name := f"GPU {n}") not in taken)


@dataclass(eq=False)
class Attempt:
    """A task under way on a node."""

    task: Task
    node: Node
    began: float
    place: Place
    training_from: float = 0.0
    step_seconds: float = 0.0
    first_step: int = 0
    saved_step: int = 0
    over: bool = False
    orphan: bool = False

    def step(self, now: float) -> int:
        """The step that a training has reached."""
        if now <= self.training_from:
            return self.first_step
        made = (now - self.training_from) / max(self.step_seconds, 1e-9)
        return min(self.first_step + int(made), self.task.trials[0].training.steps)


@dataclass
class Account:
    """What a simulated run has used up.

    Attributes:
        busy: Accelerator-seconds with a pack on them.
        offered: Accelerator-seconds that were there while something was left to train.
        lost_steps: Model-steps that had to be made again.
        trained_at: When the last model was trained.
        pack_sizes: Of every training begun.
        most_at_once: The most attempts that ran side by side.
    """

    busy: float = 0.0
    offered: float = 0.0
    lost_steps: int = 0
    trained_at: float = 0.0
    pack_sizes: list[int] = field(default_factory=list)
    most_at_once: int = 0


class Simulation:
    """An executor whose machines, and whose time, exist only here.

    Tasks write what the worker and the scorer write, under the same names and in the same order,
    with one number for each score and hardly a byte for codes.

    Args:
        results: Where the rows go.
        machines: What each machine offers.
        durations: How long things take; by default no time, and attempts end one after another.
        faults: What goes wrong.
        seed: Of everything drawn by lot.
        memory: Of one accelerator, in bytes.
        writes: Whether tasks write anything; if not, the scheduler alone is at work.

    Attributes:
        now: Virtual seconds.
        begun: Every task, in the order in which they were submitted.
        nodes: The machines.
        account: What the run has used up.
        killed_at: When the driver is killed.
    """

    def __init__(
        self,
        results: Results,
        machines: Iterable[Demand],
        durations: Durations = INSTANT,
        faults: Faults = CALM,
        seed: int = 0,
        memory: int = 80 * 2**30,
        writes: bool = True,
    ) -> None:
        self.now = 0.0
        self.account = Account()
        self.begun: list[Task] = []
        self.killed_at = np.inf
        self._results = results
        self._durations = durations
        self._faults = faults
        self._rng = np.random.default_rng(seed)
        self._memory = memory
        self._writing = writes
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._ticks = itertools.count()
        self._compiled: set[Any] = set()
        self._training_gpus = 0.0
        self._pending: deque[Task] = deque()
        self._outcomes: list[Outcome] = []
        share, times = faults.slow
        self.nodes = [
            Node(f"n{number}", offers, offers, times if self._rng.random() < share else 1.0)
            for number, offers in enumerate(machines)
        ]
        for node in self.nodes:
            self._let_live(node)

    # What the scheduler sees

    def clock(self) -> float:
        """Virtual seconds, or what a clock that jumps makes of them."""
        return self.now + self._faults.clock_jumps * self._rng.normal()

    def machines(self) -> list[Demand]:
        """What the nodes that are there offer."""
        return [
            node.offers - Demand(0, len(node.held))
            for node in self.nodes
            if node.alive and not node.avoided
        ]

    def accelerator_bytes(self, share: float) -> int | None:
        """The memory of a share of one accelerator, if there is one."""
        there = any(node.offers.gpus for node in self.nodes)
        return int(self._memory * share) if there and self._memory else None

    def grow(self, num_waiting: int) -> None:
        """Does nothing: the machines come and go as the weather says."""

    def blind_to(self, store: Store, name: str) -> list[str]:
        """None: all nodes see everything."""
        return []

    def avoid(self, place: Place, demand: Demand) -> bool:
        """Gives no more work to a node, or holds its accelerator, which must be free."""
        node = next(node for node in self.nodes if node.name == place.node)
        if place.accelerator:
            gpus = sum(machine.gpus for machine in self.machines())
            if place.accelerator not in node.held and gpus > 1:
                node.held.add(place.accelerator)
                node.free -= Demand(0, 1)
            return place.accelerator in node.held
        others = [each for each in self.nodes if each.alive and not each.avoided and each != node]
        if any(each.offers.holds(demand) for each in others):
            node.avoided = True
        return node.avoided

    def readmit(self, place: Place) -> None:
        """Takes back what `avoid` did."""
        node = next(node for node in self.nodes if node.name == place.node)
        if not place.accelerator:
            node.avoided = False
        elif place.accelerator in node.held:
            node.held.remove(place.accelerator)
            node.free += Demand(0, 1)

    def submit(self, task: Task) -> None:
        """Begins the task on the first node with room, or as soon as there is one."""
        self.begun.append(task)
        self._pending.append(task)
        self._place()

    def wait(self, seconds: float) -> list[Outcome]:
        """Lets time pass until something happens; that may be later than asked."""
        self._drain()
        if not self._outcomes:
            then = self._events[0][0] if self._events else self.now + seconds
            if then >= self.killed_at:
                self._pass_time(self.killed_at)
                self.killed_at = np.inf
                self._orphan()
                raise DriverKilledError
            self._pass_time(then)
            if self._events:
                heapq.heappop(self._events)[2]()
            self._place()
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    def run_out(self) -> None:
        """Lets the orphans of killed drivers come to their end."""
        while any(node.attempts for node in self.nodes):
            self.wait(1.0)

    def shutdown(self) -> None:
        """Ends what still runs."""
        self._pending.clear()
        self._outcomes.clear()
        for node in self.nodes:
            for attempt in list(node.attempts):
                self._end(attempt)

    def commit(self, task: Task) -> None:
        """Writes all that a task writes."""
        for write in self._writes(task):
            write()

    def take_away(self, node: Node, seconds: float) -> None:
        """Takes a node away, with what runs on it, for so long."""
        node.alive = False
        for attempt in list(node.attempts):
            self._fail(attempt, Failure("lost", "the node went away", "NodeDiedError"))
        self._at(self.now + seconds, lambda: self._bring_back(node))

    # What happens

    def _at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._ticks), what))

    def _pass_time(self, then: float) -> None:
        passed = max(0.0, then - self.now)
        self.now += passed
        self.account.busy += passed * self._training_gpus
        if self._training_gpus:
            self.account.offered += passed * sum(machine.gpus for machine in self.machines())

    def _let_live(self, node: Node) -> None:
        if np.isfinite(self._faults.node_life):
            life = self._rng.exponential(self._faults.node_life)
            self._at(self.now + life, lambda: self._lose(node))

    def _lose(self, node: Node) -> None:
        self.take_away(node, self._rng.exponential(self._faults.node_absence))

    def _bring_back(self, node: Node) -> None:
        node.alive = True
        self._let_live(node)

    def _place(self) -> None:
        for task in list(self._pending):
            fits = (n for n in self.nodes if n.alive and n.free.holds(task.demand))
            node = next((n for n in fits if not n.avoided), None)
            if node is not None:
                self._pending.remove(task)
                self._begin(task, node)

    def _begin(self, task: Task, node: Node) -> None:
        accelerator = node.free_accelerator() if task.demand.gpus else ""
        attempt = Attempt(task, node, self.now, Place(node.name, node.name, accelerator))
        node.attempts[attempt] = None
        node.free -= task.demand
        self._training_gpus += task.demand.gpus
        running = sum(len(each.attempts) for each in self.nodes)
        self.account.most_at_once = max(running, self.account.most_at_once)
        takes = self._durations.start(task)
        if isinstance(task, TrainPack):
            takes += self._begin_training(task, attempt, takes)
        elif isinstance(task, ScoreTrials):
            takes += self._durations.score(task)
        end = self.now + takes * node.slowness
        failure, share = self._fate(task)
        breaks_at = max(self.now + 1, self._faults.broken_since)
        is_broken = accelerator and {node.name, str(attempt.place)} & self._faults.broken
        if is_broken and breaks_at < end:
            self._at(breaks_at, lambda: self._fail(attempt, _BROKEN))
        elif failure is not None and share < 1:
            when = self.now + share * (end - self.now)
            self._at(when, lambda: self._fail(attempt, failure))
        else:
            self._at(end, lambda: self._complete(attempt, failure))

    def _begin_training(self, task: TrainPack, attempt: Attempt, start: float) -> float:
        """Seconds until the end; says when it reports and saves."""
        self.account.pack_sizes.append(len(task.trials))
        size = (task.program, len(task.trials))
        compiling = 0.0 if size in self._compiled else self._durations.compile(task)
        attempt.step_seconds = self._durations.step(task) * attempt.node.slowness
        attempt.training_from = self.now + (start + compiling) * attempt.node.slowness
        attempt.first_step = task.checkpoint.step if task.checkpoint else 0
        attempt.saved_step = attempt.first_step
        left = task.trials[0].training.steps - attempt.first_step

        def has_compiled() -> None:
            self._compiled.add(size)
            self._report(attempt)

        def save() -> None:
            if not attempt.over and attempt.step(self.now) > attempt.saved_step:
                self._save(attempt)
                self._at(self.now + task.checkpoint_seconds, save)

        self._at(attempt.training_from, has_compiled)
        self._at(attempt.training_from + task.checkpoint_seconds, save)
        return compiling + left * self._durations.step(task) + self._durations.encode(task)

    def _fate(self, task: Task) -> tuple[Failure | None, float]:
        """How an attempt fails, if it does, and after which share of its time."""
        failure = self._faults.fails(task)
        if failure is not None:
            return failure, self._rng.uniform(0, 0.5)
        if isinstance(task, TrainPack) and len(task.trials) > self._faults.out_of_memory_above:
            return Failure("out_of_memory", "RESOURCE_EXHAUSTED"), 0.01
        lot = self._rng.random()
        if lot < self._faults.crash:
            crash = Failure("exception", f"crash {self._rng.integers(10**6)}", "RuntimeError")
            return crash, self._rng.random()
        if lot < self._faults.crash + self._faults.lose:
            while_committing = self._rng.random() < 0.5
            lost = Failure("lost", "the worker died", "WorkerCrashedError")
            return lost, 1.0 if while_committing else 0.5
        return None, 1.0

    def _complete(self, attempt: Attempt, failure: Failure | None) -> None:
        """Writes the rows; if the attempt fails while it does, only the first few."""
        if attempt.over:
            return
        writes = list(self._writes(attempt.task))
        if failure is not None:
            writes = writes[: self._rng.integers(len(writes) + 1)]
        for write in writes:
            write()
        if failure is not None:
            self._fail(attempt, failure)
            return
        failed = []
        if attempt.task.kind == "train":
            self.account.trained_at = self.now
            failed = [t.trial_id for t in attempt.task.trials if self._faults.diverges(t)]
        value = {"interrupted": False, "failed": failed}
        self._end(attempt, Outcome(attempt.task, value=value, place=attempt.place))

    def _fail(self, attempt: Attempt, failure: Failure) -> None:
        if not attempt.over:
            lost = attempt.step(self.now) - attempt.saved_step
            self.account.lost_steps += max(0, lost) * len(attempt.task.trials)
            place = NOWHERE if failure.exception_type == "NodeDiedError" else attempt.place
            self._end(attempt, Outcome(attempt.task, failure=failure, place=place))

    def _end(self, attempt: Attempt, outcome: Outcome | None = None) -> None:
        attempt.over = True
        del attempt.node.attempts[attempt]
        attempt.node.free += attempt.task.demand
        self._training_gpus -= attempt.task.demand.gpus
        if outcome is not None and not attempt.orphan:
            self._outcomes.append(outcome)

    def _orphan(self) -> None:
        """The driver is gone: some of its workers die with it, others have not noticed."""
        self._pending.clear()
        self._outcomes.clear()
        for node in self.nodes:
            for attempt in list(node.attempts):
                attempt.orphan = True
                if self._rng.random() > self._faults.orphans:
                    self._end(attempt)

    def _drain(self) -> None:
        """A worker that is asked to leave saves what it has."""
        if not self.begun or not Control(self._results.store, self.begun[-1].run_id).draining:
            return
        for node in self.nodes:
            for attempt in list(node.attempts):
                if not attempt.orphan:
                    if isinstance(attempt.task, TrainPack):
                        self._save(attempt)
                    value = {"interrupted": True, "failed": []}
                    self._end(attempt, Outcome(attempt.task, value=value))

    # What is written

    def _report(self, attempt: Attempt) -> None:
        if self._writing and not attempt.over:
            task = attempt.task
            facts = {"step": attempt.step(self.now), "steps": task.trials[0].training.steps}
            ids = [trial.trial_id for trial in task.trials]
            Control(self._results.store, task.run_id).report(task.attempt_id, trials=ids, **facts)

    def _save(self, attempt: Attempt) -> None:
        ids = [trial.trial_id for trial in attempt.task.trials]
        attempt.saved_step = attempt.step(self.now)
        checkpoints.save(self._results, attempt.task.attempt_id, attempt.saved_step, ids, 0.0, b"")
        self._report(attempt)

    def _writes(self, task: Task) -> Iterable[Callable[[], None]]:
        """What a task writes, file by file."""
        if not self._writing:
            return
        ids = [trial.trial_id for trial in task.trials]
        if isinstance(task, TrainPack):
            nothing = np.zeros((1, 1), np.float32)
            for trial_id in ids:
                yield lambda i=trial_id: code_tables.save(self._results, i, nothing, nothing)
            facts = {"attempt": task.attempt, "attempt_id": task.attempt_id}
            trials = [
                TrialRow.of(t, status="failed" if self._faults.diverges(t) else "done", **facts)
                for t in task.trials
            ]
            yield lambda: self._results.add("trials", task.attempt_id, trials)
            yield lambda: checkpoints.forget(self._results, task.attempt_id, task.checkpoint, ids)
        elif isinstance(task, ScoreTrials):
            for trial, requests in zip(task.trials, task.requests, strict=True):
                scores = [
                    ScoreRow.of(trial, request, "score", value=0.5, attempt=task.attempt)
                    for request in requests
                ]
                name = task.scores_name(trial)
                yield lambda name=name, rows=scores: self._results.add("scores", name, rows)
                yield lambda i=trial.trial_id: code_tables.forget(self._results, i)
