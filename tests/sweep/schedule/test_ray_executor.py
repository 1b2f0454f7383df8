"""What the tasks' own processes do, without a Ray."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from teasel.sweep.schedule import ray as ray_executor
from teasel.sweep.schedule.ray import RayExecutor
from teasel.sweep.work.machine import ClusterError
from teasel.sweep.work.tasks import Demand, ScoreTrials


def test_a_worker_is_prepared_before_jax_is_imported() -> None:
    code = "import sys\nimport teasel.sweep.schedule.ray\nassert 'jax' not in sys.modules\n"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("variable", "value", "advice"),
    [
        ("TMPDIR", f"/tmp/{'x' * 95}", "set a shorter one, as in TMPDIR=/tmp"),
        ("HOME", "/proc/nowhere", "set HOME to a folder that you can write to"),
    ],
)
def test_what_keeps_ray_from_starting_is_said_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, advice: str
) -> None:
    def refuse(**options: object) -> None:
        if variable == "TMPDIR":
            raise OSError(f"AF_UNIX path length cannot exceed 107 bytes: {value}/ray/sockets")
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", value)

    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("RAY_ADDRESS", "")
    monkeypatch.setattr(ray_executor.ray, "init", refuse)
    with pytest.raises(ClusterError, match=f"^no Ray on this machine: .*{variable}.*{advice}$"):
        RayExecutor()


@pytest.fixture
def tpus(monkeypatch: pytest.MonkeyPatch) -> RayExecutor:
    """An executor that sees a node with four chips of a TPU."""
    executor = RayExecutor.__new__(RayExecutor)
    executor._own, executor._avoided = False, set()
    node = {"Alive": True, "NodeID": "n", "Resources": {"CPU": 8.0, "TPU": 4.0}}
    monkeypatch.setattr(ray_executor.ray, "nodes", lambda: [node])
    return executor


def test_a_share_of_a_tpu_is_refused_before_anything_begins(tpus: RayExecutor) -> None:
    assert tpus.machines() == [Demand(8, 4)]
    with pytest.raises(ClusterError, match=r"gpus_per_pack is 0\.5, but .* TPUs.*: set it to 1"):
        tpus.accelerator_bytes(0.5)


def test_a_node_whose_environment_is_wrong_ends_the_run_and_not_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(cpus: float, gpus: float, deterministic: bool) -> None:
        assert deterministic
        raise ClusterError("node x: two names of one thing")

    monkeypatch.setattr(ray_executor, "prepare", refuse)
    task = ScoreTrials(str(tmp_path), "s", "r", (), 1, Demand(1, 0.5), deterministic=True)
    outcome = ray_executor._attempt._function(task)
    assert outcome.failure.cause == "cluster"
    assert outcome.failure.message == "node x: two names of one thing"
