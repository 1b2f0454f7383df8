"""Summaries of a study: scores per setting, training curves, best and worst models."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from pandas import DataFrame, Series

from .names import PAPER_NAMES, Names
from .paper_grid import DISENTANGLEMENT, DOWNSTREAM, paper_grid
from .tables import as_list, check_models, check_scores, drop_references

CELL = ("dataset", "method", "setting")
"""The columns shared by the models of one setting."""


def sort_as_paper(table: DataFrame, names: Names = PAPER_NAMES) -> DataFrame:
    """Rows sorted in the paper's order: data set, method, strength, seed.

    Names that are not in the paper follow in the table's order, and references come last.
    """
    grid = paper_grid()
    known = {
        "dataset": list(grid["datasets"]),
        "method": [*grid["methods"], *_strangers(table, grid, names), *names.references],
    }
    keys = DataFrame(index=table.index)
    for name in ("dataset", "method"):
        if name in table:
            order = dict.fromkeys([*known[name], *table[name].unique()])
            keys[name] = table[name].map({given: rank for rank, given in enumerate(order)})
    if "hyperparameter_value" in table:
        keys["hyperparameter_value"] = table["hyperparameter_value"]
    if "setting" in table:
        keys["setting"] = rank_settings(table["setting"])
    if "seed" in table:
        keys["seed"] = table["seed"]
    return table.loc[keys.sort_values([str(name) for name in keys], kind="stable").index]


def _strangers(table: DataFrame, grid: dict[str, Any], names: Names) -> list[str]:
    given = table["method"].unique() if "method" in table else []
    return [name for name in given if name not in {*grid["methods"], *names.references}]


def rank_settings(settings: Series) -> Series:
    """The rank of each setting among all, by its values.

    >>> rank_settings(Series(["beta=10", "beta=2", "", "beta=2"])).tolist()
    [2, 1, 0, 1]
    """
    order = sorted(settings.unique(), key=_sort_key)
    return settings.map({setting: rank for rank, setting in enumerate(order)})


def read_setting(setting: str) -> list[tuple[str, str]]:
    """The names and values in a setting.

    >>> read_setting("alpha=1, width=16")
    [('alpha', '1'), ('width', '16')]
    """
    parts = [part.partition("=") for part in setting.split(", ") if part]
    return [(name, value) for name, _, value in parts]


def _sort_key(setting: str) -> list[tuple[str, float, str]]:
    """The names and values in a setting, as a sort key."""
    found = []
    for name, value in read_setting(setting):
        try:
            found.append((name, float(value), ""))
        except ValueError:
            found.append((name, float("inf"), value))
    return found


def other_settings(table: DataFrame) -> Series:
    """The rest of each setting in a table, without its method's swept hyper-parameter.

    >>> rows = {"setting": ["alpha=1, width=16"], "hyperparameter": ["alpha"]}
    >>> other_settings(DataFrame(rows)).tolist()
    ['width=16']
    """
    pairs = zip(table["setting"], table["hyperparameter"], strict=True)
    rest = [
        ", ".join(part for part in setting.split(", ") if not part.startswith(f"{name}="))
        for setting, name in pairs
    ]
    return Series(rest, index=table.index, dtype=object)


def score_table(
    table: DataFrame,
    columns: str | Sequence[str] = DISENTANGLEMENT,
    by: str | Sequence[str] = CELL,
    names: Names = PAPER_NAMES,
) -> DataFrame:
    """Mean and spread over models of every score in every cell of the study.

    Args:
        table: wide scores.
        columns: score columns; those the table lacks are left out.
        by: the columns that define a cell, including the method.
        names: which methods are references.

    Returns:
        A row per cell: the columns of `by`, num_models, reference (True for
        references), and for each score its mean, ``<score>_spread``, the standard deviation over
        the models (ddof 1; NaN for one model), and ``<score>_count``, the number of models with it.
    """
    columns = [name for name in check_scores(columns, table) if name in table]
    groups = sort_as_paper(check_models(table), names).groupby(as_list(by), sort=False)
    means, spreads = groups[columns].mean(), groups[columns].std().add_suffix("_spread")
    summary = means.join(spreads).join(groups[columns].count().add_suffix("_count"))
    summary.insert(0, "num_models", groups.size())
    is_reference = summary.index.get_level_values("method").isin(names.references)
    summary.insert(1, "reference", is_reference)
    return summary.reset_index()


def winning_settings(
    table: DataFrame, columns: str | Sequence[str] = DISENTANGLEMENT, names: Names = PAPER_NAMES
) -> DataFrame:
    """The best and the worst setting of each method by each score, as means over seeds.

    Args:
        table: wide scores.
        columns: scores; those the table lacks are left out.
        names: the scores for which less is better, and the methods that are references.

    Returns:
        A row per data set, score and method: dataset, score, method, best, best_mean, worst,
        worst_mean, num_settings, and wins: whether its best setting is the best of all methods.
    """
    means = score_table(table, columns, names=names)
    means = means[~means["reference"]]
    rows = []
    for score in as_list(columns):
        if score not in means:
            continue
        sign = names.sign(score)
        for (dataset, method), each in means.dropna(subset=[score]).groupby(
            ["dataset", "method"], sort=False
        ):
            ordered = each.sort_values(score, ascending=sign < 0, kind="stable")
            ends = [ordered.iloc[at][value] for at in (0, -1) for value in ("setting", score)]
            rows.append((dataset, score, method, *ends, len(ordered), sign * ends[1]))
    ends = ["best", "best_mean", "worst", "worst_mean"]
    found = DataFrame(rows, columns=["dataset", "score", "method", *ends, "num_settings", "rank"])
    highest = found.groupby(["dataset", "score"])["rank"].transform("max")
    return found.assign(wins=found["rank"] == highest).drop(columns="rank")


def accuracy_by_rank(
    table: DataFrame, score: str, columns: str | Sequence[str] = DOWNSTREAM
) -> DataFrame:
    """The means of other columns for models with a low, middle and high score.

    The trained models of a data set are divided into thirds by their rank in the score.

    Args:
        table: wide scores.
        score: a column.
        columns: the columns to average; those the table lacks are left out.

    Returns:
        A row per data set and third: dataset, third ("low", "middle", "high"), num_models, and the
        mean of each column. Low is the third with the lowest values.
    """
    (score,) = check_scores(score, table)
    columns = [name for name in check_scores(columns, table) if name in table]
    rows = drop_references(check_models(table)).dropna(subset=[score])
    place = rows.groupby("dataset")[score].rank(method="first", pct=True)
    third = pd.cut(place, [0, 1 / 3, 2 / 3, 1], labels=["low", "middle", "high"]).astype(str)
    groups = rows.assign(third=third).groupby(["dataset", "third"], sort=False)
    found = groups[columns].mean().assign(num_models=groups.size()).reset_index()
    order = found["third"].map({"low": 0, "middle": 1, "high": 2})
    found = found.assign(order=order).sort_values(["dataset", "order"], ignore_index=True)
    return found[["dataset", "third", "num_models", *columns]]


def training_curves(trials: DataFrame, curves: DataFrame) -> DataFrame:
    """Mean training curves over the seeds of every cell.

    Returns:
        dataset, method, hyperparameter, setting, step, reconstruction, kl, num_models.
    """
    cell = [*CELL, "hyperparameter", "hyperparameter_value"]
    rows = check_models(trials)[["trial_id", *cell]].merge(curves, on="trial_id")
    groups = rows.groupby([*cell, "step"], sort=False, dropna=False)
    means = groups.agg(
        reconstruction=("reconstruction", "mean"), kl=("kl", "mean"), num_models=("kl", "size")
    ).reset_index()
    return sort_as_paper(means.sort_values("step", kind="stable"))


def exemplars(
    table: DataFrame, score: str, by: str | Sequence[str] = "dataset", names: Names = PAPER_NAMES
) -> DataFrame:
    """The best, the median and the worst trained model of each group by one score.

    Args:
        table: wide scores.
        score: a column.
        by: the columns that define a group.
        names: whether less of the score is better, and which methods are references.

    Returns:
        The columns of `by`, `which` (best, median, worst), and the model's trial_id, method,
        setting, seed and score. With an even number of models the median is the better of two.
    """
    by, (score,) = as_list(by), check_scores(score, table)
    ranked = sort_as_paper(drop_references(check_models(table), names)).dropna(subset=[score])
    found: list[dict[Any, Any]] = []
    for group, rows in ranked.groupby(by, sort=False):
        rows = rows.sort_values(score, ascending=names.sign(score) < 0, kind="stable")
        for which, place in (("best", 0), ("median", (len(rows) - 1) // 2), ("worst", -1)):
            model = rows.iloc[place][["trial_id", "method", "setting", "seed", score]]
            found.append({**dict(zip(by, group, strict=True)), "which": which, **model})
    columns = [*by, "which", "trial_id", "method", "setting", "seed", score]
    return DataFrame(found, columns=list(dict.fromkeys(columns)))
