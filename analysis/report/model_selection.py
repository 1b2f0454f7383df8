"""Figure 4 and table 1 of the report: the value of choosing a model without labels."""

import pandas as pd
from pandas import DataFrame

from ...sweep.study.comparisons import FEWEST_PARTNERS, MOST_PARTNERS
from ...words import format_count
from ..names import Names
from ..paper import figures
from ..paper_grid import LATER_RULES, UNSUPERVISED
from ..plots import plots
from ..statistics.transfer import (
    BLIND,
    FEWEST_SEEDS,
    compare_choices,
    rate_rules,
    table_1,
    transfer_between_datasets,
    unsupervised_selection,
)
from ..tables import split_by
from . import elements
from .beside_paper import tabulate_comparison
from .claims import claim, too_few
from .elements import Element
from .parts import (
    NO_SCORES,
    Report,
    Shown,
    count_settings,
    describe_models,
    keep_above_diagonal,
    keep_present,
    plot_correlations,
    plot_every_pair,
    plot_matrix,
    section,
)

WORDS = (
    "Rank correlations of unsupervised scores with disentanglement scores over all trained models, "
    "in percent. Below them, how good a choice by each unsupervised score is, and how well a "
    "choice by a score with labels transfers."
)


@section("selection", "Can a good model be chosen without labels?")
def make_section(report: Report) -> Shown:
    """Figure 4 and table 1: can a good model be chosen without labels?"""
    trained = report.trained
    if not report.scores:
        return NO_SCORES
    if count_settings(trained) < 2:
        return "All models have one setting, so there is nothing to choose."
    table = figures.with_unsupervised_of_samples(trained, report.drop_references(report.sampled))
    unsupervised = keep_present(table, [*UNSUPERVISED, *LATER_RULES])
    correlations = figures.figure_4(table, unsupervised, report.scores)
    selection = unsupervised_selection(table, scores=report.scores, names=report.names)
    transfer = table_1(trained, report.scores, report.names)
    rules = rate_rules(table, report.scores, report.names)
    return [
        elements.text(WORDS, "reading"),
        elements.pair(
            *(
                plot_correlations(report, f"figure_4-{dataset}", rows)
                for dataset, rows in split_by(correlations, "dataset").items()
            )
        ),
        *plot_every_pair(report, "choices", table, report.scores, unsupervised),
        elements.heading("How good a choice without labels is"),
        *_summarise_choices(report, table, selection),
        elements.pair(
            *(
                _plot_success(report, dataset, rows)
                for dataset, rows in split_by(selection, "dataset").items()
            )
        ),
        *_recommend(report, rules),
        *_compare_datasets(report),
        elements.heading("Table 1: how often a transferred choice beats a random one"),
        _tabulate_transfer(report, transfer),
        *_tabulate_transfers(report),
        *_compare_transfer(report, transfer),
        elements.data(
            figure_4=correlations, selection=selection, recommendations=rules, table_1=transfer
        ),
    ]


def _tabulate_transfers(report: Report) -> list[Element]:
    """The first row of table 1 by pair of data sets, if there are at least two."""
    pairs = transfer_between_datasets(report.trained, report.scores, report.names)
    success = 100 * pairs.pivot(index="source", columns="target", values="success")
    success = success.loc[report.datasets, report.datasets]
    if len(success) < 2:
        return []
    label = report.names.label
    rows = success.rename(index=label).rename_axis(None, axis=1).reset_index()
    titles = {"source": "Chosen on"} | {name: f"On {label(name)}" for name in report.datasets}
    table = elements.table("table_1-pairs", rows, titles, digits=1)
    words = "How often a setting chosen on one data set succeeds on another, by the same score, %"
    return [elements.details(words, table)]


def _tabulate_transfer(report: Report, transfer: DataFrame) -> Element:
    """Table 1, over all scores of these results."""
    shares = ("success", "low", "high", "blind", "regret")
    rows = transfer.assign(**{name: 100 * transfer[name] for name in shares})
    titles = {
        "row": "Used for",
        "column": "On",
        "success": "Success, %",
        "low": "from",
        "high": "to",
    }
    titles |= {"blind": "Blind, %", "regret": "Regret, %", "num_models": "Models", "note": "Note"}
    if not transfer["note"].any():
        del titles["note"]
    return elements.table("table_1", rows, titles, digits=1, names=report.names)


def _compare_transfer(report: Report, transfer: DataFrame) -> list[Element]:
    """Table 1 compared with the paper's, whose means are over the paper's six scores."""
    trained, six = report.trained, report.paper_scores
    if not six or not report.is_compared:
        return []
    if six != report.scores:
        transfer = table_1(trained, six, report.names)
    return tabulate_comparison(report, transfer, "table_1", trained, "success")


def _recommend(report: Report, rules: DataFrame) -> list[Element]:
    """The recommended setting for each data set and score, if a rule beats a blind choice."""
    if rules.empty:
        return []
    heading = elements.heading("Which setting to use")
    if (most := int(rules["num_seeds"].max())) < FEWEST_SEEDS:
        words = f"Whether a rule beats a blind choice: {too_few(most, FEWEST_SEEDS)}."
        return [heading, elements.text(words), *_tabulate_rules(report, rules)]
    label, rows = report.names.label, []
    for (dataset, score), given in rules.groupby(["dataset", "score"], sort=False):
        better = given[given["beats_blind"]].sort_values("regret", kind="stable")
        best = (better if len(better) else given.sort_values("regret", kind="stable")).iloc[0]
        words = "No rule beats a blind choice."
        if len(better):
            setting = report.names.label_model(best["method"], best["setting"])
            words = f"Use {setting}, picked by {label(best['by'])}."
        elif best["num_seeds"] < FEWEST_SEEDS:
            words = f"None: {too_few(best['num_seeds'], FEWEST_SEEDS)}."
        regret = [100 * best[name] for name in ("regret", "low", "high")]
        rows.append((label(dataset), label(score), words, label(best["by"]), *regret))
    titles = {"dataset": "Data set", "score": "Target score", "words": "Recommendation"}
    titles |= {"by": "Least regret by", "regret": "Regret, %", "low": "from", "high": "to"}
    words = (
        "A rule is recommended if its regret is significantly below a blind choice's, which is "
        "100 %, in a test of all rules together. The setting is the one that it picks most often. "
        "One row in forty may be chance."
    )
    table = DataFrame(rows, columns=list(titles))
    shown = elements.table("recommendations", table, titles, digits=0)
    return [heading, elements.text(words, "reading"), shown, *_tabulate_rules(report, rules)]


def _tabulate_rules(report: Report, rules: DataFrame) -> list[Element]:
    """The setting that each rule picks on each data set, and its regret by score."""
    names, found = report.names, []
    for dataset, rows in split_by(rules, "dataset").items():
        regret = 100 * rows.pivot(index="by", columns="score", values="regret")
        half = 50 * (rows["high"] - rows["low"]).groupby([rows["by"], rows["score"]]).first()
        regret = regret[list(rows["score"].unique())]
        body = [
            [
                elements.cell(names.label(pick["by"])),
                elements.cell(names.label_model(pick["method"], pick["setting"])),
                elements.cell(pick["num_picked"]),
                *(
                    elements.cell(value, 0, half[pick["by"], score])
                    for score, value in regret.loc[pick["by"]].items()
                ),
            ]
            for pick in rows.drop_duplicates("by").to_dict("records")
        ]
        titles = [("Rule", False), ("Picks most often", False), ("In seeds", True)]
        titles += [(f"{names.label(score)}, %", True) for score in regret]
        table = elements.plain_table(f"rules-{dataset}", titles, body)
        found.append(elements.details(f"{names.label(dataset)}: the pick of each rule", table))
    words = "Regret by score, ± half its 95 % interval. A blind choice has a regret of 100 %."
    return [*found, elements.text(words, "note")]


def _plot_success(report: Report, dataset: str, rows: DataFrame) -> Element:
    label = report.names.label(dataset)
    notes = "; ".join(note for note in dict.fromkeys(rows["note"]) if note)
    if rows["success"].isna().all():
        return elements.text(f"{label}: {notes}.", "note")
    drawn = report.plot(plots.plot_success, rows, size=(5.2, 2.9))
    caption = (
        f"{label}: how often the model with the best unsupervised score of its seed "
        "is at least as good as a random model; the line is a blind choice"
        f"{f' ({notes})' if notes else ''}."
    )
    return elements.figure(f"selection-{dataset}", drawn, caption)


def _explain_udr(report: Report) -> str:
    """The number of models with an Unsupervised Disentanglement Ranking, or why there are none."""
    words = "UDR is more recent than the paper (Duan et al. 2020)"
    if not keep_present(report.trained, ["udr"]):
        seeds = report.trained.groupby(["dataset", "method", "setting"])["seed"].nunique()
        if seeds.max() <= FEWEST_PARTNERS:
            return f"{words}; missing here, because no setting has {FEWEST_PARTNERS + 1} seeds."
        return f"{words}; missing here, but `teasel rescore DIR --metrics udr` computes it."
    count = format_count(int(report.trained["udr"].notna().sum()), "model")
    return f"{words}; here for {count}, each compared with up to {MOST_PARTNERS} of its setting."


def _explain_few_labels(report: Report) -> str:
    """A note that rules with a few labels are included, if they are."""
    if not keep_present(report.trained, LATER_RULES[1:]):
        return ""
    return " Rules with few labels use 100 labelled points (Locatello et al. 2020)."


def _summarise_choices(report: Report, table: DataFrame, selection: DataFrame) -> list[Element]:
    """Success and regret of every unsupervised score, averaged, with a line about UDR."""
    known = selection.dropna(subset="success")
    if known.empty:
        return [
            elements.text("No model has both an unsupervised and a disentanglement score.", "note")
        ]
    means = known.groupby("by", sort=False).agg(
        success=("success", "mean"), blind=("blind", "mean"), regret=("regret", "mean")
    )
    num_models = known.groupby(["by", "dataset"], sort=False)["num_models"].max()
    means["num_models"] = num_models.groupby("by", sort=False).sum()
    few = " or with few labels" if keep_present(report.trained, LATER_RULES[1:]) else ""
    words = f"Best choice without labels{few}, on average over data sets and scores"
    contest = compare_choices(table, report.scores, report.names)
    best = claim(contest, words, "choices", report.names.label, BLIND, "a blind choice")
    behind = f"Means over data sets and scores; {describe_models(report.trained)}. "
    behind += _explain_udr(report) + _explain_few_labels(report)
    rows = (100 * means[["success", "blind", "regret"]]).join(means["num_models"]).reset_index()
    titles = {"by": "Chosen by", "success": "Success, %", "blind": "Blind, %"}
    titles |= {"regret": "Regret, %", "num_models": "Models"}
    return [
        *([best] if best else []),
        elements.table("selection-table", rows, titles, digits=1, names=report.names),
        elements.text(behind, "note"),
    ]


def _compare_datasets(report: Report) -> list[Element]:
    """Figure 4's correlations of each score between data sets, compared with the paper's."""
    if len(report.datasets) < 2:
        words = "There is only one data set, so data sets cannot be compared."
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
        "Spearman's correlation over settings, of means over seeds. The seeds' noise lowers it; "
        "the CSV also has it corrected for that, with an interval. Based on "
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
    titles |= {"corrected": "Corrected for seed noise", "num_settings": "Settings"}
    titles |= {"note": "Note"}
    return [elements.table("figure_4-datasets", pairs, titles, names=names)]
