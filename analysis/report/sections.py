"""The report's questions: each a section with its figure, table, verdict and a line of reading."""

import numpy as np

from ..frames import DataFrame
from ..labels import DASH, MINUS, counted, label
from ..paper import figures as paper
from ..paper.compare import beside_published
from ..paper.published import published
from ..plots import plots as figures
from ..plots.style import figure
from ..statistics.power import seeds_needed
from ..summary import score_table
from ..tables import DOWNSTREAM, learned
from . import elements as blocks
from .elements import Block
from .parts import (
    NO_SCORES,
    Study,
    above_diagonal,
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


def agreement(study: Study) -> Block:
    """Figure 2: do the scores agree?"""
    name, title = "agreement", "Do the scores agree?"
    if not study.scores:
        return nothing(name, title, NO_SCORES)
    summary = paper.figure_2(study.mean, study.scores)
    known = published("figure_2", study.more)
    drawn, verdicts = [], []
    for dataset, rows in summary.groupby("dataset", sort=False):
        drawn.append(matrix(f"figure_2-{dataset}", rows, study.mean))
        printed = known[known["dataset"] == dataset]
        if len(printed):
            drawn.append(printed_matrix(f"published-{dataset}", printed))
            pairs = above_diagonal(rows, study.scores)
            table = learned(study.mean[study.mean["dataset"] == dataset])
            beside = beside_published(
                pairs, "figure_2", table, "correlation", str(dataset), more=study.more
            )
            verdicts += comparison(f"verdict-figure_2-{dataset}", table, beside, "correlation")
    words = (
        "Spearman's rank correlation between scores over all trained models of a data set, in "
        "percent: 100 where two scores rank the models alike, 0 where one says nothing about the "
        "other. With few models, large values come up by chance."
    )
    return blocks.section(
        name,
        title,
        blocks.text(words, "reading"),
        _extremes(summary[summary["dataset"] != "average"], study.scores),
        blocks.pair(*drawn),
        *(verdicts or [nothing_published("figure 2", known)]),
        blocks.data(figure_2=summary),
    )


def strength(study: Study) -> Block:
    """Figure 1: what stronger regularisation does to the dependence between latents."""
    name, title = "strength", "What does regularisation do?"
    summary = paper.figure_1(study.mean, study.sampled)
    if summary.empty:
        return nothing(name, title, "No model has its latents' dependence scored (unsupervised).")
    words = (
        "Dependence between the latents at growing regularisation. The paper's claim: samples "
        "lose it, their means do not, except for DIP-VAE-I. AnnealedVAE's axis is reversed, as a "
        "larger C_max is a weaker constraint."
    )
    parts = [blocks.text(words, "reading"), _falls(summary)]
    several = summary.groupby(["dataset", "method"])["setting"].transform("nunique") > 1
    for dataset in summary["dataset"].unique():
        if not several[summary["dataset"] == dataset].any():
            why = f"{label(dataset)}: no method has two strengths to compare."
            parts.append(blocks.text(why, "behind"))
    for (dataset, score), rows in summary[several].groupby(["dataset", "score"], sort=False):
        columns = rows["method"].nunique()
        drawing = figure(
            figures.draw_strength,
            rows,
            size=(1.2 + 1.95 * columns, 2.4),
            grid=(1, columns),
        )
        table = learned(study.mean[study.mean["dataset"] == dataset])
        what = "mean (with its 95 % interval) and standard deviation"
        told = what if rows["low"].notna().any() else "mean and standard deviation"
        told = f"{told} over seeds" if rows["spread"].notna().any() else "one seed of each setting"
        caption = f"{label(dataset)}, {label(score)}: {told}; {counted(len(table), 'model')}, "
        caption += f"{cells(table)}."
        parts.append(blocks.drawn(f"figure_1-{dataset}-{score}", drawing, caption))
    return blocks.section(
        name,
        title,
        *parts,
        blocks.text(
            "Figure 1 is not compared with published numbers, neither the paper's nor yours.",
            "behind",
        ),
        blocks.data(figure_1=summary),
    )


def usefulness(study: Study) -> Block:
    """Figures 5 and 6: do the scores tell what a representation is good for?"""
    name, title = "usefulness", "Are better scores more useful?"
    trained = learned(study.mean)
    downstream = present(trained, DOWNSTREAM)
    if not downstream:
        return nothing(name, title, "No model has a downstream task scored yet.")
    if not study.scores:
        return nothing(name, title, NO_SCORES)
    summary = paper.figure_5(trained, study.scores, downstream)
    known = published("figure_5", study.more)
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
            beside = beside_published(
                rows, "figure_5", table, "correlation", str(dataset), more=study.more
            )
            verdicts += comparison(f"verdict-figure_5-{dataset}", table, beside, "correlation")
    points = paper.figure_6(trained)
    scatter = []
    if len(points):
        rows, columns = panel_grid(points["dataset"].nunique(), most=3)
        drawing = figure(
            figures.draw_scatter,
            points,
            size=(1 + 2.6 * columns, 0.5 + 2.3 * rows),
            grid=(rows, columns),
        )
        scatter = [blocks.drawn("figure_6", drawing, f"A dot is a model; {cells(points)}.")]
    return blocks.section(
        name,
        title,
        blocks.text(words, "reading"),
        _most_useful(summary),
        *maps,
        *scatter,
        *(verdicts or [nothing_published("figure 5", known)]),
        *_accuracies(study, downstream),
        blocks.data(figure_5=summary, figure_6=points),
    )


def _most_useful(summary: DataFrame) -> Block | None:
    each = summary[summary["dataset"] != "average"]
    means = each.groupby("row", sort=False)["correlation"].mean().dropna()
    if len(means) < 2:
        return None
    best, worst = means.idxmax(), means.idxmin()
    numbers = [f"{100 * means[name]:.0f}".replace("-", MINUS) for name in (best, worst)]
    return blocks.text(
        f"Averaged over columns and data sets, {label(best)} goes with downstream performance most "
        f"({numbers[0]}), {label(worst)} least ({numbers[1]})."
    )


def _accuracies(study: Study, downstream: list[str]) -> list[Block]:
    """Mean accuracies of every method, beside those of what nothing has trained."""
    words = "Mean test accuracy of each method's models, and efficiency; grey: nothing has trained."
    parts = [
        blocks.heading("What the classifiers reach"),
        blocks.text(words, "reading"),
        *without_references(study.mean),
    ]
    for dataset, rows in study.mean.groupby("dataset", sort=False):
        summary = score_table(rows, downstream, by=["dataset", "method"])
        summary = summary.drop(columns=[f"{name}_spread" for name in downstream])
        table = blocks.score_table(f"downstream-{dataset}", summary)
        trained = learned(rows)
        told = f"{label(str(dataset))}: {counted(len(trained), 'model')}, {cells(trained)}."
        parts += [table, blocks.text(told, "behind")]
    return parts


def power(study: Study) -> Block:
    """How many seeds a comparison of two settings needs."""
    name, title = "power", "How many seeds does it take?"
    trained = learned(study.mean)
    summary = seeds_needed(trained, study.scores)
    known = summary[summary["num_seeds"].notna()]
    if known.empty:
        reasons = (
            "; ".join(dict.fromkeys(summary["note"]))
            or "no model has one of the study's scores yet"
        )
        return nothing(name, title, f"It cannot be told: {reasons}.")
    words = (
        "Seeds per setting to tell two settings whose true means differ by so much, with 80 % "
        "power at the 5 % level, if seeds differ as they do here; in brackets for a paired "
        "comparison of the same seeds. The most demanding data set of each score."
    )
    worst = known.sort_values("spread").groupby(["score", "delta"], sort=False).tail(1)
    deltas = sorted(worst["delta"].unique())
    rows = []
    for score in study.scores:
        of_score = worst[worst["score"] == score].set_index("delta")
        if len(of_score):
            counts = [
                f"{_count(of_score.at[delta, 'num_seeds'])} "
                f"({_count(of_score.at[delta, 'num_seeds_paired'])})"
                for delta in deltas
            ]
            first = of_score.iloc[0]
            rows.append((label(score), label(first["dataset"]), first["spread"], *counts))
    titles = {"score": "Score", "dataset": "Data set", "spread": "Spread over seeds"}
    titles |= {f"{delta:g}": f"to tell {delta:g}" for delta in deltas}
    table = blocks.table("power-table", DataFrame(rows, columns=list(titles)), titles, digits=3)
    return blocks.section(
        name,
        title,
        blocks.text(words, "reading"),
        table,
        blocks.text(f"{counted(len(trained), 'model')}, {cells(trained)}.", "behind"),
        blocks.data(power=summary),
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
    return blocks.text(
        f"From the weakest to the strongest setting, total correlation falls: {' and '.join(told)} "
        "pairs of method and data set."
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
    return blocks.text(f"Most alike: {told[0]}. Least alike: {told[1]}.")


def _count(seeds: float) -> str:
    return DASH if np.isnan(seeds) else "over a million" if np.isinf(seeds) else f"{seeds:,.0f}"
