"""Stride-2 convolutions as GPU kernels of their own, which make no copy of any patch.

Three maps, as in `convolution`: `down`, `up` and `weights`. Each reads its operands where they lie,
with a ReLU where asked, and adds the bias, or applies a ReLU's gradient, before it writes. Written
for Triton through Pallas; a replica is one axis of the grid.

Sizes: the large side is (B, 2H, 2W, I), the small one (B, H, W, O), a kernel (k, k, I, O) with
k = 2 or 4.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

FEWEST = 16
"""A matrix unit's products have at least this many rows, columns and terms."""

WIDEST = 128
"""The most columns of an operand that a program holds at once."""

TILES = 16
"""How many tiles of positions a program of `weights` sums over, at least."""

ROWS = {"down": (128, 64), "up": (64, 64), "weights": (64, 64)}
"""Positions that a program computes at once, of numbers of 2 and of 4 bytes."""

WARPS = {"down": 4, "up": 4, "weights": 4}

_INTERPRET: ContextVar[bool] = ContextVar("interpret", default=False)


@contextmanager
def interpreted() -> Iterator[None]:
    """Lets what is traced inside compute on any backend, slowly."""
    token = _INTERPRET.set(True)
    try:
        yield
    finally:
        _INTERPRET.reset(token)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def layer(
    transposed: bool, relu: bool, inputs: jax.Array, kernel: jax.Array, bias: jax.Array
) -> jax.Array:
    """The convolution, or its transpose, of the inputs or their ReLU, plus the bias.

    Args:
        transposed: Which of the two it is.
        relu: Whether the inputs go through a ReLU first.
        inputs: (B, H, W, C).
        kernel: (k, k, C, features), float32.
        bias: (features,), float32.
    """
    if transposed:
        return up(inputs, jnp.swapaxes(kernel, 2, 3), bias, relu=relu)
    return down(inputs, kernel, bias, relu=relu)


def _layer_forward(transposed, relu, inputs, kernel, bias):
    return layer(transposed, relu, inputs, kernel, bias), (inputs, kernel)


def _layer_backward(transposed, relu, saved, gradient):
    inputs, kernel = saved
    gate = inputs if relu else None
    k = kernel.shape[0]
    if transposed:
        of_inputs = down(gradient, jnp.swapaxes(kernel, 2, 3), gate=gate)
        of_kernel, of_bias = weights(gradient, inputs, k, relu=relu, bias_of="large")
        return of_inputs, jnp.swapaxes(of_kernel, 2, 3), of_bias
    of_kernel, of_bias = weights(inputs, gradient, k, relu=relu, bias_of="small")
    return up(gradient, kernel, gate=gate), of_kernel, of_bias


layer.defvjp(_layer_forward, _layer_backward)


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
        bias: (O,), added at the end.
        relu: Whether a ReLU comes first.
        gate: (B, H, W, O); where it is not positive, the result is zero.
    """
    batch, height, width, _ = large.shape
    k, outputs = kernel.shape[0], kernel.shape[-1]
    side = _Side(batch, height // 2, width // 2, _pick(ROWS["down"], large.dtype))
    terms, columns = _Terms(k, k * kernel.shape[2]), _padded(outputs)

    def body(large_ref, kernel_ref, *refs):
        bias_ref, gate_ref, out_ref = _present(refs, bias, gate)
        place = side.place(pl.program_id(0))
        column = jnp.arange(columns)
        total = jnp.zeros((side.rows, columns), jnp.float32)
        for piece in range(terms.pieces):
            part = _load(large_ref, *_patches_at(place, terms, piece, large.shape, k), relu)
            line, rest = terms.piece(piece)
            at = (line * terms.length + rest)[:, None] * outputs + column
            known = _below(rest, terms.length)[:, None] & _below(column, outputs)
            total += triton.dot(part, _load(kernel_ref, at, known))
        at = place.number[:, None] * outputs + column
        _finish(total, at, place.inside, column, outputs, bias_ref, gate_ref, out_ref)

    shape = (batch, side.height, side.width, outputs)
    operands = [large, kernel.astype(large.dtype), bias, gate]
    return _call("down", body, [(shape, large.dtype)], (side.tiles,), operands)[0]


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
        bias: (I,), added at the end.
        relu: Whether a ReLU comes first.
        gate: (B, 2H, 2W, I); where it is not positive, the result is zero.
    """
    batch, h, w, outputs = small.shape
    k, channels = kernel.shape[0], kernel.shape[2]
    side = _Side(batch, h, w, _pick(ROWS["up"], small.dtype))
    groups = _groups(k, channels)
    matrices = [_group_matrix(kernel.astype(small.dtype), group) for group in groups]

    def body(small_ref, *refs):
        *matrix_refs, bias_ref, gate_ref, out_ref = _present(refs, *matrices, bias, gate)
        place = side.place(pl.program_id(0))
        for group, matrix, matrix_ref in zip(groups, matrices, matrix_refs, strict=True):
            lane = jnp.arange(matrix.shape[1])
            terms = group.terms(outputs)
            total = jnp.zeros((side.rows, len(lane)), jnp.float32)
            for piece in range(terms.pieces):
                part = _load(small_ref, *_neighbours_at(place, terms, piece, small.shape, group), relu)
                line, rest = terms.piece(piece)
                at = (line * terms.length + rest)[:, None] * len(lane) + lane
                known = _below(rest, terms.length)[:, None] & _below(lane, len(lane))
                total += triton.dot(part, _load(matrix_ref, at, known))
            parity, channel = lax.div(lane, channels), lax.rem(lane, channels)
            across = len(group.columns)
            y = 2 * place.row[:, None] + group.rows[0] + lax.div(parity, across)
            x = 2 * place.column[:, None] + group.columns[0] + lax.rem(parity, across)
            at = ((place.image[:, None] * 2 * h + y) * 2 * w + x) * channels + channel
            num = group.parities * channels
            _finish(total, at, place.inside, lane, num, bias_ref, gate_ref, out_ref, channel)

    shape = (batch, 2 * h, 2 * w, channels)
    operands = [small, *matrices, bias, gate]
    return _call("up", body, [(shape, small.dtype)], (side.tiles,), operands)[0]


def weights(
    large: jax.Array, small: jax.Array, k: int, *, relu: bool, bias_of: str
) -> tuple[jax.Array, jax.Array]:
    """The gradients in the kernel, (k, k, I, O), and in the bias, float32.

    Args:
        large: (B, 2H, 2W, I).
        small: (B, H, W, O).
        k: Size of the kernel.
        relu: Whether the inputs went through a ReLU first.
        bias_of: Which side is the gradient, "large" or "small"; the other one is the inputs.
    """
    batch, height, width, channels = large.shape
    outputs = small.shape[-1]
    side = _Side(batch, height // 2, width // 2, _pick(ROWS["weights"], large.dtype))
    terms, columns = _Terms(k, k * channels), _padded(outputs)
    splits = pl.cdiv(side.tiles, TILES)
    of_large = bias_of == "large"
    sums = terms.width if of_large else columns

    def body(large_ref, small_ref, products_ref, sums_ref):
        split, piece = pl.program_id(0), pl.program_id(1)
        column = jnp.arange(columns)

        def add(turn, carry):
            products, summed = carry
            place = side.place(split + splits * turn)
            patches = _patches_at(place, terms, piece, large.shape, k)
            left = _load(large_ref, *patches, relu and not of_large)
            known = place.inside[:, None] & _below(column, outputs)
            at = place.number[:, None] * outputs + column
            right = _load(small_ref, at, known, relu and of_large)
            products += triton.dot(left, right, trans_a=True)
            gradient = left if of_large else right
            return products, summed + jnp.sum(gradient.astype(jnp.float32), axis=0)

        begin = jnp.zeros((terms.width, columns), jnp.float32), jnp.zeros(sums, jnp.float32)
        products, summed = lax.fori_loop(0, pl.cdiv(side.tiles, splits), add, begin)
        first = (split * terms.pieces + piece) * terms.width
        at = (first + jnp.arange(terms.width))[:, None] * columns + column
        triton.store(products_ref.at[at], products)
        at = (split * terms.pieces + piece) * sums + jnp.arange(sums)
        triton.store(sums_ref.at[at], summed)

    shapes = [(splits, terms.lines, terms.padded, columns), (splits, terms.pieces * sums)]
    results = [(shape, jnp.float32) for shape in shapes]
    results = _call("weights", body, results, (splits, terms.pieces), [large, small])
    products, summed = (jnp.sum(result, axis=0) for result in results)
    products = products[:, : terms.length, :outputs].reshape(k, k, channels, outputs)
    if not of_large:
        return products, summed[:outputs]
    # Every position of the large side lies under one of the middle taps once.
    middle = slice((k - 2) // 2, (k - 2) // 2 + 2)
    summed = summed.reshape(terms.lines, terms.padded)[:, : terms.length]
    summed = summed.reshape(k, k, channels)[middle, middle]
    return products, jnp.sum(summed, axis=(0, 1))


# Which numbers a program reads. Quotients are `lax.div`, not `//`: of numbers without a sign the
# compiler sees which addresses follow one another, and reads 16 bytes at once.


class _Place(NamedTuple):
    """Positions on the small side, by number and coordinates, and whether there are such."""

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
        number = tile * self.rows + jnp.arange(self.rows)
        line = lax.div(number, self.width)
        return _Place(
            number,
            lax.div(line, self.height),
            lax.rem(line, self.height),
            lax.rem(number, self.width),
            number < self.batch * self.height * self.width,
        )


class _Terms:
    """The terms of a product, line by line: numbers that lie one after the other in memory.

    A program holds a piece of a line at once. Short lines are taken together as one.

    Args:
        lines: How many.
        length: Terms in a line.

    Attributes:
        lines, length: What they are taken as.
        merged: How many lines are taken as one.
        width: Of a piece.
        pieces: Of all lines.
        padded: Of a line, in whole pieces.
    """

    def __init__(self, lines: int, length: int):
        self.merged = lines if length < FEWEST else 1
        self.lines, self.length = lines // self.merged, length * self.merged
        self.width = min(WIDEST, _padded(self.length))
        self._a_line = pl.cdiv(self.length, self.width)
        self.pieces = self.lines * self._a_line
        self.padded = self._a_line * self.width

    def piece(self, number) -> tuple[Any, jax.Array]:
        """The line of a piece, and its terms' places in the line."""
        if isinstance(number, int):
            line, part = divmod(number, self._a_line)
        else:
            line, part = lax.div(number, self._a_line), lax.rem(number, self._a_line)
        return line, part * self.width + jnp.arange(self.width)

    def places(self, number) -> tuple[Any, jax.Array]:
        """The same, with the lines as they lie in memory."""
        line, rest = self.piece(number)
        if self.merged == 1:
            return line, rest
        length = self.length // self.merged
        return lax.div(rest, length), lax.rem(rest, length)


def _patches_at(place: _Place, terms: _Terms, piece, shape: tuple[int, ...], k: int):
    """Addresses (rows, lanes) on the large side of each position's patch, and which exist."""
    _, height, width, channels = shape
    margin = (k - 2) // 2
    tap, rest = terms.places(piece)
    y = 2 * place.row[:, None] + tap - margin
    x = 2 * place.column[:, None] - margin + lax.div(rest, channels)
    first = (place.image[:, None] * height + y) * width + 2 * place.column[:, None] - margin
    known = place.inside[:, None] & (y >= 0) & (y < height) & (x >= 0) & (x < width)
    return first * channels + rest, known & _below(terms.piece(piece)[1], terms.length)


def _neighbours_at(place: _Place, terms: _Terms, piece, shape: tuple[int, ...], group: "_Group"):
    """Addresses (rows, lanes) on the small side of what reaches a group, and which exist."""
    _, height, width, outputs = shape
    line, rest = terms.places(piece)
    y = place.row[:, None] + group.row_shifts[0] + line
    x = place.column[:, None] + group.column_shifts[0] + lax.div(rest, outputs)
    first = (place.image[:, None] * height + y) * width + place.column[:, None]
    known = place.inside[:, None] & (y >= 0) & (y < height) & (x >= 0) & (x < width)
    at = (first + group.column_shifts[0]) * outputs + rest
    return at, known & _below(terms.piece(piece)[1], terms.length)


def _below(lane: jax.Array, limit: int) -> jax.Array:
    """Which lanes are under the limit; the compiler sees it where the padding has none above."""
    full = limit % lane.shape[0] == 0
    return jnp.full(lane.shape, True) if full else lane < limit


def _padded(number: int) -> int:
    return max(FEWEST, pl.next_power_of_2(number))


def _load(ref, at: jax.Array, known, relu: bool = False) -> jax.Array:
    values = triton.load(ref.at[at], mask=jnp.broadcast_to(known, at.shape), other=0)
    return jnp.maximum(values, jnp.zeros_like(values)) if relu else values


def _finish(total, at, inside, column, num, bias_ref, gate_ref, out_ref, channel=None) -> None:
    """Adds the bias, applies the gate, and writes."""
    if bias_ref is not None:
        at_bias, known = (column if channel is None else channel), _below(column, num)
        bias = triton.load(bias_ref.at[at_bias], mask=jnp.broadcast_to(known, column.shape), other=0)
        total += bias[None]
    known = inside[:, None] & _below(column, num)
    if gate_ref is not None:
        gate = _load(gate_ref, at, known)
        total = jnp.where(gate > 0, total, jnp.zeros_like(total))
    triton.store(
        out_ref.at[at], total.astype(out_ref.dtype), mask=jnp.broadcast_to(known, at.shape)
    )


# What `up` computes together: pixels whose rows and columns are even or odd in the same way.


class _Group:
    """Some of the four pixels above a position, and the positions that reach them.

    Attributes:
        rows, columns: 0 or 1, or both.
        row_shifts, column_shifts: From the position, ascending and without gaps.
        across: How many positions of a row are read: `column_shifts`, and some more as padding.
    """

    def __init__(self, k: int, rows: Sequence[int], columns: Sequence[int]):
        self.rows, self.columns = rows, columns
        self.row_shifts, self.column_shifts = (
            sorted({shift for parity in side for shift in _taps(k, parity)})
            for side in (rows, columns)
        )
        self.across = pl.next_power_of_2(len(self.column_shifts))
        self.parities = len(rows) * len(columns)

    def terms(self, outputs: int) -> _Terms:
        """What is summed, of an operand with so many channels."""
        return _Terms(len(self.row_shifts), self.across * outputs)


def _taps(k: int, parity: int) -> dict[int, int]:
    """By shift of the position, the kernel's row that takes it to a pixel of this parity."""
    margin = (k - 2) // 2
    found = ((shift, parity + margin - 2 * shift) for shift in (-1, 0, 1))
    return {shift: tap for shift, tap in found if 0 <= tap < k}


def _groups(k: int, channels: int) -> list[_Group]:
    """One group for each parity, or one for all where a matrix unit would be half empty."""
    if channels < FEWEST:
        return [_Group(k, (0, 1), (0, 1))]
    return [_Group(k, (row,), (column,)) for row in (0, 1) for column in (0, 1)]


def _group_matrix(kernel: jax.Array, group: _Group) -> jax.Array:
    """(row shifts * across * O, parities * I, padded): what `up` multiplies with."""
    k, _, channels, outputs = kernel.shape
    none = k  # a row and a column of zeros, for positions that do not reach a pixel
    taps = np.array(
        [
            [
                _taps(k, row).get(y, none) * (k + 1) + _taps(k, column).get(x, none)
                for row in group.rows
                for column in group.columns
            ]
            for y in group.row_shifts
            for x in range(group.column_shifts[0], group.column_shifts[0] + group.across)
        ]
    )
    padded = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))
    parts = padded.reshape((k + 1) ** 2, channels, outputs)[taps]
    matrix = parts.transpose(0, 3, 1, 2).reshape(-1, group.parities * channels)
    return jnp.pad(matrix, ((0, 0), (0, _padded(matrix.shape[1]) - matrix.shape[1])))


def _call(
    name: str,
    body: Callable,
    results: Sequence[tuple[tuple[int, ...], jnp.dtype]],
    grid: tuple[int, ...],
    operands: Sequence[jax.Array | None],
) -> list[jax.Array]:
    """Runs `body` over the grid, on flat operands; those that are None are left out."""
    flat = pl.pallas_call(
        body,
        out_shape=[jax.ShapeDtypeStruct((math.prod(shape),), dtype) for shape, dtype in results],
        grid=grid,
        interpret=_INTERPRET.get(),
        compiler_params=triton.CompilerParams(num_warps=WARPS[name], num_stages=2),
        name=name,
    )(*(operand.ravel() for operand in operands if operand is not None))
    return [part.reshape(shape) for part, (shape, _) in zip(flat, results, strict=True)]


def _present(refs: Sequence, *operands: jax.Array | None) -> list:
    """The references of the operands, None for one that is not there, and of the results."""
    left = iter(refs)
    found = [None if operand is None else next(left) for operand in operands]
    return [*found, *left]


def _pick(choice: tuple[int, int], dtype: jnp.dtype) -> int:
    return choice[0] if dtype.itemsize == 2 else choice[1]
