"""Chooses which models of a study are compared: those that differ only in their seed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...metrics import COMPARISONS
from ..trials.request import MetricRequest
from ..trials.trial import Trial
from .remaining import WantedTrial

MOST_PARTNERS = 5
"""The most partners of a model, so that each model needs at most five comparisons, as in Duan
et al. 2020."""

FEWEST_PARTNERS = 4
"""A ranking is meaningful for at least five models (Duan et al. 2020)."""


def list_partners(seeds: Sequence[int]) -> dict[int, list[int]]:
    """The seeds that each seed is compared with: the five before it; the first six with each other.

    A seed added later thus changes none of the earlier pairs.

    >>> list_partners([0, 1, 2, 3, 4, 5, 6])[2], list_partners([0, 1, 2, 3, 4, 5, 6])[6]
    ([0, 1, 3, 4, 5], [1, 2, 3, 4, 5])
    """
    first = seeds[: MOST_PARTNERS + 1]
    return {
        seed: list(seeds[place - MOST_PARTNERS : place])
        if place > MOST_PARTNERS
        else [other for other in first if other != seed]
        for place, seed in enumerate(seeds)
    }


def add_comparisons(
    wanted: Iterable[WantedTrial],
    names: Iterable[str],
    statuses: Mapping[str, str],
    methods: Mapping[str, Mapping[str, Any]],
) -> list[WantedTrial]:
    """The trials, with the scores that compare them with others of their setting.

    Args:
        wanted: All trials of a study, in its order.
        names: Metrics; those that compare nothing are ignored.
        statuses: The status of each trained trial; only trials that are "done" are compared.
        methods: The study's catalogue entries of its methods.
    """
    wanted, names = list(wanted), [name for name in names if name in COMPARISONS]
    cells: dict[tuple[Any, ...], list[int]] = {}
    for trial, _ in wanted if names else ():
        if methods[trial.method]["trained"]:
            cells.setdefault(trial.setting, []).append(trial.seed)
    partners_of = {cell: list_partners(seeds) for cell, seeds in cells.items()}
    done = {(trial.setting, trial.seed) for trial, _ in wanted if _is_done(trial, statuses)}
    found = []
    for trial, requests in wanted:
        partners = partners_of.get(trial.setting, {}).get(trial.seed, [])
        partners = [seed for seed in partners if (trial.setting, seed) in done]
        if len(partners) >= FEWEST_PARTNERS and _is_done(trial, statuses):
            requests += tuple(
                MetricRequest.of("mean", name, {"partners": partners}, 0) for name in names
            )
        found.append(WantedTrial(trial, requests))
    return found


def _is_done(trial: Trial, statuses: Mapping[str, str]) -> bool:
    return statuses.get(trial.trial_id) == "done"
