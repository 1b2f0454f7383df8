"""`--select`: conditions on trials, such as ``method=beta_vae,dataset=dsprites,seed<5``."""

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

from ...errors import TeaselError, hint
from ..trials.trial import Trial
from .locatello2019 import model_num

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "!=": operator.ne, "<=": operator.le, ">=": operator.ge,
    "=": operator.eq, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_COMPUTED: dict[str, Callable[[Trial], Any]] = {
    "model_num": model_num,
    "trial_id": lambda trial: trial.trial_id,
}
"""Names in conditions that are computed from a trial."""

_CONDITION = re.compile(r"^\s*(\w+)\s*(!=|<=|>=|=|<|>)\s*(\S+)\s*$")


class SelectionError(TeaselError):
    """A selection is malformed or selects nothing; the message says where and what is allowed."""


def select(trials: Iterable[Trial], expression: str | None) -> list[Trial]:
    """The trials that meet every condition of `expression`; all of them if it is None.

    Args:
        trials: The trials to select from.
        expression: Conditions joined by commas: a name (dataset, method, seed, trial_id, model_num,
            a training setting or a hyper-parameter), one of = != < <= > >=, and a value. A trial
            without the hyper-parameter, or without a number in the paper, does not meet the
            condition.

    Raises:
        SelectionError: If a condition is malformed or names something that no trial has, or if no
            trial is left.
    """
    trials = list(trials)
    if expression is None:
        return trials
    chosen = trials
    for text in expression.split(","):
        match = _CONDITION.match(text)
        if not match:
            raise SelectionError(
                f"--select: cannot read {text!r}; expected NAME=VALUE (or != < <= > >=), "
                "joined by commas"
            )
        name, sign, value = match.groups()
        known = {fact for trial in trials for fact in trial.facts} | _COMPUTED.keys()
        if name not in known:
            raise SelectionError(f"--select: no trial has {name!r}{hint(name, sorted(known))}")
        read = _COMPUTED.get(name, lambda trial, name=name: trial.facts.get(name))
        texts = {fact for trial in trials if isinstance(fact := read(trial), str)}
        if texts and sign == "=" and value not in texts:
            nearest = hint(value, sorted(texts))
            raise SelectionError(f"--select: no trial has {name} {value!r}{nearest}")
        chosen = [trial for trial in chosen if _meets(read(trial), sign, value)]
    if not chosen:
        raise SelectionError(f"--select: no trial meets {expression!r}")
    return chosen


def _meets(fact: Any, sign: str, text: str) -> bool:
    if fact is None:
        return False
    if isinstance(fact, str):
        return _OPERATORS[sign](fact, text)
    try:
        return _OPERATORS[sign](fact, float(text))
    except ValueError:
        raise SelectionError(f"--select: expected a number, got {text!r}") from None
