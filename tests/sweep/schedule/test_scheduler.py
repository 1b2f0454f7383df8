"""The scheduler's loop, on a simulated cluster that fails in every way on purpose."""

import itertools
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from teasel.models import Settings
from teasel.sweep.commands.run import run
from teasel.sweep.grid.grid import load_grid
from teasel.sweep.schedule.executor import Executor
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.schedule.progress import Snapshot
from teasel.sweep.schedule.retries import MAX_LOST
from teasel.sweep.schedule.scheduler import DemandError, Options, Scheduler, Summary
from teasel.sweep.store import checkpoints
from teasel.sweep.store.files import read_file
from teasel.sweep.store.results import Results
from teasel.sweep.store.store import StoreError
from teasel.sweep.study.remaining import WantedTrial, remaining
from teasel.sweep.study.study import wanted_trials
from teasel.sweep.trials.request import MetricRequest
from teasel.sweep.trials.trial import Trial
from teasel.sweep.work.attempt import Failure
from teasel.sweep.work.machine import ClusterError
from teasel.sweep.work.tasks import Demand, ScoreTrials, Task, TrainPack
from teasel.tests.support.conditions import INSTANT, Faults
from teasel.tests.support.simulation import Simulation

REQUEST = MetricRequest.of("mean", "mig", {"num_train": 10})
TWO_CPUS = Demand(cpus=2)


def trials_of(num_settings: int = 3, num_seeds: int = 4) -> list[Trial]:
    return [
        Trial("dsprites", "beta_vae", {"beta": float(beta)}, seed, Settings())
        for beta in range(num_settings)
        for seed in range(num_seeds)
    ]


def cluster_of(
    results: Results,
    fails: Callable[[Task], Failure | None] = lambda task: None,
    offered: Demand = TWO_CPUS,
    diverges: Callable[[Trial], bool] = lambda trial: False,
) -> Simulation:
    """One machine, on which everything takes no time."""
    return Simulation(results, [offered], faults=Faults(fails=fails, diverges=diverges))


def packs_of(cluster: Simulation) -> list[TrainPack]:
    """The trainings that have begun."""
    return [task for task in cluster.begun if isinstance(task, TrainPack)]


def scorings_of(cluster: Simulation) -> list[ScoreTrials]:
    """The scorings that have begun."""
    return [task for task in cluster.begun if isinstance(task, ScoreTrials)]


def scheduler_of(
    results: Results, executor: Executor, trials: list[Trial], **options: object
) -> Scheduler:
    left = remaining(results, [WantedTrial(trial, (REQUEST,)) for trial in trials])
    named = {name: options.pop(name) for name in ("signals", "show", "clock") if name in options}
    run_id = options.pop("run_id", "run")
    return Scheduler(results, "s", left, executor, Options(**options), run_id, **named)


def finished(results: Results) -> Counter[str]:
    """How often each trial has a committed row, duplicates counted."""
    files = results.store.files("tables/trials", ".parquet")
    return Counter(
        trial_id
        for file in files
        for trial_id in read_file(results.store, file, ["trial_id"])["trial_id"].to_pylist()
    )


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # nobody pulls the plug here
    return Results(tmp_path)


def test_every_trial_is_trained_once_and_scored(results: Results) -> None:
    trials = trials_of()
    executor = cluster_of(results)
    summary = scheduler_of(results, executor, trials).run()
    assert summary == Summary(done=12, failed=0, missing=0, interrupted=False)
    assert set(finished(results).values()) == {1}
    assert len(results.scored_requests()) == 12
    assert executor.account.most_at_once == 2


def test_the_first_seed_of_every_setting_comes_first(results: Results) -> None:
    executor = cluster_of(results)
    scheduler_of(results, executor, trials_of(), pack=3).run()
    seeds = [[trial.seed for trial in task.trials] for task in packs_of(executor)]
    assert seeds == [[0] * 3, [1] * 3, [2] * 3, [3] * 3]


@pytest.mark.parametrize("deterministic", [False, True])
def test_packs_are_deterministic_where_the_run_is(results: Results, deterministic: bool) -> None:
    executor = cluster_of(results)
    scheduler_of(results, executor, trials_of(), deterministic=deterministic).run()
    assert {task.deterministic for task in packs_of(executor)} == {deterministic}


def test_a_second_run_does_only_what_is_missing(results: Results) -> None:
    trials = trials_of()
    scheduler_of(results, cluster_of(results), trials[:5]).run()
    executor = cluster_of(results)
    scheduler_of(results, executor, trials).run()
    assert set(finished(results).values()) == {1}
    assert {t for task in executor.begun for t in task.trials} == set(trials[5:])


def test_two_drivers_at_once_lose_nothing(results: Results) -> None:
    trials = trials_of()
    drivers = [
        scheduler_of(results, cluster_of(results), trials, pack=2, run_id=name) for name in "ab"
    ]
    with ThreadPoolExecutor(2) as threads:
        summaries = list(threads.map(Scheduler.run, drivers))
    assert summaries == 2 * [Summary(12, 0, 0, interrupted=False)]
    assert len(results.table("trials")) == len(results.scored_requests()) == 12
    assert results.table("failures").num_rows == 0


def test_out_of_memory_halves_the_packs_of_that_program(results: Results) -> None:
    def too_large(task: Task) -> Failure | None:
        if isinstance(task, TrainPack) and len(task.trials) > 2:
            return Failure("out_of_memory", "RESOURCE_EXHAUSTED")
        return None

    executor = cluster_of(results, too_large, offered=Demand(cpus=1))
    summary = scheduler_of(results, executor, trials_of(), pack=6).run()
    assert summary.done == 12
    sizes = [len(task.trials) for task in packs_of(executor)]
    # The first 6 become twice 3, each of these 2 and 1; what has not begun comes in packs of 2.
    assert sizes == [6, 3, 2, 1, 2, 1, 2, 2, 2]
    assert set(finished(results).values()) == {1}
    assert set(results.table("failures")["cause"].to_pylist()) == {"out_of_memory"}


def test_a_lost_worker_costs_an_attempt_and_no_trial(results: Results) -> None:
    attempts = itertools.count()

    def every_third(task: Task) -> Failure | None:
        return Failure("lost", "gone") if next(attempts) % 3 == 0 else None

    summary = scheduler_of(results, cluster_of(results, every_third), trials_of(), pack=4).run()
    assert len(results.table("failures")) > 1
    assert summary == Summary(12, 0, 0, interrupted=False)
    assert set(finished(results).values()) == {1}


def test_a_pack_that_kills_every_worker_is_given_up(results: Results) -> None:
    poison = trials_of()[0]
    executor = cluster_of(
        results, lambda task: Failure("lost", "gone") if poison in task.trials else None
    )
    summary = scheduler_of(results, executor, trials_of(), pack=1).run()
    assert summary == Summary(11, 1, 0, interrupted=False)
    assert sum(poison in task.trials for task in executor.begun) == MAX_LOST


def test_the_same_exception_three_times_stops_the_program_and_no_other(results: Results) -> None:
    trials = trials_of(1, 6)
    other = [Trial("dsprites", "untrained", {}, seed, Settings(steps=0)) for seed in range(2)]
    executor = cluster_of(
        results,
        lambda task: (
            Failure("exception", "no", "ValueError")
            if task.trials[0].method == "beta_vae"
            else None
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
    executor = cluster_of(
        results,
        lambda task: (
            Failure("exception", "no", "ValueError")
            if isinstance(task, TrainPack) and bad in task.trials
            else None
        ),
    )
    summary = scheduler_of(results, executor, trials, pack=8).run()
    assert summary == Summary(done=15, failed=1, missing=0, interrupted=False)
    assert bad.trial_id not in results.statuses()
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

    executor = cluster_of(results, preempted)
    summary = scheduler_of(results, executor, trials, pack=2).run()
    assert summary == Summary(2, 0, 0, interrupted=False)
    assert {len(task.trials) for task in packs_of(executor)} == {2}


def test_an_attempt_whose_checkpoint_is_gone_begins_anew(results: Results) -> None:
    trials = trials_of(1, 2)
    saved = checkpoints.save(results, "old", 50, [trial.trial_id for trial in trials], 1.0, b"")

    def gone(task: Task) -> Failure | None:
        if isinstance(task, TrainPack) and task.checkpoint:
            results.store.remove(task.checkpoint.state_file)
            return Failure("lost", "there is no such file", "MissingFileError")
        return None

    executor = cluster_of(results, gone)
    summary = scheduler_of(results, executor, trials, pack=2).run()
    assert summary == Summary(2, 0, 0, interrupted=False)
    assert [task.checkpoint for task in packs_of(executor)] == [saved, None]


def test_trials_whose_checkpoints_are_damaged_begin_anew_and_the_files_are_gone(
    grid_file: Path, tmp_path: Path
) -> None:
    trials = [wanted.trial for wanted in wanted_trials([load_grid(str(grid_file))[0]])]
    results = Results(tmp_path)
    for trial in trials:
        checkpoints.save(results, f"old{trial.trial_id}", 3, [trial.trial_id], 1.0, b"damaged")
    summary = run([str(grid_file)], str(tmp_path), executor=InProcess())
    assert summary == Summary(4, 0, 0, interrupted=False)
    assert checkpoints.furthest_by_trial(results) == {}
    failures = results.table("failures").to_pylist()
    expected = {f"checkpoints/old{t.trial_id}-3.safetensors" for t in trials}
    assert {row["message"] for row in failures} == {
        f"{file}: not a checkpoint of a pack" for file in expected
    }
    assert {row["exception_type"] for row in failures} == {"CheckpointError"}


def test_nothing_starts_on_a_cluster_that_offers_less_than_is_running(results: Results) -> None:
    executor = cluster_of(results, offered=Demand(cpus=3))
    most: list[int] = []

    def shrink(snapshot: Snapshot) -> None:
        executor.nodes[0].offers = Demand(cpus=1)
        most.append(snapshot.training + snapshot.scoring)

    scheduler_of(results, executor, trials_of(1, 8), pack=1, show=shrink).run()
    assert most[0] == 3
    assert most[-1] == 0
    assert max(most[most.index(1) :]) == 1


def test_a_task_must_fit_into_one_machine(results: Results) -> None:
    executor = Simulation(results, [Demand(cpus=8), Demand(cpus=0, gpus=4)])
    with pytest.raises(DemandError, match="1 CPU and 1 accelerators of one machine"):
        scheduler_of(results, executor, trials_of()).run()


@pytest.mark.parametrize("end", ["raises", "diverges", "on a misfit node"])
def test_what_runs_saves_itself_after_a_failure_with_fail_fast_or_on_a_misfit_node(
    results: Results, end: str
) -> None:
    first, bad, third = (trial for trial in trials_of() if trial.seed == 0)

    def fails(task: Task) -> Failure | None:
        if isinstance(task, TrainPack) and task.attempt == 1:
            return Failure("lost", "gone")  # which does not end the run
        if bad in task.trials and end == "raises":
            return Failure("exception", "no", "ValueError")
        if bad in task.trials and end == "on a misfit node":
            return Failure("cluster", "node7 is blind", "ClusterError")
        return None

    executor = cluster_of(
        results,
        fails,
        offered=Demand(cpus=3),
        diverges=lambda trial: trial == bad and end == "diverges",
    )
    fail_fast = end != "on a misfit node"
    scheduler = scheduler_of(results, executor, trials_of(), pack=1, fail_fast=fail_fast)
    if fail_fast:
        assert scheduler.run() == Summary(done=0, failed=1, missing=11, interrupted=False)
    else:
        with pytest.raises(ClusterError, match=r"^node7 is blind$"):
            scheduler.run()
    # One was being scored then, and one was training.
    assert scorings_of(executor)[0].trials == (first,)
    assert set(checkpoints.furthest_by_trial(results)) == {third.trial_id}
    assert not executor.nodes[0].attempts
    assert len(executor.begun) == 7


def test_an_interruption_starts_nothing_more_and_leaves_the_rest_for_later(
    results: Results,
) -> None:
    trials = trials_of()
    executor = cluster_of(results)
    summary = scheduler_of(
        results, executor, trials, pack=1, signals=lambda: len(executor.begun) >= 5
    ).run()
    assert summary.interrupted
    assert 0 < summary.missing < 12
    assert not executor.nodes[0].attempts
    again = scheduler_of(results, cluster_of(results), trials).run()
    assert again == Summary(12, 0, 0, interrupted=False)
    assert set(finished(results).values()) == {1}


def test_a_demand_that_no_machine_meets_is_said_before_anything_begins(results: Results) -> None:
    executor = cluster_of(results, offered=Demand(cpus=0.5))
    with pytest.raises(DemandError, match=r"the largest here has 0\.5"):
        scheduler_of(results, executor, trials_of()).run()
    assert not executor.begun


def test_trials_go_on_from_their_checkpoint_and_only_equal_steps_share_a_pack(
    results: Results,
) -> None:
    trials = trials_of(1, 4)
    ids = [trial.trial_id for trial in trials]
    saved = checkpoints.save(results, "old", 50, ids[:2], 1.0, b"")
    executor = cluster_of(results)
    scheduler_of(results, executor, trials, pack=4).run()
    packs = {task.checkpoint: {t.trial_id for t in task.trials} for task in packs_of(executor)}
    assert packs == {saved: set(ids[:2]), None: set(ids[2:])}


def test_checkpoints_of_finished_trials_are_removed_at_the_next_start(results: Results) -> None:
    trials = trials_of(1, 2)
    scheduler_of(results, cluster_of(results), trials).run()
    checkpoints.save(results, "late", 50, [trial.trial_id for trial in trials], 1.0, b"")
    scheduler = scheduler_of(results, cluster_of(results), trials)
    assert checkpoints.furthest_by_trial(results)  # to make a scheduler changes nothing
    scheduler.run()
    assert checkpoints.furthest_by_trial(results) == {}


def test_a_newer_checkpoint_of_an_attempt_replaces_the_older(results: Results) -> None:
    checkpoints.save(results, "p", 50, ["x"], 1.0, b"old")
    checkpoints.save(results, "p", 75, ["x"], 1.0, b"new")
    assert checkpoints.furthest_by_trial(results)["x"].step == 75
    assert len(results.store.files("checkpoints")) == 2


def test_with_accelerators_training_comes_first_and_scoring_runs_beside_it(
    results: Results,
) -> None:
    executor = cluster_of(results, offered=Demand(cpus=3, gpus=1))
    scheduler_of(results, executor, trials_of(), pack=3).run()
    assert {task.demand.gpus for task in packs_of(executor)} == {1}
    assert {task.demand.gpus for task in scorings_of(executor)} == {0}
    assert executor.account.most_at_once > 1


@pytest.mark.slow
def test_training_waits_when_the_scores_fall_far_behind(results: Results) -> None:
    slow_to_score = INSTANT._replace(score=lambda task: 60.0)
    executor = Simulation(results, [Demand(cpus=3, gpus=1)], slow_to_score)
    behind: list[int] = []

    def look(snapshot: Snapshot) -> None:
        behind.append(len(results.statuses()) - len(results.scored_requests()))

    summary = scheduler_of(results, executor, trials_of(5, 16), pack=4, show=look).run()
    assert summary == Summary(80, 0, 0, interrupted=False)
    # Eight a CPU may wait, eight are being scored on each of two, and a pack brings four more.
    assert 8 * 3 < max(behind) <= 8 * 3 + 8 * 2 + 4


def test_what_was_committed_before_the_worker_was_lost_is_not_done_again(results: Results) -> None:
    attempts = itertools.count()

    def commits_and_is_lost(task: Task) -> Failure | None:
        if next(attempts) < 4:
            executor.commit(task)
            return Failure("lost", "gone")
        return None

    executor = cluster_of(results, commits_and_is_lost)
    summary = scheduler_of(results, executor, trials_of(), pack=3).run()
    assert summary == Summary(12, 0, 0, interrupted=False)
    assert set(finished(results).values()) == {1}
    scored = [trial for task in scorings_of(executor) for trial in task.trials]
    assert len(scored) == len(set(scored)) == 12


def test_a_trial_that_cannot_be_scored_fails_alone(results: Results) -> None:
    trials = trials_of(2, 4)
    bad = trials[3]

    def cannot(task: Task) -> Failure | None:
        if isinstance(task, ScoreTrials) and bad in task.trials:
            return Failure("exception", f"{task.attempt_id} is gone", "OSError")
        return None

    summary = scheduler_of(results, cluster_of(results, cannot), trials, pack=8).run()
    assert summary == Summary(done=7, failed=1, missing=0, interrupted=False)
    assert bad.trial_id not in results.scored_requests()


def test_scoring_that_runs_out_of_memory_is_tried_alone_and_three_times_at_the_most(
    results: Results,
) -> None:
    trials = trials_of(2, 8)
    bad = trials[3]

    def too_large(task: Task) -> Failure | None:
        if isinstance(task, ScoreTrials) and (bad in task.trials or len(task.trials) > 2):
            return Failure("out_of_memory", task.attempt_id, "MemoryError")
        return None

    executor = cluster_of(results, too_large)
    summary = scheduler_of(results, executor, trials, pack=16).run()
    assert summary == Summary(done=15, failed=1, missing=0, interrupted=False)
    tries = [len(task.trials) for task in scorings_of(executor) if bad in task.trials]
    assert tries == [8, 1, 1]


def test_a_full_disk_ends_the_run_with_one_clear_line(results: Results) -> None:
    full = Failure("full", "cannot write /r/models/x: No space left on device", "StoreError")
    executor = cluster_of(results, lambda task: full)
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
    reset = Failure("store", "cannot read /r/models/x: Connection reset by peer", "StoreError")
    executor = cluster_of(results, lambda task: reset if next(attempts) < 4 else None)
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
    bad = Failure(
        "store", "cannot read /r/representations/d/factors.parquet: damaged", "StoreError"
    )
    executor = cluster_of(results, lambda task: bad if task.kind == kind else None)
    scheduler = scheduler_of(
        results, executor, trials_of(), pack=4, clock=lambda: 20.0 * len(executor.begun)
    )
    with pytest.raises(StoreError, match=r"^cannot read /r/representations/d/factors.parquet"):
        scheduler.run()
    assert sum(task.kind == kind for task in executor.begun) <= MAX_LOST + 2


def test_packs_wait_for_an_accelerator_that_went_away(results: Results) -> None:
    executor = cluster_of(results, offered=Demand(cpus=2, gpus=1))

    def node_goes(snapshot: Snapshot) -> None:
        if len(executor.begun) == 1 and executor.nodes[0].attempts:
            executor.take_away(executor.nodes[0], seconds=60.0)

    summary = scheduler_of(results, executor, trials_of(), pack=4, show=node_goes).run()
    assert summary == Summary(12, 0, 0, interrupted=False)
    assert results.table("failures")["cause"].to_pylist() == ["lost"]
    assert executor.now >= 60.0
    assert {task.demand.gpus for task in packs_of(executor)} == {1}


def test_references_take_no_accelerator(results: Results) -> None:
    executor = cluster_of(results, offered=Demand(cpus=2, gpus=1))
    references = [Trial("dsprites", "pca", {}, seed, Settings(steps=0)) for seed in range(3)]
    summary = scheduler_of(results, executor, [*references, *trials_of(1, 2)]).run()
    assert summary.done == 5
    demands = {task.trials[0].method: task.demand.gpus for task in packs_of(executor)}
    assert demands == {"pca": 0, "beta_vae": 1}


def test_codes_that_need_no_more_scores_are_removed_at_the_next_start(results: Results) -> None:
    trials = trials_of(1, 2)
    scheduler_of(results, cluster_of(results), trials).run()
    for trial in trials:
        results.store.write(f"codes/{trial.trial_id}.npy", b"")
    scheduler_of(results, cluster_of(results), trials[:1]).run()
    assert results.store.files("codes") == [f"codes/{trials[1].trial_id}.npy"]
