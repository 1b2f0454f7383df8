"""The content of the results: progress, scores, curves, pictures and codes, a section each."""

from itertools import groupby

from pandas import DataFrame

from ...sweep.store.results import ResultsError
from ...sweep.store.store import StoreError
from ...words import readable
from ..factors import factors_of
from ..formats import MINUS
from ..names import Names
from ..paper_grid import DISENTANGLEMENT, PREDICTION
from ..plots import plots
from ..plots.style import make_figure
from ..statistics.embedding import embedding
from ..summary import exemplars, score_table, training_curves, winning_settings
from ..tables import list_other_scores, representation, split_by
from . import elements
from .absent import name_absent
from .elements import Element
from .parts import (
    MOST_ABREAST,
    NO_SCORES,
    Report,
    Shown,
    describe_models,
    keep_present,
    name_missing_references,
    panel_grid,
    section,
)
from .pictures import KINDS, choose_pictures, ranking_score

MOST_COLUMNS = 8
"""The most scores in a table, as many as fit on a printed page."""


@section("progress", "Progress of the study")
def make_progress(report: Report) -> Shown:
    """How much of the study is done."""
    titles = {
        "dataset": "Data set",
        "models": "Models trained",
        "scored": "With every score",
        "settings": "Settings",
        "seeds": "Seeds",
    }
    return [
        elements.table("filled", _count_models(report), titles, digits=1, names=report.names),
        *name_absent(report.folder, report.left, report.names),
    ]


def _count_models(report: Report) -> DataFrame:
    """A row per data set: models, those with every score, settings and seeds.

    "Every score" means the scores wanted of a model on its data set. In a hand-made study, it means
    the scores that any model has.
    """
    trained = report.drop_references(report.trials)
    whole = report.mean.loc[report.mean[report.scores].notna().all(axis=1), "trial_id"]
    scored = trained["trial_id"].isin(whole) & bool(report.scores)
    if report.left is not None:
        lacking = [*report.left.failed, *(trial for trial, _ in report.left.unscored)]
        scored = ~trained["trial_id"].isin([trial.trial_id for trial in lacking])
    rows = trained.assign(cell=trained["method"] + " " + trained["setting"], scored=scored)
    counts = rows.groupby("dataset", sort=False).agg(
        models=("trial_id", "size"),
        scored=("scored", "sum"),
        settings=("cell", "nunique"),
        seeds=("seed", "nunique"),
    )
    return counts.reset_index()


@section("scores", "Scores")
def make_scores(report: Report) -> Shown:
    """Mean scores of every setting, with those of references."""
    of_paper = keep_present(report.mean, (*DISENTANGLEMENT, *PREDICTION))
    given = ["dci_completeness", *list_other_scores(report.folder)]
    others = keep_present(report.mean, given)
    if not of_paper and not others:
        return NO_SCORES
    summary = score_table(report.mean, [*of_paper, *others], names=report.names)
    winners = winning_settings(report.trained, report.scores, report.names)
    several = bool(summary.filter(like="_spread").notna().any(axis=None))
    tables = []
    for dataset in report.datasets:
        label = report.names.label(dataset)
        tables.append(elements.heading(label))
        if of_paper:
            tables += _tabulate_scores(report, dataset, f"scores-{dataset}", of_paper)
        if others and of_paper:
            tables.append(elements.heading(f"{label}: scores besides the paper's six"))
        for first in range(0, len(others), MOST_COLUMNS):
            columns = others[first : first + MOST_COLUMNS]
            tables += _tabulate_scores(report, dataset, f"others-{dataset}-{first}", columns)
    return [
        *_introduce_scores(several),
        *name_missing_references(report),
        *([_introduce_others(report.names, others)] if others else []),
        *tables,
        *_tabulate_winners(report, winners),
        elements.data(scores=summary, winning_settings=winners),
    ]


def _tabulate_winners(report: Report, found: DataFrame) -> list[Element]:
    """The best setting by score and data set; the data has each method's best and worst."""
    if found["num_settings"].sum() < 2:
        return []
    names, winners = report.names, found[found["wins"]]
    said = [
        names.label_model(method, setting)
        for method, setting in zip(winners["method"], winners["best"], strict=True)
    ]
    wins = winners.assign(said=said).pivot_table(
        index="score", columns="dataset", values="said", aggfunc=" = ".join, sort=False
    )
    shown = [name for name in report.datasets if name in wins]
    rows = wins[shown].rename(index=names.label).rename_axis(None, axis=1).reset_index().fillna("")
    titles = {"score": "Score"} | {name: names.label(name) for name in shown}
    table = elements.table("winners", rows, titles)
    return [elements.details("Which setting has the best mean", table)]


def _introduce_scores(several: bool) -> list[Element]:
    words = (
        f"{'Mean over seeds ± standard deviation over seeds' if several else 'Scores of one seed'}"
        ", of the mean representation. References, which were not trained, come last."
    )
    how = (
        "The best mean of each score is bold; that alone is no evidence of a difference. "
        "References are grey. Click a heading to sort; the third click restores the order."
    )
    return [elements.text(words, "reading spread"), elements.text(how, "page")]


def _introduce_others(names: Names, others: list[str]) -> Element:
    lower = [names.label(name) for name in others if names.sign(name) < 0]
    words = (
        "Scores besides the paper's six are in separate tables; * marks those that other sections "
        "also show."
    )
    words += f" Less is better for {', '.join(lower)}." if lower else ""
    return elements.text(words, "reading")


def _tabulate_scores(report: Report, dataset: str, name: str, columns: list[str]) -> list[Element]:
    """Some scores on a data set, and the number of models behind them."""
    rows = report.mean[report.mean["dataset"] == dataset]
    models = f"{describe_models(report.drop_references(rows))}."
    given = keep_present(rows, columns)
    if not given:
        return [elements.text(f"No model has these scores yet: {models}", "note")]
    summary = score_table(rows, given, names=report.names)
    words = models + _name_missing_scores(report.names, rows, given)
    return [elements.score_table(name, summary, report.names), elements.text(words, "note")]


def _name_missing_scores(names: Names, rows: DataFrame, columns: list[str]) -> str:
    counts = {name: int(rows[name].count()) for name in columns}
    fewer = [
        f"{names.label(name)} {count:,}" for name, count in counts.items() if count < len(rows)
    ]
    if not fewer:
        return ""
    return f" Not all {len(rows):,} have every score: {', '.join(fewer)}."


@section("curves", "Training")
def make_curves(report: Report) -> Shown:
    """Training curves of every setting."""
    stored = report.folder.table("curves").to_pandas()
    summary = training_curves(report.drop_references(report.trials), stored)
    if summary.empty:
        return "No training curves are stored."
    figures = []
    for dataset, rows in split_by(summary, "dataset").items():
        methods = list(rows["method"].unique())
        for first in range(0, len(methods), MOST_ABREAST):
            some = methods[first : first + MOST_ABREAST]
            figures.append(_plot_curves(report, dataset, rows[rows["method"].isin(some)], first))
    return figures


def _plot_curves(report: Report, dataset: str, rows: DataFrame, first: int) -> Element:
    columns = rows["method"].nunique()
    drawn = report.plot(
        plots.plot_curves,
        rows,
        size=(1.1 + 2.0 * columns if columns > 1 else 3.8, 4.2),
        grid=(2, columns),
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    label = report.names.label(dataset)
    caption = f"{label}: mean over the seeds of each setting; a darker line is a larger value."
    return elements.figure(f"curves-{dataset}{f'-{first}' if first else ''}", drawn, caption)


@section("pictures", "Images from the models")
def make_pictures(report: Report) -> Shown:
    """Pictures from the best and the median model of every data set."""
    pictures = choose_pictures(report, which=("best", "median"))
    if not pictures:
        return "No pictures of these models are stored."
    score = report.names.label(ranking_score(report.trained, report.own))
    words = (
        f"The best and the median trained model by {score}. "
        "Reconstructions are to the right of their originals. Each row of a traversal moves one "
        f"latent from {MINUS}2 to 2. Each row of an interpolation goes from one image's code to "
        "another's."
    )
    shown = [elements.text(words, "reading")]
    stored = {picture.kind for picture in pictures}
    if missing := [kind for kind in KINDS if kind not in stored]:
        shown.append(
            elements.text(f"No {' and no '.join(missing)} of these models are stored.", "note")
        )
    for dataset, found in groupby(pictures, key=lambda picture: picture.dataset):
        addresses = [(elements.encode_png(picture.png), picture.caption) for picture in found]
        label = report.names.label(dataset)
        shown += [elements.heading(label), elements.gallery(addresses, columns=2)]
    return shown


@section("codes", "One model's codes")
def make_codes(report: Report) -> Shown:
    """A map of the best model's codes."""
    score = ranking_score(report.trained, report.own)
    if score is None:
        return "No model has a score yet, so there is no best model."
    ranked = exemplars(report.trained, score, names=report.names)
    best = ranked[ranked["which"] == "best"].iloc[0]
    try:
        stored = representation(report.folder, best["trial_id"])
    except (ResultsError, StoreError):
        return f"The codes of the best model, {best['trial_id']}, are not stored."
    if not stored.factors.shape[1]:
        return f"{best['dataset']} has no factors to colour codes by."
    try:
        summary = embedding(stored)
    except ValueError as error:
        return f"The codes of the best model, {best['trial_id']}, cannot be mapped: {error}."
    names = factors_of(report.folder.study).get(str(best["dataset"]), [])
    titles = {f"factor {place + 1}": readable(name) for place, name in enumerate(names)}
    summary = summary.rename(columns=titles)
    label, label_setting = report.names.label, report.names.label_setting
    caption = (
        f"{label(best['dataset'])}, {label(best['method'])} {label_setting(best['setting'])}, seed "
        f"{best['seed']}: t-SNE of {len(summary):,} mean codes, coloured by each factor in turn."
    )
    return [_plot_map(summary, caption)]


def _plot_map(summary: DataFrame, caption: str) -> Element:
    num_factors = summary.shape[1] - 2
    rows, columns = panel_grid(num_factors, most=5)
    drawn = make_figure(
        plots.plot_embedding,
        summary,
        size=(1.9 * columns, 2.0 * rows),
        grid=(rows, columns),
        squeeze=False,
    )
    return elements.figure("codes-map", drawn, caption)
