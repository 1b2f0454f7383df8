"""The numbers printed in the paper, with their sources, and how given models differ from it."""

import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from pandas import DataFrame

from ...errors import TeaselError, UnknownNameError
from ...settings import Settings
from ..formats import format_strength
from ..paper_grid import UNSUPERVISED, paper_grid
from ..tables import as_list, drop_references, split_by

PAPER_SOURCES = ("published file", "drawn")
"""Data sources that count as the paper's: publishers' files, or dSprites rendered bit for bit."""

MODELS_PER_DATASET = 1800
"""36 settings with 50 seeds."""

FIGURES = (
    *("figure_1", "figure_2", "figure_3", "figure_4", "figure_4_datasets", "figure_5", "figure_6"),
    "table_1",
)


class PublishedError(TeaselError):
    """A file of published numbers cannot be used; the message says which entry and why."""


@cache
def _read_packaged() -> dict:
    return json.loads((files("teasel.analysis.paper") / "published.json").read_text())


def published_numbers(figure: str, more: str | Path | None = None) -> DataFrame:
    """The published values of one figure or table: a row per entry, empty if there are none.

    Args:
        figure: one of `FIGURES`, or a figure of your file.
        more: your JSON file, ``{"tables": [...]}`` in the form of the packaged one. Its entries
            replace packaged ones.

    Returns:
        figure, dataset, score, row, column, published (a fraction), source, caveat.

    Raises:
        PublishedError: if the file can't be read or an entry of it is malformed.
        UnknownNameError: if there is no such figure.

    >>> table = published_numbers("table_1")
    >>> table.query("row == 'same_metric' and column == 'same_dataset'").published
    0    0.807
    Name: published, dtype: float64
    """
    tables = _read_packaged()["tables"]
    if more is not None:
        tables = tables + _read_own(Path(more))
    known = dict.fromkeys((*FIGURES, *(table["figure"] for table in tables)))
    if figure not in known:
        raise UnknownNameError("figure", figure, known)
    entries = [
        {
            "figure": figure,
            "dataset": table.get("dataset", ""),
            "score": table.get("score", ""),
            "row": row,
            "column": column,
            "published": percent / 100,
            "source": table["source"],
            "caveat": table.get("caveat", ""),
        }
        for table in tables
        if table["figure"] == figure
        for row, line in zip(table["rows"], table["percent"], strict=True)
        for column, percent in zip(table["columns"], line, strict=True)
    ]
    key = ["figure", "dataset", "score", "row", "column"]
    found = DataFrame(entries, columns=[*key, "published", "source", "caveat"])
    return found.drop_duplicates(key, keep="last", ignore_index=True)


def _read_own(path: Path) -> list[dict]:
    """The tables of the user's file, in the form of the packaged one."""
    try:
        tables = json.loads(path.read_text(encoding="utf-8"))["tables"]
        numbered = list(enumerate(tables, 1))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PublishedError(f'{path}: expected JSON of {{"tables": [...]}} ({error!r})') from None
    for number, table in numbered:
        try:
            shape = np.shape(np.asarray(table["percent"], float))
            wanted = (len(table["rows"]), len(table["columns"]))
            _ = table["figure"] + table["source"]
        except (KeyError, TypeError, ValueError) as error:
            raise PublishedError(f"{path}, table {number}: {_explain(error)}") from None
        if shape != wanted:
            raise PublishedError(
                f"{path}, table {number}: percent is {shape}, its rows and columns are {wanted}"
            )
    return tables


def _explain(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    return "percent must be rows of numbers, all as long as columns; figure and source texts"


def differences_from_paper(
    trials: DataFrame, scores: str | Iterable[str] | None = None
) -> list[str]:
    """The differences of these models from the paper's, one phrase each; empty if none.

    Args:
        trials: rows of `trials(results)` (or wide scores), of one or several data sets.
        scores: the columns whose metric parameters are checked; all metrics' if None.
    """
    grid, trained = paper_grid(), drop_references(trials)
    found = []
    if others := sorted(set(trained["dataset"]) - set(grid["datasets"])):
        found.append(f"{' and '.join(others)}: not a data set of the paper")
    sources = trained.get("data_source", pd.Series([None]))
    if made := [source for source in sources.dropna().unique() if source not in PAPER_SOURCES]:
        found.append(f"data from other sources ({', '.join(sorted(made))})")
    if sources.isna().any():
        found.append("data source unknown")
    other_steps: dict[tuple[str, int], list[str]] = {}
    for method, rows in sorted(split_by(trained, "method").items()):
        if method not in grid["methods"]:
            found.append(f"{method}: not a method of the paper")
            continue
        found += _list_other_settings(method, rows)
        if "steps" in rows:
            wanted = grid["steps"].get(method, grid["steps"]["default"])
            if others := sorted(set(rows["steps"]) - {wanted}):
                shown = " and ".join(f"{steps:,.0f}" for steps in others)
                other_steps.setdefault((shown, wanted), []).append(method)
    found += [
        f"{shown} steps of {', '.join(methods)} (the paper: {wanted:,})"
        for (shown, wanted), methods in other_steps.items()
    ]
    found += list_other_parameters(trained, None if scores is None else as_list(scores))
    for name, default in Settings._field_defaults.items():
        if name in ("steps", "evaluation_batches", "precision"):
            continue
        expected = grid.get(name, default)
        if name in trained and set(trained[name].dropna()) - {expected}:
            shown = format_strength(expected)
            found.append(f"{name.replace('_', ' ')} other than {shown}")
    return found


def _list_other_settings(method: str, rows: DataFrame) -> list[str]:
    grid, found = paper_grid(), []
    constants = {name: [value] for name, value in grid["constants"].get(method, {}).items()}
    for name, values in (grid["methods"][method] | constants).items():
        swept = rows["hyperparameter_value"].where(rows["hyperparameter"] == name)
        given = set(rows.get(name, swept).dropna().to_numpy(float))
        if others := sorted(given - set(values)):
            shown = " and ".join(f"{value:g}" for value in others)
            found.append(f"{name}={shown} of {method}: not a setting of the paper")
    return found


def list_other_parameters(table: DataFrame, scores: Iterable[str] | None = None) -> list[str]:
    """A phrase about metrics that were not computed with the paper's parameters.

    Args:
        table: wide scores.
        scores: the columns whose metrics are checked; all metrics if None.
    """
    given = table["other_parameters"].unique() if "other_parameters" in table else []
    others = dict.fromkeys(name for names in given for name in names.split(", ") if name)
    named = ", ".join(name for name in others if scores is None or _makes(name, scores))
    return [f"parameters of {named} other than the paper's"] if named else []


def _makes(metric: str, columns: Iterable[str]) -> bool:
    """Whether one of these wide columns is a score of a metric."""
    if metric == "unsupervised":
        return not set(columns).isdisjoint(UNSUPERVISED)
    columns = [name.replace("efficiency_", "downstream_") for name in columns]
    return any(name == metric or name.startswith(f"{metric}_") for name in columns)


def paper_coverage(table: DataFrame) -> DataFrame:
    """How much of the paper's grid these models cover.

    Returns:
        A row per data set: dataset, num_models (with the paper's settings and seeds), share (of the
        paper's 1,800), num_settings (of its 36), num_seeds (of the setting with the fewest).
    """
    grid = paper_grid()
    table = drop_references(table)
    cell = ["dataset", "method", "hyperparameter", "hyperparameter_value"]
    counts = table.groupby(cell, sort=False)["seed"].nunique().to_dict()
    settings = [
        (method, name, float(value))
        for method, swept in grid["methods"].items()
        for name, values in swept.items()
        for value in values
    ]
    rows = []
    for dataset in table["dataset"].unique():
        seeds = [counts.get((dataset, *setting), 0) for setting in settings]
        present = [count for count in seeds if count]
        counted = present if dataset in grid["datasets"] else []
        size = sum(min(count, grid["seeds"]) for count in counted)
        share = size / (len(seeds) * grid["seeds"])
        rows.append((dataset, size, share, len(present), min(present, default=0)))
    return DataFrame(rows, columns=["dataset", "num_models", "share", "num_settings", "num_seeds"])
