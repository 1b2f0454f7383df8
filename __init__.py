"""Teasel: large disentanglement studies from one YAML grid.

Training packs of small JAX models, scoring their representations, keeping the results in Parquet
and turning them into the tables and figures of Locatello et al. (2019).
"""

from importlib.metadata import version

__version__ = version("teasel")
