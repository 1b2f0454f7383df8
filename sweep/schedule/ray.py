"""Tasks on Ray: one fresh process per attempt, on this machine or on a cluster."""

import contextlib
import logging
import os
import pickle
import platform
import re
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.autoscaler.sdk import request_resources
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ..store.store import Store
from ..work.attempt import Failure, Outcome, sees
from ..work.machine import (
    ClusterError,
    check_accelerator,
    prepare,
    release_cpus,
    shared_environment,
)
from ..work.tasks import Demand, Place, Task
from .drivers import process_namespace
from .guarded import guard

if TYPE_CHECKING:
    from ..work.preflight import Look

_LOG = logging.getLogger("teasel")

_PATIENCE_SECONDS = 5.0  # for an address to answer
_SILENT_SECONDS = 30.0  # less than the minute after which Ray ends the process
_OWNER = "teasel"
"""The file in a folder of Ray that names the process to which the folder belongs."""

_STARTS = 3  # tries to start a Ray of our own
_SLOW = re.compile(r"timed out|took too long|failed to (?:start|connect)|no leader", re.IGNORECASE)
"""Messages of Ray that say that its own processes started too slowly."""

_HOLD_SECONDS = 30.0  # for a process of Ray to start on an accelerator that is free
_START_SECONDS = 180.0  # for JAX to start on an accelerator, from a slow file system
_OBJECT_STORE_BYTES = 128 * 2**20  # enough for tasks: rows go to the results folder


# Each attempt gets a fresh process: JAX keeps its memory, and needs its affinity before it is
# imported. Ray does not retry, for it keeps no record of attempts. It reads `max_calls` only here.
@ray.remote(max_calls=1, max_retries=0)
def _attempt(task: Task) -> Outcome:
    try:
        prepare(task.demand.cpus, task.demand.gpus, task.deterministic)
        outcome = guard(task)
    except ClusterError as error:
        outcome = Outcome(task, failure=Failure.of("cluster", error))
    except OSError as error:  # no process, no pipe, no space for a lock: nothing has begun
        outcome = Outcome(task, failure=Failure.of("machine", error))
    finally:
        release_cpus()
    return replace(outcome, place=_here(task.demand.gpus))


def _here(gpus: float) -> Place:
    """The node of this process, and the accelerator that it got if it asked for one."""
    context = ray.get_runtime_context()
    given = context.get_accelerator_ids() if gpus else {}
    names = [f"{kind} {number}" for kind, numbers in given.items() for number in numbers]
    return Place(context.get_node_id(), platform.node(), ", ".join(names))


@ray.remote
class _Holder:
    """Keeps an accelerator busy. Ray cannot be asked to leave out a certain one."""

    def place(self, gpus: float) -> Place:
        """The accelerator that it got."""
        return _here(gpus)


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
    from ..work.preflight import find_faults  # imports JAX, and so does unpickling

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
        self._folder: Path | None = None
        # A signal to all processes of a terminal would end Ray's, before anything is saved.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGQUIT})
        try:
            context = self._start(address, options, _STARTS)
        except (Exception, SystemExit) as error:  # there is no Ray, for whatever reason
            self._remove_folder()
            where = f"at {address}" if address else "on this machine"
            raise ClusterError(f"no Ray {where}: {error}{_advise(str(error))}") from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self.dashboard: str | None = context.dashboard_url or None
        self._own = not address
        info: dict[str, str] = getattr(context, "address_info", {})  # a client of Ray's has none
        self._left = threading.Event()
        if gcs := info.get("gcs_address"):
            threading.Thread(target=_watch, args=(gcs, self._left), daemon=True).start()
        self._running: dict[ray.ObjectRef, Task] = {}
        self._avoided: set[str] = set()
        self._holders: dict[Place, list[tuple[Any, float]]] = {}  # with the share of each
        self._asked_for = 0

    def _start(self, address: str | None, options: dict[str, Any], tries: int) -> Any:
        """Connects to Ray, or starts it; tries again if a busy machine was too slow."""
        if not address:
            _keep_token()
            self._folder = _make_folder()
            options["_temp_dir"] = str(self._folder / "r")
        try:
            return ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": shared_environment()},
                **options,
            )
        except Exception as error:
            if address or tries < 2 or not _SLOW.search(str(error)):
                raise
        _LOG.warning("Ray did not start in time on this busy machine; it is started again")
        ray.shutdown()
        self._remove_folder()
        return self._start(address, options, tries - 1)

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

    def _nodes(self) -> list[dict[str, Any]]:
        nodes = [node for node in ray.nodes() if node["Alive"]]
        return [node for node in nodes if node["NodeID"] not in self._avoided]

    def _resources(self) -> list[dict[str, float]]:
        """The resources of each living node, without held accelerators."""
        found = {node["NodeID"]: dict(node["Resources"]) for node in self._nodes()}
        for place, holders in self._holders.items():
            if place.node in found:
                found[place.node][self._accelerator] -= sum(share for _, share in holders)
        return list(found.values())

    @property
    def _accelerator(self) -> str:
        """Ray's name for the accelerators here: TPU if there are TPUs and no GPUs."""
        offered = {name for node in self._nodes() for name in node["Resources"]}
        return "TPU" if "TPU" in offered and "GPU" not in offered else "GPU"

    def accelerator_bytes(self, share: float) -> int | None:
        """The memory of a share of one accelerator, as JAX sees it on some node that has one.

        Waits while all accelerators are busy with the work of others.

        Raises:
            ClusterError: If no node answers within a few minutes, or if the accelerators cannot be
                shared.
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
        """Ray's options that ask for the resources a task needs."""
        if demand.gpus and self._accelerator == "TPU":
            return {"num_cpus": demand.cpus, "resources": {"TPU": demand.gpus}}
        return {"num_cpus": demand.cpus, "num_gpus": demand.gpus}

    def grow(self, num_waiting: int) -> None:
        """Asks the autoscaler, if there is one, for twice the slots while trials wait.

        The autoscaler sees only submitted tasks, and no more are submitted than fit.
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
        """The names of nodes that do not see a file of a store. All see an object store."""
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
        """What `find_faults` says on each node with CPUs, or on the first that comes."""
        nodes = [
            node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
        ]
        pickled = pickle.dumps(look)
        looks = [
            (
                f" (on {node['NodeManagerHostname']})",
                _faults.options(
                    num_cpus=0,  # it need not wait for tasks that run there
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

    def avoid(self, place: Place, demand: Demand) -> bool:
        """Gives no more work to a node, or to an accelerator; False if there is no other.

        The node's other accelerators go on. If another attempt uses a share of the accelerator,
        only the free share is held. Call this again when that attempt has ended.
        """
        if place.accelerator:
            held = sum(share for _, share in self._holders.get(place, ()))
            offered = sum(each.get(self._accelerator, 0) for each in self._resources())
            return offered + held - 1 >= demand.gpus and self._hold(place, demand.gpus)
        rest = [node["Resources"] for node in self._nodes() if node["NodeID"] != place.node]
        kind = self._accelerator
        offers = [Demand(each.get("CPU", 0), each.get(kind, 0)) for each in rest]
        others = any(offer.holds(demand) for offer in offers)
        if others:
            self._avoided.add(place.node)
        return others

    def readmit(self, place: Place) -> None:
        """Gives work to a node, or to an accelerator, again."""
        if not place.accelerator:
            self._avoided.discard(place.node)
        for holder, _ in self._holders.pop(place, ()):
            ray.kill(holder)

    def _hold(self, place: Place, share: float) -> bool:
        """Waits for a share of an accelerator and keeps it; returns whether that succeeded."""
        options = self.request(Demand(0, share))
        options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(place.node, soft=False)
        others = []
        try:
            while True:  # Ray gives any free accelerator: each of the others once at most
                others.append(_Holder.options(**options).remote())
                found: Any = ray.get(others[-1].place.remote(share), timeout=_HOLD_SECONDS)
                if found.accelerator == place.accelerator:
                    self._holders.setdefault(place, []).append((others.pop(), share))
                    return True
        except RayError:  # another task has the accelerator by now, or the node has gone
            return False
        finally:
            for holder in others:
                ray.kill(holder)

    def submit(self, task: Task) -> None:
        """Hands the task to Ray."""
        options = self.request(task.demand)
        if self._avoided:
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(self._avoided)})"}
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
        """Leaves Ray, which ends what still runs. A second call does nothing."""
        if self._asked_for and not self._left.is_set():
            with contextlib.suppress(RayError, OSError):  # Ray may be gone before us
                request_resources(bundles=[])
        self._left.set()
        ray.shutdown()
        self._remove_folder()

    def _remove_folder(self) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def _watch(address: str, left: threading.Event) -> None:
    """Ends the process when an address stops answering, before Ray does so without a word."""
    answered = time.monotonic()
    while time.monotonic() - answered < _SILENT_SECONDS:
        if left.wait(_PATIENCE_SECONDS):
            return
        with contextlib.suppress(OSError):
            _knock(address)
            answered = time.monotonic()
    _LOG.error("Ray has lost its control store (GCS); the same command resumes from here")
    os._exit(3)


def _keep_token() -> None:
    """Makes a token for Ray if there is none. Only this user may read it."""
    given = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(given) if given else Path.home() / ".ray" / "auth_token"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:
        with contextlib.suppress(OSError):  # a link of an administrator's
            path.chmod(0o600)


def _make_folder() -> Path:
    """Makes a folder for a Ray of our own, and removes those that killed drivers have left.

    Only this user can enter the folder, because Ray lets everybody read the files in it.
    """
    root = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    for owner in Path(root).glob(f"ray-*/{_OWNER}"):
        try:
            number, namespace = owner.read_text().split(" ", 1)
            if namespace == process_namespace():
                os.kill(int(number), 0)
        except ProcessLookupError:
            shutil.rmtree(owner.parent, ignore_errors=True)
        except (OSError, ValueError):  # another user's
            continue
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir=root))
    (folder / _OWNER).write_text(f"{os.getpid()} {process_namespace()}")
    return folder


def _check_reachable(address: str) -> None:
    """Connects to the address, which Ray itself would try for minutes.

    Raises:
        ClusterError: If nobody answers.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        _knock(f"{host}:{port}")
    except OSError as error:
        raise ClusterError(f"no Ray at {address}: {error.strerror or error}") from error


def _knock(address: str) -> None:
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_SECONDS).close()


def _advise(error: str) -> str:
    """Advice for an error that keeps Ray from starting on this machine, if there is any."""
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
