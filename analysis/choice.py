"""Chooses among scores of one metric that were made in several ways.

Scores of a metric can be in one column only if they were made by the same version, with the same
parameters and the same seed, or with the same seeds if a grid requests several.
"""

import functools
import json
import operator
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import hint
from ..metrics import COMPARISONS, PAPER_PARAMETERS, PAPER_SEEDS
from ..sweep.store.files import group_rows, row_numbers
from ..sweep.store.results import ResultsError
from ..sweep.store.tables import IDENTITY
from ..sweep.study.asked import asked_scores
from ..sweep.trials.request import RequestKey
from ..sweep.trials.trial import short_hash
from ..words import format_count
from .names import Names

METRIC = ("representation", "metric")

WAY = ("metric_version", "parameters_hash", "metric_seed")
"""The stored columns that distinguish the ways in which a metric's scores were made."""

Way = dict[str, Any]
"""A way in which a metric's scores were made: the columns above, its `parameters` as stored, which
models it `has` (a boolean of each), and the `count` of the scores."""

Parameters = Mapping[str, Any] | str | None
"""Parameters by metric, as in ``{"mig": {"num_bins": 4}}``; or without a metric, as in
``{"num_bins": 4}``, for every metric that has them; or "paper"."""

Seed = int | Mapping[str, int] | None
"""A metric seed, for all metrics or by metric."""


def choose_scores(
    table: pa.Table,
    study: Mapping[str, Any],
    representation: str | None,
    parameters: Parameters = None,
    metric_seed: Seed = None,
) -> tuple[pa.Table, dict[tuple[str, str], Way]]:
    """Chooses scores made in one way for each metric; returns them and these ways.

    The way is that of the latest grid. If it requests several seeds, the scores are of all of them
    and the way is that of the first. A score that no grid requests is chosen as `rescore` makes it,
    with the metric's defaults, or else in its most frequent way, preferring a newer version. A
    warning is logged if models lose a score that they have.

    Args:
        table: rows of `scores` that have a value.
        study: the content of the ``study.json``.
        representation: only scores of this one; None for all.
        parameters: other parameters to choose by. "paper" chooses the paper's parameters and seed
            where such scores exist.
        metric_seed: another seed to choose by.

    Raises:
        ResultsError: if there are no scores with these parameters or this seed.
    """
    chosen, asked = {}, asked_scores(study)
    wanted = {} if isinstance(parameters, str) or parameters is None else parameters
    names = Names.of_study(study)
    table, compared = _split_comparisons(_drop_older_points(table))
    everything = _list_ways(table)
    _check_wanted(everything, wanted, metric_seed)
    if representation:
        everything = [way for way in everything if way["representation"] == representation]
        own = pc.field("representation") == representation
        table, compared = table.filter(own), compared.filter(own)
    for key in dict.fromkeys((way["representation"], way["metric"]) for way in everything):
        ways = [way for way in everything if (way["representation"], way["metric"]) == key]
        fit = [way for way in ways if _fits(way, wanted, metric_seed)]
        if parameters == "paper":
            fit = _select_papers(fit, names) or fit
        taken = [way for each in asked.get(key, ()) for way in fit if _is(way, each)]
        reason = "the latest grid requests others"
        if fit and not taken and (key not in asked or len(fit) < len(ways)):
            taken = [_most_likely(fit, study)]
            reason = "more were made in another way"
        if taken:
            chosen[key] = taken[0]
        for way in ways:
            if way not in taken:
                table = table.filter(~_rows_of(way))
                if parameters is None and metric_seed is None:
                    _warn(way, taken, reason)
    return pa.concat_tables([table, compared]), chosen


def _drop_older_points(table: pa.Table) -> pa.Table:
    """The rows without those replaced by newer ones, at points of a newer version."""
    versions, models = (group_rows(table, key)[1] for key in (["trial_id", "points"], ["trial_id"]))
    if len(versions) == len(models):
        return table
    newest = np.argsort(-table["points"].to_numpy(), kind="stable")
    same = row_numbers(table, [name for name in IDENTITY["scores"] if name != "points"])[newest]
    return table.take(np.sort(newest[np.unique(same, return_index=True)[1]]))


def _split_comparisons(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The rows of non-comparisons, and of each model's comparison with the most partners."""
    of_comparison = pc.field("metric").isin(list(COMPARISONS))
    compared = table.filter(of_comparison)
    if not len(compared):
        return table, compared
    partners = [json.loads(given)["partners"] for given in compared["parameters"].to_pylist()]
    order = sorted(range(len(partners)), key=lambda row: (len(partners[row]), partners[row]))
    names = [compared[name].to_pylist() for name in ("trial_id", *METRIC)]
    last = {tuple(name[row] for name in names): row for row in order}
    kept = pa.array(list(last.values()), pa.int64())
    return table.filter(~of_comparison), compared.take(kept)


def uses_papers_parameters(way: Way, names: Names) -> bool:
    """Whether scores were made with the paper's parameters, or with defaults if it has none."""
    defaults = dict(names.defaults.get(way["metric"], {}))
    stated = defaults | json.loads(way["parameters"] or "{}")
    return stated == defaults | PAPER_PARAMETERS.get(way["metric"], {})


def name_difference(one: Way, other: Way) -> str:
    """The stored column in which two ways differ, with both values; "" if they are equal."""
    if all(one[name] == other[name] for name in WAY):
        return ""
    own, others = (json.loads(way["parameters"] or "{}") for way in (one, other))
    for name in own | others:
        if own.get(name) != others.get(name):
            return f"`parameters`: {name} is {own.get(name)} and {others.get(name)}"
    for name in ("metric_version", "metric_seed", "parameters_hash"):
        if one[name] != other[name]:
            return f"`{name}` is {one[name]} and {other[name]}"
    return ""


def _list_ways(table: pa.Table) -> list[Way]:
    """Every way in which the scores of a metric were made, by its first row."""
    way_of, first = group_rows(table, [*METRIC, *WAY])
    model_of, models = group_rows(table, ["trial_id"])
    has = np.zeros((len(first), len(models)), bool)
    has[way_of, model_of] = True
    facts = table.select([*METRIC, *WAY, "parameters"]).take(first).to_pylist()
    counts = np.bincount(way_of).tolist()
    return [
        way | {"has": own, "count": count}
        for way, own, count in zip(facts, has, counts, strict=True)
    ]


def _check_wanted(ways: Iterable[Way], parameters: Mapping[str, Any], seed: Seed) -> None:
    """Checks that scores exist for the wanted parameters and seeds.

    Raises:
        ResultsError: if no score matches one of the parameters or a seed.
    """
    ways = list(ways)
    for name, value in parameters.items():
        each = value if isinstance(value, Mapping) else {name: value}
        told = [way for way in ways if not isinstance(value, Mapping) or way["metric"] == name]
        if not any(_has(way, each) for way in told):
            known = sorted({way["metric"] for way in ways})
            nearest = hint(name, known) if not told else ""
            what = f"of {name}{nearest} " if isinstance(value, Mapping) else ""
            raise ResultsError(
                f"no scores {what}were made with {_format(each)}; there are "
                f"{'; '.join(sorted({_describe(way) for way in told})) or 'none at all'}"
            )
    seeds = seed.items() if isinstance(seed, Mapping) else [] if seed is None else [(None, seed)]
    for metric, value in seeds:
        known = {str(way["metric_seed"]) for way in ways if metric in (None, way["metric"])}
        if str(value) not in known:
            of, there = f" of {metric}" if metric else "", ", ".join(sorted(known)) or "none at all"
            raise ResultsError(f"no scores{of} have the metric seed {value}; there are {there}")


def _fits(way: Way, parameters: Mapping[str, Any], seed: Seed) -> bool:
    stated = json.loads(way["parameters"] or "{}")
    own = parameters.get(way["metric"], {})
    shared = {
        name: value
        for name, value in parameters.items()
        if name in stated and not isinstance(value, Mapping)
    }
    wanted = seed.get(way["metric"]) if isinstance(seed, Mapping) else seed
    return _has(way, shared | dict(own)) and wanted in (None, way["metric_seed"])


def _has(way: Way, parameters: Mapping[str, Any]) -> bool:
    stated = json.loads(way["parameters"] or "{}")
    wanted = json.loads(json.dumps(dict(parameters)))  # a tuple is stored as a list
    return all(name in stated and stated[name] == wanted[name] for name in wanted)


def _select_papers(ways: Sequence[Way], names: Names) -> list[Way]:
    """The ways with the paper's parameters, and with its seed if there are any."""
    found = [
        way
        for way in ways
        if way["metric"] in PAPER_PARAMETERS and uses_papers_parameters(way, names)
    ]
    of_seed = [
        way
        for way in found
        if way["metric_seed"] == PAPER_SEEDS[way["representation"]].get(way["metric"])
    ]
    return of_seed or found


def _most_likely(ways: Sequence[Way], study: Mapping[str, Any]) -> Way:
    """The way with the metric's defaults, or else the most frequent way."""

    def rank(way: Way) -> tuple[bool, int, float]:
        facts = study.get("catalogue", {}).get("metrics", {}).get(way["metric"], {})
        usual = {"parameters": facts.get("defaults"), "version": facts.get("version")}
        version = str(way["metric_version"])
        newness = float(version) if version.replace(".", "", 1).isdigit() else -1.0
        return way["parameters_hash"] == short_hash(usual), way["count"], newness

    return max(ways, key=rank)


def _is(way: Way, key: RequestKey) -> bool:
    """Whether a way is that of a request."""
    own = (key.parameters_hash, key.metric_seed)
    return (way["parameters_hash"], way["metric_seed"]) == own


def _rows_of(way: Way) -> pc.Expression:
    keys = [
        pc.field(name).is_null() if way[name] is None else pc.field(name) == way[name]
        for name in (*METRIC, *WAY)
    ]
    return functools.reduce(operator.and_, keys)


def _warn(way: Way, taken: Sequence[Way], reason: str) -> None:
    """Warns of scores that are left out, if models have no other or if the choice is a guess."""
    without = int((way["has"] & ~np.any([each["has"] for each in taken], axis=0)).sum())
    asked = reason.startswith("the latest")
    if asked and not without:
        return
    if taken and not asked and taken[0]["count"] <= way["count"]:
        reason = "others have a newer version or its defaults"
    no_other = f", and {format_count(without, 'model')} have no other" if without else ""
    warnings.warn(
        f"{way['metric']} ({way['representation']}): without {format_count(way['count'], 'score')} "
        f"of {_describe(way)}{no_other}: {reason}; choose with `parameters` and `metric_seed`",
        stacklevel=4,
    )


def _describe(way: Way) -> str:
    parameters = _format(json.loads(way["parameters"] or "{}"))
    parameters = parameters or f"parameters {way['parameters_hash']}"
    return f"version {way['metric_version']}, {parameters}, seed {way['metric_seed']}"


def _format(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in parameters.items())
