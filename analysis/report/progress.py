"""What the results hold: cells filled, scores, curves, pictures, codes, a section each."""

from itertools import groupby

from ...sweep.store.results import ResultsError
from ...sweep.store.store import StoreError
from ..frames import DataFrame
from ..labels import MINUS, counted, label, setting_label
from ..paper.compare import RULE
from ..paper.published import filled
from ..plots import plots
from ..plots.style import figure
from ..statistics.embedding import embedding
from ..summary import exemplars, score_table, training_curves
from ..tables import (
    DISENTANGLEMENT,
    PREDICTION,
    learned,
    lower_is_better,
    other_scores,
    representation,
)
from . import elements
from .elements import Block
from .parts import Report, cells, nothing, present, without_references
from .pictures import KINDS, pictures, ranking_score

MOST_COLUMNS = 8
"""Of scores in a table: a printed page has room for no more."""


def progress(report: Report) -> Block:
    """How much of the paper's grid is there, and when a number is compared with it."""
    trained = learned(report.trials)
    scored = report.mean.loc[report.mean[report.scores].notna().all(axis=1), "trial_id"]
    rows = trained.assign(
        cell=trained["method"] + trained["setting"],
        scored=trained["trial_id"].isin(scored) & bool(report.scores),
    )
    done = rows.groupby("dataset", sort=False).agg(
        models=("trial_id", "size"),
        scored=("scored", "sum"),
        settings=("cell", "nunique"),
        seeds=("seed", "nunique"),
    )
    rows = done.reset_index().merge(filled(trained), on="dataset")
    rows = rows.assign(dataset=rows["dataset"].map(label), share=100 * rows["share"])
    titles = {
        "dataset": "Data set",
        "models": "Models trained",
        "scored": "With every score",
        "settings": "Settings",
        "seeds": "Seeds",
        "num_models": "Of the paper's grid",
        "share": "Shard of its 1,800, %",
    }
    table = elements.table("filled", rows, titles, digits=1)
    return elements.section(
        "progress",
        "How far the study is",
        table,
        elements.heading("When a number is compared with the paper's"),
        elements.text(RULE),
    )


def scored(report: Report) -> Block:
    """Mean scores of every setting, with those of what nothing has trained."""
    name, title = "scores", "Scores"
    of_study = present(report.mean, (*DISENTANGLEMENT, *PREDICTION))
    others = present(report.mean, other_scores(report.folder))
    if not of_study and not others:
        return nothing(name, title, "No model has a score yet.")
    summary = score_table(report.mean, [*of_study, *others])
    several = summary.filter(like="_spread").notna().any(axis=None)
    words = (
        f"{'Mean over seeds ± standard deviation over seeds' if several else 'Scores of one seed'}"
        ", of the mean representation. References, which nothing has trained, stand last."
    )
    how = (
        "The best mean of each score is bold; that alone is no evidence of a difference. "
        "References are grey. Click a heading to sort."
    )
    parts = [elements.text(words, "reading"), elements.text(how, "page")]
    parts += without_references(report.mean)
    if others:
        less = [label(name) for name in others if lower_is_better(name)]
        words = "Scores that are not the study's stand apart, and in no other section."
        words += f" Less is better of {', '.join(less)}." if less else ""
        parts.append(elements.text(words, "reading"))
    for dataset in report.datasets:
        parts.append(elements.heading(label(dataset)))
        parts += _score_table(report, dataset, f"scores-{dataset}", of_study)
        if others:
            parts.append(elements.heading(f"{label(dataset)}: scores that are not the study's"))
        for first in range(0, len(others), MOST_COLUMNS):
            columns = others[first : first + MOST_COLUMNS]
            parts += _score_table(report, dataset, f"others-{dataset}-{first}", columns)
    parts.append(elements.data(scores=summary))
    return elements.section(name, title, *parts)


def _score_table(report: Report, dataset: str, name: str, columns: list[str]) -> list[Block]:
    """Some scores on a data set, and the models behind them."""
    rows = report.mean[report.mean["dataset"] == dataset]
    told = f"{counted(len(learned(rows)), 'model')}, {cells(learned(rows))}."
    given = present(rows, columns)
    if not given:
        return [elements.text(f"No model has these scores yet: {told}", "behind")]
    table = elements.score_table(name, score_table(rows, given))
    return [table, elements.text(told + _scored_by_fewer(rows, given), "behind")]


def _scored_by_fewer(rows: DataFrame, columns: list[str]) -> str:
    counts = rows[columns].count()
    fewer = [f"{label(name)} {counts[name]:,}" for name in columns if counts[name] < len(rows)]
    return f" Of all {len(rows):,}, not every one has every score: {', '.join(fewer)}." * bool(
        fewer
    )


def curves(report: Report) -> Block:
    """Training curves of every setting."""
    stored = report.folder.table("curves").to_pandas()
    summary = training_curves(learned(report.trials), stored)
    if summary.empty:
        return nothing("curves", "Training", "No training curves are stored.")
    parts = []
    for dataset, rows in summary.groupby("dataset", sort=False):
        columns = rows["method"].nunique()
        drawing = figure(
            plots.plot_curves,
            rows,
            size=(1.1 + 2.0 * columns if columns > 1 else 3.8, 4.2),
            grid=(2, columns),
            sharex=True,
            sharey="row",
            squeeze=False,
        )
        caption = (
            f"{label(str(dataset))}: mean over the seeds of each setting, darker is a larger value."
        )
        parts.append(elements.drawn(f"curves-{dataset}", drawing, caption))
    return elements.section("curves", "Training", *parts)


def drawn(report: Report) -> Block:
    """Pictures by the best and the median model of every data set."""
    name, title = "pictures", "What the models draw"
    shown = pictures(report.folder, report.mean, which=("best", "median"))
    if not shown:
        return nothing(name, title, "No pictures of these models are stored.")
    words = (
        f"The best and the median trained model by {label(str(ranking_score(report.mean)))}. "
        "Reconstructions stand to the right of their originals; a traversal's row moves one latent "
        f"from {MINUS}2 to 2, an interpolation's goes from one image's code to another's."
    )
    parts = [elements.text(words, "reading")]
    if missing := [kind for kind in KINDS if all(picture.kind != kind for picture in shown)]:
        parts.append(elements.text(f"No {' and no '.join(missing)} of them are stored.", "behind"))
    for dataset, found in groupby(shown, key=lambda picture: picture.dataset):
        addresses = [(elements.inline(picture.png), picture.caption) for picture in found]
        parts += [elements.heading(label(dataset)), elements.gallery(addresses, columns=2)]
    return elements.section(name, title, *parts)


def codes(report: Report) -> Block:
    """A map of the best model's codes."""
    name, title = "codes", "One model's codes"
    score = ranking_score(report.mean)
    if score is None:
        return nothing(name, title, "No model has a score yet, to be the best by.")
    best = exemplars(report.mean, score).query("which == 'best'").iloc[0]
    try:
        stored = representation(report.folder, best["trial_id"])
    except (ResultsError, StoreError):
        why = f"The codes of the best model, {best['trial_id']}, are not stored."
        return nothing(name, title, why)
    try:
        summary = embedding(stored)
    except ValueError as error:
        why = f"The codes of the best model, {best['trial_id']}, give no map: {error}."
        return nothing(name, title, why)
    rows, columns = -(-(summary.shape[1] - 2) // 5), min(5, summary.shape[1] - 2)
    drawing = figure(
        plots.plot_embedding,
        summary,
        size=(1.9 * columns, 2.0 * rows),
        grid=(rows, columns),
        squeeze=False,
    )
    caption = (
        f"{label(best['dataset'])}, {label(best['method'])} {setting_label(best['setting'])}, seed "
        f"{best['seed']}: t-SNE of {len(summary):,} mean codes, coloured by each factor in turn."
    )
    return elements.section(name, title, elements.drawn("codes-map", drawing, caption))
