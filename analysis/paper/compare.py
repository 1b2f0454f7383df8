"""Decides by a fixed rule whether a number agrees with the published one."""

from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame

from ...words import format_count
from ..paper_grid import DISENTANGLEMENT, paper_grid
from ..statistics.comparison import judge
from ..statistics.correlation import select_complete_models
from ..statistics.resampling import MIN_SEEDS
from ..tables import check_models, drop_references, split_by
from .published import (
    differences_from_paper,
    list_other_parameters,
    paper_coverage,
    published_numbers,
)

AVERAGED = ("figure_3", "table_1")
"""Figures whose numbers involve all of the paper's scores at once."""

RULE = (
    "A number is compared only if it was made as in the paper: on the paper's data (all seven sets "
    "for a number over all of them), with its training settings, scores and metric parameters, "
    f"for its 36 settings and no others, each with at least {MIN_SEEDS} seeds. It also needs an "
    "interval, and a published number whose print could be checked. It then agrees if the "
    "difference is within sqrt(half² + half² S / 50), plus half a point for the rounding of the "
    "print. Here half is the longer side of our 95 % interval, and S is the smallest number of "
    "seeds of any setting. The root is the 95 % interval of a difference from a study of 50 seeds. "
    "At most about one true agreement in twenty is called a difference."
)


def compare_with_paper(
    summary: DataFrame,
    figure: str,
    table: DataFrame,
    value: str,
    dataset: str = "",
    score: str = "",
    more: str | Path | None = None,
) -> DataFrame:
    """A summary with the published value of every entry, the difference and the verdict.

    Args:
        summary: entries with row, column, `value`, low, high and note.
        figure: the published table, see `published_numbers`.
        table: the wide scores behind the summary, which decide whether it can be compared.
        value: the column of `summary` to compare.
        dataset: the data set of the published table, if it has one.
        score: the score of the published table, if it has one.
        more: a JSON file with further published numbers.

    Returns:
        The summary with published, difference, comparison ("agrees", "differs", "not comparable",
        or empty if nothing is published), why, source.
    """
    known = published_numbers(figure, more).query("dataset == @dataset and score == @score")
    known = known[["row", "column", "published", "source", "caveat"]]
    compared = summary.merge(known, how="left", on=["row", "column"])
    compared["difference"] = compared[value] - compared["published"]
    table, missing_scores = _select_models(summary, figure, check_models(table), score)
    num_seeds = int(paper_coverage(table)["num_seeds"].min()) if len(table) else 0
    obstacles_on = {
        dataset: list_obstacles(rows, scores=())
        for dataset, rows in split_by(table, "dataset").items()
    }
    missing = [name for name in paper_grid()["datasets"] if name not in obstacles_on]
    found = []
    for entry in compared.to_dict("records"):
        pair = [name for name in (entry["row"], entry["column"]) if name in obstacles_on]
        behind = _scores_of(figure, score) or (entry["row"], entry["column"])
        obstacles = [*missing_scores]
        obstacles += [reason for name in pair or obstacles_on for reason in obstacles_on[name]]
        obstacles += list_other_parameters(table, behind)
        if not pair and not dataset and missing:
            obstacles.append(f"no models on {', '.join(missing)}")
        found.append(_compare(entry, entry[value], obstacles, num_seeds))
    compared["comparison"] = [comparison for comparison, _ in found]
    compared["why"] = [why for _, why in found]
    compared["source"] = compared["source"].fillna("")
    return compared.drop(columns="caveat")


def list_obstacles(table: DataFrame, scores: Iterable[str] | None = None) -> list[str]:
    """The reasons why numbers of these models cannot be compared with the paper's, if any.

    Args:
        table: wide scores.
        scores: the columns whose metric parameters are checked; all metrics' if None.
    """
    reasons = differences_from_paper(table, scores)
    grid, coverage = paper_grid(), paper_coverage(table)
    wanted = sum(len(values) for swept in grid["methods"].values() for values in swept.values())
    for row in coverage.to_dict("records"):
        if row["num_settings"] < wanted:
            reasons.append(f"{row['num_settings']} of {wanted} settings on {row['dataset']}")
    fewest = int(coverage["num_seeds"].min()) if len(coverage) else 0
    if fewest < MIN_SEEDS:
        reasons.append(f"{format_count(fewest, 'seed')}, {MIN_SEEDS} needed")
    return reasons


def _select_models(
    summary: DataFrame, figure: str, table: DataFrame, score: str
) -> tuple[DataFrame, list[str]]:
    """The models behind a figure's numbers, and the paper's scores that none of them has."""
    table, wanted = drop_references(table), _scores_of(figure, score)
    if not wanted:
        names = list(dict.fromkeys([*summary["row"], *summary["column"]]))
        complete = [
            select_complete_models(rows, names)[0] for rows in split_by(table, "dataset").values()
        ]
        return (pd.concat(complete) if complete else table), []
    given = [name for name in wanted if name in table and table[name].notna().any()]
    missing = [f"only {len(given)} of the paper's {len(wanted)} scores"]
    return table.dropna(subset=given), missing if len(given) < len(wanted) else []


def _scores_of(figure: str, score: str) -> Sequence[str]:
    """The scores involved in every number of a figure; none if each number has its own."""
    return [score] if score else DISENTANGLEMENT if figure in AVERAGED else ()


def _compare(
    entry: dict[Hashable, Any], value: float, obstacles: list[str], num_seeds: int
) -> tuple[str, str]:
    """Whether one number agrees with the published one, and why."""
    if np.isnan(entry["published"]) or entry["row"] == entry["column"]:
        return "", ""
    if np.isnan(value):
        obstacles.append(entry["note"])
    elif np.isnan(entry["low"]):
        obstacles.append(entry["note"] or "no interval")
    if "unverified" in entry["source"]:
        obstacles.append("the published number is unverified")
    # The longer side: an interval is symmetric until a correlation's is cut at 1 or -1.
    half = max(entry["high"] - value, value - entry["low"])
    allowed = half * np.sqrt(1 + num_seeds / paper_grid()["seeds"]) + 0.005
    return judge(entry["difference"], allowed, obstacles, entry["caveat"])
