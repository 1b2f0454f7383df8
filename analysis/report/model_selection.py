"""Figure 4 and table 1 of the report: what choosing a model without labels brings."""

import pandas as pd
from pandas import DataFrame

from ...sweep.study.comparisons import FEWEST_PARTNERS, MOST_PARTNERS
from ...words import format_count
from ..names import Names
from ..paper import figures
from ..paper_grid import LATER_RULES, UNSUPERVISED
from ..plots import plots
from ..statistics.transfer import BLIND, compare_choices, table_1, unsupervised_selection
from ..tables import split_by
from . import elements
from .claims import claim
from .elements import Element
from .parts import (
    NO_SCORES,
    Report,
    count_settings,
    describe_models,
    empty_section,
    keep_above_diagonal,
    keep_present,
    plot_correlations,
    plot_matrix,
    tabulate_comparison,
)

WORDS = (
    "Unsupervised scores against disentanglement scores, over all trained models, in percent; "
    "then what choosing by each of them brings, and what choosing by a score with labels "
    "brings elsewhere."
)


def make_section(report: Report) -> Element:
    """Figure 4 and table 1: can a good model be chosen without labels?"""
    name, title = "selection", "Can a good model be chosen without labels?"
    trained = report.trained
    if not report.scores:
        return empty_section(name, title, NO_SCORES)
    if count_settings(trained) < 2:
        why = "All models have one setting: there is nothing to choose."
        return empty_section(name, title, why)
    table = figures.with_unsupervised_of_samples(trained, report.drop_references(report.sampled))
    unsupervised = keep_present(table, [*UNSUPERVISED, *LATER_RULES])
    correlations = figures.figure_4(table, unsupervised, report.scores)
    selection = unsupervised_selection(table, scores=report.scores, names=report.names)
    transfer = table_1(trained, report.scores, report.names)
    more = {"blind": "Blind", "regret": "Regret"}
    return elements.section(
        name,
        title,
        elements.text(WORDS, "reading"),
        elements.pair(
            *(
                plot_correlations(report, f"figure_4-{dataset}", rows)
                for dataset, rows in split_by(correlations, "dataset").items()
            )
        ),
        elements.heading("What a choice without labels brings"),
        *_summarise_choices(report, table, selection),
        elements.pair(
            *(
                _plot_success(report, dataset, rows)
                for dataset, rows in split_by(selection, "dataset").items()
            )
        ),
        *_compare_datasets(report),
        elements.heading("Table 1: how often a transferred choice beats a random one"),
        *tabulate_comparison(report, transfer, "table_1", trained, "success", **more),
        elements.data(figure_4=correlations, selection=selection, table_1=transfer),
    )


def _plot_success(report: Report, dataset: str, rows: DataFrame) -> Element:
    label = report.names.label(dataset)
    notes = "; ".join(note for note in dict.fromkeys(rows["note"]) if note)
    if rows["success"].isna().all():
        return elements.text(f"{label}: {notes}.", "note")
    drawn = report.plot(plots.plot_success, rows, size=(5.2, 2.9))
    caption = (
        f"{label}: how often the model with the best unsupervised score of its seed "
        "is at least as good as a random one; the line is a blind choice"
        f"{f' ({notes})' if notes else ''}."
    )
    return elements.figure(f"selection-{dataset}", drawn, caption)


def _explain_udr(report: Report) -> str:
    """How many models have an Unsupervised Disentanglement Ranking, or why none has."""
    words = "UDR is later work than the paper (Duan et al. 2020)"
    if not keep_present(report.trained, ["udr"]):
        seeds = report.trained.groupby(["dataset", "method", "setting"])["seed"].nunique()
        if seeds.max() <= FEWEST_PARTNERS:
            return f"{words}; not here: no setting has {FEWEST_PARTNERS + 1} seeds."
        return f"{words}; not here: `teasel rescore DIR --metrics udr` makes it."
    count = format_count(int(report.trained["udr"].notna().sum()), "model")
    return f"{words}; here of {count}, each compared with up to {MOST_PARTNERS} of its setting."


def _explain_few_labels(report: Report) -> str:
    """That rules with a few labels are among those without, if they are."""
    if not keep_present(report.trained, LATER_RULES[1:]):
        return ""
    return " Rules with few labels look at 100 labelled points (Locatello et al. 2020)."


def _summarise_choices(report: Report, table: DataFrame, selection: DataFrame) -> list[Element]:
    """Success and regret of every unsupervised score, averaged, with a line about UDR."""
    known = selection.dropna(subset="success")
    if known.empty:
        return [elements.text("No model has both an unsupervised score and another.", "note")]
    means = known.groupby("by", sort=False).agg(
        success=("success", "mean"),
        blind=("blind", "mean"),
        regret=("regret", "mean"),
    )
    num_models = known.groupby(["by", "dataset"], sort=False)["num_models"].max()
    means["num_models"] = num_models.groupby("by", sort=False).sum()
    few = ", or with few," if keep_present(report.trained, LATER_RULES[1:]) else ","
    words = f"The best choice without labels{few} on average over data sets and scores"
    contest = compare_choices(table, report.scores, report.names)
    best = claim(contest, words, "choices", report.names.label, BLIND, "a blind one")
    behind = f"Means over data sets and scores; {describe_models(report.trained)}. "
    behind += _explain_udr(report) + _explain_few_labels(report)
    rows = (100 * means[["success", "blind", "regret"]]).join(means["num_models"]).reset_index()
    rows["by"] = rows["by"].map(report.names.label)
    titles = {"by": "Chosen by", "success": "Success, %", "blind": "Blind, %"}
    titles |= {"regret": "Regret, %", "num_models": "Models"}
    return [
        *([best] if best else []),
        elements.table("selection-table", rows, titles, digits=1),
        elements.text(behind, "note"),
    ]


def _compare_datasets(report: Report) -> list[Element]:
    """Each score on two data sets and more: figure 4's correlations, beside the paper's."""
    if len(report.datasets) < 2:
        words = "Between data sets nothing can be compared: there is one."
        return [elements.text(words, "note")]
    summary = figures.figure_4_datasets(report.trained, report.scores)
    by_score = split_by(summary, "score")
    pairs = {score: keep_above_diagonal(rows, report.datasets) for score, rows in by_score.items()}
    shown = (
        _tabulate_pairs(report.names, pd.concat(pairs.values()))
        if len(report.datasets) == 2
        else [
            _plot_datasets(report, score, rows)
            for score, rows in by_score.items()
            if rows["correlation"].notna().any()
        ]
    )
    comparisons = []
    for score, rows in pairs.items():
        comparisons += tabulate_comparison(
            report, rows, "figure_4_datasets", report.trained, "correlation", score=score
        )
    words = (
        "Spearman's correlation over the settings' means over seeds, whose noise lowers it; the "
        "CSV has it corrected for that, with an interval; "
    )
    return [
        elements.heading("The same score on two data sets"),
        elements.pair(*shown),
        elements.text(f"{words}{describe_models(report.trained)}.", "note"),
        *comparisons,
        elements.data(figure_4_datasets=summary),
    ]


def _plot_datasets(report: Report, score: str, rows: DataFrame) -> Element:
    number = len(report.datasets)
    label = report.names.label(score)
    caption = f"{label} between data sets, over settings (means over seeds)."
    size = (1.7 + 0.42 * number, 1.2 + 0.34 * number)
    name = f"figure_4-datasets-{score}"
    return plot_matrix(report, name, rows, caption, "correlation", size=size)


def _tabulate_pairs(names: Names, pairs: DataFrame) -> list[Element]:
    if pairs["correlation"].isna().all():
        return [elements.text(f"None: {'; '.join(pairs['note'].unique())}.", "note")]
    titles = {"score": "Score", "correlation": "Correlation", "low": "from", "high": "to"}
    titles |= {"corrected": "Corrected for seeds' noise", "num_settings": "Settings"}
    titles |= {"note": "Note"}
    rows = pairs.assign(score=pairs["score"].map(names.label))
    return [elements.table("figure_4-datasets", rows, titles)]
