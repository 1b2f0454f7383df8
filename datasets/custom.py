"""The user's data sets: a file of images and factors, or a function of factors."""

import hashlib
import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import hint
from ..settings import SIDES
from .arrays import (
    UNREADABLE,
    Arrays,
    StoredArray,
    image_files,
    open_folder,
    open_h5,
    open_npz,
    shrink,
)
from .cache import description, prepared_table
from .combinations import Combinations
from .dataset import DataError, Factor
from .definition import Definition

_LOG = logging.getLogger("teasel")

IMAGES = ("images", "imgs", "image", "x", "data")
FACTORS = ("factors", "labels", "latents_classes", "latents_values", "y", "targets")
"""Common names of the arrays; the first that exists is used."""

_MOST_VALUES = 1000
"""The most values of a discrete factor with fractions; more need a continuous factor."""


def hash_file(path: Path | str) -> str:
    """The SHA-256 of a file, or of the images and CSV files of a folder with their names.

    The process remembers hashes as long as sizes and times stay the same.

    Raises:
        OSError: if it can't be read.
    """
    if not os.path.isdir(path):
        return _hash(str(path), *_stamp(path))
    folder, digest = Path(path), hashlib.sha256()
    for file in [*image_files(folder), *sorted(folder.glob("*.csv"))]:
        digest.update(f"{_hash(str(file), *_stamp(file))} {file.relative_to(folder)}\n".encode())
    return digest.hexdigest()


def _stamp(path: Path | str) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


@cache
def _hash(path: str, *stamp: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def from_file(
    name: str,
    path: Path | str,
    *,
    images: str | None = None,
    factors: str | None = None,
    factor_names: Sequence[str] = (),
    continuous: bool | Sequence[str] = False,
    resize: int | None = None,
    channels_first: bool = False,
) -> Definition:
    """The data set in an .npz or .h5 file or a folder, identified by content and not by path.

    Factors are numbers or texts of any values, which are ranked. A factor with one value is left
    out. If all combinations occur equally often, the data set is a grid. If they occur more than
    once, the choice among their images is a hidden factor, sampled at random. Otherwise, or if a
    factor is continuous, it has a table of the factors.

    Args:
        name: Its name.
        path: An .npz, an .h5 or .hdf5, or a folder of images with a CSV, whose first column names
            the file and whose others are factors.
        images: The array of the images (N, H, W) or (N, H, W, C), uint8, bool, or floats in [0, 1],
            which are rounded to 256 levels; by default the first of `IMAGES` that exists.
        factors: The array of the factors (N, K) or (N,), or the name of the CSV; by default the
            first of `FACTORS` that exists. If there is none, the data set has no factors.
        factor_names: (K,); by default the array `factor_names`, if it exists. For a CSV, the
            columns that are factors; by default all.
        continuous: The factors whose values are kept unchanged, as float64, or whether all are.
        resize: The new side of each image, in pixels.
        channels_first: Whether images are (N, C, H, W).

    Raises:
        DataError: If the file can't be read, or isn't of this form.
    """
    path = Path(path)
    given = {
        "images": images,
        "factors": factors,
        "factor_names": tuple(factor_names),
        "continuous": continuous if isinstance(continuous, bool) else tuple(continuous),
        "resize": resize,
        "channels_first": channels_first,
    }
    try:
        found = hash_file(path)
        if path.is_dir():
            if images:
                raise DataError(f"{path} is a folder: its images are files, not '{images}'")
            pixels, by_name = open_folder(path, factors, resize)
            columns, names = _choose_columns(path, by_name, factor_names)
        else:
            kind = open_h5 if path.suffix.lower() in (".h5", ".hdf5") else open_npz
            pixels, columns, names = _open_arrays(path, kind(path), images, factors, factor_names)
        row_shape = _check_form(path, pixels, resize, channels_first)
        _to_levels(path, next(pixels.pieces()), 1)
    except UNREADABLE as error:
        raise DataError(f"cannot read images of {path}: {error}") from error
    grid, table = _rank(path, pixels.shape[0], names, columns, continuous)
    known, places = Combinations(table), None
    counts, sizes = known.counts, [factor.size for factor in grid]
    balanced = len(counts) == math.prod(sizes) and counts.min() == counts.max()
    if grid and table.dtype.kind == "i" and balanced:
        if counts[0] > 1:
            grid += (Factor("image", int(counts[0]), hidden=True),)
        table, places = None, np.argsort(known.order)
        places = None if (np.diff(places) == 1).all() else places

    def rows() -> Iterator[np.ndarray]:
        try:
            if (now := hash_file(path)) != found:
                raise DataError(
                    f"{path} now holds a different data set, with the SHA-256 {now[:16]}..."
                )
            yield from _read_rows(path, pixels, row_shape, channels_first)
        except UNREADABLE as error:
            raise DataError(f"cannot read images of {path}: {error}") from error

    rounded = ", rounded to 256 levels" if pixels.dtype.kind == "f" else ""
    return Definition(
        name,
        grid,
        row_shape,
        render=rows,
        source=f"user's {path.suffix.lower()[1:] if path.is_file() else 'folder'}{rounded}",
        stored_as=_stored_as(found, given),
        table=table,
        places=places,
    )


from_npz = from_file


def _stored_as(sha256: str, given: Mapping[str, Any]) -> str:
    """The file's name in the cache, made of its content and of how it is read."""
    chosen = {key: value for key, value in sorted(given.items()) if value}
    read = hashlib.sha256(repr(chosen).encode()).hexdigest()[:8]
    return f"npz_{sha256[:16]}" + (f"_{read}" if chosen else "")


def _choose_columns(
    path: Path, by_name: Mapping[str, np.ndarray], factor_names: Sequence[str]
) -> tuple[list[np.ndarray], list[str]]:
    """The columns of a CSV that are factors, and their names."""
    names = list(factor_names or by_name)
    for name in names:
        if name not in by_name:
            raise DataError(f"the CSV of {path} has no column '{name}'{hint(name, list(by_name))}")
    return [by_name[name] for name in names], names


def _open_arrays(
    path: Path, arrays: Arrays, images: str | None, factors: str | None, factor_names: Sequence[str]
) -> tuple[StoredArray, list[np.ndarray], list[str]]:
    """The images of a file, its factors by column, and their names."""
    for key in (images, factors):
        if key is not None and key not in arrays:
            raise DataError(f"{path} has no array '{key}'{hint(key, list(arrays))}")
    found = images or next((key for key in IMAGES if key in arrays), None)
    if found is None:
        raise DataError(
            f"{path} has the arrays {', '.join(arrays)}, none of {', '.join(IMAGES)}: name "
            f"the array of images with `images: NAME`"
        )
    pixels = arrays[found]()
    factors = factors or next((key for key in FACTORS if key in arrays and key != found), None)
    if factors is None:
        return pixels, [], []
    opened = arrays[factors]()
    if len(opened.shape) not in (1, 2) or opened.shape[0] != pixels.shape[0]:
        raise DataError(
            f"{path}: {factors} are {opened.dtype} {opened.shape}, not (N, K) for the "
            f"N = {pixels.shape[0]} images"
        )
    table = opened.read().reshape(opened.shape[0], -1)
    names = list(factor_names)
    if not names and "factor_names" in arrays:
        names = [str(name) for name in arrays["factor_names"]().read()]
    names = names or [f"factor_{place}" for place in range(table.shape[1])]
    if len(names) != table.shape[1] or len(set(names)) < len(names):
        raise DataError(f"{path}: {table.shape[1]} factors, but the names {tuple(names)}")
    return pixels, list(table.T), names


def _rank(
    path: Path,
    num_images: int,
    names: Sequence[str],
    columns: Sequence[np.ndarray],
    continuous: bool | Sequence[str],
) -> tuple[tuple[Factor, ...], np.ndarray]:
    """The factors with several values, and their table (N, K)."""
    for name in () if isinstance(continuous, bool) else continuous:
        if name not in names:
            raise DataError(f"{path}: continuous: no factor '{name}'{hint(name, list(names))}")
    grid: list[Factor] = []
    kept: list[np.ndarray] = []
    for name, column in zip(names, columns, strict=True):
        as_is = continuous if isinstance(continuous, bool) else name in continuous
        kind = column.dtype.kind
        if kind not in "iubfUS" or (kind in "US" and as_is):
            raise DataError(f"{path}: the factor {name} is {column.dtype}; expected numbers")
        if kind == "f" and not np.isfinite(column).all():
            raise DataError(f"{path}: the factor {name} has values that are not finite")
        values, ranks = np.unique(column, return_inverse=True)
        if len(values) == 1:
            _LOG.info("%s: the factor %s is left out, because it has only one value", path, name)
            continue
        if kind == "f" and not as_is and len(values) > _MOST_VALUES:
            raise DataError(
                f"{path}: the factor {name} has {len(values):,} values; expected at most "
                f"{_MOST_VALUES:,}, or `continuous: [{name}]`"
            )
        grid.append(Factor(name, len(values)))
        kept.append(column.astype(np.float64) if as_is else ranks)
    return tuple(grid), np.stack(kept, axis=1) if kept else np.empty((num_images, 0), np.int64)


def _check_form(
    path: Path | str, pixels: StoredArray, resize: int | None, channels_first: bool
) -> tuple[int, int, int]:
    """The shape (H, W, C) of a stored image.

    Raises:
        DataError: If a data set cannot have such images.
    """
    shape = pixels.shape[1:]
    if len(shape) not in (2, 3) or 0 in pixels.shape:
        raise DataError(f"{path}: images are {pixels.shape}, not (N, H, W) or (N, H, W, C)")
    if pixels.dtype not in (np.uint8, np.bool_) and pixels.dtype.kind != "f":
        raise DataError(
            f"{path}: images are {pixels.dtype}, not uint8, bool, or floats in [0, 1] "
            f"(images.astype('uint8') converts levels from 0 to 255)"
        )
    shape = shape if len(shape) == 3 else (1, *shape) if channels_first else (*shape, 1)
    height, width, channels = (*shape[1:], shape[0]) if channels_first else shape
    turned = height != width == channels and height <= 4
    if resize is not None and not turned:
        height = width = resize
    if height != width or height not in SIDES:
        mend = "set `channels_first: true`" if turned else "`resize: 64` resizes them"
        raise DataError(
            f"{path}: images are {height} x {width} with {channels} channels, not square with "
            f"{', '.join(map(str, SIDES))} pixels a side; {mend}"
        )
    return height, width, channels


def _to_levels(path: Path | str, images: np.ndarray, scale: int) -> np.ndarray:
    """The images as uint8 from 0 to 255."""
    if images.dtype == np.bool_ or scale != 1:
        return images.astype(np.uint8) * np.uint8(255)
    if images.dtype == np.uint8:
        return images
    low, high = images.min(), images.max()
    if not (low >= 0 and high <= 1):
        raise DataError(
            f"{path}: images are {images.dtype} from {low:g} to {high:g}, not from 0 to 1 "
            f"(save uint8 levels from 0 to 255, or divide by 255)"
        )
    return np.rint(255 * images).astype(np.uint8)


def _read_rows(
    path: Path, pixels: StoredArray, row_shape: tuple[int, int, int], channels_first: bool
) -> Iterator[np.ndarray]:
    """The images as stored, (n, H, W, C), uint8, in pieces."""
    scale = 1
    if pixels.dtype == np.uint8 and all(piece.max() <= 1 for piece in pixels.pieces()):
        scale = 255  # black and white, as 0 and 1
    for piece in pixels.pieces():
        images = _to_levels(path, piece, scale)
        if images.ndim == 3:
            images = images[..., None]
        elif channels_first:
            images = np.moveaxis(images, 1, -1)
        if images.shape[1:3] != row_shape[:2]:
            images = shrink(images, row_shape[0])
        yield images


def find_file(name: str, paths: Sequence[str], sha256: str, **options: Any) -> Definition:
    """The data set of a file with known content, from its path or else from the cache.

    Args:
        name: Its name.
        paths: Possible paths; the first with this content is used.
        sha256: The SHA-256 of its content, as from `hash_file`.
        **options: Options of `from_file`.

    Raises:
        DataError: If it is at none of these paths, and was never prepared on this machine.
    """
    seen = []
    for path in paths:
        try:
            found = hash_file(path)
        except OSError:
            seen.append(f"{path} cannot be read")
            continue
        if found == sha256:
            return from_file(name, path, **options)
        seen.append(f"{path} now holds a different data set, with the SHA-256 {found[:16]}...")
    stored_as = _stored_as(sha256, options)
    advice = (
        f"{name} is the file with the SHA-256 {sha256[:16]}...: {'; '.join(seen)}; and it is not "
        "prepared in this machine's cache. Put it back, or run the study's grid once with `file` "
        "naming the place where it is now"
    )
    notes = description(stored_as)
    if notes is None:
        raise DataError(advice)

    def rows() -> Iterator[np.ndarray]:
        raise DataError(advice)

    return Definition(
        name,
        tuple(Factor(**factor) for factor in notes["factors"]),
        tuple(notes["shape"][1:]),
        render=rows,
        source=notes["source"],
        stored_as=stored_as,
        version=notes["version"],
        table=prepared_table(stored_as),
    )


def from_function(
    name: str,
    factors: Mapping[str, int],
    render: Callable[[np.ndarray], np.ndarray],
    label: str = "",
) -> Definition:
    """The data set whose images are `render(factors)`, rendered into the cache once.

    Args:
        name: Its name, and that of its file in the cache.
        factors: The number of values of each factor, the last one fastest.
        render: Factors (n, K), int64, from 0 -> images (n, H, H, C), uint8, H a power of two from
            16 to 256. The same factors must give the same image. If 64 images spread over the grid
            differ from before, all are rendered again.
        label: Its label in tables and figures; by default its name.

    Raises:
        DataError: If `render` returns images of another form.

    >>> def grey(factors):
    ...     return np.tile(80 * factors[:, :, None, None], (1, 64, 64, 1)).astype(np.uint8)
    >>> from_function("grey", {"level": 4}, grey)()
    <grey: 4 images (64, 64, 1), level 4; user's function>
    """
    sizes = tuple(factors.values())
    if not sizes or min(sizes) < 2:
        raise DataError(f"{name}: every factor needs at least two values, got {dict(factors)}")
    num_images = int(np.prod(sizes))

    def render_images(indices: np.ndarray) -> np.ndarray:
        images = np.asarray(render(np.stack(np.unravel_index(indices, sizes), axis=-1)))
        if images.shape[:1] != (len(indices),) or images.ndim != 4:
            raise DataError(
                f"{name}: {len(indices)} factors gave images of shape {images.shape}, "
                f"not ({len(indices)}, H, H, C)"
            )
        if images.dtype != np.uint8:
            raise DataError(f"{name}: images are {images.dtype}, not uint8")
        _check_form(name, StoredArray(images.shape, images.dtype, lambda: iter(())), None, False)
        return images

    def rows() -> Iterator[np.ndarray]:
        for part in np.array_split(np.arange(num_images), num_images // 1024 + 1):
            yield render_images(part)

    spread = render_images(np.linspace(0, num_images - 1, min(64, num_images)).astype(np.int64))
    return Definition(
        name,
        tuple(Factor(factor, size) for factor, size in factors.items()),
        spread.shape[1:],
        render=rows,
        source="user's function",
        stored_as=f"function_{name}",
        version=hashlib.sha256(spread.tobytes()).hexdigest(),
        label=label,
    )
