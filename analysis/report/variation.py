"""Figure 3 of the report, and hyper-parameters: what a score depends on, and how far."""

from collections.abc import Iterator

import pandas as pd
from pandas import DataFrame

from ...words import format_count
from ..formats import format_percent
from ..paper import figures
from ..plots import plots
from ..statistics.effects import hyperparameter_importance, hyperparameter_means
from ..statistics.importance import (
    compare_seed_shares,
    explain_variance,
    importance,
    scale_to_bars,
    variance_explained,
)
from ..statistics.improvement import probability_of_improvement
from ..statistics.resampling import join_notes
from ..tables import split_by
from . import elements
from .beside_paper import tabulate_comparison
from .claims import claim
from .elements import Element
from .parts import (
    MOST_ABREAST,
    NO_SCORES,
    Report,
    Shown,
    count_settings,
    describe_intervals,
    describe_models,
    panel_grid,
    plot_matrix,
    section,
)
from .pictures import ranking_score

OF_IMPORTANCE = (
    "How the variance of each score splits into the method, its setting, and the seed with all "
    "the rest. The shares are omega squared, which subtracts what few seeds explain by chance. A "
    "negative share is drawn as zero, and the other parts fill the bar. Because settings share "
    "their seeds, slightly too much is subtracted: one part in the number of seeds of the effect "
    "that a seed has on all settings alike."
)


OF_HYPERPARAMETERS = (
    "How the variance of a score within one method splits into its hyper-parameters, the data "
    "set, their interactions and the seed. A bar is the mean over the scores; a mark is one score. "
    "This is an exact decomposition of a complete grid, in omega squared, which subtracts what "
    "chance explains. The seed's share is its effect on all settings alike. The rest is its effect "
    "on some of them."
)


@section("importance", "Method, setting or seed?")
def make_importance(report: Report) -> Shown:
    """Figure 3: does a score depend on the method, its setting or the seed?"""
    trained, scores = report.trained, report.scores
    if not scores:
        return NO_SCORES
    if count_settings(trained) < 2:
        return "All models have one setting, so there is nothing to compare."
    summary = importance(trained, scores)
    explained = explain_variance(summary)
    improvement = pd.concat(
        [
            probability_of_improvement(trained, score, report.names).assign(score=score)
            for score in scores
        ],
        ignore_index=True,
    )
    means = {by: figures.figure_3(report.mean, scores, by) for by in ("method", "setting")}
    return [
        elements.text(OF_IMPORTANCE, "reading"),
        *_plot_shares(report, summary),
        *_tabulate_explained(report, explained),
        *_compare(report, explained),
        elements.heading("The spread of the scores"),
        *(
            element
            for dataset in report.datasets
            for element in _plot_violins(report, dataset, means["method"], means["setting"])
        ),
        elements.heading("Within and between methods"),
        elements.pair(
            *_plot_shares_within_methods(report, summary), *_plot_improvement(report, improvement)
        ),
        elements.data(
            importance=summary,
            variance_explained=explained,
            probability_of_improvement=improvement,
            figure_3_by_method=means["method"],
            figure_3_by_setting=means["setting"],
        ),
    ]


def _tabulate_explained(report: Report, explained: DataFrame) -> list[Element]:
    """The share of each score that the method explains on each data set, and its setting's."""
    shown = explained[explained["corrected"].notna() & (explained["dataset"] != "average")]
    if shown.empty:
        return []
    key = ["dataset", "score"]
    of_method, of_both = (
        shown[shown["row"] == row].set_index(key) for row in ("method", "method and setting")
    )
    rows = 100 * of_method[["corrected", "low", "high"]].join(
        of_both[["corrected", "low", "high"]].add_suffix("_both")
    )
    titles = {"dataset": "Data set", "score": "Score", "corrected": "Method, %", "low": "from"}
    titles |= {"high": "to", "corrected_both": "Method and setting, %", "low_both": "from"}
    titles |= {"high_both": "to"}
    rows, names = rows.reset_index(), report.names
    table = elements.table("variance-explained", rows, titles, digits=1, names=names)
    return [elements.details("Shares explained by method and setting, in numbers", table)]


def _compare(report: Report, explained: DataFrame) -> list[Element]:
    """The average shares compared with the paper's, which are over the paper's six scores.

    The corrected share is compared, because it has an interval. With the paper's 50 seeds the
    uncorrected share that it prints is higher by at most .01; with 10 seeds, by .04.
    """
    if not report.paper_scores or not report.is_compared:
        return []
    if report.paper_scores != report.scores:
        explained = variance_explained(report.trained, report.paper_scores)
    average = explained[explained["dataset"] == "average"].assign(column="average")
    if average.empty:
        return []
    return tabulate_comparison(report, average, "figure_3", report.trained, "corrected")


def _plot_shares(report: Report, summary: DataFrame) -> list[Element]:
    overall = summary[summary["method"] == ""]
    shown = overall[(overall["dataset"] != "average") & overall["corrected"].notna()]
    lacking = [
        elements.text(
            f"No decomposition on {report.names.label(dataset)}: {join_notes(rows['note'])}.",
            "note",
        )
        for dataset, rows in split_by(overall, "dataset").items()
        if dataset != "average" and rows["corrected"].isna().all()
    ]
    if shown.empty:
        return lacking
    rows, columns = panel_grid(shown["dataset"].nunique(), most=3)
    size = (1.4 + 2.6 * columns, 0.6 + (0.7 + 0.24 * shown["score"].nunique()) * rows)
    drawn = report.plot(plots.plot_importance, shown, size=size, grid=(rows, columns), sharey=True)
    intervals = describe_intervals(shown) or join_notes(shown["note"])
    caption = f"{_describe_sample(report.trained)}; {intervals}."
    return [
        elements.text(describe_seeds_share(shown)),
        *filter(None, _name_most_settled(report)),
        elements.figure("importance-shares", drawn, caption),
        *lacking,
    ]


def describe_seeds_share(summary: DataFrame) -> str:
    """The share of the bars of `importance` that the seed and the rest fill, in words."""
    seed = scale_to_bars(summary).query("part == 'seed'").groupby("score")["width"].mean()
    least, most = format_percent(seed.min()), format_percent(seed.max())
    span = f"between {least} and {most}" if least != most else most
    return f"The seed and the rest fill {span} of a score's bar, on average over these data sets."


def _name_most_settled(report: Report) -> Iterator[Element | None]:
    """The scores that depend most and least on the seed and the rest."""
    contest, label = compare_seed_shares(report.trained, report.scores), report.names.label
    what = "dependence on the seed and the rest (omega squared, on average over data sets)"
    yield claim(contest, f"Strongest {what}", "scores", label)
    yield claim(contest, f"Weakest {what}", "scores", label, lowest=True)


def _plot_violins(
    report: Report, dataset: str, by_method: DataFrame, by_setting: DataFrame
) -> list[Element]:
    """The spread of the scores on a data set, by method, and folded away by setting."""
    label = report.names.label(dataset)
    rows = report.mean[report.mean["dataset"] == dataset]
    methods = by_method[by_method["dataset"] == dataset]
    settings = report.drop_references(by_setting[by_setting["dataset"] == dataset])
    if settings.empty:
        why = f"{label}: no model has one of these scores yet."
        return [elements.text(why, "note")]
    if len(rows) == 1:
        return [elements.text(f"{label}: there is only one model, so there is no spread.", "note")]
    count, width = settings["score"].nunique(), max(2.9, 0.26 * methods["method"].nunique())
    lines, columns = panel_grid(count, most=max(1, int(9 / width)))
    narrow = report.plot(
        *(plots.plot_violins, rows, methods),
        size=(0.6 + width * columns, 0.3 + (2.1 if columns > 1 else 1.4) * lines),
        grid=(lines, columns),
        sharex=columns == 1,
    )
    interval = " with its 95 % interval" if methods["low"].notna().any() else ""
    caption = (
        f"{label}, by method: {_describe_sample(report.drop_references(rows))}. A dot is the mean"
        f"{interval}; references are grey."
    )
    return [
        elements.figure(f"figure_3-method-{dataset}", narrow, caption),
        elements.details(f"{label} by setting", *_plot_settings(report, dataset, rows, settings)),
    ]


def _plot_settings(
    report: Report, dataset: str, rows: DataFrame, settings: DataFrame
) -> list[Element]:
    """The violins by setting, with one figure for every few methods."""
    methods, found = list(settings["method"].unique()), []
    for first in range(0, len(methods), MOST_ABREAST):
        some = settings[settings["method"].isin(methods[first : first + MOST_ABREAST])]
        count = some["score"].nunique()
        drawn = report.plot(
            *(plots.plot_violins, rows, some),
            size=(1.6 + 0.23 * len(some) / count, 0.8 + 1.4 * count),
            grid=(count, 1),
            sharex=True,
        )
        name = f"figure_3-setting-{dataset}{f'-{first}' if first else ''}"
        caption = f"{report.names.label(dataset)}, by setting within each method."
        found.append(elements.figure(name, drawn, caption))
    return found


def _plot_shares_within_methods(report: Report, summary: DataFrame) -> list[Element]:
    own = summary[(summary["method"] != "") & (summary["part"] == "setting")]
    settings = report.trained.groupby("method")["setting"].nunique()
    several = own["method"].isin(settings.index[settings > 1])
    own = own[several & own["corrected"].notna() & (own["score"] != "average")]
    if own.empty:
        return []
    own = own.groupby(["method", "score"], sort=False)["corrected"].mean().reset_index()
    own = own.rename(columns={"method": "row", "score": "column"})
    caption = (
        "Share of the variance within one method that its setting explains (omega squared), in "
        "percent, mean over data sets."
    )
    return [plot_matrix(report, "importance-own", own, caption, "corrected")]


def _plot_improvement(report: Report, improvement: DataFrame) -> list[Element]:
    score = ranking_score(report.trained, report.own)
    shown = improvement[improvement["score"] == score]
    if shown["row"].nunique() < 2:
        return []
    interval = describe_intervals(shown) or join_notes(shown["note"])
    caption = (
        "Probability of improvement: how often a run of the row's method beats a run of the "
        f"column's in {report.names.label(score)}, in percent, mean over data sets; {interval}. "
        "The other scores are in probability_of_improvement.csv."
    )
    name = "probability_of_improvement"
    return [plot_matrix(report, name, shown, caption, "probability", neutral=0.5)]


def _describe_sample(trained: DataFrame) -> str:
    seeds = format_count(trained["seed"].nunique(), "seed")
    return f"{format_count(len(trained), 'model')}, {seeds}"


@section("hyperparameters", "What does each hyper-parameter do?")
def make_hyperparameters(report: Report) -> Shown:
    """Shares of variance and marginal means; None if no method has two settings."""
    trained = report.trained
    scores = report.scores
    if not scores:
        return None
    means = hyperparameter_means(trained, scores)
    if means.empty:
        return None
    shares = hyperparameter_importance(trained, scores)
    return [
        elements.text(OF_HYPERPARAMETERS, "reading"),
        *_plot_parts(report, shares),
        *_plot_means(report, means),
        elements.data(
            hyperparameter_importance=shares, hyperparameter_means=means.drop(columns="by_seed")
        ),
    ]


def _plot_parts(report: Report, shares: DataFrame) -> list[Element]:
    shown = shares[shares["corrected"].notna()]
    notes = [
        elements.text(f"{report.names.label(method)}: {words}.", "note")
        for method, words in _explain(shares).items()
    ]
    if shown.empty:
        return notes
    parts = shown.groupby("method")["part"].nunique()
    rows, columns = panel_grid(len(parts), most=3)
    size = (1 + 2.9 * columns, 0.9 + (0.6 + 0.24 * parts.max()) * rows)
    drawn = report.plot(plots.plot_hyperparameters, shown, size=size, grid=(rows, columns))
    told = filter(None, [describe_models(report.trained), describe_intervals(shown)])
    return [elements.figure("hyperparameter-importance", drawn, f"{'; '.join(told)}."), *notes]


def _explain(shares: DataFrame) -> dict[str, str]:
    """What was left out of each method's grid to complete it, and why shares are missing."""
    found = {}
    for method, rows in split_by(shares, "method").items():
        gone = dict.fromkeys(words for words in rows["left_out"] if words)
        lacking = rows[rows["corrected"].isna()]
        notes = [f"without {words}, because models are missing" for words in gone]
        notes += dict.fromkeys(words for words in lacking["note"] if words)
        if notes:
            found[method] = "; ".join(notes)
    return found


def _plot_means(report: Report, means: DataFrame) -> list[Element]:
    """A figure of the methods with one hyper-parameter, and one for each further one."""
    swept = means.groupby("method")["hyperparameter"].transform("nunique")
    groups = {"means": means[swept == 1]} if (swept == 1).any() else {}
    for (method, name), rows in means[swept > 1].groupby(["method", "hyperparameter"], sort=False):
        groups[f"means-{method}-{name}"] = rows
    found = []
    for name, rows in groups.items():
        grid = rows["score"].nunique(), rows["dataset"].nunique()
        size = (0.9 + max(4.4, 2.2 * grid[1]), 0.9 + 1.5 * grid[0])
        drawn = report.plot(plots.plot_means, rows, size=size, grid=grid, sharex=True)
        methods = ", ".join(map(report.names.label, rows["method"].unique()))
        told = ["means over the other settings"]
        told += ["a dot is a seed"] if plots.has_dots(rows) else []
        told += ["a bar is the 95 % interval"] if rows["low"].notna().any() else []
        caption = f"{methods}: {'; '.join(told)}."
        found.append(elements.figure(f"hyperparameter-{name}", drawn, caption))
    return found
