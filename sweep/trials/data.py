"""The data set of a trial."""

import hashlib
from functools import cache

from ...datasets import DATASETS, DataError, Definition, from_npz
from .trial import DataFile, Trial


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
