"""Arrays in files: an .npz, an .h5, or a folder of images with a CSV, all read in pieces."""

import csv
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path, PurePath
from typing import IO, NamedTuple

import numpy as np

from .dataset import DataError, Example, Factor

UNREADABLE = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error)
"""Errors of reading a broken file."""

_PIECE_BYTES = 4 << 20
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


class StoredArray(NamedTuple):
    """An array in a file; only its shape and type are in memory.

    Attributes:
        shape: Its shape.
        dtype: Its type.
        pieces: Starts reading in runs of consecutive rows, some megabytes each.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    pieces: Callable[[], Iterator[np.ndarray]]

    def read(self) -> np.ndarray:
        """The whole array."""
        return np.concatenate([np.empty((0, *self.shape[1:]), self.dtype), *self.pieces()])


Arrays = Mapping[str, Callable[[], StoredArray]]
"""Functions that open the arrays of a file, by name."""


def open_npz(path: Path) -> Arrays:
    """The arrays of an .npz file.

    Raises:
        OSError, ValueError, zipfile.BadZipFile and others of `UNREADABLE`: If it is broken; also
            from opening or reading the arrays.
    """
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
    return {name.removesuffix(".npy"): partial(_open_member, path, name) for name in names}


def _open_member(path: Path, name: str) -> StoredArray:
    with zipfile.ZipFile(path) as archive, archive.open(name) as file:
        shape, in_columns, dtype = _read_header(file)
    if not shape:
        raise ValueError(f"{name} is a single value")
    step, row_bytes = _step(shape, dtype)

    def pieces() -> Iterator[np.ndarray]:
        if in_columns or dtype.hasobject:  # NumPy reads it whole, or refuses it
            yield from np.split(whole := np.load(path)[name], range(step, len(whole), step))
            return
        with zipfile.ZipFile(path) as archive, archive.open(name) as file:
            _read_header(file)
            for start in range(0, shape[0], step):
                num = min(step, shape[0] - start)
                content = file.read(num * row_bytes)
                yield np.frombuffer(content, dtype).reshape(num, *shape[1:])

    return StoredArray(shape, dtype, pieces)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    form = np.lib.format
    old = form.read_magic(file) == (1, 0)
    return (form.read_array_header_1_0 if old else form.read_array_header_2_0)(file)


def _step(shape: tuple[int, ...], dtype: np.dtype) -> tuple[int, int]:
    """The number of rows in a piece, and the bytes of a row."""
    row_bytes = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
    return max(1, _PIECE_BYTES // max(1, row_bytes)), row_bytes


def read_grid(
    path: Path, name: str, image_shape: tuple[int, ...], grid: Sequence[Factor], title: str
) -> Iterator[Example]:
    """The images of a published .npz, which has them in the grid's order, with their factors.

    Args:
        path: The file.
        name: Of the array of images in it.
        image_shape: Of each.
        grid: The factors, the last one fastest.
        title: What the data set is called, for messages.

    Raises:
        DataError: If it is no such file.
    """
    sizes = [factor.size for factor in grid]
    expected = (math.prod(sizes), *image_shape)
    try:
        images = open_npz(path)[name]()
        if images.shape != expected or images.dtype != np.uint8:
            raise DataError(
                f"{path}: {name} is {images.dtype} {images.shape}, not uint8 {expected}"
            )
        rows = (image for piece in images.pieces() for image in piece)
        yield from zip(rows, product(*map(range, sizes)), strict=True)
    except UNREADABLE as error:
        raise DataError(f"{path} is not the published {title} file: {error}") from error


def open_h5(path: Path) -> Arrays:
    """The arrays of an HDF5 file, by their paths in it; errors are as in `open_npz`."""
    import h5py

    names: list[str] = []
    with h5py.File(path) as file:
        file.visititems(lambda name, item: names.append(name) if hasattr(item, "dtype") else None)
    return {name: partial(_open_h5_array, path, name) for name in names}


def _open_h5_array(path: Path, name: str) -> StoredArray:
    import h5py

    def item(file: h5py.File) -> h5py.Dataset:
        found = file[name]
        if not isinstance(found, h5py.Dataset) or not found.shape:
            raise ValueError(f"{name} is a single value")
        return found

    with h5py.File(path) as file:
        shape, dtype = item(file).shape, item(file).dtype
    texts = h5py.check_string_dtype(dtype) is not None
    step, _ = _step(shape, dtype)

    def pieces() -> Iterator[np.ndarray]:
        with h5py.File(path) as file:
            array = item(file)
            for start in range(0, shape[0], step):
                rows = array[start : start + step]
                yield np.char.decode(rows.astype(bytes), "utf-8") if texts else rows

    return StoredArray(shape, np.dtype(str) if texts else dtype, pieces)


def image_files(folder: Path) -> list[Path]:
    """The images below a folder, by name."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)


def open_folder(
    folder: Path, table: str | None, resize: int | None
) -> tuple[StoredArray, dict[str, np.ndarray]]:
    """The images of a folder (N, H, W, C), and the columns (N,) of its CSV.

    Args:
        folder: A folder with images, possibly in subfolders.
        table: The CSV in the folder: a line of names, then a line for each image with its file in
            the first cell and its factors in the others. By default the only CSV. Without one, the
            images are ordered by name.
        resize: The new side of each image.

    Raises:
        DataError: If the CSV or an image is not of this form.
    """
    tables = [folder / table] if table else sorted(folder.glob("*.csv"))
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise DataError(f"{folder} has several CSV files, {names}: choose one with `factors: NAME`")
    columns: dict[str, np.ndarray] = {}
    files = image_files(folder)
    if tables:
        names, columns = _read_csv(tables[0])
        files = [folder / name for name in names]
    if not files:
        raise DataError(f"{folder} has no images: none of {', '.join(_SUFFIXES)}")
    first = _read_image(files[0], resize)

    def pieces() -> Iterator[np.ndarray]:
        step = max(1, _PIECE_BYTES // first.nbytes)
        for start in range(0, len(files), step):
            images = [_read_image(file, resize) for file in files[start : start + step]]
            for file, image in zip(files[start : start + step], images, strict=True):
                if image.shape != first.shape:
                    raise DataError(
                        f"{file} is {image.shape}, and {files[0].name} {first.shape}: images of a "
                        f"data set have one shape; `resize: 64` gives them one size"
                    )
            yield np.stack(images)

    return StoredArray((len(files), *first.shape), first.dtype, pieces), columns


def _read_csv(path: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    """The files in the first column of a CSV, and the other columns as numbers or texts."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        header, *rows = [row for row in csv.reader(file) if row] or [[]]
    if not rows or len(set(header)) < len(header):
        raise DataError(f"{path}: expected a line of distinct names, and a line for each image")
    for place, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise DataError(f"{path}: line {place} has {len(row)} cells, expected {len(header)}")
        if PurePath(row[0]).is_absolute() or ".." in PurePath(row[0]).parts:
            raise DataError(
                f"{path}: line {place}: {row[0]} is not a file in the folder of the CSV"
            )
    files, *columns = zip(*rows, strict=True)
    named = zip(header[1:], map(_parse, columns), strict=True)
    return list(files), dict(named)


def _parse(cells: tuple[str, ...]) -> np.ndarray:
    for kind in (np.int64, np.float64):
        try:
            return np.array(cells).astype(kind)
        except (ValueError, OverflowError):
            continue
    return np.array(cells)


def _read_image(path: Path, resize: int | None) -> np.ndarray:
    """An image (H, W, C), uint8; C is 1 for grey, 4 with transparency, and otherwise 3.

    Raises:
        DataError: If it cannot be read, or has more than 8 bits.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            if image.mode[:1] in "IF":
                raise DataError(f"{path} has pixels of kind {image.mode}; expected 8 bits")
            grey = image.mode in ("1", "L")
            pixels = np.asarray(
                image.convert("L" if grey else "RGBA" if image.mode == "RGBA" else "RGB")
            )
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(f"cannot read the image {path}: {error}") from error
    pixels = pixels[:, :, None] if grey else pixels
    return pixels if resize is None else shrink(pixels[None], resize)[0]


def shrink(images: np.ndarray, side: int) -> np.ndarray:
    """Images (N, H, W, C), uint8, as (N, side, side, C); each pixel is the mean of its area."""
    from PIL import Image

    small = np.empty((len(images), side, side, images.shape[3]), np.uint8)
    for image, channel in np.ndindex(len(images), images.shape[3]):
        plane = Image.fromarray(np.ascontiguousarray(images[image, :, :, channel]))
        small[image, :, :, channel] = np.asarray(plane.resize((side, side), Image.Resampling.BOX))
    return small
