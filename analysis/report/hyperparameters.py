"""The effect of each hyper-parameter: its share of the variance, and the scores by its values."""

from pandas import DataFrame

from ..plots import plots
from ..statistics.effects import hyperparameter_importance, hyperparameter_means
from ..tables import split_by
from . import elements
from .elements import Element
from .parts import Report, Shown, describe_intervals, describe_models, panel_grid, section

WORDS = (
    "How the variance of a score within one method splits into its hyper-parameters, the data "
    "set, their interactions and the seed. A bar is the mean over the scores; a mark is one score. "
    "This is an exact decomposition of a complete grid, in omega squared, which subtracts what "
    "chance explains. The seed's share is its effect on all settings alike. The rest is its effect "
    "on some of them."
)


@section("hyperparameters", "What does each hyper-parameter do?")
def make_section(report: Report) -> Shown:
    """Shares of variance and marginal means; None if no method has two settings."""
    trained = report.trained
    scores = report.scores
    if not scores:
        return None
    means = hyperparameter_means(trained, scores)
    if means.empty:
        return None
    shares = hyperparameter_importance(trained, scores)
    return [
        elements.text(WORDS, "reading"),
        *_plot_shares(report, shares),
        *_plot_means(report, means),
        elements.data(
            hyperparameter_importance=shares, hyperparameter_means=means.drop(columns="by_seed")
        ),
    ]


def _plot_shares(report: Report, shares: DataFrame) -> list[Element]:
    shown = shares[shares["corrected"].notna()]
    notes = [
        elements.text(f"{report.names.label(method)}: {words}.", "note")
        for method, words in _explain(shares).items()
    ]
    if shown.empty:
        return notes
    parts = shown.groupby("method")["part"].nunique()
    rows, columns = panel_grid(len(parts), most=3)
    size = (1 + 2.9 * columns, 0.9 + (0.6 + 0.24 * parts.max()) * rows)
    drawn = report.plot(plots.plot_hyperparameters, shown, size=size, grid=(rows, columns))
    told = filter(None, [describe_models(report.trained), describe_intervals(shown)])
    return [elements.figure("hyperparameter-importance", drawn, f"{'; '.join(told)}."), *notes]


def _explain(shares: DataFrame) -> dict[str, str]:
    """What was left out of each method's grid to complete it, and why shares are missing."""
    found = {}
    for method, rows in split_by(shares, "method").items():
        gone = dict.fromkeys(words for words in rows["left_out"] if words)
        lacking = rows[rows["corrected"].isna()]
        notes = [f"without {words}, because models are missing" for words in gone]
        notes += dict.fromkeys(words for words in lacking["note"] if words)
        if notes:
            found[method] = "; ".join(notes)
    return found


def _plot_means(report: Report, means: DataFrame) -> list[Element]:
    """A figure of the methods with one hyper-parameter, and one for each further one."""
    swept = means.groupby("method")["hyperparameter"].transform("nunique")
    groups = {"means": means[swept == 1]} if (swept == 1).any() else {}
    for (method, name), rows in means[swept > 1].groupby(["method", "hyperparameter"], sort=False):
        groups[f"means-{method}-{name}"] = rows
    found = []
    for name, rows in groups.items():
        grid = rows["score"].nunique(), rows["dataset"].nunique()
        size = (0.9 + max(4.4, 2.2 * grid[1]), 0.9 + 1.5 * grid[0])
        drawn = report.plot(plots.plot_means, rows, size=size, grid=grid, sharex=True)
        methods = ", ".join(map(report.names.label, rows["method"].unique()))
        told = ["means over the other settings"]
        told += ["a dot is a seed"] if plots.has_dots(rows) else []
        told += ["a bar is the 95 % interval"] if rows["low"].notna().any() else []
        caption = f"{methods}: {'; '.join(told)}."
        found.append(elements.figure(f"hyperparameter-{name}", drawn, caption))
    return found
