"""The data set of a trial."""

from functools import cache

from ...datasets import DATASETS, DataError, Definition, find_file
from .trial import DataFile, Trial


def definition(trial: Trial) -> Definition:
    """The definition of a trial's data set; calling it opens the data set.

    Raises:
        DataError: If the user's file is nowhere, or cannot be read.
    """
    return find_definition(trial.dataset, trial.file)


def find_definition(name: str, file: DataFile | None) -> Definition:
    """The definition of a data set of the catalogue, or of the user's file; as `definition`."""
    if file is None:
        return DATASETS[name]
    return _open_file(name, (file.npz, *file.earlier), file)


@cache
def _open_file(name: str, paths: tuple[str, ...], file: DataFile) -> Definition:
    return find_file(name, paths, file.sha256, **dict(file.options))


def offers(name: str, file: DataFile | None) -> str:
    """What a data set offers to metrics; all of it where the file cannot be read, or not here."""
    try:
        return find_definition(name, file).offers
    except (DataError, KeyError):
        return "all combinations"
