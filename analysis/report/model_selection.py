"""Figure 4 and table 1 of the report: what choosing a model without labels brings."""

from ..frames import DataFrame, pd
from ..labels import counted, label, percent
from ..paper import figures
from ..paper.compare import compare_with_paper
from ..plots import plots
from ..plots.style import figure
from ..statistics.transfer import table_1, unsupervised_selection
from ..statistics.udr import with_udr
from ..tables import UNSUPERVISED, learned
from . import elements
from .elements import Block
from .parts import (
    NO_SCORES,
    Report,
    above_diagonal,
    cells,
    comparison,
    matrix,
    nothing,
    plotted_matrix,
    present,
)


def selection(report: Report) -> Block:
    """Figure 4 and table 1: can a good model be chosen without labels?"""
    name, title = "selection", "Can a good model be chosen without labels?"
    trained = learned(report.mean)
    if not report.scores:
        return nothing(name, title, NO_SCORES)
    if trained["setting"].nunique() < 2:
        return nothing(name, title, "All models have one setting: there is nothing to choose.")
    ranked, no_udr = with_udr(report.folder, trained)
    table = figures.with_unsupervised_of_samples(ranked, learned(report.sampled))
    unsupervised = [*present(table, UNSUPERVISED), *present(table, ["udr"])]
    correlations = figures.figure_4(table, unsupervised, report.scores)
    chosen = unsupervised_selection(table, scores=report.scores)
    transfer = table_1(trained, report.scores)
    words = (
        "Unsupervised scores against disentanglement scores, over all trained models, in percent; "
        "then what choosing by each of them brings, and what choosing by a score with labels "
        "brings elsewhere."
    )
    maps = [
        matrix(f"figure_4-{dataset}", rows, trained)
        for dataset, rows in correlations.groupby("dataset", sort=False)
    ]
    successes = []
    for dataset, rows in chosen.groupby("dataset", sort=False):
        notes = "; ".join(note for note in dict.fromkeys(rows["note"]) if note)
        if rows["success"].isna().all():
            successes.append(elements.text(f"{label(dataset)}: {notes}.", "behind"))
            continue
        drawing = figure(plots.plot_success, rows, size=(5.2, 2.9))
        caption = (
            f"{label(dataset)}: how often the model with the best unsupervised score of its seed "
            "is at least as good as a random one; the line is a blind choice"
            f"{f' ({notes})' if notes else ''}."
        )
        successes.append(elements.drawn(f"selection-{dataset}", drawing, caption))
    beside = compare_with_paper(transfer, "table_1", trained, "success", more=report.more)
    return elements.section(
        name,
        title,
        elements.text(words, "reading"),
        elements.pair(*maps),
        elements.heading("What a choice without labels brings"),
        *_choices(chosen, no_udr, trained),
        elements.pair(*successes),
        *_between_datasets(report, trained),
        elements.heading("Table 1: how often a transferred choice beats a random one"),
        *comparison("verdict-table_1", trained, beside, "success", blind="Blind", regret="Regret"),
        elements.data(figure_4=correlations, selection=chosen, table_1=transfer),
    )


def _choices(chosen: DataFrame, no_udr: str, trained: DataFrame) -> list[Block]:
    """Success and regret of every unsupervised score, averaged, with a line about UDR."""
    known = chosen.dropna(subset="success")
    if known.empty:
        return [elements.text("No model has both an unsupervised score and another.", "behind")]
    means = known.groupby("by", sort=False).agg(
        success=("success", "mean"),
        blind=("blind", "mean"),
        regret=("regret", "mean"),
    )
    behind = known.groupby(["by", "dataset"], sort=False)["num_models"].max()
    means["num_models"] = behind.groupby("by", sort=False).sum()
    rows = (100 * means[["success", "blind", "regret"]]).join(means["num_models"]).reset_index()
    rows["by"] = rows["by"].map(label)
    best = means["success"].idxmax()
    success, blind, regret = (percent(share) for share in means.loc[best].iloc[:3])
    words = (
        f"Averaged over data sets and scores, choosing by {label(best)} does best: its choice is "
        f"at least as good as a random one {success} of the time (blind: {blind}), and {regret} of "
        "what the best choice would gain is lost."
    )
    titles = {"by": "Chosen by", "success": "Success, %", "blind": "Blind, %"}
    titles |= {"regret": "Regret, %", "num_models": "Models"}
    udr = "UDR is later work than the study (Duan et al. 2020)"
    told = f"{cells(trained)}. {udr}{f'; not here: {no_udr}' if no_udr else ''}."
    return [
        elements.text(words),
        elements.table("selection-table", rows, titles, digits=1),
        elements.text(f"Means over data sets and scores; {told}", "behind"),
    ]


def _between_datasets(report: Report, trained: DataFrame) -> list[Block]:
    if len(report.datasets) < 2:
        words = "Between data sets nothing can be compared: there is one."
        return [elements.text(words, "behind")]
    summary = figures.figure_4_datasets(trained, report.scores)
    drawn, verdicts, pairs = [], [], []
    for score, rows in summary.groupby("score", sort=False):
        if rows["correlation"].notna().any() and len(report.datasets) > 2:
            caption = f"{label(score)} between data sets, over settings (means over seeds)."
            size = (1.7 + 0.42 * len(report.datasets), 1.2 + 0.34 * len(report.datasets))
            name = f"figure_4-datasets-{score}"
            drawn.append(plotted_matrix(name, rows, caption, "correlation", size=size))
        pairs.append(above_diagonal(rows, report.datasets))
        beside = compare_with_paper(
            pairs[-1], "figure_4_datasets", trained, "correlation", score=score, more=report.more
        )
        verdicts += comparison(f"verdict-figure_4-{score}", trained, beside, "correlation")
    if len(report.datasets) == 2:
        titles = {"score": "Score", "correlation": "Correlation", "low": "from", "high": "to"}
        titles |= {"num_settings": "Settings", "note": "Note"}
        rows = pd.concat(pairs)
        rows = rows.assign(score=rows["score"].map(label))
        drawn = [elements.table("figure_4-datasets", rows, titles)]
        if rows["correlation"].isna().all():
            drawn = [elements.text(f"None: {'; '.join(rows['note'].unique())}.", "behind")]
    title = elements.heading("The same score on two data sets")
    words = (
        "Spearman's correlation over the settings' means over seeds; "
        f"{counted(len(trained), 'model')}, {cells(trained)}."
    )
    return [
        title,
        elements.pair(*drawn),
        elements.text(words, "behind"),
        *verdicts,
        elements.data(figure_4_datasets=summary),
    ]
