"""From one YAML grid to a folder of results: trials, packs, Ray tasks, Parquet tables.

A *study* (the YAML) expands into *trials* (one model to train each). Trials that share a compiled
program and a device travel as a *pack*. The scheduler hands packs to an executor (Ray, or this
process), workers train, encode and score, and the *results* folder keeps what is finished. That
folder is the only truth: running the same command again does exactly what is missing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .commands.rescore import rescore
    from .commands.run import run
    from .grid.grid import load_grid
    from .store.results import Results
    from .study.shards import Shard

__all__ = ["Results", "Shard", "load_grid", "rescore", "run"]

_HOMES = {
    "run": "commands.run",
    "rescore": "commands.rescore",
    "load_grid": "grid.grid",
    "Results": "store.results",
    "Shard": "study.shards",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
