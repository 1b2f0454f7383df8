"""Teasel: large disentanglement studies from one YAML grid.

Training packs of small JAX models, scoring their representations, keeping the results in Parquet
and turning them into the tables and figures of Locatello et al. (2019).
"""

from .errors import TeaselError

__all__ = ["TeaselError", "__version__"]

__version__ = "0.1.0"
