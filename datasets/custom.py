"""Data sets of the user's own: an .npz of images and factors, or a function of factors."""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from .cache import description
from .dataset import DataError, Factor
from .definition import Definition


def hash_npz(path: Path | str) -> str:
    """The SHA-256 of a file; read once by a process, as long as its size and its times stay.

    Raises:
        OSError: if it can't be read.
    """
    status = os.stat(path)
    return _hash(str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@cache
def _hash(path: str, *stamp: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def from_npz(name: str, path: Path | str) -> Definition:
    """The data set in an .npz file; it is known by its content, not by its path.

    Args:
        name: What to call it.
        path: The file, with `images` (N, 64, 64) or (N, 64, 64, C), C 1 or 3, uint8 or bool;
            `factors` (N, K), integers, any values; and, if wanted, `factor_names` (K,). Every
            combination of the factors' values has to come equally often; if more than once, which
            of its images is meant is a hidden factor, drawn at random.

    Raises:
        DataError: If the file can't be read, or isn't of this form.
    """
    path = Path(path)
    try:
        found = hash_npz(path)
    except OSError as error:
        raise DataError(f"{path} is not an .npz with images and factors: {error}") from error
    shape, factors, names = _read(path)
    columns = [np.unique(column, return_inverse=True) for column in factors.T]
    sizes = tuple(len(values) for values, _ in columns)
    if 1 in sizes:
        raise DataError(f"{path}: factor {names[sizes.index(1)]} has one value only: leave it out")
    combinations = np.ravel_multi_index(tuple(ranks for _, ranks in columns), sizes)
    counts = np.bincount(combinations, minlength=int(np.prod(sizes)))
    if counts.min() != counts.max():
        rarest = np.unravel_index(counts.argmin(), sizes)
        values = zip(names, columns, rarest, strict=True)
        raise DataError(
            f"{path}: every combination of factors has to come equally often; there are "
            f"{counts.min()} images of {', '.join(f'{n} {c[0][i]}' for n, c, i in values)}, "
            f"and {counts.max()} of another"
        )
    grid = tuple(Factor(factor, size) for factor, size in zip(names, sizes, strict=True))
    if counts.max() > 1:
        grid += (Factor("image", int(counts.max()), hidden=True),)
    order = np.argsort(combinations, kind="stable")
    row_shape = (64, 64, *(shape[3:] or (1,)))

    def rows() -> Iterator[np.ndarray]:
        with np.load(path) as arrays:
            images = arrays["images"].astype(np.uint8)
        if images.max() <= 1:  # black and white, as 0 and 1
            images *= 255
        for part in np.array_split(order, len(order) // 1024 + 1):
            yield images[part].reshape(-1, *row_shape)

    return Definition(
        name, grid, row_shape, render=rows, source="user's npz", stored_as=f"npz_{found[:16]}"
    )


def find_npz(name: str, paths: Sequence[str], sha256: str) -> Definition:
    """The data set of an .npz whose content is known: from where it lies, else from the cache.

    Args:
        name: What to call it.
        paths: Where it may be; the first with this content is taken.
        sha256: Of the file.

    Raises:
        DataError: If it is at none of these places, and was never prepared on this machine.
    """
    seen = []
    for path in paths:
        try:
            found = hash_npz(path)
        except OSError:
            seen.append(f"{path} cannot be read")
            continue
        if found == sha256:
            return from_npz(name, path)
        seen.append(f"{path} is another data set now, with the SHA-256 {found[:16]}...")
    stored_as = f"npz_{sha256[:16]}"
    advice = (
        f"{name} is the file with the SHA-256 {sha256[:16]}...: {'; '.join(seen)}; and it is not "
        "prepared in this machine's cache. Put it back, or run the study's grid once with `npz` "
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
    )


def from_function(
    name: str,
    factors: Mapping[str, int],
    render: Callable[[np.ndarray], np.ndarray],
    label: str = "",
) -> Definition:
    """The data set whose images are `render(factors)`; drawn into the cache once.

    Args:
        name: What to call it, and its file in the cache.
        factors: The number of values of each factor, the last one fastest.
        render: Factors (n, K), int64, from 0 -> images (n, 64, 64, C), uint8, C 1 or 3. The same
            factors must give the same image. If 64 images spread over the grid come out otherwise
            than before, all are drawn again.
        label: What to call it in tables and figures; by default its name.

    Raises:
        DataError: If `render` gives images of another form.

    >>> def grey(factors):
    ...     return np.tile(80 * factors[:, :, None, None], (1, 64, 64, 1)).astype(np.uint8)
    >>> from_function("grey", {"level": 4}, grey)()
    <grey: 4 images (64, 64, 1), level 4; user's function>
    """
    sizes = tuple(factors.values())
    if not sizes or min(sizes) < 2:
        raise DataError(f"{name}: every factor needs two values or more, not {dict(factors)}")
    num_images = int(np.prod(sizes))

    def render_images(indices: np.ndarray) -> np.ndarray:
        images = np.asarray(render(np.stack(np.unravel_index(indices, sizes), axis=-1)))
        if images.shape[:1] != (len(indices),) or images.ndim != 4:
            raise DataError(
                f"{name}: {len(indices)} factors gave images of shape {images.shape}, "
                f"not ({len(indices)}, 64, 64, C)"
            )
        _check(name, images.shape, images.dtype, (np.uint8,))
        return images

    def rows() -> Iterator[np.ndarray]:
        for part in np.array_split(np.arange(num_images), num_images // 1024 + 1):
            yield render_images(part)

    spread = render_images(np.linspace(0, num_images - 1, min(64, num_images)).astype(np.int64))
    return Definition(
        name,
        tuple(Factor(factor, size) for factor, size in factors.items()),
        (64, 64, spread.shape[3]),
        render=rows,
        source="user's function",
        stored_as=f"function_{name}",
        version=hashlib.sha256(spread.tobytes()).hexdigest(),
        label=label,
    )


def _read(path: Path) -> tuple[tuple[int, ...], np.ndarray, tuple[str, ...]]:
    """The images' shape, the factors and their names, all checked."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open("images.npy") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        with np.load(path) as arrays:
            factors = arrays["factors"]
            names = arrays.get("factor_names")
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not an .npz with images and factors: {error}") from error
    if factors.ndim != 2 or factors.dtype.kind not in "iu" or len(factors) != shape[0]:
        raise DataError(
            f"{path}: factors are {factors.dtype} {factors.shape}, not integers (N, K) for the "
            f"N = {shape[0]} images"
        )
    _check(str(path), shape, dtype, (np.uint8, np.bool_))
    named = tuple(map(str, names)) if names is not None else ()
    if names is not None and len(set(named)) != factors.shape[1]:
        raise DataError(f"{path}: {factors.shape[1]} factors, but the names {named}")
    return shape, factors, named or tuple(f"factor_{k}" for k in range(factors.shape[1]))


def _check(name: str, shape: tuple[int, ...], dtype: np.dtype, allowed: tuple[type, ...]) -> None:
    if shape[1:] not in ((64, 64), (64, 64, 1), (64, 64, 3)):
        raise DataError(f"{name}: images are {shape[1:]}, not (64, 64), (64, 64, 1) or (64, 64, 3)")
    if dtype not in allowed:
        raise DataError(
            f"{name}: images are {dtype}, not uint8 (numpy.rint(255 * images).astype('uint8') "
            f"makes them so from the unit interval)"
        )
