"""Keeps memory freed by a step in the process, so that the next step need not fault it in again."""

import ctypes
import functools

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8  # glibc's malloc.h


@functools.cache
def keep_freed_memory() -> bool:
    """Makes the C library keep freed memory, if it is glibc; returns whether it is.

    XLA allocates the temporary memory of a CPU program anew at every call. glibc returns freed
    blocks of that size to the system, and faulting 63 MB in again costs a quarter of a beta-VAE's
    step (benchmarks/RESULTS.md, "Training on a CPU").

    Call it before JAX starts its threads, as `Trainer` does if it comes first: the arenas of
    existing threads keep no block above 64 MB.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    never = 2**31 - 1
    return all([mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, never), mallopt(M_ARENA_MAX, 1)])
