"""Checks before a run: whether its methods can be traced and its data sets opened."""

import json
import os
import pickle
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ...datasets import DATASETS
from ...errors import TeaselError
from ...models import LIKELIHOODS, METHODS, NETWORKS, PRIORS
from ..trials.data import definition
from ..trials.trial import Trial


class PreflightError(TeaselError):
    """A method or a data set of a grid cannot be used; the message says which and why."""


class MissingFilesError(PreflightError):
    """A grid's only fault is that files of published data sets are missing."""


class Look(NamedTuple):
    """The methods and data sets to check.

    Attributes:
        methods: A trial of each program with a user's code, to be traced.
        datasets: A trial of each data set that may lack something.
        open_data: Whether to open the user's data sets, which may prepare them.
    """

    methods: tuple[Trial, ...]
    datasets: tuple[Trial, ...]
    open_data: bool

    @property
    def is_foreign(self) -> bool:
        """Whether it includes the user's code or files."""
        return bool(self.methods) or any(_is_own(trial) for trial in self.datasets)


def what_to_look_at(untrained: Sequence[Trial], unscored: Sequence[Trial], open_data: bool) -> Look:
    """The parts of some trials to check: all but Teasel's own methods and rendered data sets."""
    programs = {trial.program: trial for trial in reversed(untrained)}
    datasets = {t.data: t for t in reversed([*untrained, *unscored])}
    return Look(
        tuple(t for t in programs.values() if t.method in METHODS and _has_own_code(t)),
        tuple(t for t in datasets.values() if _is_own(t) or definition(t).needs_files),
        open_data,
    )


def _has_own_code(trial: Trial) -> bool:
    """Whether the method, its network, its likelihood or its prior is the user's."""
    chosen = trial.training
    names = (trial.method, chosen.network, chosen.likelihood, chosen.prior)
    known = (METHODS.own, NETWORKS.own, LIKELIHOODS.own, PRIORS.own)
    return not all(name in own for name, own in zip(names, known, strict=True))


def _is_own(trial: Trial) -> bool:
    """Whether the data set is the user's."""
    return trial.file is not None or trial.catalogued not in DATASETS.own


def find_faults(look: Look) -> list[str]:
    """The faults of the methods and data sets, a line each."""
    from ...models.tracing import trace

    faults: list[str] = []
    lacking: set[str] = set()
    for trial in look.datasets:
        try:
            data = definition(trial)
            data.check_files()
            if look.open_data and _is_own(trial):
                data()
        except (Exception, SystemExit) as error:
            faults.append(f"data set {trial.dataset}: {_describe(error)}")
            lacking.add(trial.dataset)
    for trial in look.methods:
        try:
            if trial.dataset not in lacking:
                data = definition(trial)
                trace(METHODS[trial.method], trial.training, data.image_shape, len(data.grid))
        except (Exception, SystemExit) as error:
            faults.append(f"method {trial.method} cannot be traced: {_describe(error)}")
    return list(dict.fromkeys(faults))


def _describe(error: BaseException) -> str:
    """An exception in one line, with its location in the user's code."""
    message = str(error).strip().partition("\n")[0]
    if isinstance(error, TeaselError):
        return message
    import jax

    ours = tuple(str(Path(__file__).parents[2] / room) for room in ("datasets", "models", "sweep"))
    ours += (str(Path(jax.__file__).parent),)
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{f.filename}:{f.lineno}" for f in frames if not f.filename.startswith(ours)]
    text = f"{type(error).__name__}: {message}" + (f" ({places[-1]})" if places else "")
    if isinstance(error, jax.errors.JAXTypeError):
        text += (
            ". Hyper-parameters and arrays are traced values: use jnp.where instead of `if`, and "
            "jnp instead of numpy and math (docs/your_own.md)"
        )
    return text


def answer() -> None:
    """Checks the parts read from standard input, and writes the faults to standard output.

    What the user's code prints goes to standard error.
    """
    out = os.dup(1)
    os.dup2(2, 1)
    faults = find_faults(pickle.load(sys.stdin.buffer))
    with os.fdopen(out, "w") as stream:
        json.dump(faults, stream)
