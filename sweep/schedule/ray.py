"""Tasks on Ray: one fresh process per attempt, on this machine or on a cluster."""

import contextlib
import logging
import os
import pickle
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import ray
from ray.autoscaler.sdk import request_resources
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ..store.store import Store, StoreError
from ..work.attempt import Failure, Outcome, carry_out, sees
from ..work.machine import (
    ClusterError,
    check_accelerator,
    prepare,
    release_cpus,
    shared_environment,
)
from ..work.tasks import Demand, Task

if TYPE_CHECKING:
    from ..work.preflight import Look

_PATIENCE_SECONDS = 5.0  # for an address to answer
_START_SECONDS = 180.0  # for JAX to start on an accelerator, from a slow file system
_OBJECT_STORE_BYTES = 128 * 2**20  # what passes through it is small: rows go to the results folder


# A fresh process each time (JAX keeps its memory, and its affinity must be set before it is
# imported), and no retries by Ray: it keeps no record of attempts. `max_calls` counts only here.
@ray.remote(max_calls=1, max_retries=0)
def _attempt(task: Task) -> Outcome:
    try:
        prepare(task.demand.cpus, task.demand.gpus)
        with _redirect_output(Store(task.results_uri), f"logs/{task.attempt_id}.log"):
            return carry_out(task)
    except ClusterError as error:
        return Outcome(task, failure=Failure.of("cluster", error))
    finally:
        release_cpus()


@ray.remote(max_calls=1, max_retries=0)
def _device_memory(share: float) -> int:
    prepare(cpus=1, gpus=share)
    check_accelerator()
    from ...models import device_memory

    return device_memory()


@ray.remote(num_cpus=0, max_retries=3)
def _sees(store: Store, name: str) -> bool:
    return sees(store, name)


@ray.remote(max_calls=1, max_retries=3)
def _faults(look: bytes) -> list[str]:
    prepare(cpus=1, gpus=0)
    from ..work.preflight import find_faults  # imports JAX, as what is pickled does

    return find_faults(pickle.loads(look))


class RayExecutor:
    """Carries out tasks on Ray.

    Args:
        address: A running cluster's address; by default RAY_ADDRESS, else a Ray of our own on
            this machine.

    Attributes:
        dashboard: The address of Ray's dashboard; None if `ray[default]` is not installed.

    Raises:
        ClusterError: If there is no Ray at the address, or none can be started.
    """

    def __init__(self, address: str | None = None) -> None:
        if sys.platform == "win32":
            raise ClusterError("Teasel runs studies on Linux and macOS: on Windows, use WSL 2")
        address = address or os.environ.get("RAY_ADDRESS")
        if address:
            _check_reachable(address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        options: dict[str, Any] = {} if address else {"object_store_memory": _OBJECT_STORE_BYTES}
        try:
            context = ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": shared_environment()},
                **options,
            )
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            where = f"at {address}" if address else "on this machine"
            raise ClusterError(f"no Ray {where}: {error}{_advise(str(error))}") from error
        self.dashboard: str | None = context.dashboard_url or None
        self._own = not address
        self._running: dict[ray.ObjectRef, Task] = {}
        self._asked_for = 0

    def machines(self) -> list[Demand]:
        """What each living node offers.

        Raises:
            ClusterError: If this machine is the only node, and Ray has given it up: no other comes.
        """
        if self._own and not self._resources():
            raise ClusterError(
                "Ray has lost this machine, perhaps because memory or CPU time ran short; the same "
                "command starts it anew and goes on"
            )
        kind = self._accelerator
        return [Demand(each.get("CPU", 0), each.get(kind, 0)) for each in self._resources()]

    def _resources(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in ray.nodes() if node["Alive"]]

    @property
    def _accelerator(self) -> str:
        """What Ray calls the accelerators here: TPU where there are some and no GPUs."""
        offered = {name for each in self._resources() for name in each}
        return "TPU" if "TPU" in offered and "GPU" not in offered else "GPU"

    def accelerator_bytes(self, share: float) -> int | None:
        """The memory of a share of one accelerator, as JAX sees it on some node that has one.

        Waits for as long as all are at others' work.

        Raises:
            ClusterError: If none can say, or one that is free not in a few minutes; or if the
                accelerators cannot be shared.
        """
        while any(machine.gpus for machine in self.machines()):
            if self._accelerator == "TPU" and share < 1:
                raise ClusterError(
                    f"gpus_per_pack is {share:g}, but the accelerators here are TPUs, and a chip "
                    "of a TPU takes one process: set it to 1"
                )
            if ray.available_resources().get(self._accelerator, 0) >= share:
                break
            time.sleep(1.0)
        else:
            return None
        asked = _device_memory.options(**self.request(Demand(gpus=share))).remote(share)
        try:
            return ray.get(asked, timeout=_START_SECONDS)
        except RayError as error:  # a timeout is one, too
            why = error.cause if isinstance(error, RayTaskError) else error
            raise ClusterError(f"no node tells the memory of its accelerator: {why}") from error

    def request(self, demand: Demand) -> dict[str, Any]:
        """The options of Ray that ask for what a task needs."""
        if demand.gpus and self._accelerator == "TPU":
            return {"num_cpus": demand.cpus, "resources": {"TPU": demand.gpus}}
        return {"num_cpus": demand.cpus, "num_gpus": demand.gpus}

    def grow(self, num_waiting: int) -> None:
        """Asks the autoscaler, where there is one, for twice the slots while trials wait.

        It sees only what was submitted, and no more is than fits; so it must be told.
        """
        machines = self.machines()
        accelerated = any(machine.gpus for machine in machines)
        slots = int(sum(machine.gpus if accelerated else machine.cpus for machine in machines))
        wanted = min(2 * slots, slots + num_waiting) if num_waiting else 0
        if wanted != self._asked_for:
            bundle = {self._accelerator if accelerated else "CPU": 1}
            request_resources(bundles=[bundle] * wanted)
            self._asked_for = wanted

    def blind_to(self, store: Store, name: str) -> list[str]:
        """The nodes, by name, that do not see a file of a store; an object store all see."""
        nodes = [node for node in ray.nodes() if node["Alive"]]
        if not store.local or len(nodes) == 1:
            return []
        looks = {
            _sees.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(store, name): node["NodeManagerHostname"]
            for node in nodes
        }
        blind = []
        for look, host in looks.items():
            with contextlib.suppress(RayError):  # the node has gone meanwhile
                blind += [] if ray.get(look) else [host]
        return blind

    def find_faults(self, look: "Look") -> list[str]:
        """What `find_faults` says on each node that computes, or on the first that comes."""
        nodes = [
            node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
        ]
        pickled = pickle.dumps(look)
        looks = [
            (
                f" (on {node['NodeManagerHostname']})",
                _faults.options(
                    num_cpus=0,  # beside what runs there
                    scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
                ).remote(pickled),
            )
            for node in nodes
        ] or [("", _faults.options(num_cpus=1).remote(pickled))]
        places: dict[str, list[str]] = {}
        for place, reference in looks:
            with contextlib.suppress(RayError):  # the node has gone meanwhile
                for fault in ray.get(reference):
                    places.setdefault(fault, []).append(place)
        return [
            fault if len(where) == len(looks) else f"{fault}{''.join(where)}"
            for fault, where in places.items()
        ]

    def submit(self, task: Task) -> None:
        """Hands the task to Ray."""
        options = self.request(task.demand)
        reference = _attempt.options(name=f"{task.kind} {task.pack_id}", **options).remote(task)
        self._running[reference] = task

    def wait(self, seconds: float) -> list[Outcome]:
        """The attempts that have ended, after at most `seconds` if there is none yet."""
        if not self._running:
            time.sleep(seconds)
            return []
        ended, _ = ray.wait(list(self._running), num_returns=1, timeout=seconds)
        rest = [reference for reference in self._running if reference not in ended]
        if ended and rest:
            ended += ray.wait(rest, num_returns=len(rest), timeout=0)[0]
        return [_outcome(reference, self._running.pop(reference)) for reference in ended]

    def shutdown(self) -> None:
        """Leaves Ray, which ends what still runs."""
        if self._asked_for:
            with contextlib.suppress(RayError, OSError):  # Ray may be gone before us
                request_resources(bundles=[])
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Knocks at the address, as Ray itself would for minutes.

    Raises:
        ClusterError: If nobody answers.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_SECONDS).close()
    except OSError as error:
        raise ClusterError(f"no Ray at {address}: {error.strerror or error}") from error


def _advise(error: str) -> str:
    """The way out of what keeps Ray from starting on this machine, if it is known."""
    home = os.environ.get("HOME", "")
    if "AF_UNIX path length" in error:
        return ". Ray's sockets lie below TMPDIR: set a shorter one, as in TMPDIR=/tmp"
    if home and home in error:
        return ". Ray keeps its token below HOME: set HOME to a folder that you can write to"
    return ""


def _outcome(reference: ray.ObjectRef, task: Task) -> Outcome:
    try:
        return ray.get(reference)
    except OutOfMemoryError as error:
        return Outcome(task, failure=Failure.of("out_of_memory", error))
    except RayTaskError as error:
        failure = Failure.of("exception", error.cause, str(error)[-4000:])
        return Outcome(task, failure=failure)
    except RayError as error:
        return Outcome(task, failure=Failure.of("lost", error))


@contextlib.contextmanager
def _redirect_output(store: Store, name: str) -> Iterator[None]:
    """Everything this process logs or prints, native code too, goes to a file of the store."""
    logger, handler = logging.getLogger("teasel"), logging.StreamHandler(sys.stderr)
    level = logger.level
    with tempfile.TemporaryFile() as log:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        kept = [(number, os.dup(number)) for number in (1, 2)]
        for number, _ in kept:
            os.dup2(log.fileno(), number)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)
            log.seek(0)
            content = log.read()
            if content:
                with contextlib.suppress(StoreError):  # how the attempt ended matters more
                    store.write(name, content)
