"""Lists what a study wants but its page lacks, with the reasons."""

from collections.abc import Iterable

from pandas import DataFrame

from ...sweep.store.results import Results
from ...sweep.study.remaining import Remaining, failure_reasons, remaining, undefined_scores
from ...sweep.study.study import read_study
from ...sweep.trials.trial import Trial
from ...words import first_lines
from ..formats import format_strength
from ..names import Names
from ..tables import ResultsReader
from . import elements
from .elements import Element

MOST_SETTINGS = 3
"""The most settings of a method that are named; the rest are counted."""

MOST_LETTERS = 200
"""The most letters of a reason."""

UNTRIED = "not tried yet"
"""Why a model is not there that nothing has gone wrong with."""


def find_remaining(folder: ResultsReader) -> Remaining | None:
    """Every trial of the study in one of four states; None for a hand-made study."""
    if not isinstance(folder, Results) or "grids" not in folder.study:
        return None
    return remaining(folder, read_study(folder).wanted_trials())


def name_absent(folder: ResultsReader, left: Remaining | None, names: Names) -> list[Element]:
    """The missing models and scores, by data set and method, with the reasons."""
    if left is None or not isinstance(folder, Results):
        return []
    rows, undefined = _list_absent(folder, left), _list_undefined(folder, names)
    shown = []
    if rows:
        table = DataFrame(rows, columns=["trial", "state", "why"])
        table["dataset"] = [names.label(trial.dataset) for trial in table["trial"]]
        begun = _find_begun(left, table)  # a data set that nothing has touched is one row
        table["method"] = [
            names.label(trial.method) if trial.dataset in begun else "all"
            for trial in table["trial"]
        ]
        groups = table.groupby(["dataset", "method", "state", "why"], sort=False)["trial"]
        found = groups.agg(
            models="size",
            setting=lambda trials: (
                _name_settings(trials, names) if trials.iat[0].dataset in begun else "all"
            ),
        )
        titles = {"dataset": "Data set", "method": "Method", "setting": "Setting"}
        titles |= {"models": "Models", "state": "Missing", "why": "Reason"}
        shown += [
            elements.heading("What is missing"),
            elements.table("absent", found.reset_index(), titles),
        ]
    if undefined:
        shown += [
            elements.heading("Scores that are not defined"),
            elements.table("undefined", *undefined),
        ]
    return shown


def _list_absent(folder: Results, left: Remaining) -> list[tuple[Trial, str, str]]:
    """The trials that are not done, what they lack, and why."""
    reasons = failure_reasons(folder)
    found = [(trial, "a usable model", reasons.get(trial.trial_id)) for trial in left.failed]
    found += [(trial, "training", reasons.get(trial.trial_id)) for trial, _ in left.untrained]
    found += [(trial, "scores", reasons.get(trial.trial_id)) for trial, _ in left.unscored]
    return [
        (trial, lack, (why or UNTRIED).splitlines()[0][:MOST_LETTERS]) for trial, lack, why in found
    ]


def _find_begun(left: Remaining, absent: DataFrame) -> set[str]:
    """The data sets with a model that was trained, or at least tried."""
    there = [*left.done, *left.failed, *(trial for trial, _ in left.unscored)]
    return {trial.dataset for trial in (*there, *absent["trial"][absent["why"] != UNTRIED])}


def _list_undefined(folder: Results, names: Names) -> tuple[DataFrame, dict[str, str]] | None:
    found = undefined_scores(folder, read_study(folder).wanted_trials())
    if not found:
        return None
    table = DataFrame(found).assign(metric=[names.label(each.metric) for each in found])
    titles = {"metric": "Metric", "representation": "Representation"}
    return table, titles | {"num_models": "Models", "reason": "Reason"}


def _name_settings(trials: Iterable[Trial], names: Names) -> str:
    settings = dict.fromkeys(
        ", ".join(f"{name}={format_strength(value)}" for name, value in given.items())
        for given in (trial.hyperparameters for trial in trials)
    )
    labels = [names.label_setting(setting) or "the only setting" for setting in settings]
    return "; ".join(first_lines(labels, MOST_SETTINGS))
