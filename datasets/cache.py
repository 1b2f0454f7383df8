"""Prepared data sets on disk: one memory-mapped NumPy file each and a small JSON beside it."""

import contextlib
import hashlib
import json
import logging
import math
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..storage import is_half_written, replace_file
from .dataset import DataError, Factor

_LOG = logging.getLogger("teasel")

PUBLISHED = "published file"


def cache_dir() -> Path:
    """The folder for everything that can be made again: TEASEL_CACHE_DIR or the user's cache."""
    given = os.environ.get("TEASEL_CACHE_DIR")
    if given:
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "teasel"


@dataclass(frozen=True)
class Recipe:
    """How to make a data set's stored images.

    Attributes:
        name: The file's name in the cache.
        grid: All factors; the images are in row-major order, last factor fastest.
        row_shape: The shape of one stored image: (512,) as bits, otherwise (H, W, C).
        source: Where the images come from. Images made from the publisher's file (`PUBLISHED`) are
            kept even if only another source is left; all others are made again.
        chunks: Starts making images in runs of consecutive ones, (n, *row_shape) uint8.
        version: Raise it when the same source gives different images.
        table: The factors (N, K) of each image, stored beside them, if they do not form a grid.
        places: The position (N,) of each image in the order of making; None if unchanged.
    """

    name: str
    grid: tuple[Factor, ...]
    row_shape: tuple[int, ...]
    source: str
    chunks: Callable[[], Iterable[np.ndarray]]
    version: int | str = 1
    table: np.ndarray | None = field(default=None, compare=False)
    places: np.ndarray | None = field(default=None, compare=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all stored images."""
        grid = math.prod(factor.size for factor in self.grid)
        return (grid if self.table is None else len(self.table), *self.row_shape)


def open_prepared(recipe: Recipe) -> tuple[np.ndarray, dict[str, Any]]:
    """The stored images, memory-mapped, and the JSON's content; made first if missing.

    Several processes may call it at once: one makes the images and the others wait. The JSON is
    written last, so a file without it is not trusted. Its values (size, time, hash) are compared.

    Raises:
        DataError: If the cache can't be written. Nothing half made stays.
    """
    folder = cache_dir() / "datasets"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"can't make the cache folder {folder}: {error.strerror}; set TEASEL_CACHE_DIR to a "
            "folder that you can write to"
        ) from error
    found = _open(folder, recipe)
    if found is None:
        with _lock(folder / f".{recipe.name}.lock") as alone:
            found = _open(folder, recipe, complain=True)
            if found is None:
                if alone:
                    _sweep(folder, recipe.name)
                _make(folder, recipe)
                found = _open(folder, recipe)
    if found is None:
        raise DataError(f"{folder / recipe.name}.npy changed while being read; try again")
    return found


def description(name: str) -> dict[str, Any] | None:
    """The JSON beside the prepared data set `name`; None if there is none."""
    try:
        return json.loads((cache_dir() / "datasets" / f"{name}.json").read_text())
    except (OSError, ValueError):
        return None


def prepared_table(name: str) -> np.ndarray | None:
    """The table (N, K) of factors beside the prepared data set `name`; None if there is none.

    Raises:
        DataError: If its content was changed.
    """
    path, notes = cache_dir() / "datasets" / f"{name}.factors.npy", description(name) or {}
    if "factors_sha256" not in notes:
        return None
    try:
        table = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    if hashlib.sha256(table.tobytes()).hexdigest() != notes["factors_sha256"]:
        raise DataError(f"{path} is corrupt: remove it and open the data set from its file")
    return table


def _hash_images(path: Path, start: int) -> str:
    """The SHA-256 of a file's content after its header, read in pieces."""
    with open(path, "rb") as file:
        file.seek(start)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open(
    folder: Path, recipe: Recipe, complain: bool = False
) -> tuple[np.ndarray, dict[str, Any]] | None:
    """The prepared data set, or None if it is missing, has another recipe or is corrupt."""
    path, notes = folder / f"{recipe.name}.npy", folder / f"{recipe.name}.json"
    try:
        info = json.loads(notes.read_text())
        if info["version"] != recipe.version or info["source"] not in (PUBLISHED, recipe.source):
            return None
        status = path.stat()
        images = np.load(path, mmap_mode="r")
        intact = images.shape == recipe.shape and images.dtype == np.uint8
        if recipe.table is not None:
            intact = intact and (folder / f"{recipe.name}.factors.npy").exists()
        if intact and [status.st_size, status.st_mtime_ns] != info["stamp"]:
            # Copied or written to since: only the content can tell which.
            intact = _hash_images(path, images.offset) == info["sha256"]
            if intact:
                info["stamp"] = [status.st_size, status.st_mtime_ns]
                with contextlib.suppress(OSError):  # a cache shared read-only is hashed each time
                    _write_json(notes, info)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        intact, images, info = False, np.empty(0), {}
    if not intact and complain:
        warnings.warn(f"{path} is corrupt: making it again", stacklevel=4)
    return (images, info) if intact else None


def _sweep(folder: Path, name: str) -> None:
    """Removes half-made files of killed processes."""
    half = (f".{name}.npy.", f".{name}.json.", f".{name}.factors.npy.")
    for path in folder.iterdir():
        if path.name.startswith(half) and is_half_written(path.name):
            path.unlink()
    for path in folder.glob(f".{name}-*"):
        if path.is_dir():  # where a publisher's files were unpacked
            shutil.rmtree(path)


def _make(folder: Path, recipe: Recipe) -> None:
    """Writes the images under a temporary name, renames them, then writes the JSON."""
    path = folder / f"{recipe.name}.npy"
    size = math.prod(recipe.shape)
    digest = hashlib.sha256()
    try:
        with replace_file(path) as file:
            if hasattr(os, "posix_fallocate"):  # no room: now, and not in an hour
                os.posix_fallocate(file.fileno(), 0, size)
            header = {"descr": "|u1", "fortran_order": False, "shape": recipe.shape}
            np.lib.format.write_array_header_1_0(file, header)
            start, num_images = file.tell(), 0
            for chunk in _with_progress(recipe, recipe.chunks()):
                if chunk.shape[1:] != recipe.row_shape or chunk.dtype != np.uint8:
                    raise DataError(
                        f"{recipe.name}: images are {chunk.dtype} {chunk.shape[1:]}, "
                        f"not uint8 {recipe.row_shape}"
                    )
                chunk = np.ascontiguousarray(chunk)
                if recipe.places is None:
                    file.write(chunk.data)
                    digest.update(chunk.data)
                else:
                    places = recipe.places[num_images : num_images + len(chunk)]
                    for place, row in zip(places.tolist(), chunk, strict=True):
                        file.seek(start + place * row.nbytes)
                        file.write(row.data)
                num_images += len(chunk)
            if num_images != recipe.shape[0]:
                raise DataError(f"{recipe.name}: {num_images} images, not {recipe.shape[0]}")
        status = path.stat()
        in_order = recipe.places is None
        info = {
            "name": recipe.name,
            "version": recipe.version,
            "source": recipe.source,
            "factors": [factor._asdict() for factor in recipe.grid],
            "shape": recipe.shape,
            "sha256": digest.hexdigest() if in_order else _hash_images(path, start),
            "stamp": [status.st_size, status.st_mtime_ns],
        }
        if recipe.table is not None:
            with replace_file(folder / f"{recipe.name}.factors.npy") as file:
                np.save(file, recipe.table)
            info["factors_sha256"] = hashlib.sha256(recipe.table.tobytes()).hexdigest()
        _write_json(folder / f"{recipe.name}.json", info)
    except OSError as error:
        free = shutil.disk_usage(folder).free
        raise DataError(
            f"can't write {path}: {error.strerror}. It takes {size / 1e6:,.0f} MB, up to "
            f"twice that while it is made; {folder} has {free / 1e6:,.0f} MB left. "
            f"Set TEASEL_CACHE_DIR to use another folder."
        ) from error


def _write_json(path: Path, info: dict[str, Any]) -> None:
    with replace_file(path) as file:
        file.write(json.dumps(info, indent=1).encode())


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Lets in one process at a time; gives False if the file system has no locks."""
    try:
        import fcntl
    except ModuleNotFoundError as error:
        raise DataError("data sets need Linux or macOS: on Windows, use WSL 2") from error
    try:
        file = open(path, "w")  # noqa: SIM115
    except OSError as error:
        raise DataError(f"can't write to the cache folder {path.parent}: {error}") from error
    with file:
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _LOG.info("Waiting: another process prepares %s", path.stem[1:])
                fcntl.flock(file, fcntl.LOCK_EX)
            alone = True
        except OSError:
            alone = False
        yield alone


def _with_progress(recipe: Recipe, chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The chunks, with a bar on a terminal, and a message elsewhere."""
    total = recipe.shape[0]
    label = f"{recipe.name}: {total:,} images ({recipe.source})"
    if not sys.stderr.isatty():
        _LOG.info("Preparing %s", label)
        yield from chunks
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(label, total=None)  # the first chunk may take a while
        for chunk in chunks:
            yield chunk
            progress.update(task, total=total, advance=len(chunk))
