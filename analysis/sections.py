"""The report's questions: each a section with its figure, table, verdict and a line of reading."""

import numpy as np

from . import blocks, figures, paper
from .blocks import Block
from .drawing import figure
from .frames import DataFrame
from .importance import importance, variance_explained
from .labels import DASH, MINUS, label
from .pieces import (
    Study,
    above_diagonal,
    comparison,
    drawn_matrix,
    matrix,
    nothing_published,
    panel_grid,
    present,
    printed_matrix,
)
from .power import seeds_needed
from .published import published
from .selection import table_1, unsupervised_selection
from .summary import in_study_order
from .tables import DOWNSTREAM, UNSUPERVISED, learned
from .verdict import beside_published
from .wins import method_wins


def agreement(study: Study) -> Block:
    """Figure 2: do the scores agree?"""
    name, title = "agreement", "Do the scores agree?"
    if not study.scores:
        return blocks.section(name, title, blocks.text("No model has a score yet.", "behind"))
    summary = paper.figure_2(study.mean, study.scores)
    known = published("figure_2", study.more)
    drawn, verdicts = [], []
    for dataset, rows in summary.groupby("dataset", sort=False):
        drawn.append(matrix(f"figure_2-{dataset}", rows))
        printed = known[known["dataset"] == dataset]
        if len(printed):
            drawn.append(printed_matrix(f"published-{dataset}", printed))
            pairs = rows[
                rows["row"].map(study.scores.index) < rows["column"].map(study.scores.index)
            ]
            table = study.mean[study.mean["dataset"] == dataset]
            beside = beside_published(
                pairs, "figure_2", learned(table), "correlation", str(dataset), more=study.more
            )
            verdicts += comparison(f"verdict-figure_2-{dataset}", beside, "correlation")
    words = (
        "Spearman's rank correlation between scores over all trained models of a data set, in "
        "percent: 100 where two scores rank the models alike, 0 where one says nothing about the "
        "other. With few models, large values come up by chance."
    )
    return blocks.section(
        name,
        title,
        blocks.text(words, "reading"),
        _extremes(summary[summary["dataset"] != "average"], study.scores),
        blocks.pair(*drawn),
        *(verdicts or [nothing_published("figure 2", known)]),
        blocks.data(figure_2=summary),
    )


def what_matters(study: Study) -> Block | None:
    """Figure 3: does a score depend on the method, its setting or the seed?"""
    trained = learned(study.mean)
    if not study.scores or trained["setting"].nunique() < 2:
        return None
    summary = importance(trained, study.scores)
    overall = summary[summary["method"] == ""]
    words = (
        "How the variance of each score splits into the method, its setting, and the seed with all "
        "the rest. Omega squared, which takes off what few seeds explain by chance; below zero it "
        "is drawn as zero."
    )
    parts: list[Block] = [blocks.text(words, "reading")]
    shown = overall[(overall["dataset"] != "average") & overall["corrected"].notna()]
    if len(shown):
        rows, columns = panel_grid(shown["dataset"].nunique(), most=3)
        size = (1.4 + 2.6 * columns, 0.6 + (0.7 + 0.24 * len(study.scores)) * rows)
        drawing = figure(
            figures.draw_importance, shown, size=size, grid=(rows, columns), sharey=True
        )
        seed = shown[shown["part"] == "seed"].groupby("score")["corrected"].mean()
        parts += [
            blocks.text(
                f"The seed and the rest make between {seed.min():.0%} "
                f"({label(seed.idxmin())}) and {seed.max():.0%} ({label(seed.idxmax())}) of a "
                "score's variance, over the data sets here."
            ),
            blocks.drawn("importance-shares", drawing, _behind(trained)),
        ]
    else:
        parts.append(blocks.text(f"No decomposition: {overall['note'].iat[0]}.", "behind"))
    parts.append(blocks.pair(*_violins(study, study.datasets[0], study.scores[0])))
    parts.append(blocks.pair(*_within_methods(summary), *_wins(trained, study.scores[0])))
    explained = variance_explained(trained, study.scores)
    average = explained[explained["dataset"] == "average"].assign(column="average")
    if len(average):
        beside = beside_published(average, "figure_3", trained, "share", more=study.more)
        parts += comparison("verdict-figure_3", beside, "share")
    return blocks.section(
        "importance", "Method, setting or seed?", *parts, blocks.data(figure_3=summary)
    )


def strength(study: Study) -> Block | None:
    """Figure 1: what stronger regularisation does to the dependence between latents."""
    summary = paper.figure_1(study.mean, study.sampled)
    if summary.empty:
        return None
    words = (
        "Dependence between the latents at growing regularisation. The paper's claim: samples "
        "lose it, their means do not, except for DIP-VAE-I. AnnealedVAE's axis is reversed, as a "
        "larger C_max is a weaker constraint."
    )
    parts: list[Block] = [blocks.text(words, "reading")]
    for (dataset, score), rows in summary.groupby(["dataset", "score"], sort=False):
        columns = rows["method"].nunique()
        drawing = figure(
            figures.draw_strength,
            rows,
            size=(1.2 + 1.95 * columns, 2.3),
            grid=(1, columns),
            sharey=True,
        )
        caption = f"{label(dataset)}, {label(score)}: mean and standard deviation over seeds."
        parts.append(blocks.drawn(f"figure_1-{dataset}-{score}", drawing, caption))
    return blocks.section(
        "strength",
        "What does regularisation do?",
        *parts,
        nothing_published("figure 1", published("figure_1", study.more)),
        blocks.data(figure_1=summary),
    )


def selection(study: Study) -> Block | None:
    """Figure 4 and table 1: can a good model be chosen without labels?"""
    trained = learned(study.mean)
    if not study.scores or trained["setting"].nunique() < 2:
        return None
    table = paper.with_unsupervised_of_samples(trained, learned(study.sampled))
    unsupervised = [*present(table, UNSUPERVISED), *present(table, ["udr"])]
    correlations = paper.figure_4(table, unsupervised, study.scores)
    chosen = unsupervised_selection(table, scores=study.scores)
    transfer = table_1(trained, study.scores)
    words = (
        "Unsupervised scores against disentanglement scores, over all trained models, in percent; "
        "then what choosing by each of them brings, and what choosing by a score with labels "
        "brings elsewhere."
    )
    parts: list[Block] = [blocks.text(words, "reading")]
    parts.append(
        blocks.pair(
            *(
                matrix(f"figure_4-{dataset}", rows)
                for dataset, rows in correlations.groupby("dataset", sort=False)
            )
        )
    )
    successes = []
    for dataset, rows in chosen.groupby("dataset", sort=False):
        drawing = figure(figures.draw_success, rows, size=(5.2, 2.9))
        caption = (
            f"{label(dataset)}: how often the model with the best unsupervised score of its seed "
            "is at least as good as a random one; the line is a blind choice."
        )
        successes.append(blocks.drawn(f"selection-{dataset}", drawing, caption))
    parts.append(blocks.pair(*successes))
    parts += _between_datasets(study, trained)
    beside = beside_published(transfer, "table_1", trained, "success", more=study.more)
    parts += [
        blocks.heading("Table 1: how often a transferred choice beats a random one"),
        *comparison("verdict-table_1", beside, "success", blind="Blind", regret="Regret"),
    ]
    return blocks.section(
        "selection",
        "Can a good model be chosen without labels?",
        *parts,
        blocks.data(figure_4=correlations, selection=chosen, table_1=transfer),
    )


def usefulness(study: Study) -> Block | None:
    """Figures 5 and 6: do the scores tell what a representation is good for?"""
    trained = learned(study.mean)
    downstream = present(trained, DOWNSTREAM)
    if not study.scores or not downstream:
        return None
    summary = paper.figure_5(trained, study.scores, downstream)
    known = published("figure_5", study.more)
    words = (
        "Rank correlation of scores with the test accuracy of a classifier on the codes, at 10 to "
        "10,000 labels, and with efficiency (accuracy at 100 labels / accuracy at 10,000), in "
        "percent."
    )
    parts: list[Block] = [blocks.text(words, "reading")]
    verdicts = []
    for dataset, rows in summary.groupby("dataset", sort=False):
        parts.append(matrix(f"figure_5-{dataset}", rows, size=(8.4, 3.0)))
        printed = known[known["dataset"] == dataset]
        if len(printed):
            parts.append(printed_matrix(f"published-5-{dataset}", printed, size=(8.4, 3.0)))
            beside = beside_published(
                rows,
                "figure_5",
                trained[trained["dataset"] == dataset],
                "correlation",
                str(dataset),
                more=study.more,
            )
            verdicts += comparison(f"verdict-figure_5-{dataset}", beside, "correlation")
    points = paper.figure_6(trained)
    if len(points):
        rows, columns = panel_grid(points["dataset"].nunique(), most=3)
        drawing = figure(
            figures.draw_scatter,
            points,
            size=(1 + 2.6 * columns, 0.5 + 2.3 * rows),
            grid=(rows, columns),
        )
        parts.append(blocks.drawn("figure_6", drawing, "A dot is a model."))
    return blocks.section(
        "usefulness",
        "Are better scores more useful?",
        *parts,
        *(verdicts or [nothing_published("figure 5", known)]),
        blocks.data(figure_5=summary, figure_6=points),
    )


def power(study: Study) -> Block | None:
    """How many seeds a comparison of two settings needs."""
    summary = seeds_needed(learned(study.mean), study.scores)
    known = summary[summary["num_seeds"].notna()]
    if known.empty:
        return None
    words = (
        "Seeds per setting to tell two settings whose true means differ by so much, with 80 % "
        "power at the 5 % level, if seeds differ as they do here; in brackets for a paired "
        "comparison of the same seeds. The most demanding data set of each score."
    )
    worst = known.sort_values("spread").groupby(["score", "delta"], sort=False).tail(1)
    deltas = sorted(worst["delta"].unique())
    rows = []
    for score in study.scores:
        of_score = worst[worst["score"] == score].set_index("delta")
        if len(of_score):
            counts = [
                f"{_count(of_score.at[delta, 'num_seeds'])} "
                f"({_count(of_score.at[delta, 'num_seeds_paired'])})"
                for delta in deltas
            ]
            first = of_score.iloc[0]
            rows.append((label(score), label(first["dataset"]), first["spread"], *counts))
    titles = {"score": "Score", "dataset": "Data set", "spread": "Spread over seeds"}
    titles |= {f"{delta:g}": f"to tell {delta:g}" for delta in deltas}
    table = blocks.table("power-table", DataFrame(rows, columns=list(titles)), titles, digits=3)
    return blocks.section(
        "power",
        "How many seeds does it take?",
        blocks.text(words, "reading"),
        table,
        blocks.data(power=summary),
    )


def _between_datasets(study: Study, trained: DataFrame) -> list[Block]:
    if len(study.datasets) < 2:
        return []
    summary = paper.figure_4_datasets(trained, study.scores)
    drawn, verdicts = [], []
    for score, rows in summary.groupby("score", sort=False):
        if rows["correlation"].notna().any():
            caption = f"{label(score)} between data sets, over settings (means over seeds)."
            size = (1.7 + 0.42 * len(study.datasets), 1.2 + 0.34 * len(study.datasets))
            name = f"figure_4-datasets-{score}"
            drawn.append(drawn_matrix(name, rows, caption, "correlation", size=size))
        pairs = above_diagonal(rows, study.datasets)
        beside = beside_published(
            pairs, "figure_4_datasets", trained, "correlation", score=score, more=study.more
        )
        verdicts += comparison(f"verdict-figure_4-{score}", beside, "correlation")
    return [blocks.pair(*drawn), *verdicts, blocks.data(figure_4_datasets=summary)]


def _within_methods(summary: DataFrame) -> list[Block]:
    own = summary[(summary["method"] != "") & (summary["part"] == "setting")]
    own = own[own["corrected"].notna() & (own["score"] != "average")]
    if own.empty:
        return []
    own = own.groupby(["method", "score"], sort=False)["corrected"].mean().reset_index()
    own = own.rename(columns={"method": "row", "score": "column"})
    caption = (
        "Share of the variance within one method that its setting explains (omega squared), in "
        "percent, mean over data sets."
    )
    return [drawn_matrix("importance-own", own, caption, "corrected")]


def _wins(trained: DataFrame, score: str) -> list[Block]:
    wins = method_wins(trained, score)
    if wins["row"].nunique() < 2:
        return []
    caption = (
        f"How often a run of the row's method beats a run of the column's in {label(score)}, in "
        "percent, mean over data sets."
    )
    return [drawn_matrix("wins", wins, caption, "wins", neutral=0.5)]


def _violins(study: Study, dataset: str, score: str) -> list[Block]:
    rows = in_study_order(learned(study.mean[study.mean["dataset"] == dataset]))
    first = rows[rows["method"] == rows["method"].iat[0]]
    found = []
    for by, table in (("method", rows), ("setting", first)):
        drawing = figure(
            lambda table, axes, by=by: figures.draw_violins(table, axes, score, by),
            table,
            size=(4.6, 2.8),
        )
        what = "by method" if by == "method" else f"{label(first['method'].iat[0])} by setting"
        words = f"{label(dataset)}, {what}: a mark is a model, a dot the median."
        found.append(blocks.drawn(f"figure_3-{by}", drawing, words))
    return found


def _extremes(summary: DataFrame, names: list[str]) -> Block | None:
    known = above_diagonal(summary, names).dropna(subset="correlation")
    if len(known) < 2:
        return None
    values, told = known["correlation"], []
    for place in (values.idxmax(), values.idxmin()):
        entry, number = known.loc[place], f"{100 * values[place]:.0f}".replace("-", MINUS)
        pair = f"{label(entry['row'])} and {label(entry['column'])}"
        told.append(f"{pair} on {label(entry['dataset'])} ({number})")
    return blocks.text(f"Most alike: {told[0]}. Least alike: {told[1]}.")


def _behind(trained: DataFrame) -> str:
    return f"{len(trained):,} models, {trained['seed'].nunique()} seeds."


def _count(seeds: float) -> str:
    return DASH if np.isnan(seeds) else "over a million" if np.isinf(seeds) else f"{seeds:,.0f}"
