"""The machine a task runs on: one CPU of its own, and the environment JAX reads when imported."""

import contextlib
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import IO

from .executor import ClusterError

_THREADS = (
    *("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"),
)
"""How many threads XLA (NPROC), BLAS and numba open; else one for every CPU they see, whatever the
scheduler granted. XLA's sums depend on it in the last bit, so a trial's numbers would too."""

_PATIENCE_SECONDS = 10.0  # for the process before this one to end

_held: list[IO[str]] = []


def claim_cpus(num_cpus: int, patience: float = _PATIENCE_SECONDS) -> list[int]:
    """Pins this process to `num_cpus` CPUs that no other task of this user holds.

    A CPU is held by a file lock until it is released or the process ends, however it ends. Where
    not enough are free for as long as `patience` seconds, or the system cannot pin, nothing
    changes.

    Returns:
        The CPUs claimed; empty if there were not enough.
    """
    if not hasattr(os, "sched_setaffinity"):
        return []
    deadline = time.monotonic() + patience
    while True:
        claimed = _free_cpus(num_cpus)
        if len(claimed) == num_cpus:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, claimed)
            return claimed
        release_cpus()
        if time.monotonic() > deadline:
            return []
        time.sleep(0.2)


def release_cpus() -> None:
    """Gives up the CPUs this process holds: its work is done."""
    while _held:
        _held.pop().close()


def _free_cpus(most: int) -> list[int]:
    """Locks CPUs that nobody holds, `most` of them at the most."""
    import fcntl

    folder = Path(tempfile.gettempdir()) / f"teasel-cpus-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    claimed: list[int] = []
    for cpu in sorted(os.sched_getaffinity(0)):
        if len(claimed) == most:
            break
        lock = (folder / str(cpu)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        _held.append(lock)
        claimed.append(cpu)
    return claimed


def prepare(cpus: float, gpus: float) -> None:
    """Sets up this process for a task, before JAX is imported.

    A task without an accelerator must not touch one (the scheduler leaves them all visible), and a
    task with a share of one must leave the rest of its memory to others.
    """
    if gpus:
        if gpus < 1:
            os.environ["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{0.9 * gpus:.3f}"
        return
    os.environ["JAX_PLATFORMS"] = "cpu"
    num_threads = max(1, int(cpus))
    for name in _THREADS:
        os.environ[name] = str(num_threads)
    claim_cpus(num_threads)


def check_accelerator() -> None:
    """Makes sure that JAX uses the accelerator that this process was given.

    Raises:
        ClusterError: If it would use the CPU, and nobody has asked it to by JAX_PLATFORMS.
    """
    import jax

    if jax.default_backend() == "cpu" and "cpu" not in os.environ.get("JAX_PLATFORMS", ""):
        raise ClusterError(
            f"node {platform.node()} has an accelerator, but its JAX only the CPU: install "
            "teasel[cuda] (or teasel[tpu]) there, or set JAX_PLATFORMS=cpu to train on CPUs"
        )


def leaving() -> bool:
    """Whether this machine will soon be gone: the file that TEASEL_LEAVING names has appeared."""
    path = os.environ.get("TEASEL_LEAVING")
    return path is not None and Path(path).exists()
