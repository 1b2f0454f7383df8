"""The type of all ground-truth data sets: stored images with their factors."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import TeaselError
from .combinations import Combinations, what_is_offered
from .sampling import Sampling


class DataError(TeaselError):
    """A data set can't be opened: a file is missing or broken, or the cache can't be written."""


Example = tuple[np.ndarray, tuple[int, ...]]  # an image and all its factors
Rng = np.random.Generator | np.random.RandomState


class Factor(NamedTuple):
    """One axis of the grid. A hidden factor is sampled like noise and never reported."""

    name: str
    size: int
    hidden: bool = False


class Appearance(NamedTuple):
    """What an observation adds to a stored image.

    `paint(images, words)` maps stored images (B, H, W, 1) and random 32-bit words
    (B, *noise_shape), uint32, to observations (B, H, W, 3). It accepts NumPy and JAX arrays.
    `identity` describes the addition for the fingerprint.
    """

    identity: str
    noise_shape: tuple[int, ...]
    paint: Callable[[Any, Any], Any]


class Window(NamedTuple):
    """The part of the store needed by some batches, for a device that can't hold all of it.

    Attributes:
        indices: (M,) image indices, ascending.
        rows: (M, bytes) their stored images.
    """

    indices: Any
    rows: Any


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images as a function of factors.

    `store[index]` is an image: packed bits, as from `np.packbits`, if `store` has two axes,
    otherwise uint8 of shape (H, W, C). Without a table, its index is the row-major position of its
    combination in the grid, last factor fastest. With a table, `table[index]` has its factors.

    Attributes:
        name: The name in the catalogue.
        grid: All factors, including hidden ones. A table has a column for each, and none is hidden.
        store: (N, H * W / 8) or (N, H, W, C), uint8, usually memory-mapped.
        image_shape: (H, W, C) of an observation.
        source: Where the images come from, for the results.
        fingerprint: A hash of the content.
        appearance: What an observation adds; None if the stored image is the observation.
        table: (N, K), K from 0, for images that do not fill a grid equally often: int64 ranks of
            each factor's values, or float64 with unchanged values of continuous factors.
        sampling: How batches are sampled if not uniformly, for a data set with all combinations.
    """

    name: str
    grid: tuple[Factor, ...]
    store: np.ndarray
    image_shape: tuple[int, int, int]
    source: str
    fingerprint: str
    appearance: Appearance | None = None
    table: np.ndarray | None = None
    sampling: Sampling | None = None

    @property
    def factor_names(self) -> tuple[str, ...]:
        """The names of the reported factors."""
        return tuple(factor.name for factor in self.grid if not factor.hidden)

    @property
    def factor_sizes(self) -> tuple[int, ...]:
        """The number of values of each reported factor."""
        return tuple(factor.size for factor in self.grid if not factor.hidden)

    @property
    def stochastic(self) -> bool:
        """Whether an observation has noise besides its image index."""
        return self.appearance is not None

    @cached_property
    def complete(self) -> bool:
        """Whether each combination of the factors' values has an image."""
        return what_is_offered(self.factor_sizes, self.table) == "all combinations"

    @cached_property
    def uniform(self) -> "Dataset":
        """The data set with all images equally likely, on which models are evaluated."""
        return replace(self, sampling=None) if self.sampling else self

    def __len__(self) -> int:
        return len(self.store)

    def __repr__(self) -> str:
        factors = ", ".join(f"{factor.name} {factor.size}" for factor in self.grid) or "no factors"
        return f"<{self.name}: {len(self):,} images {self.image_shape}, {factors}; {self.source}>"

    def factors(self, indices: np.ndarray) -> np.ndarray:
        """The reported factors (N, K) of images (N,): int64, or float64 if one is continuous."""
        indices = self._check_indices(indices)
        if self.table is not None:
            return self.table[indices]
        columns = np.unravel_index(indices, self._sizes)
        shown = [c for c, factor in zip(columns, self.grid, strict=True) if not factor.hidden]
        return np.stack(shown, axis=-1).astype(np.int64)

    def sample_indices(self, factors: np.ndarray, rng: Rng | None = None) -> np.ndarray:
        """Image indices (N,) with these factors; one of several images is sampled uniformly.

        Args:
            factors: (N, K), as from `factors`: integers, factor k in [0, factor_sizes[k]).
            rng: Required if a combination has several images. A RandomState gives the original's
                draws.

        Raises:
            ValueError: If `factors` has a wrong shape or a value out of range, if no image has
                them, or if several images have them and there is no `rng`.
        """
        factors = np.asarray(factors)
        sizes = self.factor_sizes
        shaped = factors.ndim == 2 and factors.shape[1] == len(sizes)
        continuous = self.table is not None and self.table.dtype.kind == "f"
        if not shaped or factors.dtype.kind not in ("iuf" if continuous else "iu"):
            raise ValueError(
                f"{self.name}: factors are {factors.dtype} {factors.shape}, not "
                f"{'numbers' if continuous else 'integers'} (N, {len(sizes)}): one column for each "
                f"of {', '.join(self.factor_names)}"
            )
        if self.table is not None:
            return self._find(factors, rng)
        if factors.size and ((factors < 0) | (factors >= sizes)).any():
            raise ValueError(
                f"{self.name}: factors from {factors.min(axis=0)} to {factors.max(axis=0)} are "
                f"not all in [0, size) of the sizes {sizes}"
            )
        shown = iter(factors.T)
        columns = [
            self._sample(rng, factor.size, len(factors)) if factor.hidden else next(shown)
            for factor in self.grid
        ]
        return np.ravel_multi_index(columns, self._sizes)

    def images(self, indices: np.ndarray, rng: Rng | None = None) -> np.ndarray:
        """Observations (N, H, W, C), float32 in [0, 1].

        Args:
            indices: (N,) integers in [0, len(self)).
            rng: A generator for fresh noise. Without it an image has its own noise, as in
                `observe`.
        """
        indices = self._check_indices(indices)
        words, added = None, self.appearance
        if added and rng is not None:
            words = self._sample(rng, 2**32, len(indices), *added.noise_shape)
        elif added:
            words = np.asarray(_own_words(added.noise_shape, jnp.asarray(indices, jnp.int32)))
        return self._show(self.store[indices], words)

    def device_data(self) -> np.ndarray:
        """The compact array (N, bytes) on a device in which `observe` looks up images.

        Rows are flat because a TPU pads small axes.
        """
        return self.store.reshape(len(self), -1)

    def window(self, indices: np.ndarray) -> Window:
        """A replacement for `device_data()` in `observe`, for these images only."""
        indices = np.sort(self._check_indices(np.ravel(indices))).astype(np.int32)
        return Window(indices, self.device_data()[indices])

    def observe(self, data: Any, indices: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Observations (B, H, W, C), float32 in [0, 1], of images (B,); pure, for a jitted step.

        Without noise they equal `images(indices)` to the last bit and `key` is unused.

        Args:
            data: `device_data()`, or a `window` with the images.
            indices: (B,) integers in [0, len(self)).
            key: The key for fresh noise. Without it an image has its own noise: the same at every
                visit, in any batch and on any device.
        """
        words, added = None, self.appearance
        if added and key is not None:
            words = jax.random.bits(key, (len(indices), *added.noise_shape))
        elif added:
            words = _own_words(added.noise_shape, indices)
        if isinstance(data, Window):
            rows = data.rows[jnp.searchsorted(data.indices, indices)]
        else:
            rows = data[indices]
        return self._show(rows, words)

    def sample_batch(self, data: Any, key: jax.Array, batch_size: int) -> jax.Array:
        """A batch (B, H, W, C) of observations of images sampled with replacement."""
        indices = self.sample_batch_indices(key, batch_size)
        return self.observe(data, indices, jax.random.fold_in(key, 1))

    def sample_batch_indices(self, key: jax.Array, batch_size: int) -> jax.Array:
        """The image indices (B,) of the batch from `sample_batch` with this key."""
        key = jax.random.fold_in(key, 0)
        if self.sampling is None:
            return jax.random.randint(key, (batch_size,), 0, len(self))
        bounds, last = self._bounds
        bits = jax.random.bits(key, (batch_size,))
        found = jnp.searchsorted(jnp.asarray(bounds), bits, "right", method="scan_unrolled")
        return jnp.minimum(found, last)

    def draw_indices(self, rng: np.random.Generator, num: int) -> np.ndarray:
        """Image indices (num,) sampled as by `sample_batch_indices`, on the host."""
        if self.sampling is None:
            return rng.integers(len(self), size=num)
        bounds, last = self._bounds
        return np.searchsorted(bounds, rng.integers(2**32, size=num), "right").clip(max=last)

    def sample_pair_indices(
        self, key: jax.Array, batch_size: int
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Two image indices (B,) each, and which of the K reported factors (B, K) they share.

        The first are those of `sample_batch_indices`. Between one and all but one of their factors
        are sampled again (Locatello et al. 2020, arXiv:2002.02886), as are hidden factors. A
        `sampling` applies to them, given the factors that stay.
        """
        first = self.sample_batch_indices(key, batch_size)
        number, order, fresh = jax.random.split(jax.random.fold_in(key, 2), 3)
        shown = [not factor.hidden for factor in self.grid]
        num_changed = jax.random.randint(number, (batch_size, 1), 1, max(2, sum(shown)))
        ranks = jnp.argsort(jax.random.uniform(order, (batch_size, sum(shown))), axis=1)
        changed = jnp.argsort(ranks, axis=1) < num_changed
        anew = jax.random.randint(fresh, (batch_size,), 0, len(self))
        old, new = self._columns(first), self._columns(anew)
        if self.sampling is not None:
            new |= self._draw_given(jax.random.fold_in(fresh, 0), old, changed)
        columns, place = [], 0
        for factor in self.grid:
            if factor.hidden:
                columns.append(new[factor.name])
            else:
                columns.append(jnp.where(changed[:, place], new[factor.name], old[factor.name]))
                place += 1
        second = jnp.ravel_multi_index(tuple(columns), self._sizes, mode="clip")
        if self.table is not None:  # so far the number of a combination, of which some image
            counts = jnp.asarray(self._combinations.counts)[second]
            which = jax.random.randint(jax.random.fold_in(fresh, 1), (batch_size,), 0, counts)
            starts = jnp.asarray(self._combinations.firsts)[second]
            second = jnp.asarray(self._combinations.order)[starts + which]
        return first, second, ~changed

    def labels(self, indices: jax.Array) -> jax.Array:
        """The reported factors (B, K), int32, of images (B,); pure, for a jitted step."""
        columns = self._columns(indices)
        return jnp.stack([columns[name] for name in self.factor_names], axis=-1).astype(jnp.int32)

    def _columns(self, indices: jax.Array) -> dict[str, jax.Array]:
        """The values (B,) of each factor, including hidden ones."""
        names = [factor.name for factor in self.grid]
        if self.table is not None:
            return dict(zip(names, jnp.asarray(self.table, jnp.int32)[indices].T, strict=True))
        return dict(zip(names, jnp.unravel_index(indices, self._sizes), strict=True))

    @cached_property
    def _weights(self) -> np.ndarray:
        """The weight that `sampling` gives each combination of its factors."""
        assert self.sampling is not None
        return self.sampling.weights(dict(zip(self.factor_names, self.factor_sizes, strict=True)))

    @cached_property
    def _bounds(self) -> tuple[np.ndarray, int]:
        """The end of each image but the last in 32 random bits (N - 1,), and the last image.

        A combination's share is exact to 2^-32, and held-out combinations have none.
        """
        assert self.sampling is not None
        factors = self.factors(np.arange(len(self)))
        places = [self.factor_names.index(name) for name in self.sampling.factors]
        weights = self._weights[tuple(factors[:, places].T)]
        if self.table is not None:  # the images of a combination share its weight
            weights = weights / self._combinations.counts[self._combinations.find(factors)]
        ends = np.cumsum(weights)
        bounds = np.rint(ends[:-1] / ends[-1] * 2**32).clip(max=2**32 - 1).astype(np.uint32)
        return bounds, int(np.flatnonzero(weights)[-1])

    def _draw_given(
        self, key: jax.Array, old: dict[str, jax.Array], changed: jax.Array
    ) -> dict[str, jax.Array]:
        """Values (B,) of the factors of `sampling`, given those that do not change."""
        assert self.sampling is not None
        names, weights = self.sampling.factors, self._weights
        kept = np.flatnonzero(weights)
        cells = dict(zip(names, np.unravel_index(kept, weights.shape), strict=True))
        allowed = [
            changed[:, self.factor_names.index(name), None]
            | (old[name][:, None] == cells[name][None])
            for name in names
        ]
        logits = jnp.asarray(np.log(weights.ravel()[kept])[None], jnp.float32)
        fits = jnp.stack(allowed).all(axis=0)
        drawn = jax.random.categorical(key, jnp.where(fits, logits, -jnp.inf))
        return {name: jnp.asarray(cells[name], jnp.int32)[drawn] for name in names}

    @cached_property
    def _combinations(self) -> Combinations:
        return Combinations(np.empty((0, 0)) if self.table is None else self.table)

    def _find(self, factors: np.ndarray, rng: Rng | None) -> np.ndarray:
        """Image indices (N,) whose rows of the table are these."""
        numbers = self._combinations.find(factors)
        if numbers.size and numbers.min() < 0:
            row = zip(self.factor_names, factors[numbers.argmin()].tolist(), strict=True)
            raise ValueError(
                f"{self.name}: no image has the factors "
                f"{', '.join(f'{name} {value:g}' for name, value in row)}"
            )
        counts = self._combinations.counts[numbers]
        several = bool((counts > 1).any())
        return self._combinations.image(numbers, self._draw(rng, counts) if several else 0)

    @property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(factor.size for factor in self.grid)

    def _show(self, rows: Any, words: Any) -> Any:
        """Stored images (B, ...) as observations, for NumPy and JAX arrays."""
        xp = rows.__array_namespace__()
        height, width, _ = self.image_shape
        rows = rows.reshape(len(rows), math.prod(rows.shape[1:]))
        if 8 * rows.shape[1] == height * width:
            images = xp.unpackbits(rows, axis=-1).astype(np.float32)
        else:
            images = _unit_interval(rows.astype(np.float32))
        images = images.reshape(len(rows), height, width, images.shape[1] // (height * width))
        return self.appearance.paint(images, words) if self.appearance else images

    def _check_indices(self, indices: np.ndarray) -> np.ndarray:
        indices = np.asarray(indices)
        if indices.ndim != 1 or not (indices.size == 0 or indices.dtype.kind in "iu"):
            raise ValueError(
                f"{self.name}: image indices are a vector of integers, "
                f"not {indices.dtype} of shape {indices.shape}"
            )
        indices = indices.astype(np.int64)
        if indices.size and not (indices.min() >= 0 and indices.max() < len(self)):
            raise IndexError(
                f"{self.name}: image indices from {indices.min()} to {indices.max()} "
                f"are not all in [0, {len(self)})"
            )
        return indices

    def _sample(self, rng: Rng | None, high: int, *shape: int) -> np.ndarray:
        return self._draw(rng, high, size=shape, dtype=np.uint32 if high == 2**32 else np.int64)

    def _draw(self, rng: Rng | None, high: Any, **form: Any) -> np.ndarray:
        """Integers sampled uniformly from [0, high)."""
        if rng is None:
            raise ValueError(f"{self.name} samples at random here: pass a numpy Generator as rng")
        integers = rng.randint if isinstance(rng, np.random.RandomState) else rng.integers
        return integers(high, **form)


@partial(jax.jit, static_argnums=0)
def _own_words(shape: tuple[int, ...], indices: jax.Array) -> jax.Array:
    """The random words (B, *shape) for each image's own noise.

    Differs from the original: scores use this one observation of each image, not a fresh one at
    every visit.
    """
    key = jax.random.key(0, impl="threefry2x32")
    return jax.vmap(lambda index: jax.random.bits(jax.random.fold_in(key, index), shape))(indices)


def _unit_interval(levels: Any) -> Any:
    """`levels / 255` to the last bit, for whole float32 levels from 0 to 255.

    XLA turns a division by a constant into a product with its reciprocal, which rounds differently
    from NumPy's division. This sum, whose first term is exact, is the same everywhere, with or
    without fused terms.
    """
    return levels * np.float32(257 / 2**16) + levels * np.float32(1 / (255 * 2**16))
