"""Tables of the codes of all images, kept between a model's training and its last score."""

import io
from collections.abc import Iterable

import numpy as np

from ...storage import UNSEALED
from .results import Results
from .store import DamagedFileError, MissingFileError


def save(results: Results, trial_id: str, mean: np.ndarray, log_variance: np.ndarray) -> None:
    """Saves the posterior of all images, two (images, D) float32 arrays."""
    buffer = io.BytesIO()
    np.save(buffer, np.stack([mean, log_variance]))
    buffer.write(UNSEALED.encode())
    results.store.write(_name(trial_id), buffer.getvalue())


def load(results: Results, trial_id: str) -> tuple[np.ndarray, np.ndarray] | None:
    """The mean and log variance of all images, or None if they are missing or damaged."""
    try:
        content = io.BytesIO(results.store.read(_name(trial_id)))
        mean, log_variance = np.lib.format.read_array(content, allow_pickle=False)
    except (MissingFileError, DamagedFileError, ValueError, TypeError, MemoryError):
        return None
    return mean, log_variance


def forget(results: Results, trial_id: str) -> None:
    """Removes a table, which can be made again from the parameters."""
    results.store.remove(_name(trial_id))


def forget_all(results: Results, trial_ids: Iterable[str]) -> None:
    """Removes the remaining tables of these trials, which need no more scores."""
    needless = {_name(trial_id) for trial_id in trial_ids}
    for name in results.store.files("codes"):
        if name in needless:
            results.store.remove(name)


def _name(trial_id: str) -> str:
    return f"codes/{trial_id}.npy"
