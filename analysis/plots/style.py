"""The house style of figures, and their export to a page or a paper."""

import io
import math
import re
import zlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from pandas import DataFrame

from ..names import Names

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


class Drawing(Figure):
    """A figure that a notebook displays, with or without pyplot."""

    def _repr_svg_(self) -> str:
        text = io.StringIO()
        save_svg(self, text)
        return text.getvalue()


PANELS = {
    "plot_hyperparameters": (("", "method"), 2.8, 2.0),
    "plot_importance": (("", "dataset"), 3.4, 2.4),
    "plot_scatter": (("", "dataset"), 2.6, 2.4),
    "plot_strength": (("", "method"), 2.0, 2.2),
    "plot_violins": (("", "score"), 3.2, 2.4),
    "plot_means": (("score", "dataset"), 2.8, 2.0),
    "plot_matrix": ((), 0.42, 0.34),
}
"""What the panels of a plot show, down and across, and the inches of a panel (of a matrix, a cell).

Panels that are only across are wrapped into lines of three.
"""


LEGEND = 5.2
"""The inches needed for the names of six methods."""


def make_figure(
    plot: Callable[..., object],
    *summaries: DataFrame,
    size: tuple[float, float] | None = None,
    grid: tuple[int, int] | None = None,
    names: Names | None = None,
    **shared: Any,
) -> Drawing:
    """A new figure in the house style, drawn by `plot(*summaries, axes)`.

    Args:
        plot: one of the `plot_x` of `plots`.
        summaries: the tables for `plot`.
        size: width and height in inches; chosen for the table if None.
        grid: rows and columns of panels; `plot` gets an array of axes if there are several. Chosen
            for the table if `size` is None too.
        names: labels and colours; the paper's if None.
        shared: `sharex`, `sharey` of `Figure.subplots`.
    """
    if size is None:
        plain = plot.func if isinstance(plot, partial) else plot
        found, size = _lay_out(plain.__name__, summaries[-1])
        grid = grid or found
    drawn = plot if names is None else partial(plot, names=names)
    with mpl.rc_context(STYLE):
        figure = Drawing(figsize=size)
        drawn(*summaries, figure.subplots(*(grid or (1, 1)), **shared))
        # Once, for the page and the paper: a figure that had a layout would draw it at every save.
        ConstrainedLayoutEngine().execute(figure)
    return figure


def _lay_out(plot: str, summary: DataFrame) -> tuple[tuple[int, int], tuple[float, float]]:
    """The rows and columns of panels that a table needs, and the size of their figure."""
    if plot not in PANELS:
        return (1, 1), (LEGEND, 2.9)
    kinds, width, height = PANELS[plot]
    if not kinds:
        rows, columns = (summary[name].nunique() for name in ("row", "column"))
        return (1, 1), (1.7 + width * columns, 1.2 + height * rows)
    rows, columns = (max(1, summary[name].nunique()) if name else 1 for name in kinds)
    if not kinds[0]:
        rows, columns = math.ceil(columns / 3), min(columns, 3)
    return (rows, columns), (max(LEGEND, 0.6 + width * columns), 0.6 + height * rows)


def render_svg(figure: Figure, name: str) -> str:
    """The figure as an inline SVG element, with equal bytes for equal figures.

    It is shortened, because Matplotlib writes three times as much as the picture needs.

    Args:
        figure: a figure.
        name: a unique name on the page, used as the prefix of the element's IDs.
    """
    text = io.StringIO()
    save_svg(figure, text, transparent=True)
    element = text.getvalue()[text.getvalue().index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r"<!--.*?-->|(?<=>)\s+(?=<)", "", element, flags=re.DOTALL)
    element = re.sub(r' transform="rotate\(-0 [^"]*"', "", element)
    element = re.sub(r' (?:d|x|y|transform)="[^"]*"', lambda match: _shorten(match[0]), element)
    # The page's font; what was laid out for a wide one has room for it.
    element = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", element)
    prefix = f"c{zlib.crc32(name.encode()):x}-"  # any name as one that a class may have
    return _ungroup(_share_styles(_rename(element, prefix), prefix))


def _rename(element: str, prefix: str) -> str:
    """Shortens the IDs that are referred to, and removes the others."""
    used = dict.fromkeys(re.findall(r"(?:url\(|href=\")#([^\")]+)", element))
    names = {old: f"{prefix}i{number}" for number, old in enumerate(used)}
    element = re.sub(
        r' id="([^"]+)"',
        lambda match: f' id="{names[match[1]]}"' if match[1] in names else "",
        element,
    )
    return re.sub(
        r"(url\(|href=\")#([^\")]+)", lambda match: f"{match[1]}#{names[match[2]]}", element
    )


def _share_styles(element: str, prefix: str) -> str:
    """Replaces repeated styles by classes."""
    attribute = re.compile(r' style="([^"]{12,})"')
    repeated = [style for style, count in Counter(attribute.findall(element)).items() if count > 2]
    names = {style: f"{prefix}s{number}" for number, style in enumerate(repeated)}
    rules = "".join(f".{name}{{{style}}}" for style, name in names.items())
    element = attribute.sub(
        lambda match: f' class="{names[match[1]]}"' if match[1] in names else match[0], element
    )
    end = element.index(">") + 1
    return f"{element[:end]}<style>{rules}</style>{element[end:]}" if rules else element


def _ungroup(element: str) -> str:
    """Removes groups that have no effect on their members."""
    innermost, found = re.compile(r"<g>((?:(?!<g[ >]|</g>).)*)</g>", re.DOTALL), 1
    while found:
        element, found = innermost.subn(r"\1", element)
    return element


def _shorten(attribute: str) -> str:
    """An attribute of an SVG element without invisible digits and blanks."""
    digits = r"\d" if attribute.startswith(" d=") else r"\d\d"
    shorter = re.sub(rf"(\.{digits})\d+", r"\1", attribute)
    shorter = re.sub(r"\.0+(?!\d)", "", shorter)
    return re.sub(r"\s*([MLQCz])\s*", r"\1", shorter)


def save_pdf(figure: Figure, path: Path) -> None:
    """Writes the figure as a PDF for a paper, with equal bytes for equal figures."""
    with mpl.rc_context(STYLE):
        figure.savefig(path, format="pdf", metadata={"CreationDate": None})


def save_svg(figure: Figure, path: Path | io.StringIO, transparent: bool = False) -> None:
    """Writes the figure as a separate SVG on white, with equal bytes for equal figures."""
    ground: Any = {"transparent": True} if transparent else {"facecolor": "white"}
    with mpl.rc_context(STYLE):
        figure.savefig(path, format="svg", metadata={"Date": None}, **ground)
