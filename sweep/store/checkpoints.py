"""Checkpoints of unfinished packs in a results folder."""

import contextlib
import json
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from ... import TeaselError
from .results import Results
from .store import MissingFileError, StoreError


class CheckpointError(TeaselError):
    """A file that a training should go on from cannot be read."""


class Checkpoint(NamedTuple):
    """Where a trial's saved state is: a file of its pack, at a step."""

    step: int
    name: str


def save(
    results: Results,
    attempt_id: str,
    step: int,
    trial_ids: list[str],
    train_seconds: float,
    content: bytes,
) -> None:
    """Keeps a pack's state, then forgets the older one of the same attempt.

    Args:
        results: Where.
        attempt_id: The attempt's name.
        step: How far the pack is.
        trial_ids: Whom it trains.
        train_seconds: What the training has taken so far, in all attempts.
        content: The state.
    """
    name = f"checkpoints/{attempt_id}-{step}"
    older = [file for file in _of_attempt(results, attempt_id) if not file.startswith(f"{name}.")]
    results.store.write(f"{name}.safetensors", content)
    index = {"step": step, "trial_ids": trial_ids, "train_seconds": train_seconds}
    results.store.write(f"{name}.json", json.dumps(index).encode())
    for file in older:
        results.store.remove(file)


def train_seconds(results: Results, name: str) -> float:
    """What the training had taken when it was saved in the file `name`."""
    index = json.loads(results.store.read(name.removesuffix(".safetensors") + ".json"))
    return index["train_seconds"]


def forget(results: Results, attempt_id: str, origin: str | None, trial_ids: list[str]) -> None:
    """Removes what an attempt that has come to its end has saved, and what it went on from.

    Args:
        results: Where.
        attempt_id: The attempt's name.
        origin: The file it went on from; kept if it holds others than `trial_ids`.
        trial_ids: Whom it has trained.
    """
    files = _of_attempt(results, attempt_id)
    if origin:
        index = origin.removesuffix(".safetensors") + ".json"
        with contextlib.suppress(MissingFileError):  # another driver has removed it
            if set(json.loads(results.store.read(index))["trial_ids"]) <= set(trial_ids):
                files += [index, origin]
    for file in files:
        results.store.remove(file)


def forget_trained(results: Results, trained: Collection[str]) -> None:
    """Removes the checkpoints whose trials have all been trained to the end."""
    for file, index in _indices(results):
        if all(trial_id in trained for trial_id in index["trial_ids"]):
            results.store.remove(file)
            results.store.remove(_state_file(file))


def latest(results: Results) -> dict[str, Checkpoint]:
    """The furthest checkpoint of every trial that has one."""
    found: dict[str, Checkpoint] = {}
    for file, index in _indices(results):
        checkpoint = Checkpoint(index["step"], _state_file(file))
        for trial_id in index["trial_ids"]:
            found[trial_id] = max(found.get(trial_id, checkpoint), checkpoint)
    return found


def newest(results: Results, attempt_id: str) -> str | None:
    """The file of the furthest checkpoint that an attempt has saved, if it has saved one."""
    names = [name for name in _of_attempt(results, attempt_id) if name.endswith(".json")]
    if not names:
        return None
    return _state_file(max(names, key=lambda name: int(name[:-5].rsplit("-", 1)[1])))


def _indices(results: Results) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in results.store.files("checkpoints", ".json"):
        with contextlib.suppress(StoreError):  # its worker has replaced it meanwhile
            yield file, json.loads(results.store.read(file))


def _state_file(index_file: str) -> str:
    return index_file.removesuffix(".json") + ".safetensors"


def _of_attempt(results: Results, attempt_id: str) -> list[str]:
    """Its files, the indices before what they point at."""
    names = [
        n for n in results.store.files("checkpoints") if n.startswith(f"checkpoints/{attempt_id}-")
    ]
    return sorted(names, key=lambda name: not name.endswith(".json"))
