"""Shapes3D (Burgess and Kim 2018): an object in a room, 480,000 images."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .dataset import DataError, Example, Factor
from .definition import Definition
from .files import PublishedFile
from .published import Publication

FILE = PublishedFile(
    "3dshapes.h5",
    ("https://storage.googleapis.com/3d-shapes/3dshapes.h5",),
    digest="sha256:0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785",
    num_bytes=267_573_662,
)
GRID = (
    Factor("floor_hue", 10),
    Factor("wall_hue", 10),
    Factor("object_hue", 10),
    Factor("scale", 8),
    Factor("shape", 4),
    Factor("orientation", 15),
)


def read(paths: list[Path]) -> Iterator[Example]:
    """The images of the published file; a label's rank among its column's values is its factor."""
    import h5py

    path = paths[0]
    try:
        with h5py.File(path) as file:
            images, labels = file["images"], file["labels"]
            if not (isinstance(images, h5py.Dataset) and isinstance(labels, h5py.Dataset)):
                raise DataError(f"{path}: images and labels are not both arrays")
            if images.shape[1:] != (64, 64, 3) or labels.shape != (len(images), 6):
                raise DataError(
                    f"{path}: images and labels have shapes {images.shape} and {labels.shape}, "
                    f"not (N, 64, 64, 3) and (N, 6)"
                )
            if images.dtype != np.uint8:
                raise DataError(f"{path}: images are {images.dtype}, not uint8")
            ranks = [np.unique(column, return_inverse=True)[1] for column in labels[:].T]
            factors = np.stack(ranks, axis=-1)
            for start in range(0, len(factors), 1024):
                part = slice(start, start + 1024)
                yield from zip(images[part], factors[part], strict=True)
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{path} is not the published Shapes3D file: {error}") from error


SHAPES3D = Definition(
    name="shapes3d",
    label="Shapes3D",
    grid=GRID,
    row_shape=(64, 64, 3),
    publication=Publication(
        files=(FILE,),
        licence="Apache-2.0",
        homepage="https://github.com/google-deepmind/3d-shapes",
        read=read,
    ),
)
