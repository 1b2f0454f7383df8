"""The numbers the study published in 2019, with where each was read, and its grid."""

import json
from functools import cache
from importlib.resources import files
from pathlib import Path

from .frames import DataFrame

# Data that count as the study's own: the publishers' files, or dSprites redrawn to their bits.
SOURCES = ("published file", "drawn")


@cache
def _packaged() -> dict:
    return json.loads((files("teasel.analysis") / "published.json").read_text())


def study_grid() -> dict:
    """The grid of Locatello et al. (2019): data sets, methods with their values, seeds, steps."""
    return _packaged()["study"]


def published(figure: str, more: str | Path | None = None) -> DataFrame:
    """The published values of one figure or table: a row per entry, empty if none is at hand.

    Args:
        figure: "figure_2", "figure_3", "figure_4_datasets", "figure_5" or "table_1".
        more: a JSON file of your own, ``{"tables": [...]}`` in the form of the packaged one; its
            entries replace packaged ones.

    Returns:
        figure, dataset, score, row, column, published (a fraction), source, caveat.

    >>> published("table_1").query("row == 'same_metric' and column == 'same_dataset'").published
    0    0.807
    Name: published, dtype: float64
    """
    tables = _packaged()["tables"]
    if more is not None:
        tables = tables + json.loads(Path(more).read_text())["tables"]
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


def differences(trials: DataFrame) -> list[str]:
    """In what these models are not the study's: one phrase each, empty if in nothing.

    Args:
        trials: rows of `trials(results)` (or wide scores), of one data set or of several.
    """
    from .tables import learned

    grid, trained = study_grid(), learned(trials)
    found = []
    if others := sorted(set(trained["dataset"]) - set(grid["datasets"])):
        found.append(f"{' and '.join(others)}: no data set of the study")
    if "data_source" in trained:
        sources = trained["data_source"].dropna().unique()
        if made := [source for source in sources if source not in SOURCES]:
            found.append(f"stand-in data ({', '.join(sorted(made))})")
    for method, rows in trained.groupby("method"):
        if method not in grid["methods"]:
            found.append(f"{method}: no method of the study")
        elif "steps" in rows:
            wanted = grid["steps"].get(method, grid["steps"]["default"])
            if fewer := sorted(set(rows["steps"]) - {wanted}):
                shown = " and ".join(f"{steps:,.0f}" for steps in fewer)
                found.append(f"{shown} steps of {method} (the study: {wanted:,})")
    for name in ("batch_size", "learning_rate", "num_latents"):
        if name in trained and set(trained[name].dropna()) - {grid[name]}:
            found.append(f"another {name.replace('_', ' ')} than {grid[name]:g}")
    return found
