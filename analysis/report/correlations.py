"""Figures 2, 5 and 6 of the report: do the scores agree, and do they tell what codes are useful?"""

from collections.abc import Iterator

from pandas import DataFrame

from ..paper import figures
from ..paper.published import published_numbers
from ..paper_grid import DOWNSTREAM
from ..plots import plots
from ..statistics.correlation import CHANCE, compare_correlations
from ..summary import accuracy_by_rank, score_table
from ..tables import split_by
from . import elements
from .beside_paper import plot_published, tabulate_comparison
from .claims import claim
from .elements import Element
from .parts import (
    NO_SCORES,
    Report,
    Shown,
    describe_models,
    keep_above_diagonal,
    keep_present,
    name_missing_references,
    plot_correlations,
    plot_every_pair,
    section,
)
from .pictures import ranking_score

MIN_MODELS = 9
"""The fewest models that form three groups of at least three."""

OF_AGREEMENT = (
    "Spearman's rank correlation between scores over all trained models of a data set, in "
    "percent: 100 if two scores rank the models in the same order, 0 if neither says anything "
    "about the other. With few models, large values occur by chance."
)

OF_USEFULNESS = (
    "Rank correlation of scores with the test accuracy of a classifier on the codes, at 10 to "
    "10,000 labels, and with efficiency (accuracy at 100 labels / accuracy at 10,000), in "
    "percent."
)


@section("agreement", "Do the scores agree?")
def make_agreement(report: Report) -> Shown:
    """Figure 2: do the scores agree?"""
    if not report.scores:
        return NO_SCORES
    if len(report.scores) < 2:
        only = report.names.label(report.scores[0])
        why = f"{only} is the only score here, so there is nothing to compare it with. A line "
        return why + "such as `metrics: [mig, sap]` in the grid requests two."
    summary = figures.figure_2(report.trained, report.scores)
    pairs = keep_above_diagonal(summary, report.scores)
    matrices, comparisons = _compare_by_dataset(report, "figure_2", "published", summary, pairs)
    return [
        elements.text(OF_AGREEMENT, "reading"),
        *_name_extremes(report),
        elements.pair(*matrices),
        *plot_every_pair(report, "pairs", report.trained, report.scores, report.scores),
        *comparisons,
        elements.data(figure_2=summary),
    ]


@section("usefulness", "Are better scores more useful?")
def make_usefulness(report: Report) -> Shown:
    """Figures 5 and 6: do the scores tell how useful a representation is?"""
    downstream = keep_present(report.trained, DOWNSTREAM)
    if not downstream:
        why = "No model has a score of a downstream task yet. The line `metrics: "
        return why + "[downstream_lr, downstream_gbt]` in the grid requests some."
    if not report.scores:
        return NO_SCORES
    summary = figures.figure_5(report.trained, report.scores, downstream)
    points = figures.figure_6(report.trained)
    matrices, comparisons = _compare_by_dataset(report, "figure_5", "published-5", summary, summary)
    return [
        elements.text(OF_USEFULNESS, "reading"),
        *_name_most_useful(report, downstream),
        *matrices,
        *([_plot_points(report, points)] if len(points) else []),
        *comparisons,
        *_tabulate_thirds(report, downstream),
        *_tabulate_accuracies(report, downstream),
        elements.data(figure_5=summary, figure_6=points),
    ]


def _compare_by_dataset(
    report: Report, figure: str, printed: str, summary: DataFrame, pairs: DataFrame
) -> tuple[list[Element], list[Element]]:
    """The matrix of each data set, and what compares its `pairs` with the published ones.

    Args:
        report: the results.
        figure: the name of the figure.
        printed: the name of the figure of published numbers.
        summary: the correlations.
        pairs: those that are compared.
    """
    known = published_numbers(figure, report.more)
    matrices, comparisons = [], []
    for dataset, rows in split_by(summary, "dataset").items():
        matrices.append(plot_correlations(report, f"{figure}-{dataset}", rows))
        published, own, table = (
            each[each["dataset"] == dataset] for each in (known, pairs, report.trained)
        )
        comparisons += plot_published(report, f"{printed}-{dataset}", published)
        comparisons += tabulate_comparison(report, own, figure, table, "correlation", dataset)
    return matrices, comparisons


def _name_extremes(report: Report) -> Iterator[Element | None]:
    """The pairs of scores that agree most and least."""
    contest = compare_correlations(split_by(report.trained, "dataset"), report.scores)
    where = " on average over data sets" if len(report.datasets) > 1 else ""

    def label(pair: str) -> str:
        return " and ".join(report.names.label(name) for name in pair.split(", "))

    things = "pairs of scores"
    yield claim(contest, f"Strongest agreement{where}", things, label, CHANCE, "no correlation")
    yield claim(contest.without(CHANCE), f"Weakest agreement{where}", things, label, lowest=True)


def _plot_points(report: Report, points: DataFrame) -> Element:
    drawn = report.plot(plots.plot_scatter, points)
    return elements.figure("figure_6", drawn, f"Each dot is a model; {describe_models(points)}.")


def _name_most_useful(report: Report, downstream: list[str]) -> Iterator[Element | None]:
    """The scores that correlate with downstream performance most and least."""
    of_dataset, label = split_by(report.trained, "dataset"), report.names.label
    contest = compare_correlations(of_dataset, report.scores, downstream)
    where = "averaged over columns and data sets"
    most, least = (
        f"{how} correlation with downstream performance, {where}" for how in ("Highest", "Lowest")
    )
    yield claim(contest, most, "scores", label, CHANCE, "no correlation")
    yield claim(contest.without(CHANCE), least, "scores", label, lowest=True)


def _tabulate_thirds(report: Report, downstream: list[str]) -> list[Element]:
    """The accuracies of models with low, middle and high values of the ranking score."""
    score = ranking_score(report.trained, report.own)
    if score is None or len(report.trained) < MIN_MODELS:
        return []
    label, found = report.names.label, accuracy_by_rank(report.trained, score, downstream)
    titles = {"dataset": "Data set", "third": label(score), "num_models": "Models"}
    titles |= {name: label(name) for name in downstream}
    table = elements.table("thirds", found, titles, names=report.names)
    words = f"Accuracies of the thirds of models with low, middle and high {label(score)}"
    return [elements.details(words, table)]


def _tabulate_accuracies(report: Report, downstream: list[str]) -> list[Element]:
    """Mean accuracies of every method, and of references."""
    words = "Mean test accuracy of each method's models, and efficiency; references are grey."
    shown = [
        elements.heading("Accuracies of the classifiers"),
        elements.text(words, "reading"),
        *name_missing_references(report),
    ]
    for dataset, rows in split_by(report.mean, "dataset").items():
        summary = score_table(rows, downstream, ["dataset", "method"], report.names)
        summary = summary.drop(columns=[f"{name}_spread" for name in downstream])
        models = describe_models(report.drop_references(rows))
        shown += [
            elements.score_table(f"downstream-{dataset}", summary, report.names),
            elements.text(f"{report.names.label(dataset)}: {models}.", "note"),
        ]
    return shown
