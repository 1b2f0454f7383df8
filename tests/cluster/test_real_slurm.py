"""A study on a real Slurm of two nodes, through everything that interrupts it there."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from teasel.__main__ import main

pytestmark = pytest.mark.slow

CLUSTER = "partition: spot\nhours: 1\ncpus_per_node: 1\nwarning_seconds: 60\n"
MINUTES = 60


class Submitted:
    """A study on its way: its job, its results and its logs, in a folder with an awkward name."""

    def __init__(self, slurm: Any, grid: Path, cluster: str, capsys: Any) -> None:
        self.slurm = slurm
        self.folder = grid.parent
        self.results = self.folder / "the lab's $results"
        file = self.folder / "cluster.yaml"
        file.write_text(cluster)
        arguments = [str(grid), "--cluster", str(file), "--results", str(self.results)]
        assert main(["submit", "slurm", *arguments]) == 0
        self.job = re.findall(r"Submitted job (\d+)", capsys.readouterr().out)[0]

    def training(self, step: int = 100) -> list[str]:
        """The packs that are at least at `step`."""
        reports = (self.results / "running").glob("*-train-*.json")
        return [report.name for report in reports if _step(report) >= step]

    def log(self) -> str:
        return "".join(file.read_text() for file in sorted(self.folder.glob("teasel-tiny-*.out")))

    def wait(self, minutes: float = 6) -> None:
        """Waits until the job is done, and fails if it fails."""
        ended = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        self.slurm.until(lambda: self.slurm.state(self.job) in ended, minutes * MINUTES)
        assert self.slurm.state(self.job) == "COMPLETED", self.log()


def _step(report: Path) -> int:
    try:
        return json.loads(report.read_text()).get("step", 0)
    except (OSError, ValueError):
        return 0


@pytest.fixture
def submit(
    slurm: Any, grid_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> Callable[..., Submitted]:
    """Submits the study, with more lines in the cluster's file."""
    monkeypatch.setenv("SLURM_CONF", slurm.environment["SLURM_CONF"])
    monkeypatch.chdir(grid_file.parent)

    def submitted(more: str = "", steps: int = 1500) -> Submitted:
        text = grid_file.read_text()
        grid_file.write_text(text.replace("steps: 1500", f"steps: {steps}"))
        return Submitted(slurm, grid_file, CLUSTER + more, capsys)

    return submitted


def test_two_nodes_train_side_by_side_and_no_token_is_written_down(
    submit: Callable[..., Submitted], slurm: Any, assert_whole: Callable[[Path], None]
) -> None:
    before = set(Path("/tmp").glob("teasel-*"))
    study = submit("nodes: 2\n")
    slurm.until(lambda: len(study.training(1)) == 2, 3 * MINUTES)
    tokens = slurm.values("RAY_AUTH_TOKEN")
    study.wait()
    assert_whole(study.results)
    (token,) = tokens
    assert re.fullmatch("[0-9a-f]{64}", token)
    for file in study.folder.rglob("*"):
        assert not file.is_file() or token.encode() not in file.read_bytes(), file
    assert not set(Path("/tmp").glob(f"teasel-{study.job}-*")) - before


def test_a_preempted_job_saves_goes_back_into_the_queue_and_goes_on(
    submit: Callable[..., Submitted], slurm: Any, assert_whole: Callable[[Path], None]
) -> None:
    study = submit()
    slurm.until(study.training, 3 * MINUTES)
    slurm("sbatch", "--partition=urgent", "--nodes=2", "--wrap=sleep 1", "--output=/dev/null")
    slurm.until(lambda: "back into the queue" in study.log(), MINUTES)
    assert list((study.results / "checkpoints").glob("*.safetensors"))
    study.wait()
    assert "Interrupted: the same command resumes from here" in study.log()
    assert_whole(study.results)


def test_a_job_whose_time_is_up_goes_back_into_the_queue_and_goes_on(
    submit: Callable[..., Submitted], slurm: Any, assert_whole: Callable[[Path], None]
) -> None:
    study = submit(steps=3000)  # longer than Slurm takes to notice
    slurm.until(study.training, 3 * MINUTES)
    slurm("scontrol", "update", f"JobId={study.job}", "TimeLimit=2")
    slurm.until(lambda: "back into the queue" in study.log(), 2 * MINUTES)
    slurm("scontrol", "update", f"JobId={study.job}", "TimeLimit=60")
    study.wait()
    assert_whole(study.results)


@pytest.mark.parametrize("node", ["n1", "n2"])
def test_a_node_that_dies_puts_the_job_back_and_it_goes_on(
    node: str, submit: Callable[..., Submitted], slurm: Any, assert_whole: Callable[[Path], None]
) -> None:
    study = submit("nodes: 2\n")
    slurm.until(lambda: len(study.training()) == 2, 3 * MINUTES)
    slurm.stop_node(node)
    slurm("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    try:
        slurm.until(lambda: slurm.state(study.job) == "PENDING", MINUTES)
    finally:
        slurm.start_node(node)
        slurm("scontrol", "update", f"NodeName={node}", "State=RESUME")
    study.wait()
    assert_whole(study.results)


def test_a_requeued_job_goes_on_and_a_cancelled_one_stays_away(
    submit: Callable[..., Submitted], slurm: Any, assert_whole: Callable[[Path], None]
) -> None:
    study = submit()
    slurm.until(study.training, 3 * MINUTES)
    slurm("scontrol", "requeue", study.job)
    slurm.until(lambda: slurm.state(study.job) == "PENDING", MINUTES)
    slurm.until(study.training, 3 * MINUTES)
    slurm("scancel", study.job)
    slurm.until(lambda: slurm.idle() == 2, MINUTES)
    assert slurm.state(study.job) == "CANCELLED"
    again = submit()
    again.wait()
    assert_whole(study.results)


def test_each_job_of_an_array_does_its_share_and_goes_back_alone(
    submit: Callable[..., Submitted], slurm: Any, assert_whole: Callable[[Path], None]
) -> None:
    study = submit("array: 2\n", steps=6000)  # longer than Slurm takes to notice
    slurm.until(lambda: len(study.training()) == 2, 3 * MINUTES)
    slurm("scontrol", "update", f"JobId={study.job}_2", "TimeLimit=2")
    slurm.until(lambda: "back into the queue" in study.log(), 2 * MINUTES)
    slurm("scontrol", "update", f"JobId={study.job}_2", "TimeLimit=60")
    slurm.until(lambda: not slurm("squeue", "--noheader"), 6 * MINUTES)
    assert study.log().count("back into the queue") == 1
    assert_whole(study.results)
    assert study.log().count("trials are done after") == 3  # one of them when it was interrupted
