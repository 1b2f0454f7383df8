"""What plots do with many data sets, methods, hyper-parameters and letters."""

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from pandas import DataFrame

from teasel.analysis import (
    figure_1,
    figure_2,
    figure_3,
    figure_4_datasets,
    importance,
    unsupervised_selection,
)
from teasel.analysis.names import PAPER_NAMES
from teasel.analysis.plots import plots
from teasel.analysis.plots.style import SOFT, make_figure
from teasel.tests.support.synthetic import synthetic_scores

COLUMNS = ["mig", "sap", "elbo", "gaussian_total_correlation"]


def make_scores(num_datasets: int) -> DataFrame:
    rng = np.random.default_rng(0)
    means = rng.normal(size=(num_datasets, 36, len(COLUMNS)))
    return synthetic_scores(rng, means, 3, COLUMNS)


def panels(count: int) -> np.ndarray:
    return np.array(Figure().subplots(1, count, squeeze=False)[0])


TWO = make_scores(2)
OF_ONE_DATASET: dict[str, Callable[[], object]] = {
    "matrix": lambda: plots.plot_matrix(figure_2(TWO, ["mig", "sap"]), panels(1)[0]),
    "matrix of scores": lambda: plots.plot_matrix(
        figure_4_datasets(TWO, ["mig", "sap"]), panels(1)[0]
    ),
    "strength": lambda: plots.plot_strength(
        figure_1(TWO, TWO.assign(representation="sampled")), panels(6)
    ),
    "violins": lambda: plots.plot_violins(TWO, figure_3(TWO, ["mig"]), panels(1)),
    "violins of a summary": lambda: plots.plot_violins(
        TWO[TWO["dataset"] == "dsprites"], figure_3(TWO, ["mig"]), panels(1)
    ),
    "curves": lambda: plots.plot_curves(
        TWO.assign(step=1, reconstruction=1.0, kl=1.0), Figure().subplots(2, 6)
    ),
    "success": lambda: plots.plot_success(
        unsupervised_selection(TWO, scores=["mig", "sap"]), panels(1)[0]
    ),
    "pairs": lambda: plots.plot_pairs(TWO, np.empty((1, 1)), ["mig"], ["sap"]),
    "importance of methods": lambda: plots.plot_importance(importance(TWO, ["mig"]), panels(2)),
}


@pytest.mark.parametrize("name", OF_ONE_DATASET)
def test_what_a_plot_shows_one_of_is_refused_in_the_plural_with_the_way_out(name: str) -> None:
    with pytest.raises(ValueError, match=r"expected one \w+, got .*: choose one, as in table\["):
        OF_ONE_DATASET[name]()


def test_too_few_panels_are_refused() -> None:
    one = TWO[TWO["dataset"] == "dsprites"]
    with pytest.raises(ValueError, match="this table needs 2 panels, got 1"):
        plots.plot_violins(one, figure_3(one, ["mig", "sap"]), panels(1))
    shares = importance(TWO, ["mig"]).query("method == '' and dataset != 'average'")
    with pytest.raises(ValueError, match="this table needs 2 panels, got 1"):
        plots.plot_importance(shares, panels(1))


def with_own_methods() -> DataFrame:
    one = make_scores(1).query("method == 'beta_vae'")
    names = ("method_2", "method_10", "untrained")
    return pd.concat([one, *(one.assign(method=name) for name in names)], ignore_index=True)


def test_own_methods_have_colours_of_their_own_and_references_are_grey() -> None:
    table = with_own_methods()
    summary = figure_3(table, ["mig"])
    # Own methods stand as the table has them.
    assert summary["method"].tolist() == ["beta_vae", "method_2", "method_10", "untrained"]
    axes = plots.plot_violins(table, summary, panels(1))
    dots = [line for line in axes[0].lines if line.get_marker() == "o"]
    colours = [to_hex(line.get_color()) for line in dots]
    assert len(set(colours)) == 4
    assert colours[0] == PAPER_NAMES.colour("beta_vae", "")
    assert colours[3] == SOFT
    section = {"methods": {"a": {}, "b": {"colour": "#123456"}, "c": {}}}
    names = PAPER_NAMES.of_section({"metrics": {}, "datasets": {}, **section})
    assert len({names.colour(name, SOFT) for name in ("a", "b", "c")} - {SOFT}) == 3


def with_two_hyperparameters() -> DataFrame:
    one = make_scores(1).query("method == 'beta_vae' and hyperparameter_value < 6")
    both = [one.assign(setting=one["setting"] + f", width={width}") for width in (4, 16)]
    table = pd.concat(both, ignore_index=True).assign(hyperparameter="beta")
    return table.assign(trial_id=table.index.astype(str), method="mine")


def test_of_two_hyper_parameters_the_second_is_a_line_and_both_are_in_a_violins_label() -> None:
    table = with_two_hyperparameters()
    summary = figure_1(table, table.assign(representation="sampled"))
    axes = plots.plot_strength(summary, panels(1))
    assert [label.get_text() for label in axes[0].get_xticklabels()] == ["1", "2", "4"]
    assert axes[0].get_xlabel() == "β"
    legend = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert legend == ["width = 4", "width = 16"]
    axes = plots.plot_violins(table, figure_3(table, ["mig"], "setting"), panels(1))
    labels = axes[0].get_xticklabels()
    assert [label.get_text().replace("\n", " ") for label in labels[:2]] == [
        "β = 1, width = 4",
        "β = 1, width = 16",
    ]
    assert {label.get_rotation() for label in labels} == {90.0}
    curves = table.drop_duplicates("setting").assign(step=1, reconstruction=1.0, kl=1.0)
    curve = plots.plot_curves(curves, Figure().subplots(2, 1, squeeze=False))[0, 0].get_legend()
    assert "β = 1, width = 16" in {text.get_text() for text in curve.get_texts()}


def test_settings_of_one_strength_have_a_tick_each() -> None:
    table = make_scores(1).query("setting == 'beta=1' and method == 'beta_vae'")
    rates = [table.assign(setting=f"learning_rate={rate}") for rate in ("0.1", "0.01")]
    both = pd.concat(rates, ignore_index=True)
    found = figure_1(both, both.assign(representation="sampled"))
    axes = plots.plot_strength(found, panels(1))
    labels = [label.get_text().replace("\n", " ") for label in axes[0].get_xticklabels()]
    assert labels == ["learning rate = 0.01", "learning rate = 0.1"]


def test_many_and_long_names_stay_apart() -> None:
    name = "an_auto_encoder_with_a_name_that_tells_all_of_its_layers_and_their_widths"
    one = make_scores(1).query("method == 'beta_vae'")
    many = [one.assign(method=f"{name}_{n}"[n:]) for n in range(12)]
    table = pd.concat(many, ignore_index=True)
    figure = make_figure(
        lambda summary, axes: plots.plot_violins(table, summary, np.array([axes])),
        figure_3(table, ["mig"]),
        size=(3.9, 3),
    )
    figure.draw_without_rendering()
    axes = figure.axes
    boxes = [label.get_window_extent() for label in axes[0].get_xticklabels()]
    assert all(first.x1 <= second.x0 for first, second in itertools.pairwise(boxes))
    assert max(box.height for box in boxes) < figure.bbox.height / 2


@pytest.mark.parametrize(("num_seeds", "drawn"), [(3, "collections"), (50, "images")])
def test_each_pair_of_scores_has_one_panel_of_dots_or_shades(num_seeds: int, drawn: str) -> None:
    scores = ["mig", "sap", "elbo"]
    means = np.random.default_rng(0).normal(size=(1, 36, len(COLUMNS)))
    table = synthetic_scores(np.random.default_rng(1), means, num_seeds, COLUMNS)
    axes = Figure().subplots(3, 3)
    plots.plot_pairs(table, axes, scores, scores)
    shown = np.array([[panel.get_visible() for panel in line] for line in axes])
    assert np.array_equal(shown, np.tril(np.ones((3, 3), bool), -1))
    (content,) = getattr(axes[2, 1], drawn)
    if drawn == "collections":
        assert np.array_equal(content.get_offsets(), table[["sap", "elbo"]])
    else:
        counts = np.square(content.get_array())
        assert counts.sum() == pytest.approx(len(table))


def test_a_scatter_takes_any_two_columns() -> None:
    axes = panels(2)
    plots.plot_scatter(TWO, axes, across="mig", up="elbo")
    first = TWO[(TWO["dataset"] == "dsprites") & (TWO["method"] == "beta_vae")]
    line = axes[0].lines[0]
    assert np.array_equal(line.get_xydata(), first[["mig", "elbo"]])
    assert (axes[1].get_xlabel(), axes[0].get_ylabel()) == ("MIG", "ELBO")
