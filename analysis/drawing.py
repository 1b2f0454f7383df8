"""Figures: each `draw_x(summary, axes)` draws one summary table and computes nothing."""

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from .frames import DataFrame
from .labels import DASH, MINUS, label

INK, FAINT = "#22262b", "#c9cdd2"
COLORS = {
    "beta_vae": "#3b6ea8",
    "factor_vae": "#c8603a",
    "dip_vae_i": "#4f8a5b",
    "dip_vae_ii": "#8fae3f",
    "beta_tc_vae": "#7a5a9e",
    "annealed_vae": "#c79a2b",
}
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
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "teasel",
}


def figure(
    draw: Callable[..., object],
    *summaries: DataFrame,
    size: tuple[float, float],
    grid: tuple[int, int] = (1, 1),
    **shared: Any,
) -> Figure:
    """A new figure in the house style, drawn by `draw(*summaries, axes)`.

    Args:
        draw: one of the `draw_x` of this module.
        summaries: the tables it takes.
        size: width and height in inches.
        grid: rows and columns of panels; `draw` gets an array of axes if there are several.
        shared: `sharex`, `sharey` of `Figure.subplots`.
    """
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=size, layout="constrained")
        draw(*summaries, drawn.subplots(*grid, **shared))
        drawn.draw_without_rendering()
    return drawn


def svg(drawn: Figure, prefix: str) -> str:
    """The figure as an inline SVG element, the same bytes for the same figure.

    Args:
        drawn: a figure.
        prefix: put before its ids, which must be unique in a page.
    """
    text = io.StringIO()
    with mpl.rc_context(STYLE):
        drawn.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    element = text.getvalue()[text.getvalue().index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    used = set(re.findall(r"(?:url\(|href=\")#([^\")]+)", element))
    element = re.sub(
        r' id="([^"]+)"',
        lambda match: f' id="{prefix}-{match[1]}"' if match[1] in used else "",
        element,
    )
    element = re.sub(r"(url\(|href=\")#", rf"\g<1>#{prefix}-", element)
    # The page's font; what was laid out for a wide one has room for it.
    return re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", element)


def draw_matrix(summary: DataFrame, axes: Axes, value: str = "correlation") -> Axes:
    """Correlations as a coloured table in percent, rows and columns in order of appearance."""
    rows, columns = (list(summary[name].unique()) for name in ("row", "column"))
    matrix = summary.pivot(index="row", columns="column", values=value).loc[rows, columns]
    numbers = 100 * matrix.to_numpy(float)
    axes.pcolormesh(numbers, cmap="RdBu_r", vmin=-110, vmax=110, edgecolor="white", linewidth=1.5)
    axes.invert_yaxis()
    for (i, j), number in np.ndenumerate(numbers):
        shown = DASH if np.isnan(number) else f"{round(number)}".replace("-", MINUS)
        color = "white" if abs(number) > 70 else INK
        axes.text(j + 0.5, i + 0.5, shown, ha="center", va="center", fontsize=7.5, color=color)
    names = [label(name) for name in columns]
    axes.set_xticks(np.arange(len(columns)) + 0.5, names, rotation=35, ha="right")
    axes.set_yticks(np.arange(len(rows)) + 0.5, [label(name) for name in rows])
    axes.tick_params(length=0)
    for edge in axes.spines.values():
        edge.set_visible(False)
    return axes


def draw_curves(summary: DataFrame, axes: np.ndarray) -> np.ndarray:
    """Training curves: a column of panels per method, a line per setting, darker is stronger.

    Args:
        summary: `training_curves` of one data set.
        axes: (2, number of methods): reconstruction above, KL below.
    """
    for panels, (method, rows) in zip(axes.T, summary.groupby("method", sort=False), strict=True):
        settings = list(rows.groupby("setting", sort=False))
        for number, (setting, line) in enumerate(settings):
            strength = 0.35 + 0.65 * (number + 1) / len(settings)
            for panel, column in zip(panels, ("reconstruction", "kl"), strict=True):
                panel.plot(
                    line["step"],
                    line[column],
                    color=COLORS.get(str(method), INK),
                    alpha=strength,
                    label=setting.split("=", 1)[-1] if setting else None,
                )
        panels[0].set_title(label(str(method)))
        if len(settings) > 1:
            panels[0].legend(title=label(rows["hyperparameter"].iat[0]), title_fontsize=7)
        panels[1].set_xlabel("step")
        panels[1].xaxis.set_major_locator(MaxNLocator(3))
        panels[1].xaxis.set_major_formatter(EngFormatter(sep=""))
    axes[0, 0].set_ylabel("reconstruction, nats")
    axes[1, 0].set_ylabel("KL, nats")
    return axes
