"""Two drivers on one folder: the second is refused while the first lives, and only then."""

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from teasel.sweep.commands.run import run
from teasel.sweep.schedule import drivers
from teasel.sweep.schedule.drivers import Driver, DriverError, at_work
from teasel.sweep.schedule.executor import check_shared
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store.results import Results
from teasel.sweep.store.store import Store
from teasel.sweep.study.shards import Shard
from teasel.sweep.work.machine import ClusterError
from teasel.sweep.work.tasks import Task


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.setattr(drivers, "BEAT_SECONDS", 0.1)
    return Results(tmp_path)


def leave(results: Results, driver: Driver) -> None:
    results.store.write("running/drivers/other.json", json.dumps(driver._asdict()).encode())


def elsewhere(shard: tuple[int, int] | None = None, beat: int = 1) -> Driver:
    return Driver("node7", 4711, "2026-01-01T10:00:00+00:00", shard, beat, time.time())


@pytest.fixture
def alive(results: Results) -> Iterator[None]:
    """A driver of another machine beats."""
    ended = threading.Event()

    def beat() -> None:
        count = 0
        while not ended.wait(0.05):
            count += 1
            leave(results, elsewhere((3, 10), count))

    leave(results, elsewhere((3, 10), 0))
    thread = threading.Thread(target=beat)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize("shard", [None, Shard(3, 10), Shard(4, 12)])
def test_a_driver_that_beats_keeps_a_second_one_out(results: Results, shard: Shard | None) -> None:
    line = r"another driver is at work here \(shard 3/10, process 4711 on node7, since 2026-01-01"
    with pytest.raises(DriverError, match=line), at_work(results, "second", shard):
        pass


@pytest.mark.usefixtures("alive")
def test_another_share_of_as_many_works_beside_it(results: Results) -> None:
    with at_work(results, "second", Shard(4, 10)):
        assert len(drivers.read_drivers(results.store)) == 2


def test_a_driver_that_has_stopped_beating_is_taken_over(results: Results) -> None:
    leave(results, elsewhere())
    with at_work(results, "second"):
        (name,) = drivers.read_drivers(results.store)
        assert name == "running/drivers/second.json"
    assert drivers.read_drivers(results.store) == {}


def test_a_dead_process_of_this_machine_is_taken_over_at_once(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drivers, "BEAT_SECONDS", 1000.0)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = elsewhere()._replace(pid_namespace=drivers.process_namespace(), pid=ended.pid)
    leave(results, here)
    with at_work(results, "second"):
        assert list(drivers.read_drivers(results.store)) == ["running/drivers/second.json"]
    in_a_container_of_this_name = here._replace(host=os.uname().nodename, pid_namespace="another's")
    assert here.dead
    assert not in_a_container_of_this_name.dead


def test_of_drivers_that_begin_at_the_same_instant_one_goes_on(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        drivers, "process_namespace", lambda: uuid.uuid4().hex
    )  # each on its own machine
    monkeypatch.setattr(drivers, "BEAT_SECONDS", 0.3)  # a busy machine may hold up a thread
    together, refused, at_once = threading.Barrier(3), [], []

    def begin(run_id: str) -> None:
        together.wait()
        try:
            with at_work(Results(results.uri), run_id):
                at_once.append(run_id)
                time.sleep(5.0)  # longer than the others look on
        except DriverError:
            refused.append(run_id)

    threads = [threading.Thread(target=begin, args=(name,)) for name in ("a1", "b2", "c3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(at_once), len(refused)) == (1, 2)
    assert drivers.read_drivers(results.store) == {}


@pytest.mark.usefixtures("alive")
def test_what_killed_processes_have_left_is_removed_and_nothing_of_the_living(
    results: Results, tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    half, fresh = (tmp_path / "models" / f".a.safetensors.{digit * 32}" for digit in "ef")
    for path in (half, fresh):
        path.write_bytes(b"half")
    os.utime(half, (time.time() - 7200,) * 2)
    others = ["running/drain-other", "running/0123-other-train-1.json"]
    for name in [*others, "running/drain-killed", "running/0123-killed-score-2.json"]:
        results.store.write(name, b"{}")
    with at_work(results, "second", Shard(4, 10)):
        assert results.store.files("running") == sorted(others)
    assert list((tmp_path / "models").iterdir()) == [fresh]


def test_a_driver_beats_as_long_as_it_works(results: Results) -> None:
    with at_work(results, "first"):
        (before,) = drivers.read_drivers(results.store).values()
        time.sleep(0.5)
        (after,) = drivers.read_drivers(results.store).values()
    assert after.beat > before.beat == 1
    assert (after.pid, after.shard) == (os.getpid(), None)


@pytest.mark.usefixtures("alive")
def test_a_refused_run_writes_nothing(results: Results, grid_file: Path) -> None:
    with pytest.raises(DriverError):
        run([str(grid_file)], results=results.uri, executor=InProcess())
    assert not results.exists()
    assert results.store.files("tables/trials") == []


def test_shares_of_a_study_fill_one_folder(results: Results, grid_file: Path) -> None:
    for number in (1, 2):
        summary = run(
            [str(grid_file)], results=results.uri, shard=Shard(number, 2), executor=InProcess()
        )
        assert (summary.done, summary.missing) == (2, 0)
    assert set(results.statuses().values()) == {"done"}
    assert len(results.table("trials")) == 4


class Blind(InProcess):
    """Two of its nodes see another folder of the same name."""

    def blind_to(self, store: Store, name: str) -> list[str]:
        assert store.exists(name)
        return ["node2", "node1"]


def test_a_folder_that_a_node_does_not_see_is_named_with_the_node(
    results: Results, grid_file: Path
) -> None:
    line = rf"results folder {results.uri} is not shared with node node1, node2"
    with pytest.raises(ClusterError, match=line):
        run([str(grid_file)], results=results.uri, executor=Blind())
    assert results.store.files("running") == []


class Elsewhere(InProcess):
    """Its tasks run on a node that came later, and sees another folder of the same name."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def submit(self, task: Task) -> None:
        super().submit(replace(task, results_uri=str(self.folder)))


def test_a_node_that_comes_later_and_does_not_see_the_folder_is_named(
    results: Results, grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teasel.sweep.work.attempt._PATIENCE_SECONDS", 0.3)
    elsewhere = tmp_path / "elsewhere"
    line = rf"results folder {elsewhere} is not shared with node {os.uname().nodename}: give"
    with pytest.raises(ClusterError, match=line):
        run([str(grid_file)], results=results.uri, executor=Elsewhere(elsewhere))
    assert not elsewhere.exists()


class Sighted(InProcess):
    """Notes whether the file that it is asked for is there."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[bool] = []

    def blind_to(self, store: Store, name: str) -> list[str]:
        self.looks.append(store.exists(name))
        return super().blind_to(store, name)


def test_one_machine_shares_its_folder_with_itself_and_the_probe_is_removed(
    results: Results,
) -> None:
    machine = Sighted()
    check_shared(results.store, machine)
    assert machine.looks == [True]
    assert results.store.files("running") == []


def test_a_file_that_a_driver_of_another_version_left_is_read(results: Results) -> None:
    facts = {"host": "node7", "pid": 4711, "since": "then", "beat": 1, "at": 0.0, "colour": "red"}
    results.store.write("running/drivers/other.json", json.dumps(facts).encode())
    (driver,) = drivers.read_drivers(results.store).values()
    assert str(driver) == "process 4711 on node7, since then"
    assert not driver.dead


def test_that_another_driver_was_here_is_logged(
    results: Results, caplog: pytest.LogCaptureFixture
) -> None:
    leave(results, elsewhere())
    with caplog.at_level("INFO", logger="teasel"), at_work(results, "second"):
        pass
    (line,) = caplog.messages
    assert line.startswith("Another driver was here (process 4711 on node7, since 2026-01-01")
