"""How the compiled loops of this folder are compiled."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled for one core, its machine code kept on disk where that can be written.

    Scoring runs one task per core, so nothing here starts threads.
    """
    # A fused multiply and add rounds once instead of twice.
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return njit(**options)(function)
