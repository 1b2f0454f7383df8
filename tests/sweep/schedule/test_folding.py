"""A driver folds what its workers write: when, which files, and beside other drivers."""

import logging
from pathlib import Path

import pytest

from teasel.models import Settings
from teasel.sweep.schedule import folding
from teasel.sweep.schedule.drivers import Driver, at_work
from teasel.sweep.schedule.folding import Folding
from teasel.sweep.schedule.scheduler import Options, Scheduler, Summary
from teasel.sweep.store import compact as compaction
from teasel.sweep.store.files import list_files
from teasel.sweep.store.results import Results
from teasel.sweep.store.store import Store, StoreError
from teasel.sweep.store.tables import COLUMNS, TrialRow
from teasel.sweep.study.remaining import WantedTrial, remaining
from teasel.sweep.study.shards import Shard
from teasel.sweep.trials.request import MetricRequest
from teasel.sweep.trials.trial import Trial
from teasel.sweep.work.tasks import Demand
from teasel.tests.support.conditions import Durations
from teasel.tests.support.simulation import Simulation

REQUEST = MetricRequest.of("mean", "mig", {"num_train": 10})


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    return Results(tmp_path)


def commit(results: Results, run_id: str, trials: range) -> None:
    for trial in trials:
        row = TrialRow(f"{trial:016x}", status="done")
        results.add("trials", f"{trial:012x}-{run_id}-train-1", [row])


def names_of(results: Results, table: str = "trials") -> list[str]:
    return [Path(file).stem for file in list_files(results.store, f"tables/{table}").files]


def num_rows(results: Results) -> int:
    return len(results.table("trials"))


def test_it_folds_when_a_minute_has_passed_and_files_are_many(results: Results) -> None:
    clock = Clock()
    driver = Folding(results, "me", clock)
    commit(results, "me", range(63))
    clock.now = 60.0
    driver.fold(())
    assert len(names_of(results)) == 63  # too few
    commit(results, "me", range(63, 70))
    clock.now = 119.0
    driver.fold(())
    assert len(names_of(results)) == 70  # too early
    clock.now = 120.0
    driver.fold(())
    (name,) = names_of(results)
    assert name.startswith("compact-me-")
    assert num_rows(results) == 70


def test_a_slow_store_is_left_alone_for_longer(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, folded = Clock(), []
    driver = Folding(results, "me", clock)

    def slow(*_: object, **__: object) -> None:
        folded.append(clock.now)
        clock.now += 30.0

    monkeypatch.setattr(folding, "fold_small", slow)
    for clock.now in range(0, 4000, 10):
        driver.fold(())
    assert folded == [60.0, 1590.0, 3120.0]


def test_files_of_attempts_that_run_stay(results: Results) -> None:
    clock = Clock()
    driver = Folding(results, "me", clock)
    commit(results, "me", range(70))
    clock.now = 60.0
    driver.fold({f"{3:012x}-me-train-1"})
    assert results.rows_of("trials", f"{3:012x}-me-train-1")
    assert len(names_of(results)) == 2


def test_of_several_drivers_each_folds_its_own_and_the_last_one_the_rest(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Driver, "dead", False)  # of one process, but for this test
    clock = Clock()
    with at_work(results, "one", Shard(1, 2)):
        one = Folding(results, "one", clock)
        commit(results, "one", range(70))
        with at_work(results, "two", Shard(2, 2)):
            two = Folding(results, "two", clock)
            commit(results, "two", range(70, 75))
            commit(results, "dead", range(75, 80))
            clock.now = 60.0
            one.fold(())
            assert len(names_of(results)) == 1 + 5 + 5
            assert names_of(results)[0].startswith("compact-one-")
            commit(results, "two", range(80, 150))
            two.finish()
            folded = [name for name in names_of(results) if name.startswith("compact-")]
            assert sorted(name.split("-")[1] for name in folded) == ["one", "two"]
            assert len(names_of(results)) == 2 + 5
        one.finish()
    assert len(names_of(results)) == 1
    assert num_rows(results) == 150
    assert not list_files(results.store, "tables/trials").loose


def test_two_drivers_that_both_take_themselves_for_alone_lose_nothing(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(results, "one", range(70))
    clock = Clock()
    drivers = [Folding(results, name, clock) for name in ("one", "two")]
    clock.now = 60.0
    write, met = Store.write, []

    def write_while_the_other_folds(self: Store, name: str, data: bytes) -> None:
        if not met:
            met.append(name)
            drivers[1].fold(())
        write(self, name, data)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", write_while_the_other_folds)
        drivers[0].fold(())
    assert met
    assert num_rows(results) == 70
    drivers[0].finish()
    assert num_rows(results) == 70
    assert len(names_of(results)) == 1


@pytest.mark.parametrize("step", ["fold", "finish"])
def test_a_study_goes_on_though_it_cannot_be_folded_and_says_so_once(
    step: str, results: Results, caplog: pytest.LogCaptureFixture
) -> None:
    commit(results, "me", range(70))
    damaged = Path(results.uri, "tables", "trials", f"{7:012x}-me-train-1.parquet")
    damaged.write_bytes(damaged.read_bytes()[:100])
    clock = Clock()
    driver = Folding(results, "me", clock)
    before = names_of(results)
    with caplog.at_level(logging.WARNING, "teasel"):
        for clock.now in (60.0, 120.0):
            driver.fold(()) if step == "fold" else driver.finish()
    assert names_of(results) == before
    (message,) = caplog.messages
    assert "Small files are not folded: cannot read" in message
    assert damaged.name in message


def simulated(results: Results, num_trials: int, stop_at: float | None = None) -> Summary:
    """A study on eight accelerators, where a pack of two takes about two minutes."""
    training = Settings(steps=100_000)
    trials = [Trial("dsprites", "beta_vae", {"beta": 1.0}, n, training) for n in range(num_trials)]
    wanted = [WantedTrial(trial, (REQUEST,)) for trial in trials]
    durations = Durations(
        start=lambda task: 5.0,
        compile=lambda task: 20.0,
        step=lambda task: 0.001,
        encode=lambda task: 1.0,
        score=lambda task: 5.0 * len(task.trials),
    )
    cluster = Simulation(results, [Demand(cpus=16, gpus=8)], durations)
    seen: list[int] = []
    scheduler = Scheduler(
        results,
        "s",
        remaining(results, wanted),
        cluster,
        Options(pack=2),
        "run",
        signals=lambda: int(stop_at is not None and cluster.now > stop_at),
        show=lambda snapshot: seen.append(len(names_of(results, "scores"))),
        clock=cluster.clock,
    )
    summary = scheduler.run()
    assert max(seen) < 120
    return summary


def test_files_are_few_while_a_study_runs_and_at_its_end(results: Results) -> None:
    assert simulated(results, 200).done == 200
    for table in ("trials", "scores"):
        assert len(names_of(results, table)) == 1
    assert num_rows(results) == len(results.scored_requests()) == 200


def test_a_run_that_is_asked_to_stop_leaves_at_once_and_the_next_folds(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Folding, "finish", lambda self: pytest.fail("somebody waits"))
        assert simulated(results, 100, stop_at=400.0).missing
    assert len(names_of(results, "scores")) > 1
    assert simulated(results, 100).done == 100
    assert len(names_of(results, "scores")) == 1


def test_a_store_that_refuses_for_a_moment_is_asked_again(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(results, "me", range(70))
    clock = Clock()
    driver = Folding(results, "me", clock)

    def refuse(*_: object) -> None:
        raise StoreError("busy")

    clock.now = 60.0
    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", refuse)
        driver.fold(())
    assert len(names_of(results)) == 70
    clock.now = 120.0
    driver.fold(())
    assert len(names_of(results)) == 1


def test_a_small_study_keeps_each_attempts_files_by_themselves(results: Results) -> None:
    commit(results, "me", range(20))
    Folding(results, "me", Clock()).finish()
    assert len(names_of(results)) == 20


def test_every_table_is_folded_or_lies_in_a_file_for_each_pack() -> None:
    assert {*compaction.SMALL_TABLES, "pictures"} == COLUMNS.keys()
