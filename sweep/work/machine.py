"""The machine that a task runs on: a CPU of its own, and the environment for importing JAX."""

import contextlib
import logging
import math
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ...errors import TeaselError

_THREADS = (
    *("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"),
)
"""The numbers of threads of XLA (NPROC), BLAS and numba. By default they use every CPU they see,
whatever the scheduler granted. The last bits of XLA's sums, and thus of a trial's numbers, depend
on it."""

_FRACTIONS = ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION")
"""JAX's variable for its share of a GPU's memory, and its older name; set at most one."""

_SHARED = (
    *("TEASEL_", "JAX_", "XLA_", "LIBTPU_", "TF_", "NCCL_", "CUBLAS_", "CUDNN_", "NVIDIA_TF32_"),
    *("MKL_CBWR", "NPY_", "OPENBLAS_CORETYPE"),
)
"""Prefixes of variables that change numbers or JAX's use of memory."""

_PATIENCE_SECONDS = 10.0  # for the process before this one to end

_lock_files: list[int] = []


class ClusterError(TeaselError):
    """There is no usable cluster; the message says what was tried."""


def claim_cpus(num_cpus: int, patience: float = _PATIENCE_SECONDS) -> list[int]:
    """Pins this process to `num_cpus` CPUs that no other task of this user holds.

    A file lock holds a CPU until it is released or the process ends in any way. Nothing changes if
    too few CPUs become free within `patience` seconds, if the folder of the locks is not this
    user's alone, or if the system cannot pin processes.

    Returns:
        The claimed CPUs; empty if there were too few.
    """
    if not hasattr(os, "sched_setaffinity"):
        return []
    deadline = time.monotonic() + patience
    while True:
        try:
            claimed = _free_cpus(num_cpus)
            if len(claimed) == num_cpus:
                os.sched_setaffinity(0, claimed)
                return claimed
        except OSError:
            deadline = -math.inf
        release_cpus()
        if time.monotonic() > deadline:
            return []
        time.sleep(0.2)


def release_cpus() -> None:
    """Releases the CPUs that this process holds."""
    while _lock_files:
        os.close(_lock_files.pop())


def _free_cpus(most: int) -> list[int]:
    """Locks at most `most` free CPUs.

    Raises:
        OSError: If the folder of the locks belongs to another user or is a link.
    """
    import fcntl

    path = Path(tempfile.gettempdir()) / f"teasel-cpus-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    claimed: list[int] = []
    try:
        if os.fstat(folder).st_uid != os.getuid():
            raise PermissionError(f"{path} belongs to another user")
        os.fchmod(folder, 0o700)
        for cpu in sorted(os.sched_getaffinity(0)):
            if len(claimed) == most:
                break
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
            _lock_files.append(os.open(str(cpu), flags, mode=0o600, dir_fd=folder))
            try:
                fcntl.flock(_lock_files[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
                claimed.append(cpu)
            except BlockingIOError:
                os.close(_lock_files.pop())
    finally:
        os.close(folder)
    return claimed


def shared_environment() -> dict[str, str]:
    """The environment variables of this process that its workers need on any machine."""
    return {name: value for name, value in os.environ.items() if name.startswith(_SHARED)}


def prepare(cpus: float, gpus: float, deterministic: bool = False) -> None:
    """Sets up this process for a task, before JAX is imported.

    A task without an accelerator must not use one, although the scheduler leaves all visible. A
    task with a share of one must leave the rest of its memory to others. `deterministic` adds XLA's
    flag for determinism to the user's flags.

    Raises:
        ClusterError: If the user's share of the memory is not valid, or is more than the task's.
    """
    if gpus:
        if deterministic:
            flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_deterministic_ops=true"
            os.environ["XLA_FLAGS"] = flags.strip()
        fraction = _memory_fraction(gpus)
        for name in _FRACTIONS:
            os.environ.pop(name, None)
        if fraction:
            os.environ[_FRACTIONS[0]] = fraction
        return
    os.environ["JAX_PLATFORMS"] = "cpu"
    num_threads = max(1, int(cpus))
    for name in _THREADS:
        os.environ[name] = str(num_threads)
    claim_cpus(num_threads)


def _memory_fraction(gpus: float) -> str:
    """The share of an accelerator's memory for JAX; empty for JAX's default.

    Raises:
        ClusterError: If the user's value is not a share, or is more than `gpus`.
    """
    given = {name: value for name in _FRACTIONS if (value := os.environ.get(name))}
    said = " and ".join(f"{name}={value}" for name, value in given.items())
    values = set(given.values())
    if len(values) > 1:
        raise ClusterError(
            f"node {platform.node()}: {said}, but both set the same thing: unset one"
        )
    if not values:
        return f"{0.9 * gpus:.3f}" if gpus < 1 else ""
    (value,) = values
    try:
        fits = gpus >= 1 or float(value) <= gpus
    except ValueError:
        fits = False
    if not fits:
        raise ClusterError(
            f"node {platform.node()}: {said}, but a pack gets {gpus:g} of an accelerator "
            f"(gpus_per_pack): set at most {gpus:g}, or unset it"
        )
    return value


def check_accelerator() -> None:
    """Checks that JAX uses the accelerator given to this process.

    Raises:
        ClusterError: If JAX would use the CPU without JAX_PLATFORMS requesting it, or if it cannot
            use the platform in JAX_PLATFORMS.
    """
    import jax

    platforms = os.environ.get("JAX_PLATFORMS", "")
    try:
        with _listen_to_jax() as said:
            backend = jax.default_backend()
    except RuntimeError as error:
        why = " ".join(str(error).split())
        raise ClusterError(f"node {platform.node()}, JAX_PLATFORMS={platforms}: {why}") from error
    if backend == "cpu" and platforms.partition(",")[0] != "cpu":
        raise ClusterError(
            f"node {platform.node()} has an accelerator, but its JAX uses only the CPU: install "
            "Teasel there with its extra `cuda` or `tpu` (`pip install '.[cuda]'` in a checkout), "
            "or set JAX_PLATFORMS=cpu to train on CPUs"
            + (f". JAX says: {'; '.join(said)}" if said else "")
        )


@contextlib.contextmanager
def _listen_to_jax() -> Iterator[list[str]]:
    """JAX's log messages about backends that it cannot start, one line each."""
    said: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            words = f"{record.getMessage()} {error or ''}".split()
            if record.levelno > logging.INFO or words[:3] == ["Unable", "to", "initialize"]:
                said.append(" ".join(words))

    logger, ear = logging.getLogger("jax"), Ear()
    level = logger.level
    logger.addHandler(ear)
    logger.setLevel(logging.INFO)
    try:
        yield said
    finally:
        logger.setLevel(level)
        logger.removeHandler(ear)


def is_leaving() -> bool:
    """Whether this machine will stop soon: the file named by TEASEL_LEAVING has appeared."""
    path = os.environ.get("TEASEL_LEAVING")
    return path is not None and Path(path).exists()
