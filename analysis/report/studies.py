"""A comparison of two studies."""

from pandas import DataFrame

from ...words import format_count
from ..formats import MINUS
from ..paper_grid import DISENTANGLEMENT, PREDICTION
from ..statistics.comparison import compare_studies
from ..tables import split_by
from . import elements
from .elements import Element
from .parts import MOST_ROWS, Report, Shown, keep_present, section, tally_verdicts

LOSSES = ("reconstruction", "kl")

WORDS = (
    "Mean ± standard deviation over seeds of each score in each cell that both studies have, and "
    "the 95 % interval of the difference. A cell differs if the interval excludes 0. Among many "
    "cells some differ by chance, so p is adjusted for all of them together (Holm 1979)."
)


@section("studies", "Do the two studies agree?")
def make_section(report: Report) -> Shown:
    """The scores of the study compared with a second one's; None if there is no second study."""
    if report.beside is None:
        return None
    studies = [
        f"{study} ({format_count(len(rows), 'model')})"
        for study, rows in split_by(report.beside, "study").items()
    ]
    columns = keep_present(report.beside, (*DISENTANGLEMENT, *PREDICTION, *LOSSES))
    if len(studies) < 2:
        return f"Only {studies[0]} has models."
    compared = compare_studies(report.beside, columns)
    if compared.empty:
        return f"{' and '.join(studies)} have no cell of data set, method and setting in common."
    differ = compared[compared["comparison"] == "differs"].sort_values("p_value", kind="stable")
    return [
        elements.text(f"The first is {studies[0]}, the second {studies[1]}.", "note"),
        elements.text(WORDS, "reading"),
        *(elements.text(words) for words in _tally(compared)),
        _count_by_score(report, compared),
        *([elements.heading("What differs"), _tabulate(report, differ)] if len(differ) else []),
        elements.data(studies=compared),
    ]


def _tally(compared: DataFrame) -> list[str]:
    """Sentences about all cells together."""
    words = tally_verdicts(list(compared["comparison"]))
    if few := int((compared["comparison"] == "not comparable").sum()):
        reasons = compared.loc[compared["comparison"] == "not comparable", "why"].unique()
        words.append(f"{format_count(few, 'number')} cannot be compared: {'; '.join(reasons)}.")
    if words and (sure := int((compared["p_adjusted"] < 0.05).sum())):
        words.append(f"{sure:,} differ when all are tested together (Holm, 5 %).")
    if same := int(compared["num_same"].sum()):
        words.append(
            f"{format_count(same, 'score')} of models with the same seed are equal to the last bit."
        )
    return words


def _count_by_score(report: Report, compared: DataFrame) -> Element:
    """The numbers of cells that agree and differ, by data set and score."""
    rows = compared.assign(
        agree=compared["comparison"] == "agrees", differ=compared["comparison"] == "differs"
    )
    counts = rows.groupby(["dataset", "score"], sort=False).agg(
        cells=("score", "size"), agree=("agree", "sum"), differ=("differ", "sum")
    )
    counts = counts.reset_index()
    counts["chance"] = (counts["agree"] + counts["differ"]) / 20
    titles = {"dataset": "Data set", "score": "Score", "cells": "Cells", "agree": "Agree"}
    titles |= {"differ": "Differ", "chance": "Differ by chance, up to"}
    return elements.table("studies-by-score", counts, titles, digits=1, names=report.names)


def _tabulate(report: Report, rows: DataFrame) -> Element:
    """The cells that differ, starting with those that chance explains least."""
    shown = rows.assign(
        first=_describe(rows, "first"),
        second=_describe(rows, "second"),
        interval=[
            f"{low:.3f} to {high:.3f}".replace("-", MINUS)
            for low, high in zip(rows["low"], rows["high"], strict=True)
        ],
    )
    titles = {"dataset": "Data set", "method": "Method", "setting": "Setting", "score": "Score"}
    titles |= {"first": "First study", "second": "Second study", "difference": "Difference"}
    titles |= {"interval": "95 % interval", "p_adjusted": "Adjusted p"}
    table = elements.table("studies-differences", shown, titles, digits=3, names=report.names)
    if len(shown) <= MOST_ROWS:
        return table
    return elements.details(f"All {len(shown):,} cells that differ", table)


def _describe(rows: DataFrame, name: str) -> list[str]:
    values = zip(rows[name], rows[f"{name}_spread"], rows[f"{name}_seeds"], strict=True)
    return [f"{mean:.3f} ± {spread:.3f} ({n})".replace("-", MINUS) for mean, spread, n in values]
