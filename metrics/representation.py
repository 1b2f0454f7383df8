"""Representations: the input of metrics, which gives codes of images with given factors."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np

Rng = np.random.RandomState | np.random.Generator


def sample_integers(rng: Rng, high: int, size: int | None = None) -> np.ndarray:
    """Integers sampled uniformly from [0, high), with either kind of NumPy generator."""
    if isinstance(rng, np.random.RandomState):
        return np.asarray(rng.randint(high, size=size))
    return np.asarray(rng.integers(high, size=size))


def sample_factors(rng: Rng, factor_sizes: Sequence[int], num: int) -> np.ndarray:
    """Factors (num, K) int64, uniform and independent, sampled by column as in the paper.

    >>> sample_factors(np.random.RandomState(0), (2, 3), 4)
    array([[0, 1],
           [1, 1],
           [1, 2],
           [0, 0]])
    """
    return np.stack([sample_integers(rng, size, num) for size in factor_sizes], axis=1).astype(
        np.int64
    )


def sample_in_turns(rng: Rng, factor_sizes: Sequence[int], num: int) -> Iterator[np.ndarray]:
    """The factors of `num` points, sampled sixteen points at a time as in the paper's evaluation.

    The caller also samples the observations from `rng` in turns, so sixteen is part of the
    definition.
    """
    for start in range(0, num, 16):
        yield sample_factors(rng, factor_sizes, min(16, num - start))


class Representation(Protocol):
    """Codes (N, D) of observations with known factors (N, K).

    `rng` determines the sampled factors and everything else that is random: hidden factors, the
    noise of an observation, and the noise of a sampled code.
    """

    @property
    def factor_sizes(self) -> tuple[int, ...]:
        """The number of values of each of the K factors."""
        ...

    def sample(self, rng: Rng, num: int) -> tuple[np.ndarray, np.ndarray]:
        """Codes (num, D) and factors (num, K) of observations sampled uniformly by factor."""
        ...

    def encode(self, factors: np.ndarray, rng: Rng) -> np.ndarray:
        """Codes (N, D) of one fresh observation for each row of `factors` (N, K)."""
        ...


def sample_seed(rng: Rng) -> int:
    """A seed for training on the points."""
    return int(sample_integers(rng, 2**31 - 1))


class DrawnInTurns:
    """A base of representations that sample sixteen points at a time, as in the paper.

    `_observe(factors, rng)` returns the observation of each point, and `_codes(seen, rng)` its
    codes.
    """

    factor_sizes: tuple[int, ...]
    _observe: Callable[[np.ndarray, Rng], np.ndarray]
    _codes: Callable[[np.ndarray, Rng], np.ndarray]

    def sample(self, rng: Rng, num: int) -> tuple[np.ndarray, np.ndarray]:
        """Codes (num, D) and factors (num, K)."""
        factors, seen = [], []
        for batch in sample_in_turns(rng, self.factor_sizes, num):
            factors.append(batch)
            seen.append(self._observe(batch, rng))
        return self._codes(np.concatenate(seen), rng), np.concatenate(factors)

    def encode(self, factors: np.ndarray, rng: Rng) -> np.ndarray:
        """Codes (N, D) of one observation for each row of `factors`."""
        return self._codes(self._observe(factors, rng), rng)


class TableRepresentation(DrawnInTurns):
    """A representation that looks codes up in a table with one row per image.

    Args:
        means: Posterior means of every image, (images, D).
        log_variances: Posterior log variances of the same shape, with which the codes are samples
            of the posterior with fresh noise at every visit. If None, the codes are the means.
        factor_sizes: The number of values of each factor.
        indices_of: `(factors (N, K), rng) -> (N,)` rows of the table.
    """

    def __init__(
        self,
        means: np.ndarray,
        log_variances: np.ndarray | None,
        factor_sizes: Sequence[int],
        indices_of: Callable[[np.ndarray, Rng], np.ndarray],
    ) -> None:
        if means.ndim != 2:
            raise ValueError(f"means must be (images, D), got shape {means.shape}")
        if log_variances is not None and log_variances.shape != means.shape:
            raise ValueError(
                f"means have shape {means.shape}, log variances {log_variances.shape}: "
                "expected the same"
            )
        self.factor_sizes = tuple(int(size) for size in factor_sizes)
        self._means = means
        self._log_variances = log_variances
        self._observe = indices_of

    def _codes(self, indices: np.ndarray, rng: Rng) -> np.ndarray:
        means = self._means[indices]
        if self._log_variances is None:
            return means
        return sample_codes(means, self._log_variances[indices], rng)


def sample_codes(means: np.ndarray, log_variances: np.ndarray, rng: Rng) -> np.ndarray:
    """One sample (N, D) of each posterior.

    Differs from the original: the noise is from `rng`; in the original it had no seed.
    """
    noise = rng.standard_normal(means.shape).astype(means.dtype)
    return means + np.exp(log_variances / 2) * noise
