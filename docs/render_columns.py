"""Writes docs/columns.md, every column of the tables, from what stands beside its declaration.

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
    "METRIC_num_active_dims": "Latents that vary, of the FactorVAE score and IRS.",
    "dci_informativeness_train, explicitness_train": "As of the test, on the points of training.",
    "downstream_CLASSIFIER_SIZE_train": "As `downstream_CLASSIFIER_SIZE`, on training's points.",
    "downstream_CLASSIFIER_SIZE_min_SET": "The accuracy of the factor that is predicted worst.",
    "downstream_CLASSIFIER_SIZE_SET_FACTOR": "The accuracy of one factor, by its name.",
    "linear_r2_min": "Of the factor that is predicted worst.",
}
"""Columns that a metric gives beside its labelled scores; capitals stand for a name."""

BEGIN = """\
# Every column

Made by `.venv/bin/python docs/render_columns.py` from what stands beside the declarations; a test
holds it to them. Where nothing is said, neither more nor less is better."""

WIDE = """\
`scores(results, wide=True)` has a row per model: the columns of `trials` above but for `status` and
`error`, those below, and a column for each hyper-parameter. A metric of your own has its columns
likewise: `METRIC_SCORE`, or the score alone where it has the metric's name."""

DIRECTIONS = """\
The direction is what selections and `exemplars` go by. Of the four unsupervised scores it is only a
convention: less dependence between latents is not better by itself. A meaning begins with the label
of figures; the rest is of all scores of the metric. [Newer scores](analysis.md#the-papers-figures)
have their ranges."""


def render() -> str:
    """The page."""
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
    """What the docstring of a record says of each of its fields."""
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
