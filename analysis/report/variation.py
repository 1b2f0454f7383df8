"""Figure 3 of the report: what a score varies with, the method, its setting or the seed."""

from ..frames import DataFrame, pd
from ..labels import counted, label, percent
from ..paper import figures
from ..paper.compare import compare_with_paper
from ..plots import plots
from ..plots.style import figure
from ..statistics.importance import importance, parts_of_bar, variance_explained
from ..statistics.improvement import probability_of_improvement
from ..tables import learned
from . import elements
from .elements import Block
from .parts import NO_SCORES, Report, cells, comparison, nothing, panel_grid, plotted_matrix
from .pictures import ranking_score


def what_matters(report: Report) -> Block:
    """Figure 3: does a score depend on the method, its setting or the seed?"""
    name, title = "importance", "Method, setting or seed?"
    trained = learned(report.mean)
    if not report.scores:
        return nothing(name, title, NO_SCORES)
    if trained["setting"].nunique() < 2:
        return nothing(name, title, "All models have one setting: there is nothing to tell apart.")
    summary = importance(trained, report.scores)
    explained = variance_explained(trained, report.scores)
    average = explained[explained["dataset"] == "average"].assign(column="average")
    judged = []
    if len(average):
        # The corrected share, which has an interval: with the study's 50 seeds the plain share that
        # it prints is above it by .01 at the most, with 10 seeds by .04.
        beside = compare_with_paper(average, "figure_3", trained, "corrected", more=report.more)
        judged = comparison("verdict-figure_3", trained, beside, "corrected")
    wins = pd.concat(
        [probability_of_improvement(trained, score).assign(score=score) for score in report.scores],
        ignore_index=True,
    )
    spreads = {
        f"figure_3_by_{by}": figures.figure_3(report.mean, report.scores, by)
        for by in ("method", "setting")
    }
    words = (
        "How the variance of each score splits into the method, its setting, and the seed with all "
        "the rest. Omega squared, which takes off what few seeds explain by chance; where that is "
        "below zero it is drawn as zero, and the other parts fill the bar. As settings share their "
        "seeds, it takes off a little too much: of what a seed does to all settings alike, one "
        "part in the number of seeds."
    )
    return elements.section(
        name,
        title,
        elements.text(words, "reading"),
        *_shares(summary, trained),
        *judged,
        elements.heading("The spread of the scores"),
        *_violins(report, *spreads.values()),
        elements.heading("Within a method, and between two"),
        elements.pair(*_within_methods(summary), *_wins(report, wins)),
        elements.data(importance=summary, variance_explained=explained, wins=wins, **spreads),
    )


def _shares(summary: DataFrame, trained: DataFrame) -> list[Block]:
    overall = summary[summary["method"] == ""]
    shown = overall[(overall["dataset"] != "average") & overall["corrected"].notna()]
    lacking = [
        elements.text(
            f"No decomposition on {label(dataset)}: {'; '.join(rows['note'].unique())}.", "behind"
        )
        for dataset, rows in overall.groupby("dataset", sort=False)
        if dataset != "average" and rows["corrected"].isna().all()
    ]
    if shown.empty:
        return lacking
    rows, columns = panel_grid(shown["dataset"].nunique(), most=3)
    size = (1.4 + 2.6 * columns, 0.6 + (0.7 + 0.24 * shown["score"].nunique()) * rows)
    drawing = figure(plots.plot_importance, shown, size=size, grid=(rows, columns), sharey=True)
    seed = parts_of_bar(shown).query("part == 'seed'").groupby("score")["width"].mean()
    half = (shown["high"] - shown["low"]) / 2
    told = f"95 % intervals of up to ± {100 * half.max():.0f}" if half.notna().any() else ""
    told = told or "; ".join(dict.fromkeys(shown["note"]))
    return [
        elements.text(
            f"The seed and the rest fill between {percent(seed.min())} ({label(seed.idxmin())}) "
            f"and {percent(seed.max())} ({label(seed.idxmax())}) of a score's bar, on average over "
            "the data sets here."
        ),
        elements.drawn("importance-shares", drawing, f"{_behind(trained)}; {told}."),
        *lacking,
    ]


def _violins(report: Report, by_method: DataFrame, by_setting: DataFrame) -> list[Block]:
    shown = []
    for dataset in report.datasets:
        rows = report.mean[report.mean["dataset"] == dataset]
        summary = by_method[by_method["dataset"] == dataset]
        settings = learned(by_setting[by_setting["dataset"] == dataset])
        if settings.empty:
            shown.append(
                elements.text(
                    f"{label(dataset)}: no model has one of the study's scores yet.", "behind"
                )
            )
            continue
        if len(rows) == 1:
            shown.append(elements.text(f"{label(dataset)}: one model has no spread.", "behind"))
            continue
        count = settings["score"].nunique()
        lines, columns = panel_grid(count, most=3)
        narrow = figure(
            plots.plot_violins,
            rows,
            summary,
            size=(0.6 + 2.9 * columns, 0.3 + 2.1 * lines),
            grid=(lines, columns),
        )
        wide = figure(
            plots.plot_violins,
            rows,
            settings,
            size=(1.6 + 0.23 * len(settings) / count, 0.8 + 1.4 * count),
            grid=(count, 1),
            sharex=True,
        )
        words = (
            f"{label(dataset)}, by method: {_behind(learned(rows))}. A dot is the mean"
            f"{_with_interval(summary)}; grey is what nothing has trained."
        )
        shown.append(elements.drawn(f"figure_3-method-{dataset}", narrow, words))
        words = f"{label(dataset)}, by setting within each method."
        picture = elements.drawn(f"figure_3-setting-{dataset}", wide, words)
        shown.append(elements.folded(f"{label(dataset)} by setting", picture))
    return shown


def _with_interval(summary: DataFrame) -> str:
    return " with its 95 % interval" if summary["low"].notna().any() else ""


def _within_methods(summary: DataFrame) -> list[Block]:
    own = summary[(summary["method"] != "") & (summary["part"] == "setting")]
    own = own[own["corrected"].notna() & (own["score"] != "average")]
    if own.empty:
        return []
    own = own.groupby(["method", "score"], sort=False)["corrected"].mean().reset_index()
    own = own.rename(columns={"method": "row", "score": "column"})
    caption = (
        "Shard of the variance within one method that its setting explains (omega squared), in "
        "percent, mean over data sets."
    )
    return [plotted_matrix("importance-own", own, caption, "corrected")]


def _wins(report: Report, wins: DataFrame) -> list[Block]:
    score = str(ranking_score(report.mean))
    shown = wins[wins["score"] == score]
    if shown["row"].nunique() < 2:
        return []
    half = ((shown["high"] - shown["low"]) / 2).max()
    told = f"95 % intervals of up to ± {100 * half:.0f}" if half > 0 else shown["note"].iat[0]
    caption = (
        f"How often a run of the row's method beats a run of the column's in {label(score)}, in "
        f"percent, mean over data sets; {told}. The other scores are in wins.csv."
    )
    return [plotted_matrix("wins", shown, caption, "wins", neutral=0.5)]


def _behind(trained: DataFrame) -> str:
    seeds = counted(trained["seed"].nunique(), "seed")
    return f"{counted(len(trained), 'model')}, {seeds}, {cells(trained)}"
