"""Publishers' files as rows of the cache."""

import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .cache import cache_dir
from .dataset import DataError, Example, Factor
from .files import PublishedFile, check, find, import_tfds, where_to_put


@dataclass(frozen=True)
class Publication:
    """A publisher's files, and how to read them.

    Attributes:
        files: The files, all of which are needed.
        licence: The licence, in a few words.
        homepage: The address of its description.
        read: Reads the published images and their factors from these paths, in any order.
        convert: Converts a published image to a row of the cache.
    """

    files: tuple[PublishedFile, ...]
    licence: str
    homepage: str
    read: Callable[[list[Path]], Iterable[Example]]
    convert: Callable[[np.ndarray], np.ndarray] = lambda image: image

    def find_files(self, data_dir: Path | None) -> list[Path]:
        """The paths of the files; empty unless all of them exist."""
        paths = [find(file, data_dir) for file in self.files]
        return [path for path in paths if path] if all(paths) else []

    def rows(
        self, name: str, grid: tuple[Factor, ...], row_shape: tuple[int, ...], data_dir: Path | None
    ) -> Iterator[np.ndarray]:
        """The cache's rows in the grid's order, from files in `data_dir`.

        Raises:
            DataError: If a file is missing or broken, or the images don't fill the grid.
        """
        paths = self.find_files(data_dir)
        if not paths:
            missing = [file for file in self.files if not find(file, data_dir)]
            raise DataError(
                f"{name} is not prepared, and some of its files are missing. "
                f"`teasel data prepare {name}` downloads them where they are still served "
                f"({self.homepage}). "
                f"{where_to_put(missing)}"
            )
        for file, path in zip(self.files, paths, strict=True):
            check(file, path)
        import_tfds()
        from .builder import parse

        def examples() -> Iterator[Example]:
            for image, factors in self.read(paths):
                yield self.convert(image), factors

        shape = (math.prod(factor.size for factor in grid), *row_shape)
        with tempfile.TemporaryDirectory(
            dir=cache_dir() / "datasets", prefix=f".{name}-"
        ) as folder:
            rows = parse(name, folder, shape, len(grid), examples)
            yield from put_in_order(name, grid, rows)


def put_in_order(
    name: str, grid: tuple[Factor, ...], examples: Iterable[Example]
) -> Iterator[np.ndarray]:
    """Rows in the grid's order, in chunks, streamed as long as they are already in order.

    Raises:
        DataError: Unless every combination of factors occurs exactly once.
    """
    sizes = tuple(factor.size for factor in grid)
    num_rows = int(np.prod(sizes))
    waiting: dict[int, np.ndarray] = {}
    chunk: list[np.ndarray] = []
    due = 0
    for row, factors in examples:
        if not all(0 <= value < size for value, size in zip(factors, sizes, strict=True)):
            raise DataError(f"{name}: factors {tuple(factors)} are not in a grid of {sizes}")
        index = int(np.ravel_multi_index(tuple(factors), sizes))
        if index < due or index in waiting:
            raise DataError(f"{name}: two images have the factors {tuple(map(int, factors))}")
        waiting[index] = row
        while due in waiting:
            chunk.append(waiting.pop(due))
            due += 1
        if len(chunk) >= 1024:
            yield np.stack(chunk)
            chunk.clear()
    if chunk:
        yield np.stack(chunk)
    if due != num_rows:
        gap = tuple(int(value) for value in np.unravel_index(due, sizes))
        raise DataError(f"{name}: no image has the factors {gap}; sizes are {sizes}")
