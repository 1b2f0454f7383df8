"""The builder for tensorflow-datasets, imported only to read publishers' files."""

import errno
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from itertools import islice
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from .dataset import DataError, Example

tfds.disable_progress_bar()  # the cache has its own

# Beyond 1 GB a split, tensorflow-datasets sorts its examples on disk, by TensorFlow.
_SPLIT_BYTES = 400e6


class PublishedImages(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Rows of the cache, as bytes, with their factors; uses array_record without TensorFlow."""

    VERSION = tfds.core.Version("1.0.0")
    # The files come checked, and looking for a table of checksums wants one more package.
    url_infos = {}  # pyright: ignore[reportIncompatibleVariableOverride]  # noqa: RUF012

    def __init__(
        self,
        folder: str,
        shape: tuple[int, ...],
        num_factors: int,
        read: Callable[[], Iterable[Example]],
    ):
        self._read = read
        self._features = {
            "row": tfds.features.Tensor(
                shape=shape[1:], dtype=np.uint8, encoding=tfds.features.Encoding.BYTES
            ),
            "factors": tfds.features.Tensor(shape=(num_factors,), dtype=np.int64),
        }
        row_bytes = math.prod(shape[1:]) + 100
        self._split_size = int(_SPLIT_BYTES / row_bytes)
        self.num_splits = math.ceil(shape[0] / self._split_size)
        super().__init__(data_dir=folder, file_format="array_record")

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict(self._features)
        return tfds.core.DatasetInfo(builder=self, features=features, disable_shuffling=True)

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        examples = iter(self._read())
        lengths = [self._split_size] * (self.num_splits - 1) + [None]  # the last takes the rest
        return {
            f"part_{part}": self._generate_examples(islice(examples, length))
            for part, length in enumerate(lengths)
        }

    def _generate_examples(
        self, examples: Iterable[Example]
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        for position, (row, factors) in enumerate(examples):
            yield position, {"row": row, "factors": np.array(factors, np.int64)}


def parse(
    name: str,
    folder: str,
    shape: tuple[int, ...],
    num_factors: int,
    read: Callable[[], Iterable[Example]],
) -> Iterator[Example]:
    """The result of `read`, written to `folder` once and read back from there.

    Raises:
        DataError: If `read` fails.
        OSError: If the folder has no space left.
    """
    try:
        with redirect_stdout(StringIO()):  # it tells of a folder that will not stay
            builder: Any = PublishedImages(folder, shape, num_factors, read)  # pyright: ignore
            builder.download_and_prepare(download_dir=folder)
    except Exception as error:  # parsers of foreign formats raise whatever they like
        cause: BaseException | None = error
        while cause and not isinstance(cause, DataError):
            cause = cause.__cause__ or cause.__context__
        if cause:
            raise cause from error
        if "No space left" in str(error):  # from C++, as a RuntimeError
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise DataError(f"{name} can't be prepared: {error!r}") from error
    for part in range(builder.num_splits):
        source: Any = builder.as_data_source(f"part_{part}")
        for start in range(0, len(source), 1024):
            for example in source.__getitems__(range(start, min(start + 1024, len(source)))):
                yield example["row"], example["factors"]
