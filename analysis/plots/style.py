"""The house style of figures, and their way into a page or a paper."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from pandas import DataFrame

INK, SOFT, FAINT = "#22262b", "#7d868f", "#c9cdd2"
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.3,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "savefig.dpi": 110,  # of what is pixels: a map of thousands of dots is larger as outlines
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "teasel",
}


def make_figure(
    plot: Callable[..., object],
    *summaries: DataFrame,
    size: tuple[float, float],
    grid: tuple[int, int] = (1, 1),
    **shared: Any,
) -> Figure:
    """A new figure in the house style, drawn by `plot(*summaries, axes)`.

    Args:
        plot: one of the `plot_x` of `plots`.
        summaries: the tables it takes.
        size: width and height in inches.
        grid: rows and columns of panels; `plot` gets an array of axes if there are several.
        shared: `sharex`, `sharey` of `Figure.subplots`.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size)
        plot(*summaries, figure.subplots(*grid, **shared))
        # Once, for the page and the paper: a figure that had a layout would draw it at every save.
        ConstrainedLayoutEngine().execute(figure)
    return figure


def render_svg(figure: Figure, prefix: str) -> str:
    """The figure as an inline SVG element, the same bytes for the same figure.

    Args:
        figure: a figure.
        prefix: put before its ids, which must be unique in a page.
    """
    text = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    element = text.getvalue()[text.getvalue().index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    # Half as long, and the same picture: a tenth of a point is enough for a line.
    element = re.sub(r"<!--.*?-->|(?<=>)\s+(?=<)", "", element, flags=re.DOTALL)
    element = re.sub(r' (?:d|x|y|transform)="[^"]*"', lambda match: _shorten(match[0]), element)
    used = set(re.findall(r"(?:url\(|href=\")#([^\")]+)", element))
    element = re.sub(
        r' id="([^"]+)"',
        lambda match: f' id="{prefix}-{match[1]}"' if match[1] in used else "",
        element,
    )
    element = re.sub(r"(url\(|href=\")#", rf"\g<1>#{prefix}-", element)
    # The page's font; what was laid out for a wide one has room for it.
    return re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", element)


def _shorten(attribute: str) -> str:
    """An attribute of an SVG element without digits and blanks that nobody sees."""
    digits = r"\d" if attribute.startswith(" d=") else r"\d\d"
    shorter = re.sub(rf"(\.{digits})\d+", r"\1", attribute)
    return re.sub(r"\s*([MLQCz])\s*", r"\1", shorter)


def save_pdf(figure: Figure, path: Path) -> None:
    """Writes the figure as a PDF for a paper, the same bytes for the same figure."""
    with mpl.rc_context(STYLE):
        figure.savefig(path, format="pdf", metadata={"CreationDate": None})


def save_svg(figure: Figure, path: Path) -> None:
    """Writes the figure as an SVG of its own on white, the same bytes for the same figure."""
    with mpl.rc_context(STYLE):
        figure.savefig(path, format="svg", metadata={"Date": None}, facecolor="white")
