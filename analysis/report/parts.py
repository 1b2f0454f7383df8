"""What several sections of the report share: the results they show, matrices and comparisons."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from pandas import DataFrame

from ...sweep.study.remaining import Remaining
from ...words import format_count
from ..formats import DASH, MINUS, format_percent
from ..names import Names
from ..paper.compare import compare_with_paper
from ..paper.published import MODELS_PER_DATASET, paper_coverage
from ..paper_grid import DISENTANGLEMENT, paper_grid
from ..plots import plots
from ..plots.style import make_figure
from ..tables import ResultsReader, drop_references
from . import elements
from .elements import Element

MOST_ROWS = 20
"""Of a comparison that is shown at once."""

NO_SCORES = "No trained model has one of the paper's scores yet."


class Report(NamedTuple):
    """A results folder, read once.

    Attributes:
        folder: the results.
        names: what the folder calls its methods, data sets and scores.
        trials: finished models, in the paper's order.
        mean: their wide scores of the mean representation.
        sampled: their wide scores of the sampled one.
        more: a file with published numbers of the reader's own.
        left: where every trial of the study is; None of a made one.
        of_paper: the same with the scores that have the paper's parameters, as far as there are
            such; None if it would be the same.
        beside: the wide scores of the mean representation of this study and another; None if there
            is no other.
    """

    folder: ResultsReader
    names: Names
    trials: DataFrame
    mean: DataFrame
    sampled: DataFrame
    more: str | Path | None = None
    left: Remaining | None = None
    of_paper: "Report | None" = None
    beside: DataFrame | None = None

    @property
    def datasets(self) -> list[str]:
        """In the paper's order."""
        return list(self.trials["dataset"].unique())

    @property
    def scores(self) -> list[str]:
        """The disentanglement scores that some trained model has."""
        return keep_present(self.trained, DISENTANGLEMENT)

    @property
    def trained(self) -> DataFrame:
        """The wide scores of the trained models, of the mean representation."""
        return self.drop_references(self.mean)

    def drop_references(self, table: DataFrame) -> DataFrame:
        """The rows of trained models."""
        return drop_references(table, self.names)

    def plot(self, plot: Callable[..., object], *summaries: DataFrame, **layout: Any) -> Figure:
        """A figure by one of `plots`, with the names of these results; see `make_figure`."""
        return make_figure(partial(plot, names=self.names), *summaries, **layout)


def keep_present(table: DataFrame, columns: Sequence[str]) -> list[str]:
    """Those of the columns that the table has with a value."""
    return [name for name in columns if name in table and table[name].notna().any()]


def count_settings(table: DataFrame) -> int:
    """How many settings these models have; of two methods, the same words are two."""
    return len(table[["method", "setting"]].drop_duplicates())


def empty_section(name: str, title: str, why: str) -> Element:
    """A section that has nothing to show, and says why."""
    return elements.section(name, title, elements.text(why, "note"))


def describe_coverage(table: DataFrame) -> str:
    """How many of the paper's cells these models fill, in words; nothing if none of its data."""
    known = [name for name in paper_grid()["datasets"] if (table["dataset"] == name).any()]
    total = len(known) * MODELS_PER_DATASET
    if not total:
        return ""
    share = paper_coverage(table)["num_models"].sum() / total
    percent = format_percent(share, 0 if share in (0, 1) else 1)
    return f"{percent} of the paper's {total:,} cells filled"


def describe_models(table: DataFrame) -> str:
    """How many models these are, and how many of the paper's cells they fill, if any."""
    return ", ".join(filter(None, [format_count(len(table), "model"), describe_coverage(table)]))


def name_missing_references(report: Report) -> list[Element]:
    """A line that names the reference representations these scores lack, if they lack any."""
    there = set(report.mean["method"])
    missing = [report.names.label(name) for name in report.names.references if name not in there]
    if not missing:
        return []
    words = (
        f"Not among these results, to hold the methods against: {', '.join(missing)}. A grid's "
        "methods may list them, as in untrained: {}."
    )
    return [elements.text(words, "note")]


def tabulate_comparison(
    report: Report,
    summary: DataFrame,
    figure: str,
    table: DataFrame,
    value: str,
    dataset: str = "",
    score: str = "",
    **more: str,
) -> list[Element]:
    """A table of our numbers, the published ones, and whether they agree.

    Args:
        report: the results.
        summary: our numbers; this and what follows as in `compare_with_paper`.
        figure: which published table.
        table: the wide scores that the numbers are of.
        value: the column to compare.
        dataset: of the published table.
        score: of the published table.
        more: titles of further columns; with any, entries without a published number show too.
    """
    compared = compare_with_paper(summary, figure, table, value, dataset, score, report.more)
    name = "-".join(filter(None, ["comparison", figure, dataset, score]))
    shown = compared if more else compared[compared["published"].notna()]
    if shown.empty:
        return []
    reasons = [[part for part in why.split("; ") if part] for why in shown["why"]]
    common = [part for part in reasons[0] if all(part in others for others in reasons)]
    own = ["; ".join(part for part in parts if part not in common) for parts in reasons]
    rows = shown.assign(
        row=shown["row"].map(report.names.label),
        column=shown["column"].map(report.names.label),
        interval=[
            DASH if np.isnan(low) else f"{100 * low:.1f} to {100 * high:.1f}".replace("-", MINUS)
            for low, high in zip(shown["low"], shown["high"], strict=True)
        ],
        why=own,
        **{column: 100 * shown[column] for column in (value, "published", "difference", *more)},
    )
    titles = {"row": "", "column": " ", value: "Ours, %", "interval": "95 % interval"}
    titles |= {column: f"{title}, %" for column, title in more.items()}
    titles |= {"num_models": "Models", "published": "Published, %", "difference": "Difference"}
    titles |= {"comparison": "Comparison"}
    titles |= {"why": "Why"} if any(own) else {}
    whole = elements.table(name, rows, titles, digits=1)
    whole["verdicts"] = list(shown["comparison"])
    if len(rows) > MOST_ROWS:
        whole = elements.details(f"All {len(rows)} numbers beside the published ones", whole)
    none = set(shown["comparison"]) == {"not comparable"}
    words = [f"{'Not comparable' if none else 'Of all'}: {'; '.join(common)}."] if common else []
    words += [f"Behind it: {describe_models(table)}.", *tally_verdicts(list(shown["comparison"]))]
    if sources := [source for source in shown["source"].unique() if source]:
        words += [f"Published numbers: {'; '.join(sources)}."]
    return [each | {"compares": True} for each in (whole, elements.text(" ".join(words), "note"))]


def tally_verdicts(verdicts: Sequence[str]) -> list[str]:
    """How many numbers agree and differ, beside what chance alone would do; nothing of none."""
    agree, differ = (list(verdicts).count(word) for word in ("agrees", "differs"))
    if not agree + differ:
        return []
    return [
        f"Of {format_count(agree + differ, 'number')} compared {agree:,} agree and {differ:,} "
        f"differ; up to {(agree + differ) / 20:.1f} would differ by chance alone."
    ]


def plot_correlations(
    report: Report, name: str, rows: DataFrame, size: tuple[float, float] | None = None
) -> Element:
    """Rank correlations of one data set, with what they are over; a line if there are none.

    Args:
        report: the results.
        name: of the figure.
        rows: of one data set, or of "average".
        size: in inches; by the number of rows and columns if None.
    """
    dataset, trained = str(rows["dataset"].iat[0]), report.trained
    own = trained if dataset == "average" else trained[trained["dataset"] == dataset]
    num_models = format_count(rows["num_models"].max(), "model")
    behind = ", ".join(filter(None, [num_models, describe_coverage(own)]))
    if rows["correlation"].isna().all():
        reasons = "; ".join(dict.fromkeys(rows["note"]))
        words = f"{report.names.label(dataset)}: no correlation over {behind} ({reasons})."
        return elements.text(words, "note")
    off = rows[(rows["row"] != rows["column"]) & rows["correlation"].notna()]
    title = "Mean over data sets" if dataset == "average" else report.names.label(dataset)
    if dataset == "average" and len(off):
        spread = (off["highest"] - off["lowest"]).max()
        title += f", between which an entry differs by up to {100 * spread:.0f}"
    notes = [behind, *(note for note in dict.fromkeys(rows["note"]) if note)]
    half = (off["high"] - off["low"]) / 2
    if half.notna().any():
        notes.insert(1, f"95 % intervals of up to ± {100 * half.max():.0f}")
    caption = f"{title}: {'; '.join(notes)}."
    return plot_matrix(report, name, rows, caption, "correlation", size=size)


def plot_matrix(
    report: Report,
    name: str,
    rows: DataFrame,
    caption: str,
    value: str,
    neutral: float = 0.0,
    size: tuple[float, float] | None = None,
) -> Element:
    """A coloured table of one column, in percent."""
    if size is None:
        size = (1.6 + 0.5 * rows["column"].nunique(), 1.2 + 0.4 * rows["row"].nunique())
    plot = partial(plots.plot_matrix, value=value, neutral=neutral)
    return elements.figure(name, report.plot(plot, rows, size=size), caption)


def plot_published_matrix(
    report: Report, name: str, published: DataFrame, size: tuple[float, float] | None = None
) -> Element:
    """The matrix that the paper prints for a data set."""
    dataset = report.names.label(published["dataset"].iat[0])
    caption = f"Published, {dataset}: {published['source'].iat[0]}; 1,800 models."
    return plot_matrix(report, name, published, caption, "published", size=size)


def keep_above_diagonal(rows: DataFrame, names: list[str]) -> DataFrame:
    """The entries of a symmetric matrix above its diagonal."""
    return rows[rows["row"].map(names.index) < rows["column"].map(names.index)]


def explain_nothing_published(report: Report, what: str, known: DataFrame) -> Element:
    """Says that the paper's numbers are not at hand, or are of other data sets."""
    where = "no numbers of the paper are at hand"
    if len(known):
        labels = dict.fromkeys(report.names.label(name) for name in known["dataset"] if name)
        where = (
            f"the paper's numbers at hand are of {' and '.join(labels)}, which is not among these "
            "results"
        )
    return elements.text(
        f"Beside the paper's {what}: {where}. A JSON file of yours can add some.", "note"
    )


MOST_ABREAST = 6
"""Panels of figure 1 and of curves side by side, for the page to hold."""


def panel_grid(panels: int, most: int) -> tuple[int, int]:
    """Rows and columns of so many panels, at most `most` in a row."""
    columns = min(panels, most)
    return -(-panels // columns), columns
