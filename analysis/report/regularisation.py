"""What does stronger regularisation do to the dependence between latents?"""

from ..frames import DataFrame
from ..labels import counted, label
from ..paper import figures
from ..plots import plots
from ..plots.style import figure
from ..tables import learned
from . import elements
from .elements import Block
from .parts import (
    Report,
    cells,
    nothing,
)


def strength(report: Report) -> Block:
    """Figure 1: what stronger regularisation does to the dependence between latents."""
    name, title = "strength", "What does regularisation do?"
    summary = figures.figure_1(report.mean, report.sampled)
    if summary.empty:
        return nothing(name, title, "No model has its latents' dependence scored (unsupervised).")
    words = (
        "Dependence between the latents at growing regularisation. The paper's claim: samples "
        "lose it, their means do not, except for DIP-VAE-I. AnnealedVAE's axis is reversed, as a "
        "larger C_max is a weaker constraint."
    )
    parts = [elements.text(words, "reading"), _falls(summary)]
    several = summary.groupby(["dataset", "method"])["setting"].transform("nunique") > 1
    for dataset in summary["dataset"].unique():
        if not several[summary["dataset"] == dataset].any():
            why = f"{label(dataset)}: no method has two strengths to compare."
            parts.append(elements.text(why, "behind"))
    for (dataset, score), rows in summary[several].groupby(["dataset", "score"], sort=False):
        columns = rows["method"].nunique()
        drawing = figure(
            plots.plot_strength,
            rows,
            size=(1.2 + 1.95 * columns, 2.4),
            grid=(1, columns),
        )
        table = learned(report.mean[report.mean["dataset"] == dataset])
        what = "mean (with its 95 % interval) and standard deviation"
        told = what if rows["low"].notna().any() else "mean and standard deviation"
        told = f"{told} over seeds" if rows["spread"].notna().any() else "one seed of each setting"
        caption = f"{label(dataset)}, {label(score)}: {told}; {counted(len(table), 'model')}, "
        caption += f"{cells(table)}."
        parts.append(elements.drawn(f"figure_1-{dataset}-{score}", drawing, caption))
    return elements.section(
        name,
        title,
        *parts,
        elements.text(
            "Figure 1 is not compared with published numbers, neither the paper's nor yours.",
            "behind",
        ),
        elements.data(figure_1=summary),
    )


def _falls(summary: DataFrame) -> Block | None:
    """How often total correlation falls from the weakest to the strongest setting."""
    rows = summary[summary["score"] == "gaussian_total_correlation"]
    fallen = {"sampled": [], "mean": []}
    groups = rows.groupby(["dataset", "method", "representation"], sort=False)
    for (_, method, kind), line in groups:
        if len(line) > 1:
            change = line["value"].iat[-1] - line["value"].iat[0]
            fallen[kind].append(change > 0 if method == "annealed_vae" else change < 0)
    if not all(fallen.values()):
        return None
    told = [
        f"that of {name} in {sum(found)} of {len(found)}"
        for name, found in (("samples", fallen["sampled"]), ("means", fallen["mean"]))
    ]
    return elements.text(
        f"From the weakest to the strongest setting, total correlation falls: {' and '.join(told)} "
        "pairs of method and data set."
    )
