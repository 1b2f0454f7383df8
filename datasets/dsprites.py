"""dSprites (Matthey et al. 2017): rendered exactly as published except for about 100 pixels."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from .arrays import read_grid
from .dataset import Example, Factor
from .definition import Definition
from .files import PublishedFile
from .published import Publication

FILE = PublishedFile(
    "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz",
    ("https://github.com/google-deepmind/dsprites-dataset",),
)
GRID = (
    Factor("shape", 3),
    Factor("scale", 6),
    Factor("orientation", 40),
    Factor("position_x", 32),
    Factor("position_y", 32),
)

Axes = tuple[np.ndarray, ...]  # the chosen values of every factor
FULL: Axes = tuple(np.arange(factor.size) for factor in GRID)
MINI: Axes = (*FULL[:2], FULL[2][::4], FULL[3][::2], FULL[4][::2])


def render(axes: Axes) -> Iterator[np.ndarray]:
    """Packed images of the grid over `axes`, all positions of one pose at a time.

    Differs from the original: it read the published file. This reproduces those images with a
        polygon
    per shape, vertices rounded to 1/256 pixel and no anti-aliasing.
    """
    from .polygons import fill

    position_x, position_y = (16 + 32 * np.linspace(0, 1, 32)[axis, None] for axis in axes[3:])
    for shape, scale, orientation in product(*axes[:3]):
        u, v = _OUTLINES[shape]
        size = np.linspace(0.5, 1, 6)[scale]
        theta = np.linspace(0, 2 * np.pi, 40)[orientation]  # the last equals the first
        x = position_x + size * (np.cos(theta) * u + np.sin(theta) * v)
        y = position_y + size * (-np.sin(theta) * u + np.cos(theta) * v)
        images = np.empty((len(x), len(y), 512), np.uint8)
        fill(np.rint(256 * x).astype(np.int64), np.rint(256 * y).astype(np.int64), images)
        yield images.reshape(-1, 512)


def _outlines() -> tuple[np.ndarray, ...]:
    """The polygons of square, ellipse and heart at scale 1, (2, V): u right, v down, in pixels."""
    square = 9.6 * np.array([[-1, 1, 1, -1], [-1, -1, 1, 1]])
    t = 2 * np.pi * np.arange(100) / 100
    ellipse = np.stack([9.6 * 1.33 * np.cos(t), 9.6 / 1.33 * np.sin(t)])
    t = 2 * np.pi * np.arange(150) / 150
    height = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    heart = np.stack([9.6 * np.sin(t) ** 3, -9.6 / 14.5 * height - 1.44])
    return square, ellipse, heart


_OUTLINES = _outlines()


def read(paths: list[Path]) -> Iterator[Example]:
    """The images of the published file, which holds them in this order, a byte a pixel."""
    for image, factors in read_grid(paths[0], "imgs", (64, 64), GRID, "dSprites"):
        yield image[..., None], factors


DSPRITES = Definition(
    name="dsprites",
    label="dSprites",
    grid=GRID,
    row_shape=(512,),
    render=lambda: render(FULL),
    publication=Publication(
        files=(FILE,),
        licence="Apache-2.0",
        homepage="https://github.com/google-deepmind/dsprites-dataset",
        read=read,
        convert=np.packbits,
    ),
)

# Always drawn, so that it is the same everywhere.
DSPRITES_MINI = Definition(
    name="dsprites_mini",
    label="dSprites (mini)",
    grid=tuple(factor._replace(size=len(axis)) for factor, axis in zip(GRID, MINI, strict=True)),
    row_shape=(512,),
    render=lambda: render(MINI),
)

DSPRITES_NOSHAPE = replace(
    DSPRITES,
    name="dsprites_noshape",
    label="dSprites (no shape)",
    grid=(GRID[0]._replace(hidden=True), *GRID[1:]),
    stored_as="dsprites",
)
