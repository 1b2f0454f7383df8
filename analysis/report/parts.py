"""What several sections of the report share: the study they show, matrices and comparisons."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..frames import DataFrame
from ..labels import DASH, MINUS, counted, label, percent
from ..paper.published import MODELS_PER_DATASET, filled
from ..paper_grid import paper_grid
from ..plots import plots
from ..plots.style import figure
from ..summary import in_paper_order
from ..tables import DISENTANGLEMENT, REFERENCES, ResultsReader, learned
from . import elements
from .elements import Block

MOST_ROWS = 20
"""Of a comparison that is shown unfolded."""


class Report(NamedTuple):
    """A results folder, read once.

    Attributes:
        folder: the results.
        trials: finished models, in the paper's order.
        mean: their wide scores of the mean representation.
        sampled: their wide scores of the sampled one.
        more: a file with published numbers of the reader's own.
    """

    folder: ResultsReader
    trials: DataFrame
    mean: DataFrame
    sampled: DataFrame
    more: str | Path | None = None

    @property
    def datasets(self) -> list[str]:
        """In the paper's order."""
        return list(in_paper_order(self.trials)["dataset"].unique())

    @property
    def scores(self) -> list[str]:
        """The disentanglement scores that some trained model has."""
        return present(learned(self.mean), DISENTANGLEMENT)


NO_SCORES = "No model has one of the study's scores yet."


def present(table: DataFrame, columns: Sequence[str]) -> list[str]:
    """Those of the columns that the table has with a value."""
    return [name for name in columns if name in table and table[name].notna().any()]


def nothing(name: str, title: str, why: str) -> Block:
    """A section that has nothing to show, and says why."""
    return elements.section(name, title, elements.text(why, "behind"))


def cells(table: DataFrame) -> str:
    """How many of the study's own cells these models fill, in words."""
    known = [name for name in paper_grid()["datasets"] if (table["dataset"] == name).any()]
    total = len(known) * MODELS_PER_DATASET
    if not total:
        return "no cell of the paper's grid"
    share = filled(table)["num_models"].sum() / total
    return f"{percent(share, 0 if share in (0, 1) else 1)} of the paper's {total:,} cells filled"


def without_references(table: DataFrame) -> list[Block]:
    """A line that names the reference representations these scores lack, if they lack any."""
    missing = [label(name) for name in REFERENCES if not (table["method"] == name).any()]
    if not missing:
        return []
    words = (
        f"Not among these results, to hold the methods against: {', '.join(missing)}. A grid's "
        "methods may list them, as in untrained: {}."
    )
    return [elements.text(words, "behind")]


def comparison(
    name: str, table: DataFrame, beside: DataFrame, value: str, **more: str
) -> list[Block]:
    """A table of our numbers, the published ones and the verdicts.

    Args:
        name: of the table.
        table: the wide scores behind it.
        beside: of `compare_with_paper`.
        value: its column that was compared.
        more: titles of further columns; with any, entries without a published number show too.
    """
    shown = beside if more else beside[beside["published"].notna()]
    if shown.empty:
        return []
    reasons = [[part for part in why.split("; ") if part] for why in shown["why"]]
    common = [part for part in reasons[0] if all(part in others for others in reasons)]
    own = ["; ".join(part for part in parts if part not in common) for parts in reasons]
    sources = "; ".join(source for source in shown["source"].unique() if source)
    rows = shown.assign(
        row=shown["row"].map(label),
        column=shown["column"].map(label),
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
    titles |= {"verdict": "Verdict"}
    titles |= {"why": "Why"} if any(own) else {}
    of_all = "Not comparable" if set(shown["verdict"]) == {"not comparable"} else "Of all"
    words = [f"{of_all}: {'; '.join(common)}."] if common else []
    words += [f"Behind it: {cells(table)}."]
    words += [f"Published numbers: {sources}."] if sources else []
    table_block = elements.table(name, rows, titles, digits=1)
    if len(rows) > MOST_ROWS:
        table_block = elements.folded(
            f"All {len(rows)} numbers beside the published ones", table_block
        )
    return [table_block, elements.text(" ".join(words), "behind")]


def matrix(
    name: str, rows: DataFrame, table: DataFrame, size: tuple[float, float] = (4.6, 3.6)
) -> Block:
    """Rank correlations of one data set, with what they are over; a line if there are none.

    Args:
        name: of the figure.
        rows: of one data set, or of "average".
        table: wide scores, of all data sets.
        size: in inches.
    """
    dataset = str(rows["dataset"].iat[0])
    own = table if dataset == "average" else table[table["dataset"] == dataset]
    behind = f"{counted(rows['num_models'].max(), 'model')}, {cells(learned(own))}"
    if rows["correlation"].isna().all():
        reasons = "; ".join(dict.fromkeys(rows["note"]))
        return elements.text(
            f"{label(dataset)}: no correlation over {behind} ({reasons}).", "behind"
        )
    off = rows[(rows["row"] != rows["column"]) & rows["correlation"].notna()]
    title = "Mean over data sets" if dataset == "average" else label(dataset)
    if dataset == "average" and len(off):
        spread = (off["highest"] - off["lowest"]).max()
        title += f", between which an entry differs by up to {100 * spread:.0f}"
    half = (off["high"] - off["low"]) / 2
    told = [behind, *(note for note in dict.fromkeys(rows["note"]) if note)]
    if half.notna().any():
        told.insert(1, f"95 % intervals of up to ± {100 * half.max():.0f}")
    caption = f"{title}: {'; '.join(told)}."
    return plotted_matrix(name, rows, caption, "correlation", size=size)


def plotted_matrix(
    name: str,
    rows: DataFrame,
    caption: str,
    value: str,
    neutral: float = 0.0,
    size: tuple[float, float] = (4.6, 3.6),
) -> Block:
    """A coloured table of one column, in percent."""
    drawing = figure(
        lambda table, axes: plots.plot_matrix(table, axes, value, neutral), rows, size=size
    )
    return elements.drawn(name, drawing, caption)


def printed_matrix(name: str, printed: DataFrame, size: tuple[float, float] = (4.6, 3.6)) -> Block:
    """The matrix that the paper prints for a data set."""
    dataset = label(printed["dataset"].iat[0])
    caption = f"Published, {dataset}: {printed['source'].iat[0]}; 1,800 models."
    return plotted_matrix(name, printed, caption, "published", size=size)


def above_diagonal(rows: DataFrame, names: list[str]) -> DataFrame:
    """The entries of a symmetric matrix above its diagonal."""
    return rows[rows["row"].map(names.index) < rows["column"].map(names.index)]


def nothing_published(what: str, known: DataFrame) -> Block:
    """Says that the paper's numbers are not at hand, or are of other data sets."""
    where = "no numbers of the paper are at hand"
    if len(known):
        names = " and ".join(dict.fromkeys(label(name) for name in known["dataset"] if name))
        where = f"the paper's numbers at hand are of {names}, which is not among these results"
    return elements.text(
        f"Beside the paper's {what}: {where}. A JSON file of yours can add some.", "behind"
    )


def panel_grid(panels: int, most: int) -> tuple[int, int]:
    """Rows and columns of so many panels, at most `most` in a row."""
    columns = min(panels, most)
    return -(-panels // columns), columns
