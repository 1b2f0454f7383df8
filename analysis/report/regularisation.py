"""The effect of stronger regularisation on the dependence between latents."""

from functools import partial

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
    "Dependence between the latents with increasing regularisation. The paper claims that sampled "
    "codes lose it and mean codes do not, except for DIP-VAE-I. AnnealedVAE's axis is reversed, "
    "because a larger C_max is a weaker constraint."
)
TOTAL_CORRELATION = "gaussian_total_correlation"
NOT_COMPARED = "Figure 1 is compared with no published numbers, neither the paper's nor yours."


@section("strength", "What does regularisation do?")
def make_section(report: Report) -> Shown:
    """Figure 1: the effect of stronger regularisation on the dependence between latents."""
    summary = figures.figure_1(report.trained, report.drop_references(report.sampled))
    if summary.empty:
        return (
            "No model has scores of its latents' dependence. The line `metrics: [unsupervised]` in "
            "the grid requests them."
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
            "Change of total correlation from the weakest to the strongest setting, over pairs of "
            "method and data set",
            figures.figure_1_changes(report.trained, report.drop_references(report.sampled)),
        ),
        *lacking,
        *plotted,
        *_plot_samples_and_means(report),
        *mark(elements.text(NOT_COMPARED, "note")),
        elements.data(figure_1=summary),
    ]


def _plot_samples_and_means(report: Report) -> list[Element]:
    """Each model's total correlation of samples and of means."""
    keys = ["trial_id", "dataset", "method", TOTAL_CORRELATION]
    both = report.trained.reindex(columns=keys).merge(
        report.sampled.reindex(columns=["trial_id", TOTAL_CORRELATION]),
        on="trial_id",
        suffixes=(" of means", " of samples"),
    )
    across, up = f"{TOTAL_CORRELATION} of samples", f"{TOTAL_CORRELATION} of means"
    both = both[(both[across] > 0) & (both[up] > 0)]  # NaN is neither
    if both.empty:
        return []
    drawn = report.plot(partial(plots.plot_scatter, across=across, up=up, scale="log"), both)
    caption = (
        f"Total correlation of samples and means; each dot is a model; {describe_models(both)}."
    )
    return [elements.figure("total_correlation", drawn, caption)]


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
