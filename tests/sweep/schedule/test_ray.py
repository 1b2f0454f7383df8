"""The same runs on a real Ray of two CPUs."""

import ast
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from teasel.sweep.store.results import Results

TEASEL = [sys.executable, "-c", "import sys; from teasel.__main__ import main; sys.exit(main())"]


def teasel(*arguments: str) -> subprocess.Popen[str]:
    """The command in a process of its own, with the environment of a user."""
    return subprocess.Popen(
        [*TEASEL, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"RAY_ADDRESS": ""},
    )


def wait_for(path: Path, pattern: str, seconds: float = 120.0) -> list[Path]:
    """Files that match `pattern`, as soon as there is one."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := list(path.glob(pattern)):
            return found
        time.sleep(0.2)
    raise AssertionError(f"no {pattern} in {path} after {seconds} s")


def descendant(driver: int, command: str) -> int:
    """The process that `driver`, and nobody else, has started as `command`, or had Ray start."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True
    )
    parents, found = {}, []
    for line in listed.stdout.splitlines():
        pid, parent, words = line.split(None, 2)
        parents[int(pid)] = int(parent)
        if words.split()[0].endswith(command):
            found.append(int(pid))
    for process in found:
        ancestor = process
        while ancestor in parents:
            ancestor = parents[ancestor]
            if ancestor == driver:
                return process
    raise AssertionError(f"process {driver} has no {command}")


def test_a_study_runs_on_ray_and_a_second_time_does_nothing(
    grid_file: Path, tmp_path: Path
) -> None:
    first = teasel("run", str(grid_file), "--results", str(tmp_path))
    output = first.communicate()[0]
    assert first.returncode == 0, output
    assert "4 of 4 trials are done" in output
    results = Results(tmp_path)
    assert set(results.statuses().values()) == {"done"}
    assert len(results.table("scores")) == 4 * 2 * 2
    again = teasel("run", str(grid_file), "--results", str(tmp_path))
    assert "Nothing to do" in again.communicate()[0]
    assert again.returncode == 0


@pytest.mark.slow
def test_an_interrupted_run_says_so_and_the_same_command_goes_on(
    grid_file: Path, tmp_path: Path
) -> None:
    longer = grid_file.with_name("longer.yaml")
    longer.write_text(grid_file.read_text().replace("steps: 6", "steps: 800"))
    run = teasel("run", str(longer), "--results", str(tmp_path))
    wait_for(tmp_path, "running/*-1.json")
    run.send_signal(signal.SIGTERM)
    output = run.communicate()[0]
    assert run.returncode == 3, output
    assert "the same command resumes from here" in output
    saved = Results(tmp_path).store.files("checkpoints", ".safetensors")
    assert saved
    assert Results(tmp_path).statuses() == {}
    again = teasel("run", str(longer), "--results", str(tmp_path))
    wait_for(tmp_path, "running/*-1.json")
    again.kill()
    again.communicate()
    last = teasel("run", str(longer), "--results", str(tmp_path))
    output = last.communicate()[0]
    assert last.returncode == 0, output
    assert set(Results(tmp_path).statuses().values()) == {"done"}
    steps = Results(tmp_path).table("curves").to_pandas().groupby("trial_id")["step"]
    assert (steps.size() == 100).all()


@pytest.mark.slow
def test_a_killed_worker_costs_an_attempt_and_nothing_else(grid_file: Path, tmp_path: Path) -> None:
    longer = grid_file.with_name("killed.yaml")
    longer.write_text(grid_file.read_text().replace("steps: 6", "steps: 800"))
    run = teasel("run", str(longer), "--results", str(tmp_path))
    wait_for(tmp_path, "running/*-train-1.json")
    os.kill(descendant(run.pid, "ray::train"), signal.SIGKILL)
    output = run.communicate()[0]
    assert run.returncode == 0, output
    results = Results(tmp_path)
    assert set(results.statuses().values()) == {"done"}
    (failure,) = results.table("failures").to_pylist()
    assert failure["cause"] == "lost"


@pytest.mark.slow
def test_a_ray_that_dies_ends_the_run_with_a_line_and_the_same_command_goes_on(
    grid_file: Path, tmp_path: Path
) -> None:
    longer = grid_file.with_name("longer.yaml")
    longer.write_text(grid_file.read_text().replace("steps: 6", "steps: 800"))
    command = ("run", str(longer), "--results", str(tmp_path))
    driver = teasel(*command)
    wait_for(tmp_path, "running/*-train-*.json")
    os.kill(descendant(driver.pid, "/raylet"), signal.SIGKILL)
    said, _ = driver.communicate(timeout=120)
    assert (driver.returncode, "Ray has lost this machine" in said) == (2, True), said
    again = teasel(*command)
    said, _ = again.communicate(timeout=300)
    assert again.returncode == 0, said


@pytest.mark.parametrize(
    ("address", "why"),
    [("127.0.0.1:1", "Connection refused"), ("ray://127.0.0.1:1", "Connection refused")],
)
def test_an_address_where_no_ray_answers_is_said_in_seconds(
    grid_file: Path, tmp_path: Path, address: str, why: str
) -> None:
    began = time.monotonic()
    run = teasel("run", str(grid_file), "--results", str(tmp_path), "--address", address)
    output = run.communicate()[0]
    assert run.returncode == 2
    assert output.splitlines()[-1] == f"no Ray at {address}: {why}"
    assert time.monotonic() - began < 30


LOOK = """
import sys, types

def score(task):
    import os, time
    began = time.time()
    time.sleep(8)
    fraction = os.environ.get("XLA_CLIENT_MEM_FRACTION")
    device = os.environ["CUDA_VISIBLE_DEVICES"]
    mode = os.environ.get("RAY_AUTH_MODE")
    return [began, time.time(), fraction, device, "jax" in sys.modules, mode]

sys.modules["teasel.sweep.work.score"] = types.ModuleType("teasel.sweep.work.score")
sys.modules["teasel.sweep.work.score"].score = score
"""
"""What every Python imports at its start: a worker then looks around instead of scoring."""

HALVES = """
import sys
import tempfile
from teasel.sweep.schedule import ray as ray_executor
from teasel.sweep.schedule.ray import RayExecutor
from teasel.settings import Settings
from teasel.sweep.trials.trial import Trial
from teasel.sweep.work.machine import ClusterError
from teasel.sweep.work.tasks import Demand, ScoreTrials

ray_executor._START_SECONDS = 0.1
executor = RayExecutor()
assert executor.machines() == [Demand(2, 1)], executor.machines()
for attempt in range(2):
    trials = (Trial("d", "m", {}, 0, Settings()),)
    executor.submit(ScoreTrials(sys.argv[1], "s", "r", trials, attempt, Demand(1, 0.5)))
looks = []
while len(looks) < 2:
    outcomes = executor.wait(1.0)
    assert not any(outcome.failure for outcome in outcomes), outcomes
    looks += [outcome.value for outcome in outcomes]
print("looks =", looks)
try:
    executor.accelerator_bytes(0.5)
except ClusterError as error:
    print("\\nsaid =", error)
"""


@pytest.mark.slow
def test_two_packs_share_an_accelerator_and_its_memory_is_asked_for_with_patience(
    tmp_path: Path,
) -> None:
    (tmp_path / "study.json").touch()
    (tmp_path / "sitecustomize.py").write_text(LOOK)
    environment = {k: v for k, v in os.environ.items() if k != "RAY_AUTH_MODE"}
    environment["PYTHONPATH"] = str(tmp_path)
    offered = {"RAY_OVERRIDE_RESOURCES": '{"CPU": 2, "GPU": 1}', "RAY_ADDRESS": ""}
    run = subprocess.run(
        [sys.executable, "-c", HALVES, str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment | offered,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    looks, said = run.stdout.split("looks = ")[1].split("said = ")
    assert said.startswith("no node tells the memory of its accelerator: ")
    first, second = ast.literal_eval(looks.strip())
    assert max(first[0], second[0]) < min(first[1], second[1]), "one after the other"
    for _, _, fraction, device, has_jax, mode in (first, second):
        assert (fraction, device) == ("0.450", "0")
        assert mode == "token", "anybody on the network may use this Ray"
        assert not has_jax, "JAX was imported before the fraction was set"


@pytest.mark.slow
def test_a_client_without_the_token_is_refused_and_one_that_has_it_is_not(
    grid_file: Path, tmp_path: Path
) -> None:
    longer = grid_file.with_name("token.yaml")
    longer.write_text(grid_file.read_text().replace("steps: 6", "steps: 8000"))
    home = Path(tempfile.mkdtemp())  # Ray's sockets have no room for a longer name
    environment = {k: v for k, v in os.environ.items() if k != "RAY_AUTH_MODE"}
    environment |= {"RAY_ADDRESS": "", "HOME": str(home), "TMPDIR": str(home)}
    run = subprocess.Popen(
        [*TEASEL, "run", str(longer), "--results", str(tmp_path / "results")], env=environment
    )
    wait_for(tmp_path / "results", "running/*-train-1.json")
    token = home / ".ray" / "auth_token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    (session,) = home.glob("ray-*")
    assert stat.S_IMODE(session.stat().st_mode) == 0o700
    raylet = descendant(run.pid, "/raylet")
    words = Path(f"/proc/{raylet}/cmdline").read_bytes().decode().split("\0")
    (address,) = (word.partition("=")[2] for word in words if word.startswith("--gcs-address="))
    client = f"import ray; ray.init('{address}'); print('nodes', len(ray.nodes()))"
    said = {}
    for key in (token.read_text(), "0" * 64):
        known = environment | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": key}
        done = subprocess.run(
            [sys.executable, "-c", client], env=known, capture_output=True, text=True, timeout=120
        )
        said[key] = (done.returncode == 0, "nodes 1" in done.stdout)
    run.terminate()
    assert run.wait(timeout=120) == 3
    assert list(said.values()) == [(True, True), (False, False)]
    assert not session.exists()
    shutil.rmtree(home)


@pytest.mark.slow
def test_a_dead_gcs_is_one_sentence_and_exit_code_3_within_a_minute(
    grid_file: Path, tmp_path: Path
) -> None:
    longer = grid_file.with_name("gcs.yaml")
    longer.write_text(grid_file.read_text().replace("steps: 6", "steps: 800"))
    driver = teasel("run", str(longer), "--results", str(tmp_path))
    wait_for(tmp_path, "running/*-train-1.json")
    began = time.monotonic()
    os.kill(descendant(driver.pid, "/gcs_server"), signal.SIGKILL)
    said = driver.communicate(timeout=120)[0]
    assert (driver.returncode, time.monotonic() - began < 60) == (3, True)
    sentence = "error: Ray has lost its control store (GCS); the same command resumes from here"
    assert said.splitlines()[-1] == sentence


@pytest.mark.slow
def test_a_lost_terminal_saves_what_runs(grid_file: Path, tmp_path: Path) -> None:
    longer = grid_file.with_name("hangup.yaml")
    longer.write_text(grid_file.read_text().replace("steps: 6", "steps: 800"))
    driver = subprocess.Popen(
        [*TEASEL, "run", str(longer), "--results", str(tmp_path)],
        env=os.environ | {"RAY_ADDRESS": ""},
        start_new_session=True,
    )
    wait_for(tmp_path, "running/*-train-1.json")
    os.killpg(driver.pid, signal.SIGHUP)  # as a terminal does: to Ray's processes, too
    assert driver.wait(timeout=120) == 3
    assert Results(tmp_path).store.files("checkpoints", ".safetensors")
