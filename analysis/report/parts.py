"""Parts shared by several sections of the report: the results and matrices."""

import functools
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from pandas import DataFrame

from ...sweep.study.remaining import Remaining
from ...words import format_count
from ..choice import Parameters, Seed
from ..names import Names
from ..paper.published import paper_coverage
from ..paper_grid import DISENTANGLEMENT
from ..plots import plots
from ..plots.style import make_figure
from ..statistics.resampling import join_notes
from ..summary import sort_as_paper
from ..tables import ResultsReader, drop_references, scores, trials
from . import elements
from .elements import Element

MOST_ROWS = 20
"""The most rows of a comparison that is not folded away."""

MOST_PAIRED = 6
"""The most scores on either side of a figure of all pairs; the explorer shows any two."""

NO_SCORES = (
    "No trained model has a disentanglement score yet. A line such as `metrics: [mig, dci]` in the "
    "grid requests some."
)


class Report(NamedTuple):
    """A results folder, read once.

    Attributes:
        folder: the results.
        names: the folder's names of methods, data sets and scores.
        trials: finished models, in the paper's order.
        mean: their wide scores of the mean representation.
        sampled: their wide scores of the sampled representation.
        more: a file with further published numbers.
        left: every trial of the study by state; None for a hand-made study.
        of_paper: the same report, with scores made with the paper's parameters, where they exist;
            None if nothing would differ.
        beside: the wide scores of the mean representation of this study and a second one; None if
            there is no second study.
        own: scores of whole representations outside the paper's six, as wide columns.
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
    own: tuple[str, ...] = ()

    @property
    def datasets(self) -> list[str]:
        """The data sets, in the paper's order."""
        return list(self.trials["dataset"].unique())

    @property
    def scores(self) -> list[str]:
        """The disentanglement scores of any trained model: the paper's six, then others."""
        return keep_present(self.trained, (*DISENTANGLEMENT, *self.own))

    @property
    def paper_scores(self) -> list[str]:
        """The scores among the paper's six."""
        return keep_present(self.trained, DISENTANGLEMENT)

    @property
    def is_compared(self) -> bool:
        """Whether there may be numbers to compare with: the paper's, or the reader's."""
        return self.more is not None or bool(paper_coverage(self.trained)["num_models"].any())

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
    """The columns that have a value in the table."""
    return [name for name in columns if name in table and table[name].notna().any()]


def count_settings(table: DataFrame) -> int:
    """The number of settings of these models, counted separately for each method."""
    return len(table[["method", "setting"]].drop_duplicates())


Shown = Sequence[Element | None] | str | None
"""What a section shows, or why it shows nothing. None leaves out an element or the section."""


def section(
    name: str, title: str
) -> Callable[[Callable[[Report], Shown]], Callable[[Report], Element | None]]:
    """Makes a section of the page from a function that returns what it shows."""

    def of_page(find: Callable[[Report], Shown]) -> Callable[[Report], Element | None]:
        @functools.wraps(find)
        def make(report: Report) -> Element | None:
            shown = find(report)
            shown = [elements.text(shown, "note")] if isinstance(shown, str) else shown
            return None if shown is None else elements.section(name, title, *shown)

        return make

    return of_page


def describe_models(table: DataFrame) -> str:
    """The number of models, in words."""
    return format_count(len(table), "model")


def describe_intervals(rows: DataFrame) -> str:
    """Half the widest interval of some shares, in words; nothing where there is none."""
    half = 50 * (rows["high"] - rows["low"])
    return f"95 % intervals of up to ± {half.max():.0f}" if half.notna().any() else ""


def read_done(folder: ResultsReader, names: Names) -> DataFrame:
    """The finished models of a results folder, in the paper's order."""
    models = sort_as_paper(trials(folder), names)
    return models[models["status"] == "done"]


def read_both(
    folder: ResultsReader, names: Names, parameters: Parameters = None, metric_seed: Seed = None
) -> tuple[DataFrame, DataFrame]:
    """Their wide scores of the mean representation and of the sampled one."""
    wide = (scores(folder, kind, True, parameters, metric_seed) for kind in ("mean", "sampled"))
    mean, sampled = (sort_as_paper(table, names) for table in wide)
    return mean, sampled


def name_missing_references(report: Report) -> list[Element]:
    """A line that names the reference representations missing here, if any are."""
    there = set(report.mean["method"])
    missing = [report.names.label(name) for name in report.names.references if name not in there]
    if not missing:
        return []
    words = (
        f"These results lack reference representations to compare methods with: "
        f"{', '.join(missing)}. A grid can list them among its methods, as in `untrained: {{}}`."
    )
    return [elements.text(words, "note")]


def tally_verdicts(verdicts: Sequence[str]) -> list[str]:
    """How many numbers agree and differ, and how many would by chance; empty for no numbers."""
    agree, differ = (list(verdicts).count(word) for word in ("agrees", "differs"))
    if not agree + differ:
        return []
    return [
        f"Of {format_count(agree + differ, 'number')} compared {agree:,} agree and {differ:,} "
        f"differ; up to {(agree + differ) / 20:.1f} would differ by chance alone."
    ]


def plot_correlations(report: Report, name: str, rows: DataFrame) -> Element:
    """Rank correlations on one data set, with the number of models; a line if there are none.

    Args:
        report: the results.
        name: the name of the figure.
        rows: the rows of one data set, or of "average".
    """
    dataset = str(rows["dataset"].iat[0])
    behind = format_count(rows["num_models"].max(), "model")
    if rows["correlation"].isna().all():
        reasons = join_notes(rows["note"])
        words = f"{report.names.label(dataset)}: no correlation over {behind} ({reasons})."
        return elements.text(words, "note")
    off = rows[(rows["row"] != rows["column"]) & rows["correlation"].notna()]
    title = "Mean over data sets" if dataset == "average" else report.names.label(dataset)
    if dataset == "average" and len(off):
        spread = (off["highest"] - off["lowest"]).max()
        title += f", between which an entry differs by up to {100 * spread:.0f}"
    notes = filter(None, [behind, describe_intervals(off), join_notes(rows["note"])])
    caption = f"{title}: {'; '.join(notes)}."
    return plot_matrix(report, name, rows, caption, "correlation")


def plot_every_pair(
    report: Report, name: str, table: DataFrame, rows: Sequence[str], columns: Sequence[str]
) -> list[Element]:
    """The models' ranks in every pair of these scores, folded away."""
    rows, columns = rows[:MOST_PAIRED], columns[:MOST_PAIRED]
    if rows == columns:
        rows, columns = rows[1:], columns[:-1]
    if len(table) < 2 or not rows or not columns:
        return []
    scores = list(dict.fromkeys([*rows, *columns]))
    ranks = table.groupby("dataset")[scores].rank(pct=True).assign(method=table["method"])
    drawn = report.plot(
        partial(plots.plot_pairs, rows=rows, columns=columns),
        ranks,
        size=(0.6 + 1.05 * len(columns), 0.4 + 0.85 * len(rows)),
        grid=(len(rows), len(columns)),
    )
    caption = f"Ranks within the data set, from 0 to 1; {describe_models(table)}."
    words = "The models' ranks in every pair of scores"
    return [elements.details(words, elements.figure(name, drawn, caption))]


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


def keep_above_diagonal(rows: DataFrame, names: list[str]) -> DataFrame:
    """The entries of a symmetric matrix above its diagonal."""
    return rows[rows["row"].map(names.index) < rows["column"].map(names.index)]


MOST_ABREAST = 6
"""The most panels of figure 1 and of curves side by side, to fit on the page."""


def panel_grid(panels: int, most: int) -> tuple[int, int]:
    """The numbers of rows and columns for `panels`, with at most `most` in a row."""
    columns = min(panels, most)
    return -(-panels // columns), columns
