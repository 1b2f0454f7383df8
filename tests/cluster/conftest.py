"""A real Slurm of two nodes on this machine, and a study small enough to be interrupted on it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from teasel.sweep.store.results import Results

_GRID = """\
study: tiny
datasets: [{name: noise, npz: noise.npz}]
seeds: 2
methods:
  beta_vae: {beta: [1, 4]}
training: {steps: 1500, batch_size: 4, num_latents: 3, evaluation_batches: 2}
representations: mean
metrics:
  mig: {num_train: 60, num_bins: 4}
resources: {pack: 2}
"""

_CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
JobRequeue=0
ReturnToService=2
KillWait=20
InactiveLimit=0
SlurmdTimeout=30
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.2 Port={ports[1]} CPUs=1 RealMemory=4000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.3 Port={ports[2]} CPUs=1 RealMemory=4000
PartitionName=spot Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=ALL MaxTime=INFINITE PriorityTier=9 PreemptMode=OFF
"""


class RealSlurm:
    """munged, slurmctld and two slurmd, in a folder of their own, without systemd.

    Args:
        folder: Short, for the sockets' sake, and empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        ports = _free_ports(3)
        (folder / "state").mkdir()
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o400)
        host = socket.gethostname().split(".")[0]
        text = _CONFIGURATION.format(host=host, ports=ports, folder=folder)
        (folder / "slurm.conf").write_text(text)
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}

    def start(self) -> None:
        """Starts the daemons, and waits until both nodes are idle."""
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid"}
        files |= {"log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={self._folder}/munge.{name}" for option, name in files.items()]
        self._daemon("munged", "--foreground", "--force", *options)
        self.until((self._folder / "munge.socket").exists, 20)
        self._daemon("slurmctld", "-D", "-c")
        self.start_node("n1")
        self.start_node("n2")
        self.until(lambda: self.idle() == 2, 60)

    @staticmethod
    def until(condition: Callable[[], object], seconds: float) -> None:
        """Waits for something to be so."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not so after {seconds} s"
            time.sleep(0.2)

    def start_node(self, name: str) -> None:
        """Starts a node's daemon."""
        self._daemon("slurmd", "-D", "-N", name, name=name)

    def stop_node(self, name: str) -> None:
        """Ends a node's daemon and everything it runs, as a power cut does."""
        daemon = self._daemons.pop(name)
        daemon.kill()
        daemon.wait()
        self._kill(SLURMD_NODENAME=name)

    def stop(self) -> None:
        """Ends what is left."""
        for daemon in reversed(self._daemons.values()):
            daemon.kill()
            daemon.wait()
        self._kill()

    def values(self, variable: str) -> set[str]:
        """What an environment variable is in the jobs' processes."""
        return {
            value for _, environment in self._processes() if (value := environment.get(variable))
        }

    def _kill(self, **variables: str) -> None:
        pids = [
            pid
            for pid, environment in self._processes()
            if variables.items() <= environment.items()
        ]
        # Slurm's own first: they would still report what happens to the others.
        for pid in [*{parent for pid in pids if (parent := _step_daemon(pid))}, *pids]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _processes(self) -> Iterator[tuple[int, dict[str, str]]]:
        """The jobs' processes, which have left their daemons: known by their environment."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                lines = (process / "environ").read_text().split("\0")
                environment = dict(line.split("=", 1) for line in lines if "=" in line)
                if environment.get("SLURM_CONF") == self.environment["SLURM_CONF"]:
                    yield int(process.name), environment

    def idle(self) -> int:
        """How many nodes wait for work."""
        return self("sinfo", "--noheader", "--Node", "-p", "spot", "-o", "%T").split().count("idle")

    def __call__(self, *command: str) -> str:
        """What a Slurm command prints."""
        run = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert run.returncode == 0 or command[0] == "sinfo", run.stderr
        return run.stdout

    def state(self, job: str) -> str:
        """A job's state, as PENDING or COMPLETED."""
        return dict(
            field.split("=", 1)
            for field in self("scontrol", "show", "--oneliner", "job", job).split()
            if "=" in field
        )["JobState"]

    def _daemon(self, program: str, *arguments: str, name: str = "") -> None:
        command = [shutil.which(program) or f"/usr/sbin/{program}", *arguments]
        with (self._folder / f"{name or program}.log").open("ab") as log:
            self._daemons[name or program] = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log
            )


def _step_daemon(pid: int) -> int | None:
    """The parent of a process, if it is a daemon of Slurm's for a step."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if Path(f"/proc/{fields[1]}/comm").read_text() == "slurmstepd\n":
            return int(fields[1])
    return None


def _free_ports(num_ports: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(num_ports)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="session")
def slurm() -> Iterator[RealSlurm]:
    """A Slurm of the test's own; tests that need it are skipped where it cannot be."""
    programs = ("munged", "slurmctld", "slurmd", "sbatch")
    path = f"{os.environ['PATH']}:/usr/sbin"
    missing = [program for program in programs if not shutil.which(program, path=path)]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: install the packages slurm-wlm and munge")
    if os.getuid():
        pytest.skip("the daemons of Slurm need root")
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder:
        cluster = RealSlurm(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture
def grid_file(tmp_path: Path) -> Path:
    """A study of four trainings in two packs, each long enough to be interrupted."""
    factors = np.stack(np.unravel_index(np.arange(64), (4, 4, 4)), axis=1)
    images = np.random.default_rng(0).integers(256, size=(64, 64, 64), dtype=np.uint8)
    np.savez(tmp_path / "noise.npz", images=images, factors=factors)
    path = tmp_path / "tiny.yaml"
    path.write_text(_GRID)
    return path


@pytest.fixture
def assert_whole() -> Callable[[Path], None]:
    """Checks that nothing of the study is missing from its results, and nothing there twice."""
    return _assert_whole


def _assert_whole(folder: Path) -> None:
    results = Results(folder)
    assert list(results.statuses().values()) == ["done"] * 4
    for table, identity, rows in (
        ("trials", ["trial_id"], 4),
        ("scores", ["trial_id", "representation", "metric", "score"], 4),
    ):
        files = (folder / "tables" / table).glob("*.parquet")
        written = pd.concat(pd.read_parquet(file) for file in files)
        assert len(written) == rows, f"{table}: {len(written)} rows"
        assert not written.duplicated(identity).any()
    # On disk they stand twice if a short training was interrupted after its last step.
    assert results.table("curves").num_rows == 400
    trials = results.table("trials").to_pandas()
    assert sorted(zip(trials.beta, trials.seed, strict=True)) == [(1, 0), (1, 1), (4, 0), (4, 1)]
