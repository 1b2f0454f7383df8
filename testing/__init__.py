"""What authors of plug-ins need, and no sweep does.

A package that adds a method, a metric or a data set calls `check_method`, `check_metric` or
`check_dataset` in its own tests, a line each. They hold what Teasel's own entries hold, need no
test framework, and raise an AssertionError that says what is wrong and how to mend it.
"""

from .datasets import check_dataset
from .methods import check_method
from .metrics import check_metric

__all__ = ["check_dataset", "check_method", "check_metric"]
