"""The usefulness of scores for downstream tasks."""

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
    keep_present,
    name_missing_references,
    plot_correlations,
    section,
)
from .pictures import ranking_score

MIN_MODELS = 9
"""The fewest models that form three groups of at least three."""

WORDS = (
    "Rank correlation of scores with the test accuracy of a classifier on the codes, at 10 to "
    "10,000 labels, and with efficiency (accuracy at 100 labels / accuracy at 10,000), in "
    "percent."
)


@section("usefulness", "Are better scores more useful?")
def make_section(report: Report) -> Shown:
    """Figures 5 and 6: do the scores tell how useful a representation is?"""
    trained = report.trained
    downstream = keep_present(trained, DOWNSTREAM)
    if not downstream:
        why = "No model has a score of a downstream task yet. The line `metrics: "
        return why + "[downstream_lr, downstream_gbt]` in the grid requests some."
    if not report.scores:
        return NO_SCORES
    summary = figures.figure_5(trained, report.scores, downstream)
    points = figures.figure_6(trained)
    known = published_numbers("figure_5", report.more)
    matrices, comparisons = [], []
    for dataset, rows in split_by(summary, "dataset").items():
        matrices.append(plot_correlations(report, f"figure_5-{dataset}", rows))
        published, table = (each[each["dataset"] == dataset] for each in (known, trained))
        comparisons += plot_published(report, f"published-5-{dataset}", published)
        comparisons += tabulate_comparison(report, rows, "figure_5", table, "correlation", dataset)
    return [
        elements.text(WORDS, "reading"),
        *_name_most_useful(report, downstream),
        *matrices,
        *([_plot_points(report, points)] if len(points) else []),
        *comparisons,
        *_tabulate_thirds(report, downstream),
        *_tabulate_accuracies(report, downstream),
        elements.data(figure_5=summary, figure_6=points),
    ]


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
    table = elements.table("thirds", found.assign(dataset=found["dataset"].map(label)), titles)
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
