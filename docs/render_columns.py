"""Writes docs/columns.md, which lists every column of the tables, from the declarations.

.venv/bin/python docs/render_columns.py [--path docs/columns.md]
"""

import argparse
import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from teasel.analysis.names import PAPER_NAMES
from teasel.analysis.tables import DERIVED
from teasel.metrics import COMPARISONS, METRICS
from teasel.settings import Settings
from teasel.sweep.store import tables
from teasel.sweep.store.tables import score_column

RECORDS = {
    "trials": (tables.TrialRow, "tables/trials/*.parquet"),
    "scores": (tables.ScoreRow, "tables/scores/*.parquet"),
    "curves": (tables.CurveRow, "tables/curves/*.parquet"),
    "pictures": (tables.PictureRow, "tables/pictures/*.parquet"),
    "codes": (tables.CodeRow, "representations/DATASET/*-*.parquet"),
    "points": (tables.PointRow, "representations/DATASET/factors.parquet"),
    "failures": (tables.FailureRow, "tables/failures/*.parquet"),
}

OTHERS = {
    "SCORE_sd": "Standard deviation of a score over several metric seeds.",
    "METRIC_train_accuracy": "BetaVAE's and FactorVAE's accuracy on the points it was trained on.",
    "METRIC_num_active_dims": "The number of latents that vary, for the FactorVAE score and IRS.",
    "dci_informativeness_train, explicitness_train": "The score on the training points.",
    "downstream_CLASSIFIER_SIZE_train": "`downstream_CLASSIFIER_SIZE` on the training points.",
    "downstream_CLASSIFIER_SIZE_min_SET": "The accuracy of the factor that is predicted worst.",
    "downstream_CLASSIFIER_SIZE_SET_FACTOR": "The accuracy of one factor, by its name.",
    "linear_r2_min": "The R^2 of the factor that is predicted worst.",
}
"""Columns of a metric besides its labelled scores; capitals stand for a name."""

BEGIN = """\
# Every column

This page is made by `.venv/bin/python docs/render_columns.py` from the declarations, and a test
compares them. If the last column is empty, neither more nor less is better."""

WIDE = """\
`scores(results, wide=True)` has a row per model, with the columns of `trials` above except
`status` and `error`, the columns below, and a column for each hyper-parameter. Your own metrics
have columns, too: `METRIC_SCORE`, or only the score's name if that is the metric's name."""

DIRECTIONS = """\
Selections and `exemplars` use the direction. For the four unsupervised scores it is only a
convention: less dependence between latents is not better in itself. A meaning begins with the
label in figures; the rest describes all scores of the metric.
[Newer scores](analysis.md#the-papers-figures) lists their ranges."""


def render() -> str:
    """The text of the page."""
    parts = [BEGIN]
    for name, (record, where) in RECORDS.items():
        intro = (record.__doc__ or "").partition("\n")[0]
        parts += [f"## {name}", f"`{where}`: {intro}", _tabulate(_describe(record))]
    parts += ["## Wide scores", WIDE]
    parts += [_tabulate((name, "", text) for name, text in DERIVED.items())]
    parts += ["### Scores", DIRECTIONS, _tabulate(_describe_scores())]
    parts += ["### Beside them", _tabulate((name, "float", text) for name, text in OTHERS.items())]
    return "\n\n".join(parts) + "\n"


def attributes(record: type[Any]) -> dict[str, str]:
    """The description of each field in the docstring of a record."""
    _, _, listed = inspect.getdoc(record).partition("Attributes:\n")  # type: ignore[union-attr]
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", listed, re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text) for name, text in found}


def _describe(record: type[Any]) -> Iterable[tuple[str, str, str]]:
    told = attributes(Settings) | attributes(record) if record is tables.TrialRow else {}
    told = told or attributes(record)
    for name, kind in get_type_hints(record).items():
        if name == "hyperparameters":
            yield "beta, gamma, ...", "float", "Each hyper-parameter of the study's methods."
        else:
            yield name, _name_type(kind), told[name]


def _name_type(kind: Any) -> str:
    given = [inner for inner in get_args(kind) if inner is not type(None)]
    if get_origin(kind) is list:
        return f"list of {given[0].__name__}"
    return _name_type(given[0]) if given else kind.__name__


def _describe_scores() -> Iterable[tuple[str, str, str]]:
    for name, metric in {**METRICS.own, **COMPARISONS}.items():
        for score, label in (metric.labels or {name: metric.label}).items():
            column = score_column(name, score)
            way = "more" if PAPER_NAMES.sign(column) > 0 else "less"
            way = "less" if score in metric.lower_is_better else way
            marks = "; ".join(filter(None, [metric.units.get(score, ""), f"{way} is better"]))
            module = inspect.getdoc(inspect.getmodule(metric.function)) or ""
            about = re.sub(r"\s+", " ", module.partition("\n\n")[0])
            yield column, "float", f'"{label}": {about} [{marks}]'


def _tabulate(rows: Iterable[tuple[str, str, str]]) -> str:
    lines = ["| column | type | unit | meaning | better |", "| --- | --- | --- | --- | --- |"]
    for name, kind, told in rows:
        meaning, marks = re.fullmatch(r"(.*?)(?: \[(.*)\])?", told).groups()  # type: ignore[union-attr]
        given = (marks or "").split("; ")
        better = next((mark.split()[0] for mark in given if mark.endswith("is better")), "")
        unit = "" if given[0].endswith("is better") else given[0]
        names = ", ".join(f"`{each}`" for each in name.split(", "))
        lines.append(f"| {names} | {kind} | {unit} | {meaning} | {better} |")
    return "\n".join(re.sub(r" {2,}", " ", line) for line in lines)


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--path", type=Path, default=Path("docs/columns.md"))
    parser.parse_args().path.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
