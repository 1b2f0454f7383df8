"""Renders the pictures of docs/datasets.md for all available data sets, or those named.

.venv/bin/python docs/render_galleries.py [NAME ...] [--folder docs/pictures]
"""

import argparse
from pathlib import Path

import numpy as np

from teasel.datasets import DATASETS, DataError, Dataset, load

_GAP = 4


def main() -> None:
    """Writes one PNG a data set and says which could not be had."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(DATASETS))
    parser.add_argument("--folder", type=Path, default=Path("docs/pictures"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names:
        try:
            save_gallery(load(name), options.folder / f"{name}.png")
        except DataError as error:
            print(f"{name}: {error}")


def save_gallery(dataset: Dataset, path: Path, num_columns: int = 10, seed: int = 0) -> None:
    """Writes the picture of `gallery` as a PNG of 128 colours: a tenth of the bytes of noise."""
    from PIL import Image

    picture = Image.fromarray(gallery(dataset, num_columns, seed))
    picture.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def gallery(dataset: Dataset, num_columns: int = 10, seed: int = 0) -> np.ndarray:
    """Two rows of random samples over one row per factor, (H, W, 3) uint8, on white.

    The rows of factors start from one random combination; a factor of more values than columns is
    shown at evenly spaced ones. Hidden factors are held where they are, noise is drawn anew.
    """
    rng = np.random.default_rng(seed)
    rows = [rng.integers(len(dataset), size=num_columns) for _ in range(2)]
    start = rng.integers(len(dataset))
    sizes = [factor.size for factor in dataset.grid]
    middle = np.array(np.unravel_index(start, sizes))
    for axis, factor in enumerate(dataset.grid):
        if not factor.hidden:
            steps = np.linspace(0, factor.size - 1, min(num_columns, factor.size)).astype(int)
            walk = np.tile(middle[:, None], len(steps))
            walk[axis] = steps
            rows.append(np.asarray(np.ravel_multi_index(tuple(walk), sizes)))
    strips = [_strip(dataset.images(row, rng), num_columns) for row in rows]
    strips.insert(2, np.full_like(strips[0][: 2 * _GAP], 255))
    return np.concatenate(strips)


def _strip(images: np.ndarray, num_columns: int) -> np.ndarray:
    """Images side by side, a gap after each and below, filled up with white to the width."""
    height, width = images.shape[1:3]
    strip = np.full((height + _GAP, num_columns * (width + _GAP), 3), 255, np.uint8)
    for column, image in enumerate(np.rint(255 * images).astype(np.uint8)):
        left = column * (width + _GAP)
        strip[:height, left : left + width] = image
    return strip


if __name__ == "__main__":
    main()
