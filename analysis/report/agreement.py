"""Do the scores agree?"""

from ..frames import DataFrame
from ..labels import MINUS, label
from ..paper import figures
from ..paper.compare import compare_with_paper
from ..paper.published import published
from ..tables import learned
from . import elements
from .elements import Block
from .parts import (
    NO_SCORES,
    Report,
    above_diagonal,
    comparison,
    matrix,
    nothing,
    nothing_published,
    printed_matrix,
)


def agreement(report: Report) -> Block:
    """Figure 2: do the scores agree?"""
    name, title = "agreement", "Do the scores agree?"
    if not report.scores:
        return nothing(name, title, NO_SCORES)
    summary = figures.figure_2(report.mean, report.scores)
    known = published("figure_2", report.more)
    drawn, verdicts = [], []
    for dataset, rows in summary.groupby("dataset", sort=False):
        drawn.append(matrix(f"figure_2-{dataset}", rows, report.mean))
        printed = known[known["dataset"] == dataset]
        if len(printed):
            drawn.append(printed_matrix(f"published-{dataset}", printed))
            pairs = above_diagonal(rows, report.scores)
            table = learned(report.mean[report.mean["dataset"] == dataset])
            beside = compare_with_paper(
                pairs, "figure_2", table, "correlation", str(dataset), more=report.more
            )
            verdicts += comparison(f"verdict-figure_2-{dataset}", table, beside, "correlation")
    words = (
        "Spearman's rank correlation between scores over all trained models of a data set, in "
        "percent: 100 where two scores rank the models alike, 0 where one says nothing about the "
        "other. With few models, large values come up by chance."
    )
    return elements.section(
        name,
        title,
        elements.text(words, "reading"),
        _extremes(summary[summary["dataset"] != "average"], report.scores),
        elements.pair(*drawn),
        *(verdicts or [nothing_published("figure 2", known)]),
        elements.data(figure_2=summary),
    )


def _extremes(summary: DataFrame, names: list[str]) -> Block | None:
    known = above_diagonal(summary, names).dropna(subset="correlation")
    if len(known) < 2:
        return None
    values, told = known["correlation"], []
    for place in (values.idxmax(), values.idxmin()):
        entry, number = known.loc[place], f"{100 * values[place]:.0f}".replace("-", MINUS)
        pair = f"{label(entry['row'])} and {label(entry['column'])}"
        told.append(f"{pair} on {label(entry['dataset'])} ({number})")
    return elements.text(f"Most alike: {told[0]}. Least alike: {told[1]}.")
