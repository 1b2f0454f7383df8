"""Publishers' files as rows of the cache, read through a builder on tensorflow-datasets' API."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .cache import cache_dir
from .dataset import DataError, Factor
from .files import PublishedFile, check, find, import_tfds, where_to_put

Example = tuple[np.ndarray, tuple[int, ...]]  # an image as published and all its factors


@dataclass(frozen=True)
class Publication:
    """What a publisher gives, and how to read it.

    Attributes:
        files: all of them are needed.
        licence: in a few words.
        homepage: where it is described.
        image_shape: of an image in the files, uint8.
        read: the examples of the files at these paths, in any order.
        convert: an image in the files -> a row of the cache.
    """

    files: tuple[PublishedFile, ...]
    licence: str
    homepage: str
    image_shape: tuple[int, ...]
    read: Callable[[list[Path]], Iterable[Example]]
    convert: Callable[[np.ndarray], np.ndarray] = lambda image: image

    def found(self, data_dir: Path | None) -> list[Path]:
        """Where the files are; empty unless all of them are there."""
        paths = [find(file, data_dir) for file in self.files]
        return [path for path in paths if path] if all(paths) else []

    def rows(
        self, name: str, grid: tuple[Factor, ...], row_shape: tuple[int, ...], data_dir: Path | None
    ) -> Iterator[np.ndarray]:
        """The cache's rows in the grid's order, from files that lie in `data_dir`.

        Raises:
            DataError: if a file is missing or broken, or the images don't fill the grid.
        """
        paths = self.found(data_dir)
        if not paths:
            missing = [file for file in self.files if not find(file, data_dir)]
            raise DataError(
                f"{name} is not prepared and {missing[0].name} is not there. `teasel data prepare "
                f"{name}` downloads it where it is still served ({self.homepage}). "
                f"{where_to_put(missing[0])}"
            )
        for file, path in zip(self.files, paths, strict=True):
            check(file, path)
        with tempfile.TemporaryDirectory(
            dir=cache_dir() / "datasets", prefix=f".{name}-"
        ) as folder:
            examples = _parsed(name, self.image_shape, len(grid), lambda: self.read(paths), folder)
            yield from in_order(name, grid, row_shape, map(self._row, examples))

    def _row(self, example: Example) -> Example:
        image, factors = example
        return self.convert(image), factors


def in_order(
    name: str, grid: tuple[Factor, ...], row_shape: tuple[int, ...], examples: Iterable[Example]
) -> Iterator[np.ndarray]:
    """Rows in the grid's order, in chunks: streamed as far as they come in order already.

    Raises:
        DataError: unless every combination of factors comes exactly once.
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


def _parsed(
    name: str,
    image_shape: tuple[int, ...],
    num_factors: int,
    read: Callable[[], Iterable[Example]],
    folder: str,
) -> Iterator[Example]:
    """The examples, written once as array_record in `folder` and read back from there."""
    tfds: Any = import_tfds()

    class Builder(tfds.core.GeneratorBasedBuilder):
        """Images as bytes and factors as integers, which takes no TensorFlow to write."""

        VERSION = tfds.core.Version("1.0.0")
        name = "published"
        url_infos: ClassVar[dict[str, Any]] = {}

        def _info(self) -> Any:
            features = {
                "image": tfds.features.Tensor(
                    shape=image_shape, dtype=np.uint8, encoding=tfds.features.Encoding.BYTES
                ),
                "factors": tfds.features.Tensor(shape=(num_factors,), dtype=np.int64),
            }
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(features),
                disable_shuffling=True,
            )

        def _split_generators(self, dl_manager: Any) -> Any:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
            for position, (image, factors) in enumerate(read()):
                yield position, {"image": image, "factors": np.array(factors, np.int64)}

    try:
        with redirect_stdout(StringIO()):  # speaks of its temporary folder
            builder = Builder(data_dir=folder, file_format="array_record")
            builder.download_and_prepare(download_dir=folder)
    except Exception as error:  # parsers of foreign formats raise whatever they like
        cause: BaseException | None = error
        while cause and not isinstance(cause, DataError):
            cause = cause.__cause__ or cause.__context__
        raise cause or DataError(f"{name}: can't read its files: {error!r}") from error
    source = builder.as_data_source("train")
    for start in range(0, len(source), 1024):
        for example in source.__getitems__(range(start, min(start + 1024, len(source)))):
            yield example["image"], example["factors"]
