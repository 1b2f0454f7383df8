"""The scheduler's loop, against an executor that fails in every way on purpose."""

import itertools
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from teasel.sweep.commands.run import run
from teasel.sweep.grid.grid import load_grid
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.schedule.retries import MAX_LOST
from teasel.sweep.schedule.scheduler import DemandError, Options, Scheduler, Summary
from teasel.sweep.store import checkpoints
from teasel.sweep.store.results import Results
from teasel.sweep.store.store import Store, StoreError
from teasel.sweep.study.remaining import WantedTrial, remaining
from teasel.sweep.study.study import wanted_trials
from teasel.sweep.trials.request import MetricRequest
from teasel.sweep.trials.trial import Training, Trial
from teasel.sweep.work.attempt import Failure, Outcome
from teasel.sweep.work.machine import ClusterError
from teasel.sweep.work.tasks import Demand, ScoreTrials, Task, TrainPack

REQUEST = MetricRequest.of("mean", "mig", {"num_train": 10})
TWO_CPUS = Demand(cpus=2)
DONE = {"interrupted": False, "failed": []}


def trials_of(num_settings: int = 3, num_seeds: int = 4) -> list[Trial]:
    return [
        Trial("dsprites", "beta_vae", {"beta": float(beta)}, seed, Training())
        for beta in range(num_settings)
        for seed in range(num_seeds)
    ]


class Script:
    """An executor that writes the rows a worker would, unless `fail` gives a failure."""

    def __init__(
        self,
        results: Results,
        fail: Callable[[Task], Failure | None] = lambda task: None,
        offered: Demand = TWO_CPUS,
    ) -> None:
        self.results, self.fail, self.offered = results, fail, offered
        self.comes_back = offered
        self.begun: list[Task] = []
        self.waiting: list[Task] = []
        self.most_at_once = 0

    def machines(self) -> list[Demand]:
        return [self.offered]

    def grow(self, num_waiting: int) -> None:
        pass

    def blind_to(self, store: Store, name: str) -> list[str]:
        return []

    def accelerator_bytes(self) -> int | None:
        return 80 * 2**30 if self.offered.gpus else None

    def submit(self, task: Task) -> None:
        self.begun.append(task)
        self.waiting.append(task)
        self.most_at_once = max(self.most_at_once, len(self.waiting))

    def wait(self, seconds: float) -> list[Outcome]:
        if not self.waiting:
            self.offered = self.comes_back
            return []
        task = self.waiting.pop(0)
        failure = self.fail(task)
        if failure is None:
            self.commit(task)
            return [Outcome(task, value=DONE)]
        return [Outcome(task, failure=failure)]

    def commit(self, task: Task) -> None:
        """Writes the rows of a task."""
        if isinstance(task, TrainPack):
            rows = [
                {
                    "trial_id": trial.trial_id,
                    "dataset": "d",
                    "attempt_id": task.attempt_id,
                    "status": "done",
                }
                for trial in task.trials
            ]
            self.results.add("trials", task.attempt_id, rows)
        elif isinstance(task, ScoreTrials):
            for trial, requests in zip(task.trials, task.requests, strict=True):
                rows = [
                    {"trial_id": trial.trial_id, "metric": request.metric, "score": "mig"}
                    | {"representation": "mean", "parameters_hash": request.parameters_hash}
                    | {"metric_seed": request.metric_seed, "value": 0.5}
                    for request in requests
                ]
                self.results.add("scores", task.attempt_id_of(trial), rows)

    def shutdown(self) -> None:
        self.waiting.clear()


def scheduler_of(
    results: Results, executor: Script, trials: list[Trial], **options: object
) -> Scheduler:
    left = remaining(results, [WantedTrial(trial, (REQUEST,)) for trial in trials])
    named = {name: options.pop(name) for name in ("signals", "clock") if name in options}
    run_id = options.pop("run_id", "run")
    return Scheduler(results, "s", left, executor, Options(**options), run_id, **named)


def finished(results: Results) -> Counter[str]:
    """How often each trial has a committed row, duplicates counted."""
    files = results.store.files("tables/trials", ".parquet")
    return Counter(
        trial_id
        for file in files
        for trial_id in results.store.parquet(file).read(["trial_id"])["trial_id"].to_pylist()
    )


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path)


def test_every_trial_is_trained_once_and_scored(results: Results) -> None:
    trials = trials_of()
    executor = Script(results)
    summary = scheduler_of(results, executor, trials).run()
    assert summary == Summary(done=12, failed=0, missing=0, interrupted=False)
    assert set(finished(results).values()) == {1}
    assert len(results.scored()) == 12
    assert executor.most_at_once == 2


def test_the_first_seed_of_every_setting_comes_first(results: Results) -> None:
    executor = Script(results)
    scheduler_of(results, executor, trials_of(), pack=3).run()
    seeds = [
        [trial.seed for trial in task.trials]
        for task in executor.begun
        if isinstance(task, TrainPack)
    ]
    assert seeds == [[0] * 3, [1] * 3, [2] * 3, [3] * 3]


def test_a_second_run_does_only_what_is_missing(results: Results) -> None:
    trials = trials_of()
    scheduler_of(results, Script(results), trials[:5]).run()
    executor = Script(results)
    scheduler_of(results, executor, trials).run()
    assert set(finished(results).values()) == {1}
    assert {t for task in executor.begun for t in task.trials} == set(trials[5:])


def test_two_drivers_at_once_lose_nothing(results: Results) -> None:
    trials = trials_of()
    drivers = [scheduler_of(results, Script(results), trials, pack=2, run_id=name) for name in "ab"]
    with ThreadPoolExecutor(2) as threads:
        summaries = list(threads.map(Scheduler.run, drivers))
    assert summaries == 2 * [Summary(12, 0, 0, interrupted=False)]
    assert len(results.table("trials")) == len(results.scored()) == 12
    assert results.table("failures").num_rows == 0


def test_out_of_memory_halves_the_packs_of_that_program(results: Results) -> None:
    def too_large(task: Task) -> Failure | None:
        if isinstance(task, TrainPack) and len(task.trials) > 2:
            return Failure("out_of_memory", "RESOURCE_EXHAUSTED")
        return None

    executor = Script(results, too_large, offered=Demand(cpus=1))
    summary = scheduler_of(results, executor, trials_of(), pack=6).run()
    assert summary.done == 12
    sizes = [len(task.trials) for task in executor.begun if isinstance(task, TrainPack)]
    # The first 6 become twice 3, each of these 2 and 1; what has not begun comes in packs of 2.
    assert sizes == [6, 3, 2, 1, 2, 1, 2, 2, 2]
    assert set(finished(results).values()) == {1}
    assert set(results.table("failures")["cause"].to_pylist()) == {"out_of_memory"}


def test_a_lost_worker_costs_an_attempt_and_no_trial(results: Results) -> None:
    attempts = itertools.count()

    def every_third(task: Task) -> Failure | None:
        return Failure("lost", "gone") if next(attempts) % 3 == 0 else None

    summary = scheduler_of(results, Script(results, every_third), trials_of(), pack=4).run()
    assert len(results.table("failures")) > 1
    assert summary == Summary(12, 0, 0, interrupted=False)
    assert set(finished(results).values()) == {1}


def test_a_pack_that_kills_every_worker_is_given_up(results: Results) -> None:
    poison = trials_of()[0]
    executor = Script(
        results, lambda task: Failure("lost", "gone") if poison in task.trials else None
    )
    summary = scheduler_of(results, executor, trials_of(), pack=1).run()
    assert summary == Summary(11, 1, 0, interrupted=False)
    assert sum(poison in task.trials for task in executor.begun) == MAX_LOST


def test_the_same_exception_three_times_stops_the_program_and_no_other(results: Results) -> None:
    trials = trials_of(1, 6)
    other = [Trial("dsprites", "untrained", {}, seed, Training(steps=0)) for seed in range(2)]
    executor = Script(
        results,
        lambda task: (
            Failure("exception", "ValueError: no") if task.trials[0].method == "beta_vae" else None
        ),
        offered=Demand(cpus=1),
    )
    summary = scheduler_of(results, executor, [*trials, *other], pack=2).run()
    assert summary == Summary(done=2, failed=6, missing=0, interrupted=False)
    tries = [task for task in executor.begun if task.trials[0].method == "beta_vae"]
    assert len(tries) == 3
    failures = results.table("failures").to_pylist()
    causes = Counter(row["cause"] for row in failures)
    assert causes == {"exception": 3, "stopped": 1}
    named = {trial_id for row in failures for trial_id in row["trial_ids"]}
    assert named == {trial.trial_id for trial in trials}


def test_a_trial_that_raises_fails_alone_and_its_program_goes_on(results: Results) -> None:
    trials = trials_of(2, 8)
    bad = trials[5]
    executor = Script(
        results,
        lambda task: (
            Failure("exception", "ValueError: no")
            if isinstance(task, TrainPack) and bad in task.trials
            else None
        ),
    )
    summary = scheduler_of(results, executor, trials, pack=8).run()
    assert summary == Summary(done=15, failed=1, missing=0, interrupted=False)
    assert bad.trial_id not in results.done()
    sizes = [len(task.trials) for task in executor.begun if bad in task.trials]
    assert sizes == [8, 4, 2, 1]


def test_a_worker_lost_again_and_again_counts_only_while_nothing_is_saved(results: Results) -> None:
    trials = trials_of(1, 2)
    attempts = itertools.count(1)

    def preempted(task: Task) -> Failure | None:
        attempt = next(attempts)
        if not isinstance(task, TrainPack) or attempt > 4 * MAX_LOST:
            return None
        ids = [trial.trial_id for trial in task.trials]
        checkpoints.save(results, task.attempt_id, attempt, ids, 1.0, b"")
        return Failure("lost", "gone")

    executor = Script(results, preempted)
    summary = scheduler_of(results, executor, trials, pack=2).run()
    assert summary == Summary(2, 0, 0, interrupted=False)
    assert {len(task.trials) for task in executor.begun if isinstance(task, TrainPack)} == {2}


def test_an_attempt_whose_checkpoint_is_gone_begins_anew(results: Results) -> None:
    trials = trials_of(1, 2)
    checkpoints.save(results, "old", 50, [trial.trial_id for trial in trials], 1.0, b"")

    def gone(task: Task) -> Failure | None:
        if isinstance(task, TrainPack) and task.checkpoint:
            results.store.remove(task.checkpoint)
            return Failure("lost", "MissingFileError")
        return None

    executor = Script(results, gone)
    summary = scheduler_of(results, executor, trials, pack=2).run()
    assert summary == Summary(2, 0, 0, interrupted=False)
    assert [task.checkpoint for task in executor.begun if isinstance(task, TrainPack)] == [
        "checkpoints/old-50.safetensors",
        None,
    ]


def test_trials_whose_checkpoints_are_damaged_begin_anew_and_the_files_are_gone(
    grid_file: Path, tmp_path: Path
) -> None:
    trials = [wanted.trial for wanted in wanted_trials([load_grid(str(grid_file))[0]])]
    results = Results(tmp_path)
    for trial in trials:
        checkpoints.save(results, f"old{trial.trial_id}", 3, [trial.trial_id], 1.0, b"damaged")
    summary = run([str(grid_file)], str(tmp_path), executor=InProcess())
    assert summary == Summary(4, 0, 0, interrupted=False)
    assert checkpoints.latest(results) == {}
    said = results.table("failures")["exception"].to_pylist()
    assert len(said) == 4
    for line in said:
        assert re.fullmatch(
            r"CheckpointError: checkpoints/old\w+-3.safetensors: not a checkpoint of a pack", line
        )


def test_nothing_starts_on_a_cluster_that_offers_less_than_is_running(results: Results) -> None:
    executor = Script(results, offered=Demand(cpus=3))
    most = []

    def node_goes(task: Task) -> Failure | None:
        executor.offered = Demand(cpus=1)
        most.append(len(executor.waiting))
        return None

    executor.fail = node_goes
    scheduler_of(results, executor, trials_of(1, 8), pack=1).run()
    assert most[0] == 2
    assert max(most[2:]) == 0


def test_a_task_must_fit_into_one_machine(results: Results) -> None:
    executor = Script(results)
    executor.machines = lambda: [Demand(cpus=8), Demand(cpus=0, gpus=4)]  # type: ignore[method-assign]
    executor.accelerator_bytes = lambda: 80 * 2**30  # type: ignore[method-assign]
    with pytest.raises(DemandError, match="1 CPU and 1 accelerators of one machine"):
        scheduler_of(results, executor, trials_of()).run()


def raised(executor: Script, task: Task) -> Outcome:
    return Outcome(task, failure=Failure("exception", "ValueError: no"))


def turned_to_nan(executor: Script, task: Task) -> Outcome:
    rows = [
        {
            "trial_id": trial.trial_id,
            "dataset": "d",
            "attempt_id": task.attempt_id,
            "status": "failed",
        }
        for trial in task.trials
    ]
    executor.results.add("trials", task.attempt_id, rows)
    return Outcome(task, value=DONE | {"failed": [trial.trial_id for trial in task.trials]})


def came_to_a_misfit(executor: Script, task: Task) -> Outcome:
    return Outcome(task, failure=Failure("cluster", "ClusterError: node7 is blind"))


@pytest.mark.parametrize("end", [raised, turned_to_nan, came_to_a_misfit])
def test_what_runs_saves_itself_after_a_failure_with_fail_fast_or_on_a_misfit_node(
    results: Results, end: Callable[[Script, Task], Outcome]
) -> None:
    class Saves(Script):
        """The fifth attempt fails for good, after one that is lost; the others see the flag."""

        saved = 0

        def wait(self, seconds: float) -> list[Outcome]:
            task = self.waiting[0]
            if results.store.exists(f"running/drain-{task.run_id}"):
                self.saved += 1
                return [Outcome(self.waiting.pop(0), value=DONE | {"interrupted": True})]
            if task in self.begun[4:5]:
                return [end(self, self.waiting.pop(0))]
            return super().wait(seconds)

    executor = Saves(results, lambda task: None if task.attempt > 1 else Failure("lost", "gone"))
    executor.offered = Demand(cpus=3)
    scheduler = scheduler_of(
        results, executor, trials_of(), pack=1, fail_fast=end is not came_to_a_misfit
    )
    if end is came_to_a_misfit:
        with pytest.raises(ClusterError, match=r"^node7 is blind$"):
            scheduler.run()
    else:
        assert scheduler.run() == Summary(done=0, failed=1, missing=11, interrupted=False)
    assert (executor.saved, executor.waiting) == (2, [])


def test_an_interruption_starts_nothing_more_and_leaves_the_rest_for_later(
    results: Results,
) -> None:
    trials = trials_of()
    executor = Script(results)
    summary = scheduler_of(
        results, executor, trials, pack=1, signals=lambda: len(executor.begun) >= 3
    ).run()
    assert summary.interrupted
    assert 0 < summary.missing < 12
    assert not executor.waiting
    again = scheduler_of(results, Script(results), trials).run()
    assert again == Summary(12, 0, 0, interrupted=False)
    assert set(finished(results).values()) == {1}


def test_a_demand_that_no_machine_meets_is_said_before_anything_begins(results: Results) -> None:
    executor = Script(results, offered=Demand(cpus=0.5))
    with pytest.raises(DemandError, match=r"the largest here has 0\.5"):
        scheduler_of(results, executor, trials_of()).run()
    assert not executor.begun


def test_trials_go_on_from_their_checkpoint_and_only_equal_steps_share_a_pack(
    results: Results,
) -> None:
    trials = trials_of(1, 4)
    ids = [trial.trial_id for trial in trials]
    checkpoints.save(results, "old", 50, ids[:2], 1.0, b"")
    executor = Script(results)
    scheduler_of(results, executor, trials, pack=4).run()
    packs = {
        task.checkpoint: {trial.trial_id for trial in task.trials}
        for task in executor.begun
        if isinstance(task, TrainPack)
    }
    assert packs == {"checkpoints/old-50.safetensors": set(ids[:2]), None: set(ids[2:])}


def test_checkpoints_of_finished_trials_are_removed_at_the_next_start(results: Results) -> None:
    trials = trials_of(1, 2)
    checkpoints.save(results, "old", 50, [trial.trial_id for trial in trials], 1.0, b"")
    scheduler_of(results, Script(results), trials).run()
    scheduler_of(results, Script(results), trials)
    assert checkpoints.latest(results) == {}


def test_a_newer_checkpoint_of_an_attempt_replaces_the_older(results: Results) -> None:
    checkpoints.save(results, "p", 50, ["x"], 1.0, b"old")
    checkpoints.save(results, "p", 75, ["x"], 1.0, b"new")
    assert checkpoints.latest(results)["x"].step == 75
    assert len(results.store.files("checkpoints")) == 2


def test_with_accelerators_training_comes_first_and_scoring_runs_beside_it(
    results: Results,
) -> None:
    executor = Script(results, offered=Demand(cpus=3, gpus=1))
    scheduler_of(results, executor, trials_of(), pack=3).run()
    assert all(task.demand.gpus == 1 for task in executor.begun if isinstance(task, TrainPack))
    assert all(task.demand.gpus == 0 for task in executor.begun if isinstance(task, ScoreTrials))
    assert executor.most_at_once > 1


def test_training_waits_when_the_scores_fall_far_behind(results: Results) -> None:
    class SlowToScore(Script):
        """Ends a training whenever one is under way."""

        most_behind = 0

        def wait(self, seconds: float) -> list[Outcome]:
            self.waiting.sort(key=lambda task: task.kind, reverse=True)
            behind = len(self.results.done()) - len(self.results.scored())
            self.most_behind = max(self.most_behind, behind)
            return super().wait(seconds)

    executor = SlowToScore(results, offered=Demand(cpus=3, gpus=1))
    summary = scheduler_of(results, executor, trials_of(5, 16), pack=4).run()
    assert summary == Summary(80, 0, 0, interrupted=False)
    # Eight a CPU may wait, eight are being scored on each of two, and a pack brings four more.
    assert 8 * 3 < executor.most_behind <= 8 * 3 + 8 * 2 + 4


def test_what_was_committed_before_the_worker_was_lost_is_not_done_again(results: Results) -> None:
    attempts = itertools.count()
    executor = Script(results)

    def commits_and_is_lost(task: Task) -> Failure | None:
        if next(attempts) < 4:
            executor.commit(task)
            return Failure("lost", "gone")
        return None

    executor.fail = commits_and_is_lost
    summary = scheduler_of(results, executor, trials_of(), pack=3).run()
    assert summary == Summary(12, 0, 0, interrupted=False)
    assert set(finished(results).values()) == {1}
    scored = [t for task in executor.begun if isinstance(task, ScoreTrials) for t in task.trials]
    assert len(scored) == len(set(scored)) == 12


def test_a_trial_that_cannot_be_scored_fails_alone(results: Results) -> None:
    trials = trials_of(2, 4)
    bad = trials[3]

    def cannot(task: Task) -> Failure | None:
        if isinstance(task, ScoreTrials) and bad in task.trials:
            return Failure("exception", f"OSError: {task.attempt_id} is gone")
        return None

    summary = scheduler_of(results, Script(results, cannot), trials, pack=8).run()
    assert summary == Summary(done=7, failed=1, missing=0, interrupted=False)
    assert bad.trial_id not in results.scored()


def test_scoring_that_runs_out_of_memory_is_tried_alone_and_three_times_at_the_most(
    results: Results,
) -> None:
    trials = trials_of(2, 8)
    bad = trials[3]

    def too_large(task: Task) -> Failure | None:
        if isinstance(task, ScoreTrials) and (bad in task.trials or len(task.trials) > 2):
            return Failure("out_of_memory", f"MemoryError: {task.attempt_id}")
        return None

    executor = Script(results, too_large)
    summary = scheduler_of(results, executor, trials, pack=16).run()
    assert summary == Summary(done=15, failed=1, missing=0, interrupted=False)
    tries = [
        len(t.trials) for t in executor.begun if isinstance(t, ScoreTrials) and bad in t.trials
    ]
    assert tries == [8, 1, 1]


def test_a_full_disk_ends_the_run_with_one_clear_line(results: Results) -> None:
    full = "StoreError: cannot write /r/models/x: No space left on device"
    executor = Script(results, lambda task: Failure("full", full))
    with pytest.raises(StoreError, match=r"^cannot write /r/models/x: No space left on device$"):
        scheduler_of(results, executor, trials_of(), pack=1).run()
    assert len(executor.begun) <= 2


@pytest.mark.parametrize("broken", [False, True])
def test_a_store_that_refuses_a_worker_ends_the_run_only_if_it_refuses_the_driver_too(
    results: Results, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    def refuse(asked: Results) -> None:
        raise StoreError("cannot write /r/running/probe: Input/output error")

    attempts = itertools.count()
    reset = Failure("store", "StoreError: cannot read /r/models/x: Connection reset by peer")
    executor = Script(results, lambda task: reset if next(attempts) < 4 else None)
    scheduler = scheduler_of(results, executor, trials_of(), pack=4)
    if broken:
        monkeypatch.setattr("teasel.sweep.schedule.failures.check_writable", refuse)
        with pytest.raises(StoreError, match=r"^cannot read /r/models/x: Connection reset"):
            scheduler.run()
    else:
        assert scheduler.run() == Summary(12, 0, 0, interrupted=False)
        assert results.table("failures")["cause"].to_pylist() == 4 * ["store"]


@pytest.mark.parametrize("kind", ["train", "score"])
def test_a_store_that_refuses_every_attempt_for_a_while_ends_the_run(
    results: Results, kind: str
) -> None:
    bad = Failure("store", "StoreError: cannot read /r/representations/d/factors.parquet: damaged")
    executor = Script(results, lambda task: bad if task.kind == kind else None)
    scheduler = scheduler_of(
        results, executor, trials_of(), pack=4, clock=lambda: 20.0 * len(executor.begun)
    )
    with pytest.raises(StoreError, match=r"^cannot read /r/representations/d/factors.parquet"):
        scheduler.run()
    assert sum(task.kind == kind for task in executor.begun) <= MAX_LOST + 2


def test_packs_wait_for_an_accelerator_that_went_away(results: Results) -> None:
    executor = Script(results, offered=Demand(cpus=2, gpus=1))

    def node_goes(task: Task) -> Failure | None:
        if len(executor.begun) == 1:
            executor.offered = Demand(cpus=0)
            return Failure("lost", "NodeDiedError")
        return None

    executor.fail = node_goes
    summary = scheduler_of(results, executor, trials_of(), pack=4).run()
    assert summary == Summary(12, 0, 0, interrupted=False)
    assert {task.demand.gpus for task in executor.begun if isinstance(task, TrainPack)} == {1}


def test_references_take_no_accelerator(results: Results) -> None:
    executor = Script(results, offered=Demand(cpus=2, gpus=1))
    references = [Trial("dsprites", "pca", {}, seed, Training(steps=0)) for seed in range(3)]
    summary = scheduler_of(results, executor, [*references, *trials_of(1, 2)]).run()
    assert summary.done == 5
    demands = {task.trials[0].method: task.demand.gpus for task in executor.begun
               if isinstance(task, TrainPack)}  # fmt: skip
    assert demands == {"pca": 0, "beta_vae": 1}


def test_codes_that_need_no_more_scores_are_removed_at_the_next_start(results: Results) -> None:
    trials = trials_of(1, 2)
    scheduler_of(results, Script(results), trials).run()
    for trial in trials:
        results.store.write(f"codes/{trial.trial_id}.npy", b"")
    scheduler_of(results, Script(results), trials[:1])
    assert results.store.files("codes") == [f"codes/{trials[1].trial_id}.npy"]
