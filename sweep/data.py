"""The data set of a trial, and what `teasel data` says of those of the catalogue."""

import hashlib
from functools import cache

from ..catalogue import hint
from ..datasets import DATASETS, DataError, Definition, from_npz
from .trials import DataFile, Trial


def definition(trial: Trial) -> Definition:
    """The definition of a trial's data set; calling it opens the data set.

    Raises:
        DataError: If the user's file cannot be read, or is not the one the study began with.
    """
    return _of_user(trial.dataset, trial.file) if trial.file else DATASETS[trial.dataset]


@cache
def _of_user(name: str, file: DataFile) -> Definition:
    with open(file.npz, "rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != file.sha256:
        raise DataError(
            f"{file.npz} has the SHA-256 {found[:16]}..., the study began with "
            f"{file.sha256[:16]}...: it is another data set now"
        )
    return from_npz(name, file.npz)


def print_list() -> None:
    """Prints what is there of every data set, and how to get what is missing."""
    for name, dataset in DATASETS.items():
        status = dataset.status()
        size = f"{status.num_images:,} images, {status.num_bytes / 1e6:,.0f} MB"
        print(f"{name}: {status.state}; {size}; {status.licence}")
        for line in (status.homepage, status.advice):
            if line:
                print(f"  {line}")


def prepare(name: str) -> None:
    """Makes the cache of a data set, downloading what is missing, and says what it is.

    Raises:
        DataError: If there is no such data set, or its files cannot be had.
    """
    if name not in DATASETS:
        raise DataError(f"unknown data set '{name}'{hint(name, list(DATASETS))}")
    print(DATASETS[name].prepare())
