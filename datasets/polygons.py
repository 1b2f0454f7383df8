"""Fills polygons exactly, in integers; imported only for rendering (numba compiles it)."""

import numba
import numpy as np


@numba.njit(nogil=True)
def fill(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
    """Fills one polygon at every position of a raster, 64 x 64 pixels as packed bits.

    A pixel is set if its centre is inside; left and bottom edges count as inside. Every edge
    toggles all pixels right of it in each row that it crosses (even-odd rule). The arithmetic is
    exact, because vertices are multiples of 1/256 pixel.

    Args:
        x: (X, V) int64, the vertices' x for each position x.
        y: (Y, V) int64, the vertices' y for each position y.
        out: (X, Y, 512) uint8, filled as `np.packbits` packs rows.
    """
    num_vertices = x.shape[1]
    rows = np.empty(64, np.uint64)
    everything = np.uint64(0xFFFFFFFFFFFFFFFF)
    for i in range(x.shape[0]):
        for j in range(y.shape[0]):
            rows[:] = 0
            for k in range(num_vertices):
                after = (k + 1) % num_vertices
                x0, y0, x1, y1 = x[i, k], y[j, k], x[i, after], y[j, after]
                if y0 > y1:
                    x0, y0, x1, y1 = x1, y1, x0, y0
                # Row r has its centre at 256 r + 128; the edge crosses it if y0 < centre <= y1.
                for row in range(max((y0 + 128) // 256, 0), min((y1 + 128) // 256, 64)):
                    # Column c has its centre at 256 c + 128: the first not left of the crossing.
                    across = (256 * row + 128 - y0) * (x1 - x0) + (x0 - 128) * (y1 - y0)
                    first = -(-across // (256 * (y1 - y0)))
                    if first <= 0:
                        rows[row] ^= everything
                    elif first < 64:
                        rows[row] ^= everything >> np.uint64(first)
            for byte in range(512):
                shift = np.uint64(56 - 8 * (byte % 8))
                out[i, j, byte] = (rows[byte // 8] >> shift) & np.uint64(255)
