"""Checks for authors of plug-ins, which no sweep uses.

A package that adds a method, a metric or a data set calls `check_method`, `check_metric` or
`check_dataset` in its tests, one line for each. Teasel's own entries pass the same checks. They
need no test framework, and raise an AssertionError that says what is wrong and how to fix it.
"""

from .datasets import check_dataset
from .methods import check_method
from .metrics import check_metric

__all__ = ["check_dataset", "check_method", "check_metric"]
