"""Trials: one model to train each, identified by everything that determines its numbers."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ...settings import Settings
from ...words import format_count, html_table

PROTOCOL = 1
"""Raised when the same trial gives different numbers than before."""

OPTIONS = ("images", "factors", "factor_names", "continuous", "resize", "channels_first")
"""The keys of a grid that say how to read a file."""


@dataclass(frozen=True)
class DataFile:
    """A user's data set: a file, identified by its content and not by its path.

    Attributes:
        npz: The path last given by the study.
        sha256: SHA-256 of its content.
        earlier: Earlier paths, the most recent first.
        options: How to read it, by the names of `OPTIONS`; defaults are left out.
    """

    npz: str = field(compare=False)
    sha256: str
    earlier: tuple[str, ...] = field(default=(), compare=False)
    options: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "DataFile | None":
        """The file of a data set in a resolved grid, if it has one."""
        if not entry.get("npz"):
            return None
        given = [(name, entry[name]) for name in OPTIONS if entry.get(name)]
        options = [(name, tuple(v) if isinstance(v, list) else v) for name, v in given]
        return cls(entry["npz"], entry["sha256"], options=tuple(options))

    def moved_from(self, before: "DataFile") -> "DataFile":
        """The same file, with the paths that were known before."""
        places = dict.fromkeys((*self.earlier, before.npz, *before.earlier))
        return replace(self, earlier=tuple(place for place in places if place != self.npz))


@dataclass(frozen=True)
class Variant:
    """A data set from which training samples non-uniformly. Scores use all of it.

    Attributes:
        of: The data set's name in the catalogue; empty for a file.
        correlated: As in `teasel.datasets.Sampling`.
        held_out: As in `teasel.datasets.Sampling`.
    """

    of: str
    correlated: tuple[tuple[str, str, float], ...]
    held_out: tuple[tuple[tuple[str, tuple[int, ...]], ...], ...]

    @classmethod
    def of_entry(cls, entry: Mapping[str, Any]) -> "Variant | None":
        """How training samples from a data set in a resolved grid, if not uniformly.

        Equivalent entries get one spelling, because it is part of the trial's identity.
        """
        correlated, held_out = entry.get("correlated") or [], entry.get("held_out") or []
        if not correlated and not held_out:
            return None
        pairs = {(*sorted(pair["factors"]), float(pair["strength"])) for pair in correlated}
        rules = {
            tuple((name, tuple(sorted(values))) for name, values in sorted(rule.items()))
            for rule in held_out
        }
        return cls(entry.get("of") or "", tuple(sorted(pairs)), tuple(sorted(rules)))


@dataclass(frozen=True)
class Trial:
    """One model to train: everything that determines its numbers, as plain JSON values.

    Attributes:
        dataset: A name in the catalogue, or the user's name for `file` or `variant`.
        method: A name in the catalogue.
        hyperparameters: All hyper-parameters of the method.
        seed: The seed of weights, batches and noise.
        training: The training settings.
        file: The user's data set, if it is a file.
        method_version: The version of the method's code.
        variant: How training samples from the data set, if not uniformly.
    """

    dataset: str
    method: str
    hyperparameters: dict[str, float]
    seed: int
    training: Settings
    file: DataFile | None = None
    method_version: int = 1
    variant: Variant | None = None

    @property
    def catalogued(self) -> str:
        """The data set's name in the catalogue, if it is there."""
        return self.variant.of if self.variant and self.variant.of else self.dataset

    @property
    def data(self) -> tuple[Any, ...]:
        """The arguments of `data.find_definition` for its data set."""
        return self.dataset, self.file, self.variant

    @property
    def facts(self) -> dict[str, Any]:
        """What a selection or an exclusion may name, and stands in the trial."""
        names = {"dataset": self.dataset, "method": self.method, "seed": self.seed}
        return self.training._asdict() | self.hyperparameters | names

    @property
    def setting(self) -> tuple[Any, ...]:
        """A key shared by trials that differ only in their seed."""
        setting = (*self.data, self.method, self.method_version, self.training)
        return (*setting, *sorted(self.hyperparameters.items()))

    @property
    def program(self) -> tuple[Any, ...]:
        """A key shared by trials that run in one compiled program."""
        return (*self.data, self.method, self.method_version, self.training.program)

    @cached_property
    def trial_id(self) -> str:
        """The first 16 hex digits of the SHA-256 of the trial's canonical JSON."""
        setting = self.setting
        if setting not in _AROUND_SEED:
            _AROUND_SEED[setting] = canonical_json(self._identity()).partition('"seed":"?"')
        before, _, after = _AROUND_SEED[setting]
        return hashlib.sha256(f'{before}"seed":{self.seed}{after}'.encode()).hexdigest()[:16]

    def _identity(self) -> dict[str, Any]:
        """What determines the model's numbers, with "?" for the seed."""
        identity = {
            "protocol": PROTOCOL,
            "dataset": f"sha256:{self.file.sha256}" if self.file else self.catalogued,
            "method": self.method,
            "hyperparameters": self.hyperparameters,
            "seed": "?",
            "training": self.training.identity(),
        }
        if self.file and self.file.options:  # absent where all are the defaults
            identity["data_options"] = dict(self.file.options)
        if self.variant:  # absent where training draws uniformly
            identity["drawn"] = [self.variant.correlated, self.variant.held_out]
        if self.method_version > 1:  # absent at first: what has no versions keeps its names
            identity["method_version"] = self.method_version
        return identity

    def __hash__(self) -> int:
        return hash(self.trial_id)


_AROUND_SEED: dict[tuple[Any, ...], tuple[str, str, str]] = {}
"""The canonical JSON of a setting's trials before, at and after the seed."""


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
    """The trials reordered: the first seed of every setting, then the second, and so on.

    A study that stops half-way is then a balanced study with fewer seeds.
    """
    seen: dict[tuple[Any, ...], int] = {}
    rounds: list[tuple[int, int, Trial]] = []
    for position, trial in enumerate(trials):
        turn = seen.get(trial.setting, 0)
        seen[trial.setting] = turn + 1
        rounds.append((turn, position, trial))
    return [trial for _, _, trial in sorted(rounds, key=lambda entry: entry[:2])]


def tabulate_trials(study: str, trials: Iterable[Trial]) -> str:
    """The trials of a study as HTML for a notebook: a row per data set and method."""
    cells: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        cells.setdefault((trial.dataset, trial.method), []).append(trial)
    rows = []
    for cell, of_cell in cells.items():
        values: dict[str, dict[float, None]] = {}
        for trial in of_cell:
            for name, value in trial.hyperparameters.items():
                values.setdefault(name, {})[value] = None
        swept = [f"{name} = {', '.join(f'{each:g}' for each in of)}" for name, of in values.items()]
        seeds = len({trial.seed for trial in of_cell})
        rows.append((*cell, "; ".join(swept), seeds, len(of_cell)))
    total = format_count(sum(row[-1] for row in rows), "trial")
    titles = ["data set", "method", "hyper-parameters", "seeds", "trials"]
    return html_table(f"{study}: {total}", titles, rows)


def _one_spelling(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _one_spelling(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_one_spelling(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
