"""Factors that do not form a grid: a table with a row for each image, and look-ups in it."""

import math
from collections.abc import Sequence

import numpy as np


class Combinations:
    """An index of the images by their factors (N, K), sorted once and then searched.

    Factor by factor, the combination so far and the next value are numbered. No number is thus
    larger than N times the values of one factor, whatever the product of the sizes.

    Attributes:
        order: (N,) the images grouped by combination, with combinations ascending.
        counts: (M,) the number of images of each combination that occurs.
        firsts: (M,) the start of each combination in `order`.
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
        """The number (n,) of the combination in each row (n, K); -1 if no image has it."""
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
    """The rank of each wanted value among sorted ones, and whether it occurs."""
    ranks = np.searchsorted(values, wanted).clip(max=len(values) - 1)
    return ranks, values[ranks] == wanted


def what_is_offered(sizes: Sequence[int], table: np.ndarray | None) -> str:
    """What a data set with such factors offers to metrics: a word of `teasel.metrics.NEEDS`.

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
