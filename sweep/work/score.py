"""Scores trained models: one trial after another, each committed as soon as it is complete."""

import math
import reprlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import TeaselError
from ...metrics import COMPARISONS, BoundedModel, Representation, UndefinedScoreError, find_metric
from ...metrics.udr import Cell
from ..store import code_tables
from ..store.results import Results
from ..store.store import StoreError
from ..store.tables import Scored, ScoreRow
from ..trials.request import MetricRequest
from ..trials.trial import Trial
from .comparisons import Cells
from .control import Control
from .representations import kept_points, model_on_data, open_representations
from .tasks import ScoreTrials

_MOST_SCORES, _MOST_CHARACTERS = 10_000, 4000


class MetricError(TeaselError):
    """A metric raised an unexpected exception, or did not return finite numbers."""


def score(task: ScoreTrials) -> dict[str, Any]:
    """Computes and commits the wanted scores of each trial; returns {"interrupted": bool}.

    A metric that is not defined for a model's codes gets an error row. After a lost attempt each
    score is committed separately, because the next one may end the process.

    Raises:
        MetricError: If a metric has a bug. The trial's other scores are committed then.
        ResultsError: If a trial's codes and parameters are gone.
        StoreError: If the results folder cannot be written.
    """
    results = Results(task.results_uri)
    control, cells = Control(results.store, task.run_id), Cells(results)
    for trial, requests in zip(task.trials, task.requests, strict=True):
        drawing = [
            request
            for request in requests
            if find_metric(request.metric).samples_points
            if not find_metric(request.metric).of_model
        ]
        kinds = {request.representation for request in drawing}
        representations = open_representations(results, trial, kinds)
        attempt_id = results.attempt_id_of(trial.trial_id)
        rows: list[ScoreRow] = []
        representation: Representation | BoundedModel | Cell
        bug: MetricError | None = None
        for done, request in enumerate(requests):
            if control.draining:
                results.add("scores", f"{task.scores_name(trial)}-{done}", rows)
                return {"interrupted": True}
            facts = {"trials": [trial.trial_id], "doing": request.metric}
            control.report(task.attempt_id, step=done, steps=len(requests), **facts)
            if request in drawing:
                representation = representations[request.representation]
            elif find_metric(request.metric).of_model:
                representation = model_on_data(results, trial)
            elif request.metric in COMPARISONS:
                representation = cells.open(trial, request.parameters["partners"])
            else:
                representation = kept_points(results, trial, request.representation)
            try:
                found = score_rows(trial, representation, request)
                rows += [
                    row._replace(attempt=task.attempt, model_attempt_id=attempt_id) for row in found
                ]
            except MetricError as error:
                bug = bug or error
            if task.attempt > 1:
                results.add("scores", f"{task.scores_name(trial)}-{done}", rows)
                rows = []
        if bug:
            results.add("scores", f"{task.scores_name(trial)}-others", rows)
            raise bug
        results.add("scores", task.scores_name(trial), rows)
        code_tables.forget(results, trial.trial_id)
    return {"interrupted": False}


def score_rows(
    scored: Trial | Scored,
    representation: Representation | BoundedModel | Cell,
    request: MetricRequest,
) -> list[ScoreRow]:
    """One row per score of a metric, or one row with the reason why it is not defined.

    Raises:
        MetricError: If the metric raises anything but UndefinedScoreError, or does not return a
            dict of finite numbers.
    """
    metric = find_metric(request.metric).function
    started = time.monotonic()
    rng = np.random.RandomState(request.metric_seed)
    error = None
    try:
        scores = _check(request.metric, metric(representation, rng, **request.parameters))
    except UndefinedScoreError as reason:
        scores, error = {"": None}, str(reason)[:_MOST_CHARACTERS] or "no reason was given"
    except (MemoryError, StoreError, MetricError):
        raise
    except (Exception, SystemExit) as problem:
        what = f"{request.metric} raised {type(problem).__name__}: {problem}"
        raise MetricError(what) from problem
    seconds = time.monotonic() - started
    return [
        ScoreRow.of(scored, request, score, value=value, seconds=seconds, error=error)
        for score, value in scores.items()
    ]


def _check(metric: str, scores: Any) -> dict[str, float]:
    """The scores returned by a metric, as floats.

    Raises:
        MetricError: If they are not finite numbers by name. A metric without a value must raise
            UndefinedScoreError; NaN and infinity are treated as bugs.
    """
    if isinstance(scores, Mapping) and len(scores) > _MOST_SCORES:
        raise MetricError(
            f"{metric} returned {len(scores):,} scores; expected at most {_MOST_SCORES:,}"
        )
    try:
        values = {name: float(value) for name, value in scores.items()}
        good = all(name and isinstance(name, str) for name in values)
        good = good and not any(isinstance(value, str) for value in scores.values())
    except (AttributeError, TypeError, ValueError, OverflowError):
        values, good = {}, False
    if not (values and good and all(math.isfinite(value) for value in values.values())):
        raise MetricError(
            f"{metric} returned {reprlib.repr(scores)}; expected a dict of finite numbers (where "
            "there is no score, raise teasel.metrics.UndefinedScoreError)"
        )
    return values
