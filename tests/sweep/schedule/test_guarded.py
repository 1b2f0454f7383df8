"""An attempt in a process of its own: what ended it is known, and what it printed is kept."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from teasel.sweep.schedule.guarded import MOST_BYTES, guard
from teasel.sweep.work import attempt
from teasel.sweep.work.attempt import Outcome
from teasel.sweep.work.control import Control
from teasel.sweep.work.tasks import Demand, ScoreTrials

pytestmark = pytest.mark.filterwarnings("ignore:os.fork")


@pytest.fixture
def guarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[], object], float], Outcome]:
    """Guards a task that reports a metric and then does something."""
    (tmp_path / "study.json").touch()

    def carry_out(what: Callable[[], object], patience_seconds: float) -> Outcome:
        task = ScoreTrials(str(tmp_path), "s", "r", (), 1, Demand(), patience_seconds)

        def do(task: ScoreTrials) -> object:
            control = Control(attempt.Store(task.results_uri), task.run_id)
            control.report(task.attempt_id, trials=["t"], step=3, steps=4, doing="mig")
            return what()

        monkeypatch.setattr(attempt, "_do", do)
        return guard(task)

    return carry_out


def crash() -> None:
    print("half a line")
    os.kill(os.getpid(), signal.SIGSEGV)


@pytest.mark.parametrize(
    ("what", "patience_seconds", "said"),
    [
        (crash, 60, "mig: the process was killed by SIGSEGV"),
        (
            lambda: os.kill(os.getpid(), signal.SIGKILL),
            60,
            "mig: the process was killed by SIGKILL, perhaps for lack of memory",
        ),
        (lambda: os._exit(7), 60, "mig: the process exited with code 7"),
        (lambda: time.sleep(60), 0.6, "mig: no step or score in 0.01 min (task_minutes)"),
    ],
)
def test_what_ends_an_attempts_process_is_named_with_its_metric(
    what: Callable[[], object], patience_seconds: float, said: str, guarded
) -> None:
    outcome = guarded(what, patience_seconds)
    assert (outcome.failure.cause, outcome.failure.message) == ("lost", said)
    assert outcome.at == ("t", 3)


def test_the_log_of_a_process_that_crashed_is_there(tmp_path: Path, guarded) -> None:
    guarded(crash, 60)
    (log,) = (tmp_path / "logs").iterdir()
    text = log.read_text()
    assert text.startswith("half a line")
    assert "Segmentation fault" in text
    assert "in crash" in text


def test_of_a_long_log_the_beginning_and_the_end_are_kept(tmp_path: Path, guarded) -> None:
    def talk() -> dict[str, bool]:
        print("begin", end="", flush=True)
        for _ in range(50):
            os.write(1, b"x" * 100_000)
        os.write(2, b"end")
        return {"interrupted": False}

    outcome = guarded(talk, 60)
    assert outcome.value == {"interrupted": False}
    (log,) = (tmp_path / "logs").iterdir()
    content = log.read_bytes()
    left_out = 5_000_008 - 2 * MOST_BYTES
    assert content.startswith(b"begin")
    assert content.endswith(b"xend")
    assert f"[{left_out:,} bytes omitted]".encode() in content
    assert len(content) < 2 * MOST_BYTES + 100


def test_a_log_that_cannot_be_kept_does_not_replace_what_it_is_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guarded
) -> None:
    (tmp_path / "logs").write_text("not a folder")
    assert guarded(crash, 60).failure.message == "mig: the process was killed by SIGSEGV"
