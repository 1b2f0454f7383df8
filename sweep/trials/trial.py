"""Trials: one model to train each, named by what determines its numbers."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

PROTOCOL = 1
"""Raised when the same trial would give other numbers than before."""


@dataclass(frozen=True)
class Training:
    """The settings of a training that every method shares; the defaults are the paper's.

    Attributes:
        steps: Updates of the parameters.
        batch_size: Images a step.
        learning_rate: Of the VAE's Adam.
        num_latents: Width of the code.
        evaluation_batches: Batches whose mean gives the final losses.
    """

    steps: int = 300_000
    batch_size: int = 64
    learning_rate: float = 1e-4
    num_latents: int = 10
    evaluation_batches: int = 1000


@dataclass(frozen=True)
class DataFile:
    """A data set of the user's own: a file, known by its content and not by its path."""

    npz: str
    sha256: str


@dataclass(frozen=True)
class Trial:
    """One model to train: all that determines its numbers, in plain JSON values.

    Attributes:
        dataset: A name of the catalogue, or what the user calls `file`.
        method: A name of the catalogue.
        hyperparameters: Of the method, all of them.
        seed: Of weights, batches and noise.
        training: The settings.
        file: The user's own data set, if it is one.
        method_version: Of the method's code.
    """

    dataset: str
    method: str
    hyperparameters: dict[str, float]
    seed: int
    training: Training
    file: DataFile | None = None
    method_version: int = 1

    @property
    def setting(self) -> tuple[Any, ...]:
        """What trials that differ only in their seed have in common."""
        return (*self.program, *sorted(self.hyperparameters.items()))

    @property
    def program(self) -> tuple[Any, ...]:
        """What trials that run in one compiled program have in common."""
        return (self.dataset, self.file, self.method, self.method_version, self.training)

    @cached_property
    def trial_id(self) -> str:
        """The first 16 hex digits of the SHA-256 of the trial's canonical JSON."""
        identity = {
            "protocol": PROTOCOL,
            "dataset": f"sha256:{self.file.sha256}" if self.file else self.dataset,
            "method": self.method,
            "hyperparameters": self.hyperparameters,
            "seed": self.seed,
            "training": vars(self.training),
        }
        if self.method_version > 1:  # absent at first: what has no versions keeps its names
            identity["method_version"] = self.method_version
        return hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:16]

    def __hash__(self) -> int:
        return hash(self.trial_id)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no spaces, and one spelling per number.

    >>> canonical_json({"b": 4.0, "a": [1e-4, True]})
    '{"a":[0.0001,true],"b":4}'
    """
    return json.dumps(_one_spelling(value), sort_keys=True, separators=(",", ":"))


def short_hash(value: Any, digits: int = 12) -> str:
    """The first hex digits of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:digits]


def seeds_first(trials: Iterable[Trial]) -> list[Trial]:
    """The trials reordered: the first seed of every setting, then the second of every setting.

    A study that stops half-way is then a balanced study with fewer seeds.
    """
    seen: dict[tuple[Any, ...], int] = {}
    rounds: list[tuple[int, int, Trial]] = []
    for position, trial in enumerate(trials):
        turn = seen.get(trial.setting, 0)
        seen[trial.setting] = turn + 1
        rounds.append((turn, position, trial))
    return [trial for _, _, trial in sorted(rounds, key=lambda entry: entry[:2])]


def _one_spelling(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _one_spelling(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_one_spelling(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
