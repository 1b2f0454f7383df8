"""Ground-truth data: images as a function of factors.

A data set is a grid of factors over one memory-mapped file of images. The same few lines observe
it in NumPy and inside a jitted step, where batches are drawn from a key. `DATASETS` names what
there is, `load` opens it, preparing it first if need be.
"""

from collections.abc import Callable
from pathlib import Path

from .cache import cache_dir
from .dataset import Appearance, DataError, Dataset, Factor
from .dsprites import dsprites, dsprites_mini

__all__ = ["DATASETS", "Appearance", "DataError", "Dataset", "Factor", "cache_dir", "load"]

DATASETS: dict[str, Callable[[Path | None], Dataset]] = {
    "dsprites": dsprites,
    "dsprites_mini": dsprites_mini,
}


def load(name: str, data_dir: Path | str | None = None) -> Dataset:
    """The data set `name` of the catalogue, prepared first if the cache hasn't got it.

    Args:
        name: a key of `DATASETS`.
        data_dir: the folder of publishers' files; by default TEASEL_DATA_DIR, if set.

    Raises:
        ValueError: if the catalogue has no such name.
        DataError: if its files can't be had or the cache can't be written.

    >>> load("dsprites_mini").factor_sizes
    (3, 6, 10, 16, 16)
    """
    if name not in DATASETS:
        raise ValueError(f"no data set {name!r}; there are {', '.join(DATASETS)}")
    return DATASETS[name](Path(data_dir) if data_dir else None)
