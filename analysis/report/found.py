"""The first section of the page: what the study found."""

import pandas as pd
from pandas import DataFrame

from ..statistics.standing import compare_settings, distance_from_untrained
from ..summary import score_table
from ..tables import split_by
from . import elements
from .claims import name_best_setting, tell_distance
from .elements import Element
from .parts import NO_SCORES, Report, Shown, section
from .pictures import choose_pictures, ranking_score

MOST_ROWS = 8
"""The most settings in the table, over all data sets."""

MOST_COLUMNS = 3
"""The most scores in the table. With several data sets there is room for one less."""

MOST_SENTENCES = 3
"""The most data sets whose sentences are not folded away."""


@section("found", "What the study found")
def make_section(report: Report) -> Shown:
    """The best settings, the best model's traversals, and sentences about them."""
    score = ranking_score(report.trained, report.own)
    state = _tell_state(report)
    if score is None:
        return [elements.text(NO_SCORES, "note"), *state]
    tables = split_by(report.mean.dropna(subset=[score]), "dataset")
    sentences = [
        words
        for dataset, rows in tables.items()
        for words in _tell(report, score, rows, report.names.label(dataset))
    ]
    if len(tables) > MOST_SENTENCES:
        sentences = [elements.details(f"The best settings of {len(tables)} data sets", *sentences)]
    best = elements.pair(_tabulate_best(report, score, tables), *_show_best(report))
    return [*sentences, *state, best]


def _tell_state(report: Report) -> list[Element]:
    """How complete the study is; empty for a hand-made study."""
    if report.left is None:
        return []
    tally = report.left.tally
    words = f"{tally.say('models of the study')} are trained and scored"
    waiting = tally.untrained + tally.unscored
    return [elements.text(f"{words}{f'; {tally.waiting}' if waiting else ''}.")]


def _tell(report: Report, score: str, rows: DataFrame, where: str) -> list[Element]:
    names, label = report.names, report.names.label(score)

    def label_setting(given: str) -> str:
        method, _, setting = given.partition(": ")
        return names.label_model(method, setting)

    contest = compare_settings(rows, score, names)
    best = name_best_setting(
        contest, f"Best setting by {label} on {where}", names.sign(score), label_setting
    )
    distance = distance_from_untrained(rows, score, names)
    told = [best] if best else []
    told += [tell_distance(distance, f"Mean {label} on {where}")] if distance else []
    return [elements.text(" ".join(one["text"] for one in told))] if told else []


def _tabulate_best(report: Report, score: str, tables: dict[str, DataFrame]) -> Element:
    """The best few settings of each data set, and the untrained networks."""
    further = [name for name in report.scores if name != score]
    columns = [score, *further][: MOST_COLUMNS - (len(tables) > 1)]
    few = max(1, MOST_ROWS // max(len(tables), 2))
    names, chosen = report.names, []
    for rows in tables.values():
        summary = score_table(rows, columns, names=names)
        trained = summary[~summary["reference"]]
        best = trained.sort_values(score, ascending=names.sign(score) < 0, kind="stable")
        chosen += [best.head(few), summary[summary["method"] == "untrained"]]
    table = elements.score_table("best", pd.concat(chosen, ignore_index=True), names, False)
    return table | {"sortable": False}


def _show_best(report: Report) -> list[Element]:
    """The traversals of the first data set's best model."""
    pictures = choose_pictures(report, which=("best",))
    shown = [picture for picture in pictures if picture.kind == "traversals"][:1]
    if not shown:
        return []
    addresses = [(elements.encode_png(picture.png), picture.caption) for picture in shown]
    return [elements.gallery(addresses, columns=1)]
