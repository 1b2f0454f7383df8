"""Factors that make no grid: a table with a row for each image, and what can be asked of it."""

import math
from collections.abc import Sequence

import numpy as np


class Combinations:
    """Which images of a table of factors (N, K) have which factors: sorted once, then searched.

    Factor by factor, what came so far and the next value get a number: no number is larger than
    N times the values of one factor, whatever the product of the sizes.

    Attributes:
        order: (N,) the images, those of one combination side by side, combinations ascending.
        counts: (M,) the number of images of each combination that has one.
        firsts: (M,) where in `order` each of them begins.
    """

    def __init__(self, table: np.ndarray) -> None:
        self._steps: list[tuple[np.ndarray, np.ndarray]] = []
        numbers = np.zeros(len(table), np.int64)
        for column in table.T:
            values, ranks = np.unique(column, return_inverse=True)
            pairs, numbers = np.unique(numbers * len(values) + ranks, return_inverse=True)
            self._steps.append((values, pairs))
        self.order = np.argsort(numbers, kind="stable")
        self.counts = np.bincount(numbers)
        self.firsts = np.cumsum(self.counts) - self.counts

    def find(self, factors: np.ndarray) -> np.ndarray:
        """The number (n,) of the combination in each row (n, K); -1 where no image has it."""
        numbers, found = np.zeros(len(factors), np.int64), np.ones(len(factors), bool)
        for column, (values, pairs) in zip(factors.T, self._steps, strict=True):
            ranks, known = _search(values, column)
            numbers, met = _search(pairs, numbers * len(values) + ranks)
            found &= known & met
        return np.where(found, numbers, -1)

    def image(self, numbers: np.ndarray, which: np.ndarray | int) -> np.ndarray:
        """The image index (n,) of the `which`-th image of each combination."""
        return self.order[self.firsts[numbers] + which]


def _search(values: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rank of each wanted value among sorted ones, and whether it is there."""
    ranks = np.searchsorted(values, wanted).clip(max=len(values) - 1)
    return ranks, values[ranks] == wanted


def what_is_offered(sizes: Sequence[int], table: np.ndarray | None) -> str:
    """What a metric can ask of a data set with such factors: a word of `teasel.metrics.NEEDS`.

    Args:
        sizes: The number of values of each reported factor.
        table: (N, K); None for a grid.
    """
    if not sizes:
        return "nothing"
    if table is None:
        return "all combinations"
    if table.dtype.kind == "f":
        return "factors"
    whole = len(Combinations(table).counts) == math.prod(sizes)
    return "all combinations" if whole else "discrete factors"
