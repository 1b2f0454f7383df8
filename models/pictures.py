"""PNG pictures of a model's outputs: reconstructions, latent traversals, interpolations."""

import io
from collections.abc import Callable, Sequence

import numpy as np

Decode = Callable[[np.ndarray], np.ndarray]
"""Codes (N, D) -> images (N, H, W, C) in [0, 1]."""

TRAVERSAL = np.linspace(-2, 2, 9, dtype=np.float32)
"""Values of a latent, others at means. Differs from the original: 11 in [-1, 1], 10 images."""

BETWEEN = np.linspace(0, 1, 9, dtype=np.float32)
"""Positions of an interpolation between two codes."""

_GAP = 2
_PER_ROW = 4


def reconstructions(images: np.ndarray, reconstructed: np.ndarray) -> bytes:
    """A grid of pairs, each original to the left of its reconstruction.

    Args:
        images: (N, H, W, C) in [0, 1].
        reconstructed: The same shape.
    """
    pairs = [np.stack(pair) for pair in zip(images, reconstructed, strict=True)]
    rows = [pairs[first : first + _PER_ROW] for first in range(0, len(pairs), _PER_ROW)]
    return _png([np.concatenate(row) for row in rows])


def traverse(code: np.ndarray, decode: Decode, values: np.ndarray = TRAVERSAL) -> np.ndarray:
    """The decoder's outputs for a code as each latent in turn takes some values.

    Args:
        code: (D,), the code whose other latents are kept.
        decode: The decoder.
        values: (V,).

    Returns:
        (D, V, H, W, C) images in [0, 1].
    """
    codes = np.tile(code, (len(code), len(values), 1))
    for latent in range(len(code)):
        codes[latent, :, latent] = values
    images = decode(codes.reshape(-1, len(code)))
    return images.reshape(len(code), len(values), *images.shape[1:])


def traversals(images: np.ndarray) -> bytes:
    """A picture with one row per latent of the result of `traverse`."""
    return _png(list(images))


def interpolations(codes: np.ndarray, decode: Decode) -> bytes:
    """A picture with one row per pair of codes: decoded points on the line between them.

    Args:
        codes: (N, D); from the first to the second, from the third to the fourth, ...
        decode: The decoder.
    """
    starts, ends = codes[0::2, None], codes[1::2, None]
    between = starts + BETWEEN[:, None] * (ends - starts)
    images = decode(between.reshape(-1, codes.shape[1]))
    return _png(list(images.reshape(*between.shape[:2], *images.shape[1:])))


def animation(frames: np.ndarray) -> bytes:
    """A GIF that shows images (frames, N, H, W, C) in [0, 1], N side by side, there and back."""
    from PIL import Image

    there = [Image.fromarray(_levels(_sheet([row]))) for row in frames]
    first, *others = there + there[-2:0:-1]
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=120, loop=0)
    return buffer.getvalue()


def _png(rows: Sequence[np.ndarray]) -> bytes:
    """Rows of images (N, H, W, C) in [0, 1] as one PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(_levels(_sheet(rows))).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _sheet(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of images (N, H, W, C), with white gaps between them, as one image."""
    _, height, width, channels = rows[0].shape
    columns = max(len(row) for row in rows)
    sheet = np.ones(
        (len(rows) * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, channels), np.float32
    )
    for top, row in enumerate(rows):
        for left, image in enumerate(row):
            y, x = top * (height + _GAP), left * (width + _GAP)
            sheet[y : y + height, x : x + width] = image
    return sheet


def _levels(image: np.ndarray) -> np.ndarray:
    """An image (H, W, C) in [0, 1] as bytes; grey if it has neither one nor three channels."""
    grey = image if image.shape[2] == 3 else image.mean(axis=2)
    return np.round(255 * np.clip(grey, 0, 1)).astype(np.uint8)
