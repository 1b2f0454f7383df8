"""The data set of a trial."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from ...datasets import DATASETS, DataError, Definition, Sampling, find_file
from .trial import DataFile, Trial, Variant


def definition(trial: Trial) -> Definition:
    """The definition of a trial's data set; calling it opens the data set.

    Raises:
        DataError: If the user's file is missing or cannot be read.
    """
    return find_definition(*trial.data)


def definition_of(entry: Mapping[str, Any]) -> Definition:
    """The definition of a data set in a resolved grid, like `definition`."""
    return find_definition(entry["name"], DataFile.of(entry), Variant.of_entry(entry))


def find_definition(name: str, file: DataFile | None, variant: Variant | None) -> Definition:
    """The definition of a data set of the catalogue or of the user's file, like `definition`.

    Raises:
        DataError: As `definition`, and if training cannot sample from it as `variant` says.
    """
    if file is None:
        found = DATASETS[variant.of if variant else name]
    else:
        found = _open_file(name, (file.npz, *file.earlier), file)
    if variant is None:
        return found
    return found.drawn_by(Sampling(variant.correlated, variant.held_out), name)


@cache
def _open_file(name: str, paths: tuple[str, ...], file: DataFile) -> Definition:
    return find_file(name, paths, file.sha256, **dict(file.options))


def offers(entry: Mapping[str, Any]) -> str:
    """What a data set in a resolved grid offers to metrics; everything if it cannot be read."""
    try:
        return definition_of(entry).offers
    except (DataError, KeyError):
        return "all combinations"
