"""What the tasks' own processes do, without a Ray."""

import errno
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray.exceptions import GetTimeoutError

from teasel.models import Settings
from teasel.sweep.schedule import ray as ray_executor
from teasel.sweep.schedule.ray import RayExecutor
from teasel.sweep.trials.trial import Trial
from teasel.sweep.work.machine import ClusterError
from teasel.sweep.work.tasks import Demand, Place, ScoreTrials, TrainPack


def test_a_worker_is_prepared_before_jax_is_imported() -> None:
    code = "import sys\nimport teasel.sweep.schedule.ray\nassert 'jax' not in sys.modules\n"
    subprocess.run([sys.executable, "-c", code], check=True)


FORKED = """
import pickle, sys
from types import SimpleNamespace

from teasel.sweep.schedule import guarded, ray

ray.ray.get_runtime_context = lambda: SimpleNamespace(
    get_node_id=lambda: "n", get_accelerator_ids=lambda: {"GPU": ["3"], "TPU": []}
)


def look(task):  # in the child, in place of the work
    value = {"jax": "jax" in sys.modules, "driver": "libcuda" in open("/proc/self/maps").read()}
    return guarded.Outcome(task, value=value)


guarded.carry_out = look
task = pickle.load(sys.stdin.buffer)
outcome = ray._attempt._function(task)
assert outcome.place[::2] == ("n", "GPU 3")
print(outcome.value | {"parent": "jax" in sys.modules})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")
@pytest.mark.parametrize("kind", [TrainPack, ScoreTrials])
def test_an_attempt_is_forked_from_a_process_without_jax_and_without_a_device(
    kind: type, tmp_path: Path
) -> None:
    trials = (Trial("dsprites", "beta_vae", {"beta": 1.0}, 0, Settings(steps=1)),)
    task = kind(str(tmp_path), "s", "r", trials, 1, Demand(1, 1))
    said = subprocess.run(
        [sys.executable, "-c", FORKED], input=pickle.dumps(task), capture_output=True, check=True
    )
    assert said.stdout.split(b"\n")[0] == b"{'jax': False, 'driver': False, 'parent': False}"


def test_no_worker_of_ray_that_has_used_a_device_begins_an_attempt() -> None:
    for function in (ray_executor._attempt, ray_executor._device_memory, ray_executor._faults):
        assert function._default_options["max_calls"] == 1


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


def test_a_ray_that_starts_too_slowly_is_started_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folders: list[str] = []

    def slow(**options: str) -> None:
        folders.append(options["_temp_dir"])
        raise RuntimeError("The current node timed out during startup.")

    monkeypatch.setenv("RAY_ADDRESS", "")
    monkeypatch.setattr(ray_executor.ray, "init", slow)
    monkeypatch.setattr(ray_executor.ray, "shutdown", lambda: None)
    with pytest.raises(ClusterError, match=r"no Ray on this machine: .* timed out during startup"):
        RayExecutor()
    assert len(set(folders)) == 3
    assert not any(Path(folder).parent.exists() for folder in folders)
    assert caplog.text.count("it is started again") == 2


def test_a_cluster_that_was_asked_to_grow_is_left_once(monkeypatch: pytest.MonkeyPatch) -> None:
    executor = RayExecutor.__new__(RayExecutor)
    executor._asked_for, executor._left, executor._folder = 2, threading.Event(), None
    asked: list[list] = []
    monkeypatch.setattr(ray_executor, "request_resources", lambda bundles: asked.append(bundles))
    monkeypatch.setattr(ray_executor.ray, "shutdown", lambda: None)
    executor.shutdown()
    executor.shutdown()  # Ray would refuse the request: it is not there any more
    assert asked == [[]]


@pytest.fixture
def tpus(monkeypatch: pytest.MonkeyPatch) -> RayExecutor:
    """An executor that sees a node with four chips of a TPU."""
    executor = RayExecutor.__new__(RayExecutor)
    executor._own, executor._avoided, executor._holders = False, set(), {}
    node = {"Alive": True, "NodeID": "n", "Resources": {"CPU": 8.0, "TPU": 4.0}}
    monkeypatch.setattr(ray_executor.ray, "nodes", lambda: [node])
    return executor


class FreeAccelerators:
    """In place of a holder of Ray's: gets the next that is free, until there is none."""

    def __init__(self, *free: str) -> None:
        self.free, self.held = list(free), set()

    def options(self, **asked: object) -> "FreeAccelerators":
        assert asked["resources"] == {"TPU": 1}
        return self

    def remote(self) -> SimpleNamespace:
        here = self.free.pop(0) if self.free else None
        self.held.add(here)
        return SimpleNamespace(here=here, place=SimpleNamespace(remote=lambda gpus: here))

    def get(self, here: str | None, timeout: float) -> Place:
        if here is None:
            raise GetTimeoutError
        return Place("n", "host", here)

    def kill(self, holder: SimpleNamespace) -> None:
        self.held.remove(holder.here)


@pytest.mark.parametrize(
    ("free", "is_held"),
    [(["TPU 2"], True), (["TPU 0", "TPU 2", "TPU 1"], True), (["TPU 0"], False)],
)
def test_an_accelerator_is_held_whichever_ray_gives_first_and_let_go(
    tpus: RayExecutor, monkeypatch: pytest.MonkeyPatch, free: list[str], is_held: bool
) -> None:
    fake = FreeAccelerators(*free)
    monkeypatch.setattr(ray_executor, "_Holder", fake)
    monkeypatch.setattr(ray_executor, "NodeAffinitySchedulingStrategy", lambda *at, soft: at)
    monkeypatch.setattr(ray_executor.ray, "get", fake.get)
    monkeypatch.setattr(ray_executor.ray, "kill", fake.kill)
    place = Place("n", "host", "TPU 2")
    assert tpus.avoid(place, Demand(1, 1)) == is_held
    assert fake.held == ({"TPU 2"} if is_held else set())
    assert tpus.machines() == [Demand(8, 3 if is_held else 4)]
    tpus.readmit(place)
    assert (fake.held, tpus.machines()) == (set(), [Demand(8, 4)])


def test_the_last_accelerator_and_the_last_node_are_not_avoided(tpus: RayExecutor) -> None:
    tpus._holders = {Place("n", "host", f"TPU {n}"): [(None, 1.0)] for n in range(3)}
    assert not tpus.avoid(Place("n", "host", "TPU 3"), Demand(1, 1))
    assert not tpus.avoid(Place("n", "host"), Demand(1, 1))
    assert tpus.machines() == [Demand(8, 1)]


def test_a_share_of_a_tpu_is_refused_before_anything_begins(tpus: RayExecutor) -> None:
    assert tpus.machines() == [Demand(8, 4)]
    with pytest.raises(ClusterError, match=r"gpus_per_pack is 0\.5, but .* TPUs.*: set it to 1"):
        tpus.accelerator_bytes(0.5)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ClusterError("node x: two names of one thing"), "cluster"),
        (OSError(errno.EMFILE, "Too many open files"), "machine"),
    ],
)
def test_a_node_on_which_no_attempt_can_begin_is_to_blame_and_no_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, cause: str
) -> None:
    def refuse(cpus: float, gpus: float, deterministic: bool) -> None:
        assert deterministic
        raise error

    here = SimpleNamespace(get_node_id=lambda: "n1", get_accelerator_ids=dict)
    monkeypatch.setattr(ray_executor, "prepare", refuse)
    monkeypatch.setattr(ray_executor.ray, "get_runtime_context", lambda: here)
    task = ScoreTrials(str(tmp_path), "s", "r", (), 1, Demand(1, 0.5), deterministic=True)
    outcome = ray_executor._attempt._function(task)
    assert (outcome.failure.cause, outcome.failure.message) == (cause, str(error))
    assert outcome.place.node == "n1"
