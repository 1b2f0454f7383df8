"""Choosing settings without labels: by transfer from another study, or by an unsupervised score.

In both, a choice succeeds if its score at the target is at least that of a setting drawn
uniformly, which may be itself: a blind choice among 36 succeeds 51.4 % of the time. `regret` is
the share of what the best choice would gain over a blind one that is lost: 0 is best, 1 is blind.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..frames import DataFrame
from ..tables import DISENTANGLEMENT, UNSUPERVISED, lower_is_better, score_names
from .resampling import fewest_seeds, interval, jackknife_error, no_interval
from .score_array import score_array

FEWEST_SEEDS = 20
"""For an interval of one choice a seed, of which few go wrong: with 10 it is too narrow."""


def table_1(table: DataFrame, scores: str | Sequence[str] = DISENTANGLEMENT) -> DataFrame:
    """How often a setting that is good in one place is good in another: the paper's table 1.

    Draw a source data set, score and seed, and take the best setting there; draw a target data
    set, score and another seed. "Other" never draws the source again. The chance of success is
    exact: the mean over all such draws, each equally likely.

    Differs from the original: the target's seed is never the source's, so that the cell "same,
    same" needs no luck in the draw of seeds to be below 100 %.

    Args:
        table: wide scores.
        scores: columns; those nobody has are left out.

    Returns:
        A row per cell: row ("same_metric", "other_metric"), column ("same_dataset",
        "other_dataset"), success, low, high, blind (the success of a blind choice), regret,
        num_models, note.

    Raises:
        ValueError: if two rows are of one model, or a score is unknown.
    """
    data = score_array(table, scores)
    values = (data.values * _signs(data.scores))[..., data.num_models.sum(axis=0) > 0]
    num_datasets, num_settings, num_seeds, num_scores = values.shape
    flat = np.moveaxis(values, 3, 1).reshape(num_datasets * num_scores, num_settings, num_seeds)
    choice, outcome = _choices(flat), _outcomes(flat)
    dataset, score = np.divmod(np.arange(len(flat)), max(num_scores, 1))
    same_dataset = dataset[:, None] == dataset
    same_score = score[:, None] == score

    transfers = [_Transfer(choice, what, to_other_seeds=True) for what in outcome]

    def statistic(counts: np.ndarray) -> np.ndarray:
        found = [transfer.mean(counts) for transfer in transfers]
        cells = [
            [_mean(matrix[pairs]) for matrix in found]
            for pairs in (
                same_score & same_dataset,
                same_score & ~same_dataset,
                ~same_score & same_dataset,
                ~same_score & ~same_dataset,
            )
        ]
        return np.array(cells)

    estimate = statistic(np.ones(num_seeds))
    error = jackknife_error(lambda counts: statistic(counts)[:, 0], num_seeds)
    fewest = int(fewest_seeds(data.num_seeds.ravel()))
    low, high = interval(estimate[:, 0], error, fewest)
    blind = _mean(outcome.success)
    rows = []
    for number, (metric, place) in enumerate(
        (metric, place)
        for metric in ("same_metric", "other_metric")
        for place in ("same_dataset", "other_dataset")
    ):
        why = no_interval(fewest)
        if np.isnan(estimate[number, 0]):
            needs = ["a second seed"] if num_seeds < 2 else []
            needs += ["a second score"] if metric[0] == "o" and num_scores < 2 else []
            needs += ["another data set"] if place[0] == "o" and num_datasets < 2 else []
            why = f"needs {' and '.join(needs) or 'scores'}"
        success, regret = estimate[number]
        ends = (low[number], high[number])
        num_models = int(data.num_models.max(axis=1, initial=0).sum())
        rows.append((metric, place, success, *ends, blind, regret, num_models, why))
    names = ["row", "column", "success", "low", "high", "blind", "regret", "num_models", "note"]
    return DataFrame(rows, columns=names)


def unsupervised_selection(
    table: DataFrame,
    directions: Mapping[str, int] | None = None,
    scores: str | Sequence[str] = DISENTANGLEMENT,
) -> DataFrame:
    """What choosing the model with the best unsupervised score brings, per data set and score.

    Of the models of one seed, one per setting, the one with the best unsupervised score is
    taken; its success and regret are averaged over seeds.

    Args:
        table: wide scores that hold the unsupervised columns too.
        directions: unsupervised column -> 1 if high is good, -1 if low is; if None the unsupervised
            scores and UDR, by `lower_is_better`.
        scores: columns to do well in.

    Returns:
        A row per data set, unsupervised score and score: dataset, by, score, success, low, high,
        blind, regret, num_models, note.

    Raises:
        ValueError: if two rows are of one model, or a score is unknown.
    """
    if directions is None:
        known = (*UNSUPERVISED, "udr")
        directions = dict(zip(known, _signs(known), strict=True))
    else:
        score_names(directions, table)
    given, scores = [name for name in directions if name in table], score_names(scores, table)
    data = score_array(table, [*given, *scores])
    num_seeds = len(data.seeds)
    values = data.values * [*(directions[name] for name in given), *_signs(scores)]
    rows = []
    for number, dataset in enumerate(data.datasets):
        choice = _choices(np.moveaxis(values[number, ..., : len(given)], 2, 0))
        outcome = _outcomes(np.moveaxis(values[number, ..., len(given) :], 2, 0))

        success, regret = (_Transfer(choice, what, to_other_seeds=False) for what in outcome)
        estimate = np.stack([of.mean(np.ones(num_seeds)) for of in (success, regret)])
        there = np.isfinite(np.moveaxis(data.values[number], 2, 0))
        fewest = fewest_seeds((there[: len(given), None] & there[len(given) :]).sum(axis=-1))
        error = jackknife_error(success.mean, num_seeds)
        low, high = interval(estimate[0], error, fewest, FEWEST_SEEDS)
        for i, by in enumerate(given):
            for j, score in enumerate(scores):
                chance, lost = estimate[:, i, j]
                note = _why_not(chance, fewest[i, j])
                ends = (low[i, j], high[i, j])
                blind, size = _mean(outcome.success[j]), data.num_models[number, len(given) + j]
                rows.append((dataset, by, score, chance, *ends, blind, lost, size, note))
    names = ["dataset", "by", "score", "success", "low", "high", "blind", "regret", "num_models"]
    return DataFrame(rows, columns=[*names, "note"])


def _signs(scores: Sequence[str]) -> list[int]:
    """1 for a score of which more is better, -1 for one of which less is."""
    return [-1 if lower_is_better(name) else 1 for name in scores]


def _why_not(chance: float, num_seeds: int) -> str:
    both = "no seed has two settings with both scores"
    return both if np.isnan(chance) else no_interval(num_seeds, FEWEST_SEEDS)


class Outcome(NamedTuple):
    """What a choice would bring, (targets, settings, seeds), NaN where there is no model."""

    success: np.ndarray
    regret: np.ndarray


def _choices(values: np.ndarray) -> np.ndarray:
    """The chance of each setting to be chosen, as the best of its seed (ties: evenly)."""
    best = values.max(axis=1, keepdims=True, initial=-np.inf, where=np.isfinite(values))
    chosen = (values == best).astype(float)
    return chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1)


def _outcomes(values: np.ndarray) -> Outcome:
    there = np.isfinite(values)
    num_settings = np.maximum(there.sum(axis=1, keepdims=True), 1)
    # How many settings a setting is no worse than: its highest rank among them.
    beaten = sum((values >= values[:, [other]]).astype(int) for other in range(values.shape[1]))
    best = values.max(axis=1, keepdims=True, initial=-np.inf, where=there)
    mean = np.where(there, values, 0).sum(axis=1, keepdims=True) / num_settings
    with np.errstate(invalid="ignore", divide="ignore"):
        regret = (best - values) / (best - mean)
    # A choice among one setting is none.
    success = np.where(there & (num_settings > 1), beaten / num_settings, np.nan)
    return Outcome(success, np.where(np.isfinite(regret), regret, np.nan))


class _Transfer:
    """Mean outcome of choices, (sources, targets), for any counts of the seeds.

    Args:
        choice: (sources, settings, seeds) of `_choices`.
        outcome: (targets, settings, seeds) of one `Outcome`.
        to_other_seeds: whether a choice meets all other seeds, or its own.
    """

    def __init__(self, choice: np.ndarray, outcome: np.ndarray, to_other_seeds: bool):
        there = np.isfinite(outcome)
        self._choice, self._to_other_seeds = choice, to_other_seeds
        self._outcomes = np.where(there, outcome, 0.0), there.astype(float)
        self._same_seed = [
            np.matmul(choice.transpose(2, 0, 1), what.transpose(2, 1, 0)) for what in self._outcomes
        ]

    def mean(self, counts: np.ndarray) -> np.ndarray:
        """The mean where seed s counts `counts[s]` times."""
        found, possible = (
            (self._choice @ counts) @ (what @ counts).T - np.tensordot(counts**2, same, 1)
            if self._to_other_seeds
            else np.tensordot(counts, same, 1)
            for what, same in zip(self._outcomes, self._same_seed, strict=True)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(possible > 1e-9, found / possible, np.nan)


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else np.nan
