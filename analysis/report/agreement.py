"""Do the scores agree?"""

from collections.abc import Iterator

from ..paper import figures
from ..paper.published import published_numbers
from ..statistics.correlation import CHANCE, compare_correlations
from ..tables import split_by
from . import elements
from .beside_paper import plot_published, tabulate_comparison
from .claims import claim
from .elements import Element
from .parts import (
    NO_SCORES,
    Report,
    Shown,
    keep_above_diagonal,
    plot_correlations,
    section,
)

WORDS = (
    "Spearman's rank correlation between scores over all trained models of a data set, in "
    "percent: 100 where two scores rank the models alike, 0 where one says nothing about the "
    "other. With few models, large values come up by chance."
)


@section("agreement", "Do the scores agree?")
def make_section(report: Report) -> Shown:
    """Figure 2: do the scores agree?"""
    trained = report.trained
    if not report.scores:
        return NO_SCORES
    if len(report.scores) < 2:
        only = report.names.label(report.scores[0])
        why = f"{only} is the only score here: there is none for it to agree with. A grid's line "
        return why + "such as `metrics: [mig, sap]` asks for two."
    summary = figures.figure_2(trained, report.scores)
    known = published_numbers("figure_2", report.more)
    matrices, comparisons = [], []
    for dataset, rows in split_by(summary, "dataset").items():
        matrices.append(plot_correlations(report, f"figure_2-{dataset}", rows))
        pairs = keep_above_diagonal(rows, report.scores)
        table = trained[trained["dataset"] == dataset]
        comparisons += plot_published(
            report, f"published-{dataset}", known[known["dataset"] == dataset]
        )
        comparisons += tabulate_comparison(report, pairs, "figure_2", table, "correlation", dataset)
    return [
        elements.text(WORDS, "reading"),
        *_name_extremes(report),
        elements.pair(*matrices),
        *comparisons,
        elements.data(figure_2=summary),
    ]


def _name_extremes(report: Report) -> Iterator[Element | None]:
    """The pairs of scores that are most and least alike."""
    contest = compare_correlations(split_by(report.trained, "dataset"), report.scores)
    where = " on average over data sets" if len(report.datasets) > 1 else ""

    def label(pair: str) -> str:
        return " and ".join(report.names.label(name) for name in pair.split(", "))

    things = "pairs of scores"
    yield claim(contest, f"Most alike{where}", things, label, CHANCE, "what says nothing")
    yield claim(contest.without(CHANCE), f"Least alike{where}", things, label, lowest=True)
