"""Choosing settings without labels: by transfer from another study, or by an unsupervised score.

In both cases a choice succeeds if its score at the target is at least that of a uniformly drawn
setting, which may be the choice itself. A blind choice among 36 thus succeeds 51.4 % of the time.
`regret` is the lost share of the best choice's gain over a blind one: 0 is best, 1 is blind.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pandas import DataFrame

from ..names import PAPER_NAMES, Names
from ..paper_grid import DISENTANGLEMENT, LATER_RULES, UNSUPERVISED
from ..tables import check_scores
from .contest import Contest, hold_contest
from .resampling import (
    explain_no_interval,
    fewest_seeds,
    jackknife_error,
    mean_of_finite,
    student_interval,
)
from .score_array import ScoreArray, score_array

FEWEST_SEEDS = 20
"""The fewest seeds for an interval over one choice per seed, few of which fail; 10 are too few."""


CELLS = (
    ("same_metric", "same_dataset"),
    ("same_metric", "other_dataset"),
    ("other_metric", "same_dataset"),
    ("other_metric", "other_dataset"),
)
"""Rows and columns of table 1: where a choice is made, relative to where it is used."""


def table_1(
    table: DataFrame, scores: str | Sequence[str] = DISENTANGLEMENT, names: Names = PAPER_NAMES
) -> DataFrame:
    """How often a setting that is good in one place is good in another: the paper's table 1.

    Draw a source data set, score and seed, and take the best setting there. Then draw a target data
    set, score and another seed; "other" excludes the source's. The probability of success is exact:
    the mean over all such draws, each equally likely.

    Differs from the original: the target's seed is never the source's, which would make the cell
    "same, same" 100 %.

    Args:
        table: wide scores.
        scores: columns; those without values are left out.
        names: the scores for which less is better.

    Returns:
        A row per cell: row ("same_metric", "other_metric"), column ("same_dataset",
        "other_dataset"), success, low, high, blind (the success of a blind choice), regret,
        num_models, note.

    Raises:
        ValueError: if two rows are of one model, or a score is unknown.
    """
    places = _Places.of(table, scores, names)
    num_datasets, num_scores, num_seeds = places.counts
    same_dataset = places.dataset[:, None] == places.dataset
    same_score = places.score[:, None] == places.score
    pairs_of_cell = [
        same_score & same_dataset,
        same_score & ~same_dataset,
        ~same_score & same_dataset,
        ~same_score & ~same_dataset,
    ]
    data, transfers = places.data, places.transfers

    def transfer(counts: np.ndarray) -> np.ndarray:
        """The transfer (cells, [success, regret])."""
        means = [transfer.mean(counts) for transfer in transfers]
        return np.array([[_mean(mean[pairs]) for mean in means] for pairs in pairs_of_cell])

    estimate = transfer(np.ones(num_seeds))
    error = jackknife_error(lambda counts: transfer(counts)[:, 0], num_seeds)
    fewest = int(fewest_seeds(data.num_seeds.ravel()))
    low, high = (np.clip(end, 0, 1) for end in student_interval(estimate[:, 0], error, fewest))
    found = DataFrame(CELLS, columns=["row", "column"])
    found["success"], found["low"], found["high"] = estimate[:, 0], low, high
    found["blind"], found["regret"] = _mean(places.outcome.success), estimate[:, 1]
    found["num_models"] = int(data.num_models.max(axis=1, initial=0).sum())
    found["note"] = [
        _name_needs(*cell, num_datasets, num_seeds, num_scores)
        if np.isnan(success)
        else explain_no_interval(fewest)
        for cell, success in zip(CELLS, estimate[:, 0], strict=True)
    ]
    return found


def transfer_between_datasets(
    table: DataFrame, scores: str | Sequence[str] = DISENTANGLEMENT, names: Names = PAPER_NAMES
) -> DataFrame:
    """Table 1 by pair of data sets: a setting chosen on one and used on the other, by one score.

    Args:
        table: wide scores.
        scores: columns; those without values are left out.
        names: the scores for which less is better.

    Returns:
        A row per pair: source, target (possibly the same data set, with another seed), success,
        regret; means over scores.

    Raises:
        ValueError: if two rows are of one model, or a score is unknown.
    """
    places = _Places.of(table, scores, names)
    seeds = np.ones(places.counts[2])
    success, regret = (transfer.mean(seeds) for transfer in places.transfers)
    rows = []
    for i, source in enumerate(places.data.datasets):
        for j, target in enumerate(places.data.datasets):
            chosen, used = places.dataset[:, None] == i, places.dataset == j
            pairs = (places.score[:, None] == places.score) & chosen & used
            rows.append((source, target, _mean(success[pairs]), _mean(regret[pairs])))
    return DataFrame(rows, columns=["source", "target", "success", "regret"])


class _Places(NamedTuple):
    """The places where a setting is chosen or used: a data set and a score each.

    Attributes:
        data: the scores.
        counts: the numbers of data sets, scores and seeds.
        dataset: (places,), the index of each place's data set.
        score: (places,), the index of each place's score.
        outcome: the outcome of each setting.
        transfers: the success and the regret of choices.
    """

    data: ScoreArray
    counts: tuple[int, int, int]
    dataset: np.ndarray
    score: np.ndarray
    outcome: "Outcome"
    transfers: "list[_Transfer]"

    @classmethod
    def of(cls, table: DataFrame, scores: str | Sequence[str], names: Names) -> "_Places":
        data = score_array(table, scores)
        signs = [names.sign(score) for score in data.scores]
        values = (data.values * signs)[..., data.num_models.sum(axis=0) > 0]
        num_datasets, num_settings, num_seeds, num_scores = values.shape
        shape = (num_datasets * num_scores, num_settings, num_seeds)
        places = np.moveaxis(values, 3, 1).reshape(shape)
        dataset, score = np.divmod(np.arange(len(places)), max(num_scores, 1))
        choices, outcome = _choose_best(places), _rate_settings(places)
        transfers = [_Transfer(choices, rated, to_other_seeds=True) for rated in outcome]
        return cls(data, (num_datasets, num_scores, num_seeds), dataset, score, outcome, transfers)


def _name_needs(
    metric: str, dataset: str, num_datasets: int, num_seeds: int, num_scores: int
) -> str:
    """Why a cell of table 1 is empty."""
    needs = ["a second seed"] if num_seeds < 2 else []
    needs += ["a second score"] if metric == "other_metric" and num_scores < 2 else []
    needs += ["another data set"] if dataset == "other_dataset" and num_datasets < 2 else []
    return f"needs {' and '.join(needs) or 'scores'}"


def unsupervised_selection(
    table: DataFrame,
    directions: Mapping[str, int] | None = None,
    scores: str | Sequence[str] = DISENTANGLEMENT,
    names: Names = PAPER_NAMES,
) -> DataFrame:
    """The success of choosing models by unsupervised scores, per data set and score.

    Of the models of one seed, one per setting, the one with the best unsupervised score is
    taken; its success and regret are averaged over seeds.

    Args:
        table: wide scores that hold the unsupervised columns too.
        directions: unsupervised column -> 1 if high is good, -1 if low is; if None, the
            unsupervised scores and UDR with the directions in `names`.
        scores: the target columns.
        names: the scores for which less is better.

    Returns:
        A row per data set, unsupervised score and score: dataset, by, score, success, low, high,
        blind, regret, num_models, note.

    Raises:
        ValueError: if two rows are of one model, or a score is unknown.
    """
    data, choices = _rate_choices(table, directions, scores, names)
    rows = []
    for number, rated in enumerate(choices):
        every_seed = np.ones(len(data.seeds))
        chance, lost = rated.success.mean(every_seed), rated.regret.mean(every_seed)
        error = jackknife_error(rated.success.mean, len(data.seeds))
        ends = student_interval(chance, error, rated.num_seeds, FEWEST_SEEDS)
        low, high = (np.clip(end, 0, 1) for end in ends)
        for i, by in enumerate(rated.by):
            for j, score in enumerate(data.scores[len(rated.by) :]):
                note = explain_no_interval(rated.num_seeds[i, j], FEWEST_SEEDS)
                if np.isnan(chance[i, j]):
                    note = "no seed has two settings with both scores"
                size = data.num_models[number, len(rated.by) + j]
                entry = (chance[i, j], low[i, j], high[i, j], rated.blind[j], lost[i, j], size)
                rows.append((data.datasets[number], by, score, *entry, note))
    names_of_columns = ["dataset", "by", "score", "success", "low", "high", "blind", "regret"]
    return DataFrame(rows, columns=[*names_of_columns, "num_models", "note"])


BLIND = "blind"
"""The name in a contest of a choice without any information."""


def compare_choices(
    table: DataFrame, scores: str | Sequence[str] = DISENTANGLEMENT, names: Names = PAPER_NAMES
) -> Contest:
    """The contest between choices by unsupervised scores, and `BLIND`.

    It is by their success, averaged over data sets and scores; see `unsupervised_selection`.
    """
    data, choices = _rate_choices(table, None, scores, names)
    if not choices:
        return hold_contest([], lambda counts: np.empty(0), 0, 0, FEWEST_SEEDS)
    by = choices[0].by
    blind = [rated.blind for rated in choices]

    def average(counts: np.ndarray) -> np.ndarray:
        success = np.array([rated.success.mean(counts) for rated in choices])
        chance = np.where(np.isfinite(success), np.array(blind)[:, None], np.nan)
        each = mean_of_finite(np.moveaxis(success, 1, -1).reshape(-1, len(by)))
        return np.append(each, _mean(chance))

    fewest = int(fewest_seeds(np.array([rated.num_seeds for rated in choices]).ravel()))
    return hold_contest([*by, BLIND], average, len(data.seeds), fewest, FEWEST_SEEDS)


def rate_rules(
    table: DataFrame, scores: str | Sequence[str] = DISENTANGLEMENT, names: Names = PAPER_NAMES
) -> DataFrame:
    """The setting that each rule picks without labels, and whether the rule beats a blind choice.

    A rule picks one setting for each seed, as in `unsupervised_selection`; the returned setting is
    its most frequent pick. The regret of a blind choice is 1. A rule beats it at the level of 2.5 %
    for all rules of a data set and a score together, see `hold_contest`.

    Args:
        table: wide scores that include the unsupervised columns.
        scores: the target columns.
        names: the scores for which less is better.

    Returns:
        A row per data set, rule and score: dataset, by, score, method, setting, num_picked (seeds
        with that pick), regret, low, high (of the regret), beats_blind, num_seeds.
    """
    data, choices = _rate_choices(table, None, scores, names)
    rows = []
    for dataset, rated in zip(data.datasets, choices, strict=True):
        for place, score in enumerate(data.scores[len(rated.by) :]):
            fewest = int(rated.num_seeds[:, place].min()) if rated.by else 0

            def gain(counts: np.ndarray, rated: _Choices = rated, place: int = place) -> np.ndarray:
                return np.append(-rated.regret.mean(counts)[:, place], -1.0)

            contest = hold_contest(
                [*rated.by, BLIND], gain, len(data.seeds), fewest, FEWEST_SEEDS, limit=np.inf
            )
            for i, by in enumerate(contest.names[:-1]):
                picked = rated.picked[rated.by.index(by)]
                cell = (*data.settings[int(picked.argmax())], int(picked.max()))
                ends = (-contest.values[i], -contest.high[i], -contest.low[i])
                beats = bool(contest.is_above[i, -1])
                rows.append((dataset, by, score, *cell, *ends, beats, fewest))
    columns = ["dataset", "by", "score", "method", "setting", "num_picked", "regret", "low", "high"]
    return DataFrame(rows, columns=[*columns, "beats_blind", "num_seeds"])


class _Choices(NamedTuple):
    """The outcome of choosing by each unsupervised score on one data set, (choices, scores).

    Attributes:
        by: the unsupervised scores.
        success: the success, for any counts of the seeds.
        regret: the regret, for any counts of the seeds.
        blind: (scores,), the success of a blind choice.
        num_seeds: the smallest number of seeds of a setting.
        picked: (choices, settings), the number of seeds in which each setting is chosen.
    """

    by: list[str]
    success: "_Transfer"
    regret: "_Transfer"
    blind: np.ndarray
    num_seeds: np.ndarray
    picked: np.ndarray


def _rate_choices(
    table: DataFrame,
    directions: Mapping[str, int] | None,
    scores: str | Sequence[str],
    names: Names,
) -> tuple[ScoreArray, list[_Choices]]:
    """The array of the unsupervised scores and of `scores`, and the choices on each data set."""
    if directions is None:
        directions = {name: names.sign(name) for name in (*UNSUPERVISED, *LATER_RULES)}
    else:
        check_scores(directions, table)
    given, scores = [name for name in directions if name in table], check_scores(scores, table)
    data = score_array(table, [*given, *scores])
    signs = [*(directions[name] for name in given), *(names.sign(score) for score in scores)]
    choices = []
    for of_dataset in data.values:
        values = np.moveaxis(of_dataset * signs, 2, 0)  # scores, settings, seeds
        chosen, outcome = _choose_best(values[: len(given)]), _rate_settings(values[len(given) :])
        success, regret = (_Transfer(chosen, rated, to_other_seeds=False) for rated in outcome)
        there = np.isfinite(values)
        num_seeds = fewest_seeds((there[: len(given), None] & there[len(given) :]).sum(axis=-1))
        blind = np.array([_mean(rated) for rated in outcome.success])
        picked = chosen.sum(axis=-1)
        choices.append(_Choices(given, success, regret, blind, num_seeds, picked))
    return data, choices


class Outcome(NamedTuple):
    """The outcome of a choice, (targets, settings, seeds), NaN if there is no model."""

    success: np.ndarray
    regret: np.ndarray


def _choose_best(values: np.ndarray) -> np.ndarray:
    """The probability that each setting is chosen as the best of its seed; ties share evenly."""
    best = values.max(axis=1, keepdims=True, initial=-np.inf, where=np.isfinite(values))
    chosen = (values == best).astype(float)
    return chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1)


def _rate_settings(values: np.ndarray) -> Outcome:
    """The outcome of each setting, from scores (targets, settings, seeds); more is better."""
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

    Source i chooses setting x at seed s with probability p[i, x, s]; at target j and seed t its
    outcome is o[j, x, t]. If seed s counts w[s] times, the mean outcome at other seeds is::

        sum over s != t and x of w[s] w[t] p[i, x, s] o[j, x, t]
          = sum over x of P[i, x] O[j, x]  -  sum over s of w[s]^2 same[s, i, j]

        P = sum over s of w[s] p[.., s],  O likewise,  same[s, i, j] = sum over x of p o, both at s

    and at the choice's own seed it is the sum over s of w[s] same[s, i, j]. Both are divided by
    their value if every existing outcome were 1.

    Args:
        choices: p (sources, settings, seeds) from `_choose_best`.
        outcome: o (targets, settings, seeds), one of `_rate_settings`.
        to_other_seeds: whether a choice is used at all other seeds, or at its own.
    """

    def __init__(self, choices: np.ndarray, outcome: np.ndarray, to_other_seeds: bool):
        there = np.isfinite(outcome)
        self._choices, self._to_other_seeds = choices, to_other_seeds
        self._outcomes = np.where(there, outcome, 0.0), there.astype(float)
        self._same_seed = [
            np.matmul(choices.transpose(2, 0, 1), what.transpose(2, 1, 0))
            for what in self._outcomes
        ]

    def mean(self, counts: np.ndarray) -> np.ndarray:
        """The mean where seed s counts `counts[s]` times."""
        found, possible = (
            self._sum(outcome, same_seed, counts)
            for outcome, same_seed in zip(self._outcomes, self._same_seed, strict=True)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(possible > 1e-9, found / possible, np.nan)

    def _sum(self, outcome: np.ndarray, same_seed: np.ndarray, counts: np.ndarray) -> np.ndarray:
        if not self._to_other_seeds:
            return np.tensordot(counts, same_seed, 1)
        at_all_seeds = (self._choices @ counts) @ (outcome @ counts).T
        return at_all_seeds - np.tensordot(counts**2, same_seed, 1)


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else np.nan
