"""The machine a task runs on: one CPU of its own, and the environment JAX reads when imported."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import IO

_held: list[IO[str]] = []


def claim_cpus(num_cpus: int) -> list[int]:
    """Pins this process to `num_cpus` CPUs that no other task of this user holds.

    XLA and OpenMP open a thread for every CPU they see, whatever the scheduler granted, so this
    comes before anything heavy is imported. A CPU is held by a file lock until the process ends,
    however it ends. Where none is free, or the system cannot pin, nothing changes.

    Returns:
        The CPUs claimed; empty if none could be.
    """
    if not hasattr(os, "sched_setaffinity"):
        return []
    import fcntl

    folder = Path(tempfile.gettempdir()) / f"teasel-cpus-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    claimed: list[int] = []
    for cpu in sorted(os.sched_getaffinity(0)):
        if len(claimed) == num_cpus:
            break
        lock = (folder / str(cpu)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        _held.append(lock)
        claimed.append(cpu)
    if len(claimed) < num_cpus:
        for _ in claimed:
            _held.pop().close()
        return []
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, claimed)
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
    num_threads = str(max(1, int(cpus)))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = num_threads
    claim_cpus(max(1, int(cpus)))
