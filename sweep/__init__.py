"""Sweeps: from one YAML grid to a results folder, by trials, packs, Ray tasks and Parquet tables.

A *study* (the YAML) expands into *trials*, one model to train each. Trials that share a compiled
program and a device form a *pack*. The scheduler passes packs to an executor (Ray, or this
process). Workers train, encode and score, and the *results* folder keeps finished work. That folder
is the
only truth: running the same command again does exactly what is missing.
"""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .commands.rescore import rescore as rescore
    from .commands.run import run as run
    from .commands.score import score as score
    from .grid.grid import load_grid as load_grid
    from .store.results import Results as Results
    from .study.shards import Shard as Shard
else:
    __getattr__, __dir__, __all__ = attach(__name__)
