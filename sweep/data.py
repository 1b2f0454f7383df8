"""The data set of a trial: of the catalogue, or the user's own file."""

import hashlib

from ..datasets import DATASETS, DataError, Definition, from_npz
from .trials import Trial


def definition(trial: Trial) -> Definition:
    """The definition of a trial's data set; calling it opens the data set.

    Raises:
        DataError: If the user's file cannot be read, or is not the one the study began with.
    """
    if trial.file is None:
        return DATASETS[trial.dataset]
    with open(trial.file.npz, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != trial.file.sha256:
        raise DataError(
            f"{trial.file.npz} has the SHA-256 {found[:16]}..., the study began with "
            f"{trial.file.sha256[:16]}...: it is another data set now"
        )
    return from_npz(trial.dataset, trial.file.npz)
