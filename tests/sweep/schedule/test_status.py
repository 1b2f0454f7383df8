"""How far a study is: what is counted, what was seen, and the time left."""

import json
import math
import os
import shutil
import statistics
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from teasel.__main__ import main
from teasel.sweep.commands import status as command
from teasel.sweep.schedule.drivers import Driver, process_namespace
from teasel.sweep.schedule.status import StatusReader, TimeLeft, estimate
from teasel.sweep.store.results import Results
from teasel.sweep.store.tables import FailureRow
from teasel.sweep.study.costs import score_seconds
from teasel.sweep.study.study import read_study
from teasel.sweep.work.control import Control

RESULTS = Path(__file__).parents[2] / "data" / "quickstart"
TRAIN, SCORE = ("train", "a", "m"), ("score", "a")


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Six trials of two methods, all done."""
    return Results(shutil.copytree(RESULTS, tmp_path / "results"))


@pytest.fixture
def aside(results: Results, tmp_path: Path) -> Path:
    """The rows of some trials, taken out of the folder."""
    first = sorted(Path(results.uri, "tables", "trials").glob("*.parquet"))[0]
    return first.rename(tmp_path / first.name)


def put_back(results: Results, aside: Path) -> None:
    aside.rename(Path(results.uri, "tables", "trials", aside.name))


def test_a_trial_that_ends_is_counted_and_so_is_one_that_is_forgotten(
    results: Results, aside: Path
) -> None:
    reader = StatusReader(results)
    before = reader.read()
    assert 0 < before.trials.untrained < 6
    assert not before.is_done
    put_back(results, aside)
    after = reader.read()
    assert (after.trials.done, after.is_done) == (6, True)
    assert sum(cell.num_done for cell in after.cells) == 6
    assert main(["forget", results.uri, "--select", "seed=0", "--yes"]) == 0
    fewer = reader.read()
    assert 0 < fewer.trials.done < 6
    assert fewer == StatusReader(results).read()


def test_what_is_set_aside_is_told_as_long_as_the_run_goes_on(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    control = Control(results.store, "run")
    control.tell_aside(["n1, GPU 3: 2 attempts in a row failed there"])
    assert StatusReader(results).read().aside == []  # left by a killed driver
    driver = Driver("here", os.getppid(), "now", None, 1, time.time(), process_namespace())
    results.store.write_json("running/drivers/run.json", driver._asdict())
    assert main(["status", results.uri]) == 0
    said = capsys.readouterr().out
    assert "  set aside: n1, GPU 3: 2 attempts in a row failed there\n" in said
    control.close()
    assert Control(results.store, "").aside() == []


def test_failures_say_where_they_happened(
    results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    row = FailureRow(
        "0a", "train", ["t"], 1, "0a-run-train-1", "exception", "ValueError", "bad", ""
    )
    rows = [
        row._replace(at=f"2026-01-0{n}", place=place)
        for n, place in enumerate(["n1, GPU 3", "n1, GPU 3", "n2", None])
    ]
    results.add("failures", "one", rows)
    assert main(["failures", results.uri]) == 0
    said = capsys.readouterr().out
    assert "4 x train, exception: ValueError: bad\n" in said
    assert "  on n1, GPU 3 (2); n2 (1)\n" in said
    assert main(["failures", results.uri, "--json"]) == 0
    (attempts,) = json.loads(capsys.readouterr().out)["failed_attempts"]
    assert attempts["places"] == {"n1, GPU 3": 2, "n2": 1}


def test_machines_and_failures_are_told_with_the_first_line(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.node", lambda: "machine-7")
    Control(results.store, "run").report(
        "0a-run-score-1", step=1, steps=3, trials=["t"], doing="mig"
    )
    failure = FailureRow("0a", "train", ["t", "u"], 1, "0a-run-train-1", "exception")
    failure = failure._replace(exception_type="ValueError", message="bad\nmore", at="2026-01-02")
    results.add("failures", "one", [failure, failure._replace(at="2026-01-01", message="old")])
    status = StatusReader(results).read()
    (attempt,) = status.attempts
    assert (attempt.host, attempt.doing, attempt.is_training) == ("machine-7", "mig", False)
    assert [each.reason for each in status.failures] == ["ValueError: bad", "ValueError: old"]
    assert (status.failures[0].num_trials, status.num_failed_attempts) == (2, 2)
    lines = command.describe_status(status)
    assert "  on machine-7:" in lines
    assert "  the last one failed 2026-01-02, exception: ValueError: bad" in lines


@pytest.mark.parametrize("num", [3, 40])
def test_the_interval_of_the_time_left_holds_the_truth_as_often_as_it_says(num: int) -> None:
    rng, inside = np.random.default_rng(0), 0
    for _ in range(2000):
        rates = rng.normal(10, 2, num + 20)
        left = estimate({TRAIN: [1.0] * 20}, {TRAIN: list(rates[:num])}, 1)
        assert left is not None
        assert left.low is not None
        assert left.high is not None
        inside += left.low <= rates[num:].sum() <= left.high
    assert 0.93 < inside / 2000 < 0.97


def test_time_left_is_shared_by_the_attempts_and_known_once_something_was_measured() -> None:
    work = {TRAIN: [100.0, 50.0], SCORE: [3.0]}
    assert estimate(work, {TRAIN: [2.0]}, 1) is None  # nothing is known of scores
    assert estimate(work, {TRAIN: [2.0], SCORE: [10.0]}, 0) is None
    assert estimate(work, {TRAIN: [2.0], SCORE: [10.0]}, 3) == TimeLeft(110.0)
    other = {("train", "a", "other"): [2.0, 2.0], SCORE: [10.0, 10.0]}
    assert estimate(work, other, 3) == TimeLeft(110.0, 110.0, 110.0)
    assert estimate({}, {}, 1) == TimeLeft(0.0, 0.0, 0.0)


def test_more_packs_at_once_narrow_the_sum_and_fewer_measured_widen_it() -> None:
    def width(num_left: int, measured: int) -> float:
        left = estimate({TRAIN: [1.0] * num_left}, {TRAIN: [9.0, 11.0] * measured}, 1)
        assert left is not None
        assert left.low is not None
        assert left.high is not None
        return (left.high - left.low) / left.seconds

    assert width(100, 100) < width(10, 100) < width(1, 100)
    assert width(10, 100) < width(10, 1)
    assert math.isfinite(width(1, 1))


def test_a_pack_at_work_counts_with_what_it_did_while_it_was_followed(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.time", lambda: now[0])
    shutil.rmtree(Path(results.uri, "tables"))
    driver = Driver("here", os.getppid(), "now", None, 1, now[0], process_namespace())
    results.store.write_json("running/drivers/run.json", driver._asdict())
    wanted = read_study(results).wanted_trials()
    trained = [each.trial.trial_id for each in wanted if each.trial.method == "beta_tc_vae"]
    reader, control = StatusReader(results, lambda: now[0]), Control(results.store, "run")
    for step, at in ((100, 1000.0), (300, 1010.0)):
        now[0] = at
        control.report("0a-run-train-1", step=step, steps=2000, trials=trained[:2])
        status = reader.read()
    assert status.drivers == [driver]
    rate, left = 10 / (2 * 200), 2 * (2000 - 300) + 2 * 2000  # two at work, and two that wait
    mean = statistics.fmean(score_seconds(each) for each in wanted[0].requests)
    scoring = sum(len(each.requests) for each in wanted) * mean
    assert status.time_left is not None
    assert status.time_left.seconds == pytest.approx(rate * left + scoring)
    results.store.remove("running/drivers/run.json")
    assert reader.read().time_left is None
    now[0] += 200.0
    assert "silent for 3 min" in str(reader.read().attempts[0])


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list:
    """What happens between two looks, one after the other; then nothing more may."""
    happens: list = []
    monkeypatch.setattr("time.sleep", lambda seconds: happens.pop(0)())
    return happens


def test_follow_prints_a_line_for_each_change_until_all_is_done(
    results: Results, aside: Path, looks: list, capsys: pytest.CaptureFixture[str]
) -> None:
    damage = Path(results.uri, "tables", "trials", "half.parquet")
    study = Path(results.uri, "study.json")
    whole = study.read_bytes()
    looks += [lambda: None, lambda: study.write_bytes(b"{")]
    looks += [lambda: study.write_bytes(whole), lambda: damage.write_bytes(b"PAR1")]
    looks += [damage.unlink, lambda: put_back(results, aside)]
    assert main(["status", results.uri, "--follow"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0].endswith("trials done, no driver is at work")
    assert lines[0] == lines[2]
    assert lines[1].startswith(f"{lines[0]}; cannot read {study}")
    assert lines[3].startswith("quickstart: 6 of 6 trials done")
    assert looks == []


def test_follow_ends_by_an_interrupt_with_code_3_and_of_failures_with_1(
    results: Results, aside: Path, looks: list, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    looks += [interrupt]
    assert main(["status", results.uri, "--follow"]) == 3
    lost = pq.read_table(aside)
    place = lost.column_names.index("status")
    failed = pa.array(["failed"] * len(lost))
    results.store.write_table(
        f"tables/trials/{aside.name}", lost.set_column(place, "status", failed)
    )
    assert main(["status", results.uri, "--follow"]) == 1
    assert "failed" in capsys.readouterr().out


def test_follow_on_a_terminal_redraws_a_panel(
    results: Results, aside: Path, looks: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    class Screen:
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> int:
            shown.append(text)
            return len(text)

        def flush(self) -> None: ...

    looks += [lambda: put_back(results, aside)]
    monkeypatch.setattr("sys.stdout", Screen())
    assert command.follow_status(results.uri) == 0
    assert "6 of 6 trials done" in " ".join("".join(shown).split())


def test_follow_and_json_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["status", "here", "--follow", "--json"])
    assert "not allowed with argument" in capsys.readouterr().err
