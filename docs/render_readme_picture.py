"""Renders the README's animation: a grid, its best model's latents, and the agreement of scores.

.venv/bin/teasel run docs/readme_picture.yaml --results results/colours
.venv/bin/python docs/render_readme_picture.py results/colours docs/images/teasel.webp
"""

import argparse
import io
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from teasel.analysis import exemplars, figure_2, representation, scores, trials
from teasel.analysis.plots.plots import plot_matrix
from teasel.analysis.plots.style import FAINT, INK, SOFT, STYLE
from teasel.datasets import load
from teasel.metrics import mutual_information_matrix
from teasel.sweep.store.results import Results

# In pixels of the page; the file has SCALE times as many, for sharp screens.
WIDTH, HEIGHT, SCALE = 1000, 404, 1.6
TOP = 100  # of what stands below a panel's title
GRID, LATENTS, SCORES = 40, 372, 690  # where the panels begin
PANEL = 272  # width of the middle one

SIDE, GAP = 64, 2  # of an image on a stored sheet, and between two
MOST_LATENTS = 6
LEAST_KL = 0.1  # nats, of a latent that carries anything
FRAME_MS, REST_MS = 110, 500


class Traversal(NamedTuple):
    """What a decoder makes of a code as one latent goes from -2 to 2.

    Attributes:
        factor: The factor that the latent tells most about.
        images: (frames, 64, 64, 3), uint8.
    """

    factor: str
    images: np.ndarray


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", metavar="RESULTS", help="a finished results folder")
    parser.add_argument("out", metavar="OUT", type=Path, help="an animated WebP")
    parser.add_argument(
        "--scores",
        metavar="PARQUET",
        default="docs/results/scores.parquet",
        help="the scores that are correlated (default: those of docs/results)",
    )
    options = parser.parse_args()
    lines = Results(options.results).store.read("study.yaml").decode().splitlines()
    grid = "\n".join(line for line in lines if not line.startswith("#"))
    best, traversals = read_traversals(options.results)
    table = pd.read_parquet(options.scores)
    table = table[table["representation"] == "mean"]
    num_frames = len(traversals[0].images)
    frames = [render(grid, best, traversals, table, frame) for frame in range(num_frames)]
    order = [*range(num_frames), *range(num_frames - 2, 0, -1)]
    first, *others = [frames[frame] for frame in order]
    first.save(
        options.out,
        save_all=True,
        append_images=others,
        duration=[REST_MS if frame in (0, num_frames - 1) else FRAME_MS for frame in order],
        loop=0,
        quality=88,
        method=6,
    )
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} kB")


def read_traversals(results: str) -> tuple[str, list[Traversal]]:
    """The best model by MIG in the grid's words, and the latents it uses, the fullest first."""
    found = exemplars(scores(results, wide=True), "mig")
    best = found[found["which"] == "best"].iloc[0]
    trial_id = best["trial_id"]
    kl = np.asarray(trials(results).set_index("trial_id").loc[trial_id, "kl_per_latent"])
    used = [latent for latent in np.argsort(-kl) if kl[latent] > LEAST_KL]
    stored = Results(results).table("pictures").to_pandas().set_index(["trial_id", "kind"])
    sheet = Image.open(io.BytesIO(stored.loc[(trial_id, "traversals"), "png"])).convert("RGB")
    codes = representation(results, trial_id)
    information = mutual_information_matrix(codes.means, codes.factors)
    factors = [name.replace("_", " ") for name in load(best["dataset"]).factor_names]
    return f"{best['method']}, {best['setting']}", [
        Traversal(factors[int(np.argmax(information[latent]))], cut(sheet, latent))
        for latent in used[:MOST_LATENTS]
    ]


def cut(sheet: Image.Image, row: int) -> np.ndarray:
    """The images (N, 64, 64, 3) of one row of a stored sheet."""
    pixels, step = np.asarray(sheet), SIDE + GAP
    strip = pixels[row * step : row * step + SIDE]
    return np.stack([strip[:, left : left + SIDE] for left in range(0, strip.shape[1], step)])


def render(
    grid: str, best: str, traversals: list[Traversal], table: pd.DataFrame, frame: int
) -> Image.Image:
    """One frame of the picture."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100 * SCALE, facecolor="none")
        plot_card(figure)
        plot_title(figure, GRID, "Write a grid", "a list is an axis")
        place = {"va": "top", "family": "DejaVu Sans Mono", "linespacing": 1.75}
        figure.text(GRID / WIDTH, 1 - (TOP + 2) / HEIGHT, grid, fontsize=7.6, **place)
        plot_title(figure, LATENTS, "Train and score it", f"latents of the best model: {best}")
        plot_latents(figure, traversals, frame)
        num_models = table["trial_id"].nunique()
        what = f"rank correlation of scores in %, {num_models} models"
        plot_title(figure, SCORES, "Compare", what)
        matrix = figure_2(table).query("dataset == 'average'")
        plot_matrix(matrix, figure.add_axes(box(SCORES + 74, TOP, 204, 204)))
        content = io.BytesIO()
        figure.savefig(content, format="png", facecolor="none")
    return Image.open(content).convert("RGBA")


def plot_card(figure: Figure) -> None:
    """A white card with round corners, for light and dark pages."""
    card = FancyBboxPatch(
        (0.002, 0.004),
        0.996,
        0.992,
        boxstyle="round,pad=0,rounding_size=0.012",
        mutation_aspect=WIDTH / HEIGHT,
        facecolor="white",
        edgecolor=FAINT,
        linewidth=0.8,
        transform=figure.transFigure,
        zorder=-1,
    )
    figure.add_artist(card)


def plot_title(figure: Figure, left: float, title: str, below: str) -> None:
    """A panel's title, and a line below it."""
    figure.text(left / WIDTH, 1 - 52 / HEIGHT, title, fontsize=11.5, weight="bold")
    figure.text(left / WIDTH, 1 - 74 / HEIGHT, below, fontsize=7.5, color=SOFT)


def plot_latents(figure: Figure, traversals: list[Traversal], frame: int) -> None:
    """The image that each latent makes now, its factor below, and how far they have come."""
    columns = 3 if len(traversals) > 4 else 2
    gap = 12 if columns == 3 else 20
    side = (PANEL - (columns - 1) * gap) / columns if columns == 3 else 100
    for number, traversal in enumerate(traversals):
        row, column = divmod(number, columns)
        left, top = LATENTS + column * (side + gap), TOP + 4 + row * (side + 30)
        axes = figure.add_axes(box(left, top, side, side))
        axes.imshow(traversal.images[frame], interpolation="lanczos")
        axes.set_axis_off()
        under = 1 - (top + side + 15) / HEIGHT
        figure.text(left / WIDTH, under, traversal.factor, fontsize=7.5, color=INK)
    width = columns * side + (columns - 1) * gap
    axes = figure.add_axes(box(LATENTS, HEIGHT - 44, width, 24))
    axes.set_xlim(0, width)
    axes.set_ylim(0, 24)
    axes.set_axis_off()
    axes.plot([20, width - 20], [12, 12], color=FAINT, linewidth=1.2, solid_capstyle="round")
    now = 20 + (width - 40) * frame / (len(traversals[0].images) - 1)
    axes.plot([now], [12], "o", color="#3b6ea8", markersize=6)
    axes.text(0, 12, "\u22122", va="center_baseline", fontsize=7.5, color=SOFT)
    axes.text(width, 12, "2", ha="right", va="center_baseline", fontsize=7.5, color=SOFT)


def box(left: float, top: float, width: float, height: float) -> tuple[float, float, float, float]:
    """The same rectangle as shares of the figure, from below."""
    return left / WIDTH, 1 - (top + height) / HEIGHT, width / WIDTH, height / HEIGHT


if __name__ == "__main__":
    main()
