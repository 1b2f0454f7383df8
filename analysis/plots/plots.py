"""Plots: each `plot_x(summary, axes)` draws one summary table and computes no statistics.

`names` has the labels of methods, data sets and scores, and the colours of methods; by default the
paper's.
"""

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.mlab import GaussianKDE
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import EngFormatter, MaxNLocator
from pandas import DataFrame

from ..formats import DASH, MINUS, TIMES, format_strength
from ..names import PAPER_NAMES, Names, cycle_colours
from ..paper_grid import DISENTANGLEMENT
from ..statistics.importance import scale_to_bars
from ..summary import other_settings, sort_as_paper
from ..tables import check_models, split_by
from .style import FAINT, INK, SOFT

FEWEST_IN_VIOLIN, MOST_MARKS = 6, 20
"""The fewest models for a violin, and the most that are drawn one by one."""

SHADES = 16
"""The cells of a histogram of models, along each axis."""

MOST_DOTS = 2000
"""The most dots in a figure. Beyond it, models are drawn as pixels and seeds only as intervals."""

LETTERS = 20
"""The most letters in a line of a label."""

MOST_TURNED = 8
"""The most names that are legible side by side when slanted; more are drawn vertically."""

PART_COLOURS = {"method": "#3b6ea8", "setting": "#8fb3d9", "seed": "#d9dde1"}
PART_NAMES = {"method": "method", "setting": "setting within method", "seed": "seed and the rest"}


def plot_matrix(
    summary: DataFrame,
    axes: Axes,
    value: str = "correlation",
    neutral: float = 0.0,
    names: Names = PAPER_NAMES,
) -> Axes:
    """A coloured table of shares in percent, with rows and columns in order of appearance.

    Args:
        summary: rows with row, column and `value`.
        axes: to draw on.
        value: the column to show, of at most 1.
        neutral: the value without colour; lower values are blue and higher ones red.
        names: labels.
    """
    _check_one(summary, "dataset", "score")
    rows, columns = (list(summary[name].unique()) for name in ("row", "column"))
    matrix = summary.pivot(index="row", columns="column", values=value).loc[rows, columns]
    numbers = 100 * matrix.to_numpy(float)
    span = 110 * (1 - neutral)
    low, high = 100 * neutral - span, 100 * neutral + span
    axes.pcolormesh(numbers, cmap="RdBu_r", vmin=low, vmax=high, edgecolor="white", linewidth=1.5)
    axes.invert_yaxis()
    for (i, j), number in np.ndenumerate(numbers):
        shown = DASH if np.isnan(number) else f"{round(number)}".replace("-", MINUS)
        color = "white" if abs(number - 100 * neutral) > 0.64 * span else INK
        axes.text(j + 0.5, i + 0.5, shown, ha="center", va="center", fontsize=7.5, color=color)
    labels = [_fold(names.label(name)) for name in columns]
    axes.set_xticks(np.arange(len(columns)) + 0.5, labels, rotation=35, ha="right")
    axes.set_yticks(np.arange(len(rows)) + 0.5, [_fold(names.label(name)) for name in rows])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return axes


def plot_curves(summary: DataFrame, axes: np.ndarray, names: Names = PAPER_NAMES) -> np.ndarray:
    """Training curves: a column of panels per method, a line per setting; darker is stronger.

    Args:
        summary: `training_curves` of one data set.
        axes: (2, number of methods): reconstruction above, KL below.
        names: labels and colours.
    """
    _check_one(summary, "dataset")
    groups = split_by(summary, "method")
    _check_panels(axes.T, len(groups))
    colours = _colour_methods(groups, names)
    for panels, (method, rows) in zip(axes.T, groups.items(), strict=False):
        settings = list(split_by(rows, "setting").items())
        is_one = other_settings(rows).eq("").all()
        for number, (setting, line) in enumerate(settings):
            alpha = 0.35 + 0.65 * (number + 1) / len(settings)
            for panel, column in zip(panels, ("reconstruction", "kl"), strict=True):
                panel.plot(
                    line["step"],
                    line[column],
                    color=colours[method],
                    alpha=alpha,
                    label=setting.split("=", 1)[-1] if is_one else names.label_setting(setting),
                )
        panels[0].set_title(_fold(names.label(method)))
        if len(settings) > 1:
            title = names.label(rows["hyperparameter"].iat[0]) if is_one else None
            panels[0].legend(title=title, title_fontsize=7)
        panels[1].set_xlabel("step")
        panels[1].xaxis.set_major_locator(MaxNLocator(3))
        panels[1].xaxis.set_major_formatter(EngFormatter(sep=""))
    axes[0, 0].set_ylabel("reconstruction, nats")
    axes[1, 0].set_ylabel("KL, nats")
    return axes


def plot_strength(summary: DataFrame, axes: np.ndarray, names: Names = PAPER_NAMES) -> np.ndarray:
    """Figure 1: dependence between latents of sampled and mean codes, against strength.

    A band is a standard deviation to either side; a bar is the interval of the mean.

    AnnealedVAE's axis is reversed, because a larger C_max is a weaker constraint.

    Args:
        summary: `figure_1` of one data set and one score.
        axes: one per method.
        names: labels and colours.
    """
    _check_one(summary, "dataset", "score")
    styles = {"sampled": ("-", "o"), "mean": ((0, (2, 2)), "s")}
    groups = split_by(summary, "method")
    axes, colours = _panels(axes, len(groups)), _colour_methods(groups, names)
    for panel, (method, rows) in zip(axes, groups.items(), strict=True):
        place, labels, title = _place_settings(rows, names)
        lines = split_by(rows.assign(rest=other_settings(rows)), "rest") if title else {"": rows}
        for number, (rest, of_rest) in enumerate(lines.items()):
            alpha = 0.35 + 0.65 * (number + 1) / len(lines)
            for kind, (dash, marker) in styles.items():
                line = of_rest[of_rest["representation"] == kind]
                places = [place[setting] for setting in line["setting"]]
                panel.errorbar(
                    places,
                    line["value"],
                    ((line["high"] - line["low"]) / 2).fillna(0),
                    marker=marker,
                    linestyle=dash,
                    ms=3,
                    color=colours[method],
                    alpha=alpha,
                    label=names.label_setting(rest) if kind == "sampled" and rest else None,
                )
                panel.fill_between(
                    places,
                    line["value"] - line["spread"],
                    line["value"] + line["spread"],
                    color=colours[method],
                    alpha=0.15 * alpha,
                    linewidth=0,
                )
        panel.set_xticks(range(len(labels)), labels)
        if method == "annealed_vae":
            panel.invert_xaxis()
        if len(lines) > 1:
            panel.legend()
        panel.set_title(_fold(names.label(method)))
        panel.set_xlabel(title)
    keys = [
        Line2D([], [], linestyle=dash, marker=marker, ms=3, color=INK, label=f"{kind} codes")
        for kind, (dash, marker) in styles.items()
    ]
    axes[0].figure.legend(handles=keys, loc="outside upper right", ncols=2, handlelength=4)
    axes[0].set_ylabel(f"{names.label(summary['score'].iat[0])}, nats")
    return axes


def plot_violins(
    table: DataFrame, summary: DataFrame, axes: np.ndarray, names: Names = PAPER_NAMES
) -> np.ndarray:
    """Figure 3: the distribution of scores around their means, with the means' intervals.

    Args:
        table: wide scores of one data set.
        summary: `figure_3` of this table, by method or by setting.
        axes: one per score.
        names: labels and colours.
    """
    _check_one(table, "dataset")
    _check_one(summary, "dataset")
    table = check_models(table)
    by = "setting" if "setting" in summary else "method"
    groups = sort_as_paper(summary.drop_duplicates(["method", by]), names)
    # A gap stands between the settings of two methods.
    place = (
        np.arange(len(groups))
        + 0.6 * (by == "setting") * groups["method"].ne(groups["method"].shift()).cumsum()
    )
    kept = ["method", by, *(["hyperparameter"] if by == "setting" else [])]
    groups = groups[list(dict.fromkeys(kept))].assign(place=place)
    colours = _colour_methods(groups["method"].unique(), names)
    placed = summary.merge(groups[list(dict.fromkeys(["method", by, "place"]))], sort=False)
    panels = _panels(axes, summary["score"].nunique())
    for panel, (score, rows) in zip(panels, split_by(placed, "score").items(), strict=True):
        values = [
            table.loc[(table["method"] == row["method"]) & (table[by] == row[by]), score]
            .dropna()
            .to_numpy(float)
            for row in rows.to_dict("records")
        ]
        colors = [colours[method] for method in rows["method"]]
        corners = 24 if by == "method" else 10
        _plot_bodies(panel, rows["place"].to_numpy(float), values, colors, corners)
        for color in dict.fromkeys(colors):
            of_color = rows[np.array(colors) == color]
            place, gaps = of_color["place"], np.full(len(of_color), np.nan)
            across, up = np.column_stack([place, place, gaps]), of_color[["low", "high"]]
            panel.plot(across.ravel(), up.assign(gap=gaps).to_numpy().ravel(), c=color, lw=1.2)
            panel.plot(place, of_color["value"], "o", c=color, ms=2.8, mew=0)
        panel.set_title(names.label(score))
        middles = groups.groupby("method", sort=False)["place"].mean()
        labels = [_fold(names.label(name)) for name in middles.index]
        upright = len(labels) > MOST_TURNED
        turned = {"rotation": 90} if upright else {"rotation": 35, "ha": "right"}
        if by == "method":
            panel.set_xticks(middles, labels, **turned)
        else:
            few = len(groups) < 3 * len(labels)  # settings below a name, which needs their room
            longest = _label_settings(panel, groups, names)
            panel.set_xticks(middles, labels, minor=True, **(turned if few else {}))
            panel.tick_params(axis="x", which="both", length=0)
            panel.tick_params(axis="x", which="minor", pad=14 + 4 * longest)
    return axes


def _label_settings(axes: Axes, groups: DataFrame, names: Names) -> int:
    """Labels the violins by their settings; returns the number of letters in vertical labels."""
    alone = other_settings(groups).eq("").groupby(groups["method"]).transform("all")
    labels = [
        setting.split("=", 1)[-1] if is_alone else _fold(names.label_setting(setting))
        for setting, is_alone in zip(groups["setting"], alone, strict=True)
    ]
    turned = 0 if alone.all() else 90
    axes.set_xticks(groups["place"], labels, rotation=turned)
    axes.xaxis.remove_overlapping_locs = False
    lines = [len(line) for label in labels for line in label.split("\n")]
    return max(lines, default=0) if turned else 0


def _plot_bodies(
    axes: Axes,
    places: np.ndarray,
    values: Sequence[np.ndarray],
    colors: Sequence[str],
    corners: int,
) -> None:
    """Draws violins with a fixed number of corners per side, and single models if there are few.

    There is one path with gaps for each colour, because an element for each violin would take up
    most of a page's bytes.
    """
    shapes: dict[str, list[Path]] = defaultdict(list)
    for place, of_group, color in zip(places, values, colors, strict=True):
        if len(of_group) >= FEWEST_IN_VIOLIN and of_group.min() < of_group.max():
            heights = np.linspace(of_group.min(), of_group.max(), corners)
            width = GaussianKDE(of_group)(heights)
            width *= 0.42 / width.max()
            sides = np.concatenate([place - width, (place + width)[::-1]])
            corners_around = np.column_stack([sides, np.concatenate([heights, heights[::-1]])])
            shapes[color].append(Path(corners_around, closed=False))
        if len(of_group) <= MOST_MARKS:
            across = np.tile([place - 0.2, place + 0.2, np.nan], len(of_group))
            axes.plot(across, np.repeat(of_group, 3), c=color, lw=0.8, alpha=0.8)
    for color, of_color in shapes.items():
        whole = Path.make_compound_path(*of_color)
        axes.add_patch(PathPatch(whole, facecolor=color, alpha=0.35, edgecolor="none"))


def plot_importance(summary: DataFrame, axes: np.ndarray, names: Names = PAPER_NAMES) -> np.ndarray:
    """Stacked shares of variance by method, setting and seed: a bar per score and data set.

    Args:
        summary: `importance` over all methods.
        axes: one per data set.
        names: labels and colours.
    """
    _check_one(summary, "method")
    groups = split_by(summary, "dataset")
    axes = _panels(axes, len(groups))
    for panel, (dataset, rows) in zip(axes, groups.items(), strict=True):
        shares = scale_to_bars(rows).pivot(index="score", columns="part", values="width")
        shares = shares.loc[rows["score"].unique()]
        left = np.zeros(len(shares))
        for part, color in PART_COLOURS.items():
            width = 100 * shares[part].fillna(0).to_numpy(float)
            label, ink = PART_NAMES[part], "white" if part == "method" else INK
            bars = panel.barh(range(len(shares)), width, left=left, color=color, label=label)
            sizes = [f"{size:.0f}" if size >= 12 else "" for size in width]
            panel.bar_label(bars, sizes, label_type="center", fontsize=7, color=ink)
            left += width
        panel.set_yticks(range(len(shares)), [names.label(score) for score in shares.index])
        panel.set_title(names.label(dataset))
        panel.set_xlim(0, 100)
        panel.tick_params(length=0)
        panel.spines["left"].set_visible(False)
        panel.set_xlabel("share of variance, %")
    axes[0].invert_yaxis()
    _add_legend(axes, ncols=3)
    return axes


def plot_hyperparameters(
    summary: DataFrame, axes: np.ndarray, names: Names = PAPER_NAMES
) -> np.ndarray:
    """Shares of variance by hyper-parameter: a bar is the mean over scores, a mark is one score.

    Args:
        summary: `hyperparameter_importance`.
        axes: one per method.
        names: labels and colours.
    """
    groups = split_by(summary[summary["part"] != ""], "method")
    axes, colours = _panels(axes, len(groups)), _colour_methods(groups, names)
    for panel, (method, rows) in zip(axes, groups.items(), strict=True):
        single = rows[rows["score"] != "average"]
        shades_of_scores = _colour_scores(single["score"].unique())
        bars = rows[rows["score"] == "average"]
        bars = single if bars.empty else bars
        parts = list(bars["part"])
        shades = [FAINT if part in ("seed", "rest") else colours[method] for part in parts]
        panel.barh(
            range(len(parts)), 100 * bars["corrected"].clip(lower=0), color=shades, alpha=0.6
        )
        for score, own in split_by(single[single["part"].isin(parts)], "score").items():
            panel.scatter(
                *(100 * own["corrected"], [parts.index(part) for part in own["part"]]),
                marker="|",
                s=30,
                lw=1,
                color=shades_of_scores[score],
                label=names.label(score),
            )
        labels = [f" {TIMES} ".join(map(names.label, part.split(" x "))) for part in parts]
        panel.set_yticks(range(len(parts)), [_fold(label) for label in labels])
        panel.set_title(_fold(names.label(method)))
        panel.set_xlim(min(0, *panel.get_xlim()), 100)
        panel.set_xlabel("share of variance, %")
        panel.tick_params(axis="y", length=0)
        panel.invert_yaxis()
    _add_legend(axes, ncols=4, handlelength=1)
    return axes


def plot_means(summary: DataFrame, axes: np.ndarray, names: Names = PAPER_NAMES) -> np.ndarray:
    """Scores against values of a hyper-parameter: a line per method, and a dot per seed if few.

    Args:
        summary: `hyperparameter_means`, of one hyper-parameter of each method.
        axes: (scores, data sets).
        names: labels and colours.
    """
    scores, datasets = (list(summary[name].unique()) for name in ("score", "dataset"))
    grid = np.asarray(axes, dtype=object).reshape(len(scores), len(datasets))
    methods = split_by(summary, "method")
    colours = _colour_methods(methods, names)
    steps = {method: list(rows["value"].unique()) for method, rows in methods.items()}
    for (score, dataset), rows in summary.groupby(["score", "dataset"], sort=False):
        panel = grid[scores.index(score), datasets.index(dataset)]
        for number, (method, line) in enumerate(split_by(rows, "method").items()):
            shift = 0.08 * (number - (len(methods) - 1) / 2)
            places = [steps[method].index(value) + shift for value in line["value"]]
            swept = names.label(line["hyperparameter"].iat[0])
            panel.errorbar(
                *(places, line["mean"], ((line["high"] - line["low"]) / 2).fillna(0)),
                lw=1,
                color=colours[method],
                label=f"{names.label(method)} ({swept})",
            )
            if has_dots(summary):
                dots = [
                    (place, dot)
                    for place, own in zip(places, line["by_seed"], strict=True)
                    for dot in own
                ]
                panel.scatter(*zip(*dots, strict=True), s=6, lw=0, alpha=0.6, color=colours[method])
        longest = max(steps.values(), key=len)
        labels = longest if len(methods) == 1 else list(range(1, len(longest) + 1))
        panel.set_xticks(range(len(longest)), labels)
        if panel in grid[0]:
            panel.set_title(names.label(dataset))
        if panel in grid[:, 0]:
            panel.set_ylabel(_fold(names.label(score)))
        if panel in grid[-1]:
            swept = names.label(summary["hyperparameter"].iat[0])
            panel.set_xlabel(swept if len(methods) == 1 else "value, least to largest")
    _add_legend(grid.ravel(), ncols=3)
    return axes


def has_dots(summary: DataFrame) -> bool:
    """Whether `plot_means` has room for a dot for each seed."""
    return bool(summary["by_seed"].map(len).sum() <= MOST_DOTS)


def plot_scatter(
    summary: DataFrame,
    axes: np.ndarray,
    names: Names = PAPER_NAMES,
    across: str = "factor_vae_score",
    up: str = "efficiency_gbt",
    scale: str = "linear",
) -> np.ndarray:
    """A dot per model, a panel per data set; figure 6 by default.

    Args:
        summary: rows with dataset, method and the two columns.
        axes: to draw on.
        names: labels and colours.
        across: the column on the horizontal axis.
        up: the column on the vertical axis.
        scale: of both axes, "linear" or "log".
    """
    groups = split_by(summary, "dataset")
    colours = _colour_methods(summary["method"].unique(), names)
    many = len(summary) > MOST_DOTS
    axes = _panels(axes, len(groups))
    for panel, (dataset, rows) in zip(axes, groups.items(), strict=True):
        for method, points in split_by(rows, "method").items():
            panel.plot(
                points[across],
                points[up],
                ".",
                ms=2 if many else 3,
                alpha=1.0 if many else 0.6,  # pixels of few colours are fewer bytes
                antialiased=not many,
                color=colours[method],
                label=_fold(names.label(method)),
                rasterized=many,
            )
        panel.set(xscale=scale, yscale=scale)
        panel.set_title(names.label(dataset))
        panel.set_xlabel(names.label(across))
    axes[0].set_ylabel(names.label(up))
    _add_legend(axes, ncols=3, markerscale=2)
    return axes


def plot_pairs(
    table: DataFrame,
    axes: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    names: Names = PAPER_NAMES,
) -> np.ndarray:
    """The models of one data set in every pair of scores: dots, or a histogram if there are many.

    Args:
        table: the wide scores of one data set.
        axes: (len(rows), len(columns)). A pair that would have two panels has the lower one.
        rows: the scores on the vertical axes.
        columns: the scores on the horizontal axes.
        names: labels and colours.
    """
    _check_one(table, "dataset")
    colours = table["method"].map(_colour_methods(table["method"].unique(), names))
    places = list(np.ndindex(len(rows), len(columns)))
    panel_of = {frozenset((rows[i], columns[j])): (i, j) for i, j in places}
    many = len(table) * len(panel_of) > MOST_DOTS
    for panel, (i, j) in zip(_panels(axes, len(places)), places, strict=True):
        if rows[i] == columns[j] or panel_of[frozenset((rows[i], columns[j]))] != (i, j):
            panel.set_visible(False)
            continue
        across, up = table[columns[j]], table[rows[i]]
        if many:
            both = across.notna() & up.notna()
            counts, right, top = np.histogram2d(across[both], up[both], bins=SHADES)
            extent = (right[0], right[-1], top[0], top[-1])
            shown = {"origin": "lower", "interpolation": "none", "aspect": "auto"}
            panel.imshow(np.sqrt(counts.T), cmap="Blues", extent=extent, **shown)
        else:
            panel.scatter(across, up, c=colours, s=4, lw=0, alpha=0.6)
        panel.tick_params(labelsize=5.5)
        panel.xaxis.set_major_locator(MaxNLocator(2))
        panel.yaxis.set_major_locator(MaxNLocator(2))
        if i == len(rows) - 1:
            panel.set_xlabel(_fold(names.label(columns[j])), fontsize=7)
        if j == 0:
            panel.set_ylabel(_fold(names.label(rows[i])), fontsize=7)
    return axes


def plot_success(summary: DataFrame, axes: Axes, names: Names = PAPER_NAMES) -> Axes:
    """Success of choosing by unsupervised scores: a group per choice, a mark per score.

    Args:
        summary: `unsupervised_selection` of one data set.
        axes: to draw on.
        names: labels and colours.
    """
    _check_one(summary, "dataset")
    choices = list(summary["by"].unique())
    scores = list(summary["score"].unique())
    colours = _colour_scores(scores)
    for number, score in enumerate(scores):
        rows = summary[summary["score"] == score].set_index("by").loc[choices]
        places = np.arange(len(choices)) + 0.12 * (number - (len(scores) - 1) / 2)
        half = (100 * (rows["high"] - rows["low"]) / 2).fillna(0)
        axes.errorbar(
            places,
            100 * rows["success"],
            half,
            fmt="o",
            ms=3,
            lw=0.9,
            color=colours[score],
            label=names.label(score),
        )
    axes.axhline(100 * summary["blind"].mean(), color=FAINT, lw=1, zorder=0)
    axes.set_xticks(
        range(len(choices)), [names.label(name) for name in choices], rotation=20, ha="right"
    )
    axes.set_ylabel("success, %")
    axes.set_ylim(0, 103)
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    return axes


def plot_stability(summary: DataFrame, axes: Axes, names: Names = PAPER_NAMES) -> Axes:
    """Rank correlation with scores of all points, against the number of points.

    The band extends to the lowest draw.

    Args:
        summary: `rank_stability`.
        axes: to draw on.
        names: labels.
    """
    for score, rows in split_by(summary, "score").items():
        (line,) = axes.plot(rows["num_points"], rows["correlation"], label=names.label(score))
        ends = rows["lowest"], rows["correlation"]
        axes.fill_between(rows["num_points"], *ends, color=line.get_color(), alpha=0.15, lw=0)
    axes.set(xscale="log", xlabel="points", ylabel="rank correlation")
    axes.legend()
    return axes


def plot_embedding(summary: DataFrame, axes: np.ndarray) -> np.ndarray:
    """A two-dimensional map of one model's codes, once per factor, coloured by its value."""
    across, up, *factors = (values for _, values in summary.items())  # a factor may be called "x"
    axes = _panels(axes, len(factors))
    for panel, factor in zip(axes, factors, strict=True):
        panel.scatter(across, up, c=factor, s=3, lw=0, antialiased=False, rasterized=True)
        panel.set_title(str(factor.name))
        panel.set_xticks([])
        panel.set_yticks([])
        panel.spines[:].set_visible(False)
    return axes


_SCORE_COLOURS = dict(
    zip(
        DISENTANGLEMENT,
        ("#3b6ea8", "#c8603a", "#4f8a5b", "#7a5a9e", "#c79a2b", "#5d666f"),
        strict=True,
    )
)


def _panels(axes: np.ndarray, count: int) -> np.ndarray:
    """The first panels of a grid, in reading order; the rest are hidden."""
    panels = np.ravel(np.asarray(axes, dtype=object))
    _check_panels(panels, count)
    for panel in panels[count:]:
        panel.set_visible(False)
    return panels[:count]


def _check_panels(panels: np.ndarray, count: int) -> None:
    if len(panels) < count:
        raise ValueError(f"this table needs {count} panels, got {len(panels)}")


def _check_one(summary: DataFrame, *columns: str) -> None:
    """Checks that a table has one data set, or one of whatever else a plot shows one of.

    Raises:
        ValueError: if one of the columns has several names.
    """
    for column in columns:
        given = list(summary[column].unique()) if column in summary else []
        if len(given) > 1:
            raise ValueError(
                f"expected one {column}, got {', '.join(map(str, given))}: choose one, as in "
                f"table[table[{column!r}] == {given[0]!r}]"
            )


def _colour_methods(methods: Iterable[str], names: Names) -> dict[str, str]:
    """The methods' colours, with grey for references and further ones for methods without any."""
    methods = list(methods)
    given = [SOFT if method in names.references else names.colour(method, "") for method in methods]
    return dict(zip(methods, cycle_colours(given), strict=True))


def _colour_scores(scores: Iterable[str]) -> dict[str, str]:
    """The colours of the paper's six scores, and further ones for others."""
    own = [score for score in scores if score not in _SCORE_COLOURS]
    return _SCORE_COLOURS | dict(zip(own, cycle_colours([None] * len(own)), strict=True))


def _place_settings(rows: DataFrame, names: Names) -> tuple[dict[str, int], list[str], str]:
    """The position of each setting of a method on an axis of strength, with ticks and title.

    If the settings do not differ in strength, each has its own tick, and there is no title.
    """
    strengths = rows.drop_duplicates("setting").set_index("setting")["hyperparameter_value"]
    ticks = list(dict.fromkeys(strengths.dropna()))
    if len(ticks) < min(2, len(strengths)) or strengths.isna().any():
        labels = [_fold(names.label_setting(setting)) for setting in strengths.index]
        return {str(name): place for place, name in enumerate(strengths.index)}, labels, ""
    place = {str(setting): ticks.index(value) for setting, value in strengths.items()}
    title = names.label(rows["hyperparameter"].iat[0])
    return place, [format_strength(value) for value in ticks], title


def _fold(label: str) -> str:
    r"""A label of at most two lines; a longer one ends in dots.

    >>> _fold("a method with a long name"), _fold("x" * 50)
    ('a method with a long\nname', 'xxxxxxxxxxxxxxxxxxxx\nxxxxxxxxxxxxxxxxxxx…')
    """
    lines = textwrap.wrap(label, LETTERS)
    if len(lines) > 2:
        lines = [lines[0], f"{lines[1][: LETTERS - 1]}…"]
    return "\n".join(lines)


def _add_legend(panels: Iterable[Axes], **layout: Any) -> None:
    """Explains above a figure what its panels show, each label once."""
    handles: dict[str, Any] = {}
    figure: Any = None
    for panel in panels:
        figure = panel.figure
        handles |= dict(zip(*reversed(panel.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside upper left", **layout)
