"""Compilation of the loops of this room."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled for one core, with its machine code cached on disk if that is writable.

    Scoring runs one task per core, so compiled functions start no threads.
    """
    # A fused multiply and add rounds once instead of twice.
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return njit(**options)(function)
