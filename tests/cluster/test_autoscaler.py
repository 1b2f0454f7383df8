"""A real autoscaler of Ray's, whose machines are pretended, and pretended TPUs."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HOST, PORT = "127.0.0.8", "20861"
WORKER = {"resources": {"CPU": 1, "TPU": 2}, "node_config": {}, "min_workers": 1, "max_workers": 3}
HEAD = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A head without CPUs, and an autoscaler that begins with one of three workers."""
    stages = ("initialization", "setup", "head_setup", "worker_setup")
    configuration = {f"{stage}_commands": [] for stage in stages} | {
        "cluster_name": "pretended",
        "provider": {
            "type": "fake_multinode",
            "gcs_address": f"{HOST}:{PORT}",
            "disable_node_updaters": True,
        },
        "available_node_types": {"ray.head.default": HEAD, "worker": WORKER},
        "head_node_type": "ray.head.default",
        "max_workers": 3,
        "upscaling_speed": 1,
        "idle_timeout_minutes": 5,
        "auth": {"ssh_user": "nobody"},
        "docker": {},
        "file_mounts": {},
        "cluster_synced_files": [],
        "file_mounts_sync_continuously": False,
        "head_start_ray_commands": [],
        "worker_start_ray_commands": [],
    }
    for name, value in {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
        "RAY_FAKE_CLUSTER": "1",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with tempfile.TemporaryDirectory(
        prefix="ray-", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        file = Path(folder, "autoscaler.json")
        file.write_text(json.dumps(configuration))
        command = [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block"]
        command += ["--node-ip-address", HOST, "--port", PORT, "--num-cpus", "0"]
        command += ["--temp-dir", folder, "--include-dashboard", "false", "--disable-usage-stats"]
        command += ["--ray-client-server-port", "20862", "--autoscaling-config", str(file)]
        log = Path(folder, "start.log")
        with log.open("wb") as stream:
            head = subprocess.Popen(command, stdout=stream, stderr=stream, start_new_session=True)
        try:
            until(lambda: "Ray runtime started" in log.read_text(), 90)
            yield f"{HOST}:{PORT}"
        finally:
            # The pretended machines are children of the autoscaler's process.
            os.killpg(head.pid, signal.SIGKILL)
            head.wait()


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.5)


# In a process of its own: Ray reads its token once.
DRIVER = """
import os, sys, time
import ray
from teasel.sweep.schedule.ray import RayExecutor
from teasel.sweep.work.tasks import Demand

executor = RayExecutor(sys.argv[1])

def wait_for(num_chips):
    deadline = time.monotonic() + 60
    while sum(machine.gpus for machine in executor.machines()) < num_chips:
        assert time.monotonic() < deadline, executor.machines()
        time.sleep(0.5)

@ray.remote
def visible():
    return os.environ.get("TPU_VISIBLE_CHIPS")

wait_for(2)
for num_chips in (4, 6):
    executor.grow(num_waiting=100)
    wait_for(num_chips)
options = executor.request(Demand(cpus=1, gpus=1))
print("chips", *ray.get([visible.options(**options).remote() for _ in range(3)]))
executor.shutdown()
"""


@pytest.mark.slow
def test_a_cluster_grows_while_trials_wait_and_a_pack_sees_one_tpu(address: str) -> None:
    command = [sys.executable, "-c", DRIVER, address]
    run = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr
    chips = run.stdout.split("chips")[1].split()
    assert len(chips) == 3
    assert set(chips) <= {"0", "1"}
