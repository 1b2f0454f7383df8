"""What does stronger regularisation do to the dependence between latents?"""

from pandas import DataFrame

from ..paper import figures
from ..plots import plots
from ..tables import split_by
from . import elements
from .beside_paper import mark
from .claims import tell_changes
from .elements import Element
from .parts import MOST_ABREAST, Report, Shown, describe_models, panel_grid, section

WORDS = (
    "Dependence between the latents at growing regularisation. The paper's claim: samples "
    "lose it, their means do not, except for DIP-VAE-I. AnnealedVAE's axis is reversed, as a "
    "larger C_max is a weaker constraint."
)
NOT_COMPARED = "Figure 1 is not compared with published numbers, neither the paper's nor yours."


@section("strength", "What does regularisation do?")
def make_section(report: Report) -> Shown:
    """Figure 1: what stronger regularisation does to the dependence between latents."""
    summary = figures.figure_1(report.trained, report.drop_references(report.sampled))
    if summary.empty:
        return (
            "No model has its latents' dependence scored. The line `metrics: [unsupervised]` of a "
            "grid asks for it."
        )
    several = summary.groupby(["dataset", "method"])["setting"].transform("nunique") > 1
    lacking = [
        elements.text(
            f"{report.names.label(dataset)}: no method has two strengths to compare.", "note"
        )
        for dataset in summary["dataset"].unique()
        if not several[summary["dataset"] == dataset].any()
    ]
    plotted = [
        _plot(report, dataset, score, rows)
        for dataset, of_dataset in split_by(summary[several], "dataset").items()
        for score, rows in split_by(of_dataset, "score").items()
    ]
    return [
        elements.text(WORDS, "reading"),
        tell_changes(
            "From the weakest to the strongest setting, pairs of method and data set in which "
            "total correlation changes",
            figures.figure_1_changes(report.trained, report.drop_references(report.sampled)),
        ),
        *lacking,
        *plotted,
        *mark(elements.text(NOT_COMPARED, "note")),
        elements.data(figure_1=summary),
    ]


def _plot(report: Report, dataset: str, score: str, rows: DataFrame) -> Element:
    lines, columns = panel_grid(rows["method"].nunique(), MOST_ABREAST)
    size = (1.2 + 1.95 * columns, 0.4 + 2.0 * lines)
    drawn = report.plot(plots.plot_strength, rows, size=size, grid=(lines, columns))
    what = "mean (with its 95 % interval) and standard deviation"
    what = what if rows["low"].notna().any() else "mean and standard deviation"
    what = f"{what} over seeds" if rows["spread"].notna().any() else "one seed of each setting"
    models = describe_models(report.trained[report.trained["dataset"] == dataset])
    label = report.names.label
    caption = f"{label(dataset)}, {label(score)}: {what}; {models}."
    return elements.figure(f"figure_1-{dataset}-{score}", drawn, caption)
