"""Teasel: large disentanglement studies from one YAML grid.

Teasel trains packs of small JAX models, scores their representations, stores the results in Parquet
and makes the tables and figures of Locatello et al. (2019) from them.

The command line does all of this, and so does this package from a program or a notebook::

    from teasel import run, scores

    run("quickstart", results="results/quickstart")
    table = scores("results/quickstart", wide=True)  # a row per model
    table.groupby(["method", "setting"])["mig"].mean()

Messages go to ``logging.getLogger("teasel")``. Importing the package loads nothing heavy: a name is
imported from its module when it is first used.
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
    __getattr__, __dir__, __all__ = attach(__name__)

logging.getLogger(__name__).addHandler(logging.NullHandler())
