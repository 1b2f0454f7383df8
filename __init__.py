"""Teasel: large disentanglement studies from one YAML grid.

Training packs of small JAX models, scoring their representations, keeping the results in Parquet
and turning them into the tables and figures of Locatello et al. (2019).

The command line does all of it; so does this, from a program or a notebook::

    from teasel import run, scores

    run("quickstart", results="results/quickstart")
    table = scores("results/quickstart", wide=True)  # a row per model
    table.groupby(["method", "setting"])["mig"].mean()

What a run has to say goes to ``logging.getLogger("teasel")``. Importing this loads nothing heavy: a
name is looked up where it lives when it is used.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING

from .errors import TeaselError
from .version import __version__

if TYPE_CHECKING:
    from .analysis import representation, scores, trials
    from .sweep import Results, load_grid, run

__all__ = [
    "Results",
    "TeaselError",
    "__version__",
    "load_grid",
    "representation",
    "run",
    "scores",
    "trials",
]

_HOMES = {
    "run": "sweep",
    "load_grid": "sweep",
    "Results": "sweep",
    "scores": "analysis",
    "trials": "analysis",
    "representation": "analysis",
}

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
