"""Finds which of several numbers is the highest, as far as seeds can tell."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from .resampling import EXACT, MIN_SEEDS, Statistic, jackknife_error, student_interval


class Contest(NamedTuple):
    """Numbers, and which pairs of them are distinguishable.

    Attributes:
        names: the names of the numbers.
        values: the numbers.
        low: the lower end of each number's 95 % interval.
        high: the upper end.
        is_above: (k, k), whether the row's number is significantly above the column's.
        num_seeds: the smallest number of seeds behind any of them.
        fewest: the fewest seeds for a verdict.
    """

    names: tuple[str, ...]
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    is_above: np.ndarray
    num_seeds: int
    fewest: int

    @property
    def highest(self) -> list[int]:
        """The indices of numbers that no other is significantly above, the highest first."""
        order = np.argsort(-self.values, kind="stable")
        return [int(place) for place in order if not self.is_above[:, place].any()]

    @property
    def lowest(self) -> list[int]:
        """The indices of numbers significantly above no other, the lowest first."""
        order = np.argsort(self.values, kind="stable")
        return [int(place) for place in order if not self.is_above[place].any()]

    def without(self, name: str) -> "Contest":
        """The contest without one of the numbers."""
        kept = [place for place, given in enumerate(self.names) if given != name]
        return self._replace(
            names=tuple(self.names[place] for place in kept),
            values=self.values[kept],
            low=self.low[kept],
            high=self.high[kept],
            is_above=self.is_above[np.ix_(kept, kept)],
        )


def hold_contest(
    names: Sequence[str],
    statistic: Statistic,
    num_seeds: int,
    num_seeds_behind: int,
    fewest: int = MIN_SEEDS,
    limit: float = 1.0,
) -> Contest:
    """The contest between the numbers of one statistic.

    A number is significantly above another if Student's interval of their difference, over equal
    seeds, is above zero, at 2.5 % for all pairs together (Bonferroni). If nothing differs, a
    highest or lowest is thus claimed in fewer than one study of twenty.

    Args:
        names: k names; those whose number is not finite are left out.
        statistic: a function of the counts (S,) of each seed that returns k numbers.
        num_seeds: S.
        num_seeds_behind: the smallest number of seeds behind any number, see `fewest_seeds`.
        fewest: the fewest seeds for a verdict.
        limit: the largest possible absolute value of the numbers.
    """
    values = statistic(np.ones(num_seeds)) if num_seeds else np.full(len(names), np.nan)
    there = np.flatnonzero(np.isfinite(values))
    values, size = values[there], len(there)
    is_above = np.zeros((size, size), bool)
    low = high = np.full(size, np.nan)
    if num_seeds_behind >= fewest and size:

        def keep(counts: np.ndarray) -> np.ndarray:
            return statistic(counts)[there]

        ends = student_interval(values, jackknife_error(keep, num_seeds), num_seeds_behind)
        low, high = (np.clip(end, -limit, limit) for end in ends)
        error = jackknife_error(lambda counts: _differences(keep(counts)), num_seeds)
        level = 0.05 / max(size * (size - 1), 1)
        reach = stats.t.isf(level / 2, num_seeds_behind - 1) * error
        is_above = _differences(values) > reach + EXACT
    kept = tuple(names[int(place)] for place in there)
    return Contest(kept, values, low, high, is_above, num_seeds_behind, fewest)


def _differences(values: np.ndarray) -> np.ndarray:
    return values[:, None] - values
