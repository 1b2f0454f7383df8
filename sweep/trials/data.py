"""The data set of a trial."""

from functools import cache

from ...datasets import DATASETS, Definition, find_npz
from .trial import Trial


def definition(trial: Trial) -> Definition:
    """The definition of a trial's data set; calling it opens the data set.

    Raises:
        DataError: If the user's file is nowhere, or cannot be read.
    """
    if trial.file is None:
        return DATASETS[trial.dataset]
    paths = (trial.file.npz, *trial.file.earlier)
    return _open_file(trial.dataset, paths, trial.file.sha256)


@cache
def _open_file(name: str, paths: tuple[str, ...], sha256: str) -> Definition:
    return find_npz(name, paths, sha256)
