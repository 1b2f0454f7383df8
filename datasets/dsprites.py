"""dSprites (Matthey et al. 2017): drawn here, exactly as published but for about 100 pixels."""

import zipfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

from .cache import PUBLISHED, Recipe, prepared
from .dataset import DataError, Dataset, Factor
from .files import find

FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
NAMES = ("shape", "scale", "orientation", "position_x", "position_y")
SIZES = (3, 6, 40, 32, 32)

Axes = tuple[np.ndarray, ...]  # the chosen values of every factor
FULL: Axes = tuple(np.arange(size) for size in SIZES)
MINI: Axes = (*FULL[:2], FULL[2][::4], FULL[3][::2], FULL[4][::2])


def dsprites(data_dir: Path | None = None) -> Dataset:
    """All 737,280 images: from the published file if it is there, else drawn."""
    return _load("dsprites", FULL, data_dir)


def dsprites_mini(data_dir: Path | None = None) -> Dataset:
    """Every 4th orientation and every 2nd position of `dsprites`: 46,080 images."""
    return _load("dsprites_mini", MINI, data_dir)


def _load(name: str, axes: Axes, data_dir: Path | None) -> Dataset:
    grid = tuple(Factor(factor, len(axis)) for factor, axis in zip(NAMES, axes, strict=True))
    published = find(FILE, data_dir)
    if published:
        recipe = Recipe(name, grid, (512,), PUBLISHED, lambda: read(published, axes))
    else:
        recipe = Recipe(name, grid, (512,), "drawn", lambda: draw(axes))
    store, info = prepared(recipe)
    return Dataset(name, grid, store, (64, 64, 1), info["source"], info["sha256"])


def draw(axes: Axes) -> Iterator[np.ndarray]:
    """Packed images of the grid over `axes`, all positions of one pose at a time.

    The original program is not published; this follows its images: a polygon per shape, vertices
    rounded to 1/256 pixel, no anti-aliasing.
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


def read(path: Path, axes: Axes) -> Iterator[np.ndarray]:
    """The same from the published file, which holds every image in this order, a byte a pixel."""
    positions = np.ix_(*axes[3:])
    wanted = set(product(*axes[:3]))
    try:
        with zipfile.ZipFile(path) as archive, archive.open("imgs.npy") as file:
            major, _ = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0(file)
            if major != 1 or header[0] != (737280, 64, 64) or header[2] != np.uint8:
                raise DataError(f"{path}: images are {header[2]} {header[0]}, not (737280, 64, 64)")
            for pose in product(*FULL[:3]):
                block = np.frombuffer(file.read(1024 * 4096), np.uint8).reshape(32, 32, 4096)
                if pose in wanted:
                    yield np.packbits(block[positions].reshape(-1, 4096), axis=-1)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not the published dSprites file: {error}") from error
