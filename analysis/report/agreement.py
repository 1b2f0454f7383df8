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
    plot_every_pair,
    section,
)

WORDS = (
    "Spearman's rank correlation between scores over all trained models of a data set, in "
    "percent: 100 if two scores rank the models in the same order, 0 if neither says anything "
    "about the other. With few models, large values occur by chance."
)


@section("agreement", "Do the scores agree?")
def make_section(report: Report) -> Shown:
    """Figure 2: do the scores agree?"""
    trained = report.trained
    if not report.scores:
        return NO_SCORES
    if len(report.scores) < 2:
        only = report.names.label(report.scores[0])
        why = f"{only} is the only score here, so there is nothing to compare it with. A line "
        return why + "such as `metrics: [mig, sap]` in the grid requests two."
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
        *plot_every_pair(report, "pairs", trained, report.scores, report.scores),
        *comparisons,
        elements.data(figure_2=summary),
    ]


def _name_extremes(report: Report) -> Iterator[Element | None]:
    """The pairs of scores that agree most and least."""
    contest = compare_correlations(split_by(report.trained, "dataset"), report.scores)
    where = " on average over data sets" if len(report.datasets) > 1 else ""

    def label(pair: str) -> str:
        return " and ".join(report.names.label(name) for name in pair.split(", "))

    things = "pairs of scores"
    yield claim(contest, f"Strongest agreement{where}", things, label, CHANCE, "no correlation")
    yield claim(contest.without(CHANCE), f"Weakest agreement{where}", things, label, lowest=True)
