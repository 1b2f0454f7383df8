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
from typing import TYPE_CHECKING

from .errors import TeaselError as TeaselError
from .lazy import attach
from .version import __version__ as __version__

if TYPE_CHECKING:
    from .analysis import representation as representation
    from .analysis import scores as scores
    from .analysis import trials as trials
    from .sweep import Results as Results
    from .sweep import load_grid as load_grid
    from .sweep import run as run
    from .sweep import score as score
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "analysis": ("representation", "scores", "trials"),
            "errors": ("TeaselError",),
            "sweep": ("Results", "load_grid", "run", "score"),
            "version": ("__version__",),
        },
    )

logging.getLogger(__name__).addHandler(logging.NullHandler())
