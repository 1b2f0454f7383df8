"""Non-uniform sampling of images in training."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sampling:
    """Factors that are correlated in training, and combinations that never occur in it.

    Each pair (c1, c2) of `correlated` multiplies the probability of a combination by
    exp(-(c1 - a c2)^2 / (2 s^2)) with a = m1 / m2 and s = strength * m1, for values counted from 0
    to m1 and m2 (Traeuble et al. 2021, arXiv:2006.07886): a small strength is a strong correlation.
    Everything else is uniform and independent.

    Attributes:
        correlated: Triples of two factors and a strength.
        held_out: Rules, each with factors and values; a combination that has all values of a rule
            is left out.
    """

    correlated: tuple[tuple[str, str, float], ...] = ()
    held_out: tuple[tuple[tuple[str, tuple[int, ...]], ...], ...] = ()

    @property
    def factors(self) -> tuple[str, ...]:
        """The names of the factors involved, in alphabetical order."""
        ruled = {name for rule in self.held_out for name, _ in rule}
        return tuple(sorted(ruled.union(*(pair[:2] for pair in self.correlated))))

    def weights(self, sizes: Mapping[str, int]) -> np.ndarray:
        """The unnormalised probability of each combination of `factors`: float64, an axis for each.

        Args:
            sizes: The number of values of each factor of the data set.

        Raises:
            ValueError: If the data set lacks a factor or a value, or no combination is left.
        """
        if unknown := [name for name in self.factors if name not in sizes]:
            known = ", ".join(sizes) or "none"
            raise ValueError(f"no factor '{unknown[0]}'; expected one of its factors: {known}")
        shape = [sizes[name] for name in self.factors]
        values = dict(zip(self.factors, np.indices(shape, sparse=True), strict=True))
        found = np.ones(shape)
        for first, second, strength in self.correlated:
            most = max(1, sizes[first] - 1), max(1, sizes[second] - 1)
            apart = values[first] / most[0] - values[second] / most[1]
            found = found * np.exp(-(apart**2) / (2 * strength**2))
        for rule in self.held_out:
            for name, left_out in rule:
                if max(left_out) >= sizes[name]:
                    raise ValueError(
                        f"no value {max(left_out)} of the factor {name}; expected numbers from 0 "
                        f"to {sizes[name] - 1}"
                    )
            inside = [np.isin(values[name], left_out) for name, left_out in rule]
            found = np.where(np.logical_and.reduce(np.broadcast_arrays(*inside)), 0, found)
        if not found.any():
            raise ValueError("no combination is left to train on")
        return found
