"""Checkpoints of unfinished packs in a results folder: a state, and an index of its trials."""

import contextlib
from collections.abc import Collection, Iterator
from typing import NamedTuple

from ...errors import TeaselError
from .results import Results
from .store import StoreError

_FOLDER = "checkpoints"


class CheckpointError(TeaselError):
    """A checkpoint file that a training should resume from cannot be read."""


class Checkpoint(NamedTuple):
    """The saved state of a pack, and the content of its index.

    Attributes:
        step: The pack's step.
        state_file: The states, a safetensors file.
        index_file: The index, a JSON file written after the states and removed before them.
        trial_ids: The trials whose states it holds.
        train_seconds: The training time so far, over all attempts.
    """

    step: int
    state_file: str
    index_file: str
    trial_ids: tuple[str, ...]
    train_seconds: float


def save(
    results: Results,
    attempt_id: str,
    step: int,
    trial_ids: list[str],
    train_seconds: float,
    content: bytes,
) -> Checkpoint:
    """Saves a pack's state, then removes the older ones of the same attempt.

    Args:
        results: The results folder.
        attempt_id: The attempt's name.
        step: The pack's step.
        trial_ids: The trials of the pack.
        train_seconds: The training time so far, over all attempts.
        content: The state.
    """
    name = f"{_FOLDER}/{attempt_id}-{step}"
    checkpoint = Checkpoint(
        step, f"{name}.safetensors", f"{name}.json", tuple(trial_ids), train_seconds
    )
    older = _files_of_attempt(results, attempt_id)
    results.store.write(checkpoint.state_file, content)
    _write_index(results, checkpoint)
    for file in older:
        if file not in (checkpoint.state_file, checkpoint.index_file):
            results.store.remove(file)
    return checkpoint


def forget(
    results: Results, attempt_id: str, origin: Checkpoint | None, trial_ids: Collection[str]
) -> None:
    """Removes the checkpoints of a finished attempt, and the one that it resumed from.

    Args:
        results: The results folder.
        attempt_id: The attempt's name.
        origin: The checkpoint that it resumed from, kept if it holds other trials too.
        trial_ids: The trials that it has trained.
    """
    for file in _files_of_attempt(results, attempt_id):
        results.store.remove(file)
    if origin and set(origin.trial_ids) <= set(trial_ids):
        remove(results, origin)


def forget_trained(results: Results, trained: Collection[str]) -> None:
    """Removes the checkpoints whose trials have all been trained."""
    for checkpoint in _read(results):
        if all(trial_id in trained for trial_id in checkpoint.trial_ids):
            remove(results, checkpoint)


def forget_trials(results: Results, trial_ids: Collection[str]) -> None:
    """Removes trials from all checkpoints; the states of their packmates stay."""
    for checkpoint in _read(results):
        left = [trial_id for trial_id in checkpoint.trial_ids if trial_id not in trial_ids]
        if not left:
            remove(results, checkpoint)
        elif len(left) < len(checkpoint.trial_ids):
            _write_index(results, checkpoint._replace(trial_ids=tuple(left)))


def remove(results: Results, checkpoint: Checkpoint) -> None:
    """Removes a checkpoint, if it still exists."""
    results.store.remove(checkpoint.index_file)
    results.store.remove(checkpoint.state_file)


def furthest_by_trial(results: Results) -> dict[str, Checkpoint]:
    """The latest checkpoint of every trial that has one."""
    found: dict[str, Checkpoint] = {}
    for checkpoint in _read(results):
        for trial_id in checkpoint.trial_ids:
            found[trial_id] = max(found.get(trial_id, checkpoint), checkpoint)
    return found


def furthest_of_attempt(results: Results, attempt_id: str) -> Checkpoint | None:
    """The latest checkpoint that an attempt has saved, if any."""
    return max(_read(results, f"{attempt_id}-"), default=None)


def _read(results: Results, prefix: str = "") -> Iterator[Checkpoint]:
    """The checkpoints whose file names have this prefix."""
    for file in results.store.files(_FOLDER, ".json"):
        if file.startswith(f"{_FOLDER}/{prefix}"):
            with contextlib.suppress(StoreError):  # replaced meanwhile, or damaged: done again
                index = results.store.read_json(file)
                state_file = f"{file.removesuffix('.json')}.safetensors"  # whatever it says
                trial_ids = tuple(index["trial_ids"])
                yield Checkpoint(index["step"], state_file, file, trial_ids, index["train_seconds"])


def _write_index(results: Results, checkpoint: Checkpoint) -> None:
    results.store.write_json(checkpoint.index_file, checkpoint._asdict())


def _files_of_attempt(results: Results, attempt_id: str) -> list[str]:
    """The files of an attempt, each index before the states it points at."""
    files = results.store.files(_FOLDER)
    own = [file for file in files if file.startswith(f"{_FOLDER}/{attempt_id}-")]
    return sorted(own, key=lambda file: not file.endswith(".json"))
