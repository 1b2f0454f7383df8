"""Are better scores more useful?"""

from ..frames import DataFrame
from ..labels import MINUS, counted, label
from ..paper import figures
from ..paper.compare import compare_with_paper
from ..paper.published import published
from ..plots import plots
from ..plots.style import figure
from ..summary import score_table
from ..tables import DOWNSTREAM, learned
from . import elements
from .elements import Block
from .parts import (
    NO_SCORES,
    Report,
    cells,
    comparison,
    matrix,
    nothing,
    nothing_published,
    panel_grid,
    present,
    printed_matrix,
    without_references,
)


def usefulness(report: Report) -> Block:
    """Figures 5 and 6: do the scores tell what a representation is good for?"""
    name, title = "usefulness", "Are better scores more useful?"
    trained = learned(report.mean)
    downstream = present(trained, DOWNSTREAM)
    if not downstream:
        return nothing(name, title, "No model has a downstream task scored yet.")
    if not report.scores:
        return nothing(name, title, NO_SCORES)
    summary = figures.figure_5(trained, report.scores, downstream)
    known = published("figure_5", report.more)
    words = (
        "Rank correlation of scores with the test accuracy of a classifier on the codes, at 10 to "
        "10,000 labels, and with efficiency (accuracy at 100 labels / accuracy at 10,000), in "
        "percent."
    )
    maps, verdicts = [], []
    for dataset, rows in summary.groupby("dataset", sort=False):
        maps.append(matrix(f"figure_5-{dataset}", rows, trained, size=(8.4, 3.0)))
        printed = known[known["dataset"] == dataset]
        if len(printed):
            maps.append(printed_matrix(f"published-5-{dataset}", printed, size=(8.4, 3.0)))
            table = trained[trained["dataset"] == dataset]
            beside = compare_with_paper(
                rows, "figure_5", table, "correlation", str(dataset), more=report.more
            )
            verdicts += comparison(f"verdict-figure_5-{dataset}", table, beside, "correlation")
    points = figures.figure_6(trained)
    scatter = []
    if len(points):
        rows, columns = panel_grid(points["dataset"].nunique(), most=3)
        drawing = figure(
            plots.plot_scatter,
            points,
            size=(1 + 2.6 * columns, 0.5 + 2.3 * rows),
            grid=(rows, columns),
        )
        scatter = [elements.drawn("figure_6", drawing, f"A dot is a model; {cells(points)}.")]
    return elements.section(
        name,
        title,
        elements.text(words, "reading"),
        _most_useful(summary),
        *maps,
        *scatter,
        *(verdicts or [nothing_published("figure 5", known)]),
        *_accuracies(report, downstream),
        elements.data(figure_5=summary, figure_6=points),
    )


def _most_useful(summary: DataFrame) -> Block | None:
    each = summary[summary["dataset"] != "average"]
    means = each.groupby("row", sort=False)["correlation"].mean().dropna()
    if len(means) < 2:
        return None
    best, worst = means.idxmax(), means.idxmin()
    numbers = [f"{100 * means[name]:.0f}".replace("-", MINUS) for name in (best, worst)]
    return elements.text(
        f"Averaged over columns and data sets, {label(best)} goes with downstream performance most "
        f"({numbers[0]}), {label(worst)} least ({numbers[1]})."
    )


def _accuracies(report: Report, downstream: list[str]) -> list[Block]:
    """Mean accuracies of every method, beside those of what nothing has trained."""
    words = "Mean test accuracy of each method's models, and efficiency; grey: nothing has trained."
    parts = [
        elements.heading("What the classifiers reach"),
        elements.text(words, "reading"),
        *without_references(report.mean),
    ]
    for dataset, rows in report.mean.groupby("dataset", sort=False):
        summary = score_table(rows, downstream, by=["dataset", "method"])
        summary = summary.drop(columns=[f"{name}_spread" for name in downstream])
        table = elements.score_table(f"downstream-{dataset}", summary)
        trained = learned(rows)
        told = f"{label(str(dataset))}: {counted(len(trained), 'model')}, {cells(trained)}."
        parts += [table, elements.text(told, "behind")]
    return parts
