"""Draws the moving picture of the README: a grid, what its best model learned, and what scores say.

.venv/bin/teasel run docs/readme_picture.yaml --results results/colours
.venv/bin/python docs/render_readme_picture.py results/colours docs/images/teasel.png
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

WIDTH, HEIGHT = 1000, 404
SCALE = 1.6  # pixels of the file for one of the page
SIDE, GAP = 64, 2  # of an image on a stored sheet, and between two
COLUMNS, ROWS = 3, 2
FRAME_MS, REST_MS = 110, 500
TILE = 84


class Traversal(NamedTuple):
    """What a decoder draws as one latent goes from -2 to 2.

    Attributes:
        latent: Its number.
        factor: The factor that the latent tells most about.
        images: (frames, 64, 64, 3), uint8.
    """

    latent: int
    factor: str
    images: np.ndarray


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", metavar="RESULTS", help="a finished results folder")
    parser.add_argument("out", metavar="OUT", type=Path, help="an animated PNG or WebP")
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
    frames = [draw(grid, best, traversals, table, frame) for frame in range(num_frames)]
    order = [*range(num_frames), *range(num_frames - 2, 0, -1)]
    rests = [REST_MS if frame in (0, num_frames - 1) else FRAME_MS for frame in order]
    first, *others = [frames[frame] for frame in order]
    quality = (
        {"lossless": False, "quality": 88, "method": 6} if options.out.suffix == ".webp" else {}
    )
    first.save(options.out, save_all=True, append_images=others, duration=rests, loop=0, **quality)
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} kB")


def read_traversals(results: str) -> tuple[str, list[Traversal]]:
    """What the best model by MIG is, and its latents that carry most information."""
    found = exemplars(scores(results, wide=True), "mig")
    best = found[found["which"] == "best"].iloc[0]
    models = trials(results).set_index("trial_id")
    order = np.argsort(models.loc[best["trial_id"], "kl_per_latent"])[::-1]
    sheets = Results(results).table("pictures").to_pandas().set_index(["trial_id", "kind"])["png"]
    sheet = Image.open(io.BytesIO(sheets[best["trial_id"], "traversals"])).convert("RGB")
    codes = representation(results, best["trial_id"])
    information = mutual_information_matrix(codes.means, codes.factors)
    names = load(best["dataset"]).factor_names
    return f"{best['method']}, {best['setting']}", [
        Traversal(int(latent), names[int(np.argmax(information[latent]))], cut(sheet, latent))
        for latent in order[: COLUMNS * ROWS]
    ]


def cut(sheet: Image.Image, row: int) -> np.ndarray:
    """The images (N, 64, 64, 3) of one row of a stored sheet."""
    pixels, step = np.asarray(sheet), SIDE + GAP
    row_of = pixels[row * step : row * step + SIDE]
    return np.stack([row_of[:, x : x + SIDE] for x in range(0, pixels.shape[1], step)])


def draw(
    grid: str, best: str, traversals: list[Traversal], table: pd.DataFrame, frame: int
) -> Image.Image:
    """One frame of the picture."""
    with mpl.rc_context({**STYLE, "font.size": 8.5}):
        figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100 * SCALE, facecolor="none")
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
        head(figure, 40, "Write a grid", "every list is an axis")
        figure.text(
            40 / WIDTH,
            1 - 104 / HEIGHT,
            grid,
            family="DejaVu Sans Mono",
            va="top",
            fontsize=7.6,
            linespacing=1.75,
        )
        head(figure, 372, "Train and score it", f"the best model by MIG: {best}")
        for place, traversal in enumerate(traversals):
            row, column = divmod(place, COLUMNS)
            draw_tile(figure, 372 + column * (TILE + 12), 104 + row * (TILE + 40), traversal, frame)
        draw_slider(figure, 372, 104 + ROWS * (TILE + 40) + 4, frame, len(traversals[0].images))
        head(figure, 690, "Compare", "rank correlation of scores, %, 54 models of `mini`")
        axes = figure.add_axes(box(762, 98, 206, 206))
        plot_matrix(figure_2(table).query("dataset == 'average'"), axes)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", facecolor="none")
    return Image.open(buffer).convert("RGBA")


def box(left: float, top: float, width: float, height: float) -> tuple[float, ...]:
    """The same rectangle as shares of the figure, from below."""
    return left / WIDTH, 1 - (top + height) / HEIGHT, width / WIDTH, height / HEIGHT


def head(figure: Figure, left: float, title: str, below: str) -> None:
    """A panel's title, and a line below it."""
    figure.text(left / WIDTH, 1 - 52 / HEIGHT, title, fontsize=11.5, weight="bold", color=INK)
    figure.text(left / WIDTH, 1 - 74 / HEIGHT, below, fontsize=7.5, color=SOFT)


def draw_tile(figure: Figure, left: float, top: float, traversal: Traversal, frame: int) -> None:
    """What the decoder draws now, and the factor the latent stands for."""
    axes = figure.add_axes(box(left, top, TILE, TILE))
    axes.imshow(traversal.images[frame], interpolation="lanczos")
    axes.set_axis_off()
    name = traversal.factor.replace("_", " ")
    figure.text(left / WIDTH, 1 - (top + TILE + 15) / HEIGHT, name, fontsize=7.5, color=INK)


def draw_slider(figure: Figure, left: float, top: float, frame: int, num_frames: int) -> None:
    """Where the latents are on their way from -2 to 2."""
    width = COLUMNS * TILE + (COLUMNS - 1) * 12
    axes = figure.add_axes(box(left, top, width, 24))
    axes.set_xlim(0, width)
    axes.set_ylim(0, 24)
    axes.set_axis_off()
    axes.plot([18, width - 18], [12, 12], color=FAINT, linewidth=1.2, solid_capstyle="round")
    axes.plot([18 + (width - 36) * frame / (num_frames - 1)], [12], "o", color="#3b6ea8", ms=6)
    for x, text, align in ((0, "\u22122", "left"), (width, "2", "right")):
        axes.text(x, 12, text, ha=align, va="center_baseline", fontsize=7.5, color=SOFT)


if __name__ == "__main__":
    main()
