"""The data set of a trial."""

from functools import cache

from ...datasets import DATASETS, Definition, from_npz
from .trial import DataFile, Trial


def definition(trial: Trial) -> Definition:
    """The definition of a trial's data set; calling it opens the data set.

    Raises:
        DataError: If the user's file cannot be read, or is not the one the study began with.
    """
    return _open_file(trial.dataset, trial.file) if trial.file else DATASETS[trial.dataset]


@cache
def _open_file(name: str, file: DataFile) -> Definition:
    return from_npz(name, file.npz, file.sha256)
