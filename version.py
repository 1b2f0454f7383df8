"""The version of Teasel."""

__version__ = "0.1.0"
