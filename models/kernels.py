"""Stride-2 convolutions as dedicated GPU kernels, which copy no patches.

There are three maps, as in `convolution`: `down`, `up` and `weights`. Each reads its operands in
place, and adds the bias and applies a ReLU, or a ReLU's gradient, before it writes. They are
written for Triton through Pallas; replicas are an axis of the grid.

The number of positions and warps of a program was chosen by timing on an H200.

Sizes: the large side is (B, 2H, 2W, I), the small one (B, H, W, O), a kernel (k, k, I, O) with
k = 2 or 4.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

FEWEST = 16
"""The least number of rows, columns and terms of a matrix unit's products."""

WIDEST = 128
"""The most columns of an operand that a program holds at a time."""

TILES = 16
"""The least number of tiles of positions that a program of `weights` sums over."""

_INTERPRET: ContextVar[bool] = ContextVar("interpret", default=False)


@contextmanager
def interpreted() -> Iterator[None]:
    """Makes kernels traced in the context run on any backend, slowly."""
    token = _INTERPRET.set(True)
    try:
        yield
    finally:
        _INTERPRET.reset(token)


def run_on(device: Any) -> bool:
    """Whether the device is a GPU with the matrix units that these kernels use."""
    capability = getattr(device, "compute_capability", None)
    return capability is not None and float(capability) >= 8.0


def down(
    large: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    relu: bool = False,
    gate: jax.Array | None = None,
) -> jax.Array:
    """The convolution: (B, H, W, O), in the type of `large`.

    Args:
        large: (B, 2H, 2W, I).
        kernel: (k, k, I, O).
        bias: (O,), added to the sums.
        relu: Whether negative results become zero.
        gate: (B, H, W, O); the result is zero where the gate is not positive.
    """
    batch, height, width, _ = large.shape
    k, outputs = kernel.shape[0], kernel.shape[-1]
    terms, columns = _Terms(k, k * kernel.shape[2]), _padded(outputs)
    half = large.dtype.itemsize == 2
    rows = 128 if half or (terms.wide and columns <= 32 and not _exact()) else 64
    side = _Side(batch, height // 2, width // 2, rows)

    def body(large_ref, kernel_ref, *refs):
        bias_ref, gate_ref, out_ref = _present(refs, bias, gate)
        place = side.place(pl.program_id(0))
        column = _range(columns)[None]
        total = jnp.zeros((side.rows, columns), wide(kernel_ref.dtype))
        for piece in range(terms.pieces):
            part = _load(large_ref, *_patches_at(place, terms, piece, large.shape, k))
            line, rest = terms.piece(piece)
            at = (line * terms.length + rest)[:, None] * outputs + column
            known = _below(rest, terms.length)[:, None] & _below(column, outputs)
            total += _dot(part, _load(kernel_ref, at, known))
        at = place.number * outputs + column
        _finish(total, at, place, outputs, relu, bias_ref, gate_ref, out_ref)

    shape = (batch, side.height, side.width, outputs)
    operands = [large, kernel.astype(large.dtype), bias, gate]
    grid, warps = (side.tiles,), 8 if half else 4
    return _call("down", body, [(shape, large.dtype)], grid, operands, warps)[0]


def up(
    small: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    relu: bool = False,
    gate: jax.Array | None = None,
) -> jax.Array:
    """The transposed convolution, the adjoint of `down`: (B, 2H, 2W, I), in the type of `small`.

    Args:
        small: (B, H, W, O).
        kernel: (k, k, I, O).
        bias: (I,), added to the sums.
        relu: Whether negative results become zero.
        gate: (B, 2H, 2W, I); the result is zero where the gate is not positive.
    """
    batch, h, w, outputs = small.shape
    k, channels = kernel.shape[0], kernel.shape[2]
    half = small.dtype.itemsize == 2
    side = _Side(batch, h, w, 128 if half else 64)
    terms, columns = _padded(outputs), _padded(channels)
    taps = [_taps(k, parity) for parity in (0, 1)]

    def body(small_ref, kernel_ref, *refs):
        bias_ref, gate_ref, out_ref = _present(refs, bias, gate)
        place = side.place(pl.program_id(0))
        term, column = _range(terms), _range(columns)[None]
        shifts = sorted({shift for found in taps for shift in found})
        near = {  # what lies around each position, read once for all four pixels above it
            (y, x): _load(small_ref, *_neighbours_at(place, term[None], y, x, small.shape))
            for y in shifts
            for x in shifts
        }
        for row, column_parity in ((0, 0), (0, 1), (1, 0), (1, 1)):
            total = jnp.zeros((side.rows, columns), wide(kernel_ref.dtype))
            for y, tap_y in taps[row].items():
                for x, tap_x in taps[column_parity].items():
                    first = (tap_y * k + tap_x) * outputs
                    at = (first + term)[:, None] * channels + column
                    known = _below(term, outputs)[:, None] & _below(column, channels)
                    total += _dot(near[y, x], _load(kernel_ref, at, known))
            line = (place.image * h + place.row) * 2 + row
            pixel = (line * w + place.column) * 2 + column_parity
            at = pixel * channels + column
            _finish(total, at, place, channels, relu, bias_ref, gate_ref, out_ref)

    shape = (batch, 2 * h, 2 * w, channels)
    operands = [small, jnp.swapaxes(kernel, 2, 3).astype(small.dtype), bias, gate]
    grid, warps = (side.tiles,), 8 if half else 4
    return _call("up", body, [(shape, small.dtype)], grid, operands, warps)[0]


def weights(
    large: jax.Array, small: jax.Array, k: int, *, bias_of: str
) -> tuple[jax.Array, jax.Array]:
    """The gradients of the kernel, (k, k, I, O), and of the bias, in float32 or wider.

    Args:
        large: (B, 2H, 2W, I).
        small: (B, H, W, O).
        k: Size of the kernel.
        bias_of: The side that is the gradient, "large" or "small"; the other is the inputs.
    """
    batch, height, width, channels = large.shape
    outputs = small.shape[-1]
    half = large.dtype.itemsize == 2
    side = _Side(batch, height // 2, width // 2, 128 if half else 64)
    terms, columns = _Terms(k, k * channels), _padded(outputs)
    splits = pl.cdiv(side.tiles, TILES)
    of_large, total = bias_of == "large", wide(large.dtype)
    sums = terms.width if of_large else columns

    def body(large_ref, small_ref, products_ref, sums_ref):
        split, piece = pl.program_id(0), pl.program_id(1)
        column = _range(columns)[None]

        def add(turn, carry):
            products, summed = carry
            place = side.place(split + splits * turn)
            patches = _patches_at(place, terms, piece, large.shape, k)
            left = _load(large_ref, *patches)
            known = place.inside & _below(column, outputs)
            at = place.number * outputs + column
            right = _load(small_ref, at, known)
            products += _dot(left.T, right)
            gradient = left if of_large else right
            return products, summed + jnp.sum(gradient.astype(total), axis=0)

        begin = jnp.zeros((terms.width, columns), total), jnp.zeros(sums, total)
        products, summed = lax.fori_loop(0, pl.cdiv(side.tiles, splits), add, begin)
        first = (split * terms.pieces + piece) * terms.width
        at = (first + _range(terms.width))[:, None] * columns + column
        triton.store(products_ref.at[at], products)
        at = (split * terms.pieces + piece) * sums + _range(sums)
        triton.store(sums_ref.at[at], summed)

    shapes = [(splits, terms.lines, terms.padded, columns), (splits, terms.pieces * sums)]
    results = [(shape, total) for shape in shapes]
    grid, stages = (splits, terms.pieces), 3 if terms.wide else 2
    results = _call("weights", body, results, grid, [large, small], 4, stages)
    products, summed = (jnp.sum(result, axis=0) for result in results)
    products = products[:, : terms.length, :outputs].reshape(k, k, channels, outputs)
    if not of_large:
        return products, summed[:outputs]
    # Every position of the large side lies under one of the middle taps once.
    middle = slice((k - 2) // 2, (k - 2) // 2 + 2)
    summed = summed.reshape(terms.lines, terms.padded)[:, : terms.length]
    summed = summed.reshape(k, k, channels)[middle, middle]
    return products, jnp.sum(summed, axis=(0, 1))


# Which numbers a program reads. Quotients are rounded towards zero, unlike `//`: of those the
# compiler sees which addresses follow one another, and reads 16 bytes at once.


class _Place(NamedTuple):
    """Positions on the small side, (rows, 1) each: number, coordinates, and whether it exists."""

    number: jax.Array
    image: jax.Array
    row: jax.Array
    column: jax.Array
    inside: jax.Array


class _Side(NamedTuple):
    """The positions of the small side, in tiles of `rows`."""

    batch: int
    height: int
    width: int
    rows: int

    @property
    def tiles(self) -> int:
        return pl.cdiv(self.batch * self.height * self.width, self.rows)

    def place(self, tile) -> _Place:
        number = tile * self.rows + _range(self.rows)[:, None]
        line = _quotient(number, self.width)
        return _Place(
            number,
            _quotient(line, self.height),
            _remainder(line, self.height),
            _remainder(number, self.width),
            number < self.batch * self.height * self.width,
        )


class _Terms:
    """The terms of a product, line by line; a line is contiguous in memory.

    A program holds a piece of a line at a time. Short lines are merged.

    Args:
        lines: The number of lines.
        length: The number of terms in a line.

    Attributes:
        lines, length: The same after merging.
        merged: The number of lines merged into one.
        width: The width of a piece.
        wide: Whether a piece is read in long runs.
        pieces: The number of pieces of all lines.
        padded: The length of a line in whole pieces.
    """

    def __init__(self, lines: int, length: int):
        self.merged = lines if length < FEWEST else 1
        self.lines, self.length = lines // self.merged, length * self.merged
        self.width = min(WIDEST, _padded(self.length))
        self.wide = self.width >= 64
        self._a_line = pl.cdiv(self.length, self.width)
        self.pieces = self.lines * self._a_line
        self.padded = self._a_line * self.width

    def piece(self, number) -> tuple[Any, jax.Array]:
        """The line of a piece, and the positions of its terms in the line."""
        if isinstance(number, int):
            line, part = divmod(number, self._a_line)
        else:
            line, part = _quotient(number, self._a_line), _remainder(number, self._a_line)
        return line, part * self.width + _range(self.width)

    def places(self, number) -> tuple[Any, jax.Array]:
        """The positions as a row, (1, width), with the lines as in memory."""
        line, rest = self.piece(number)
        rest = rest[None]
        if self.merged == 1:
            return line, rest
        length = self.length // self.merged
        return _quotient(rest, length), _remainder(rest, length)


def _patches_at(place: _Place, terms: _Terms, piece, shape: tuple[int, ...], k: int):
    """The addresses (rows, lanes) of each position's patch on the large side, and which exist."""
    _, height, width, channels = shape
    margin = (k - 2) // 2
    tap, rest = terms.places(piece)
    y = 2 * place.row + tap - margin
    x = 2 * place.column - margin + _quotient(rest, channels)
    first = (place.image * height + y) * width + 2 * place.column - margin
    known = place.inside & (y >= 0) & (y < height) & (x >= 0) & (x < width)
    return first * channels + rest, known & _below(terms.piece(piece)[1][None], terms.length)


def _neighbours_at(place: _Place, term: jax.Array, y: int, x: int, shape: tuple[int, ...]):
    """The addresses (rows, terms) of the neighbours on the small side, and which exist."""
    _, height, width, outputs = shape
    row, column = place.row + y, place.column + x
    at = (place.image * height + row) * width + column
    known = (row >= 0) & (row < height) & (column >= 0) & (column < width) & place.inside
    return at * outputs + term, known & _below(term, outputs)


def _taps(k: int, parity: int) -> dict[int, int]:
    """The kernel's row that maps a position to a pixel of this parity, by the position's shift."""
    margin = (k - 2) // 2
    found = ((shift, parity + margin - 2 * shift) for shift in (-1, 0, 1))
    return {shift: tap for shift, tap in found if 0 <= tap < k}


def _range(number: int) -> jax.Array:
    return lax.iota(jnp.int32, number)  # also where integers have 64 bits by default


def _quotient(number: jax.Array, by: int) -> jax.Array:
    return lax.div(number, np.asarray(by, number.dtype))


def _remainder(number: jax.Array, by: int) -> jax.Array:
    return lax.rem(number, np.asarray(by, number.dtype))


def _below(lane: jax.Array, limit: int) -> jax.Array:
    """Which lanes are below the limit; a constant if padding adds none above."""
    full = limit % lane.size == 0
    return jnp.full(lane.shape, True) if full else lane < limit


def _padded(number: int) -> int:
    return max(FEWEST, pl.next_power_of_2(number))


def _load(ref, at: jax.Array, known) -> jax.Array:
    return triton.load(ref.at[at], mask=jnp.broadcast_to(known, at.shape), other=0)


def wide(dtype: jnp.dtype) -> jnp.dtype:
    """The type of sums over values of `dtype`: at least float32."""
    return jnp.dtype(jnp.float32) if dtype.itemsize < 4 else jnp.dtype(dtype)


def _exact() -> bool:
    """Whether products must be in full float32."""
    in_force: Any = jax.config
    return in_force.jax_default_matmul_precision in ("float32", "highest")


def _dot(left: jax.Array, right: jax.Array) -> jax.Array:
    """The product in the current precision, summed in float32.

    A matrix unit has no float32, but three products in TF32 are as exact.
    """
    precision = None
    if left.dtype == jnp.float32:
        preset = lax.DotAlgorithmPreset
        precision = preset.TF32_TF32_F32_X3 if _exact() else preset.TF32_TF32_F32
        if _INTERPRET.get():
            precision = lax.Precision.HIGHEST
    return jnp.dot(left, right, precision=precision, preferred_element_type=wide(left.dtype))


def _finish(total, at, place: _Place, num, relu, bias_ref, gate_ref, out_ref) -> None:
    """Adds the bias, applies ReLU and gate, and writes the `num` existing columns."""
    column = _range(at.shape[1])[None]
    known = _below(column, num)
    if bias_ref is not None:
        total += _load(bias_ref, column, known)
    if relu:
        total = jnp.maximum(total, 0)
    known = jnp.broadcast_to(place.inside & known, at.shape)
    if gate_ref is not None:
        total = jnp.where(_load(gate_ref, at, known) > 0, total, 0)
    triton.store(out_ref.at[at], total.astype(out_ref.dtype), mask=known)


def _call(
    name: str,
    body: Callable,
    results: Sequence[tuple[tuple[int, ...], jnp.dtype]],
    grid: tuple[int, ...],
    operands: Sequence[jax.Array | None],
    warps: int,
    stages: int = 2,
) -> list[jax.Array]:
    """Runs `body` over the grid on flat operands, leaving out those that are None."""
    flat = pl.pallas_call(
        body,
        out_shape=[jax.ShapeDtypeStruct((math.prod(shape),), dtype) for shape, dtype in results],
        grid=grid,
        interpret=_INTERPRET.get(),
        compiler_params=triton.CompilerParams(num_warps=warps, num_stages=stages),
        name=name,
    )(*(operand.ravel() for operand in operands if operand is not None))
    return [part.reshape(shape) for part, (shape, _) in zip(flat, results, strict=True)]


def _present(refs: Sequence, *operands: jax.Array | None) -> list:
    """The references of the operands, None for a missing one, and of the results."""
    left = iter(refs)
    found = [None if operand is None else next(left) for operand in operands]
    return [*found, *left]
