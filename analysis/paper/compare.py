"""Whether a number agrees with the published one, by a rule that is written down."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..frames import DataFrame, pd
from ..labels import counted
from ..paper_grid import paper_grid
from ..statistics.correlation import complete_models
from ..statistics.resampling import MIN_SEEDS
from ..tables import DISENTANGLEMENT, learned, one_row_per_model
from .published import differences, filled, other_parameters, published

AVERAGED = ("figure_3", "table_1")
"""Figures whose numbers are over all of the study's scores at once."""

RULE = (
    "A number is compared only where it was made as the study made it: on its data (all seven sets "
    "for a number that is over all of them), with its training settings, scores and parameters of "
    f"metrics, of its 36 settings and no other, each with at least {MIN_SEEDS} seeds; and only "
    "with an interval, and against a number whose print could be checked. It then agrees if the "
    "difference is within sqrt(half² + half² S / 50), plus half a point for the rounding of the "
    "print: half is the longer side of our 95 % interval, S the seeds of the setting that has "
    "fewest, and the root the 95 % interval of a difference from a study of 50 seeds. At most "
    "about one true agreement in twenty is called a difference."
)


def compare_with_paper(
    summary: DataFrame,
    figure: str,
    table: DataFrame,
    value: str,
    dataset: str = "",
    score: str = "",
    more: str | Path | None = None,
) -> DataFrame:
    """A summary with the published value of every entry, the difference and a verdict.

    Args:
        summary: entries with row, column, `value`, low, high and note.
        figure: which published table, see `published`.
        table: the wide scores behind the summary, which tell if it can be compared.
        value: the column of `summary` to compare.
        dataset: of the published table, if it is of one data set.
        score: of the published table, if it is of one score.
        more: a JSON file with published numbers of your own.

    Returns:
        The summary with published, difference, verdict ("agrees", "differs", "not comparable",
        or empty where nothing is published), why, source.
    """
    known = published(figure, more).query("dataset == @dataset and score == @score")
    known = known[["row", "column", "published", "source", "caveat"]]
    beside = summary.merge(known, how="left", on=["row", "column"])
    beside["difference"] = beside[value] - beside["published"]
    table, lacking = _behind(summary, figure, one_row_per_model(table), score)
    num_seeds = int(filled(table)["num_seeds"].min()) if len(table) else 0
    groups = table.groupby("dataset", sort=False)
    reasons = {name: obstacles(rows, scores=()) for name, rows in groups}
    missing = [name for name in paper_grid()["datasets"] if name not in reasons]
    judged = []
    for entry in beside.to_dict("records"):
        pair = [name for name in (entry["row"], entry["column"]) if name in reasons]
        found = [*lacking, *(reason for name in pair or reasons for reason in reasons[name])]
        found += other_parameters(table, _scores(figure, score) or (entry["row"], entry["column"]))
        if not pair and not dataset and missing:
            found.append(f"no models on {', '.join(missing)}")
        judged.append(_judge(entry, entry[value], found, num_seeds))
    beside["verdict"] = [verdict for verdict, _ in judged]
    beside["why"] = [why for _, why in judged]
    beside["source"] = beside["source"].fillna("")
    return beside.drop(columns="caveat")


def obstacles(table: DataFrame, scores: Iterable[str] | None = None) -> list[str]:
    """Why the numbers of these models cannot be compared with the study's; empty if they can.

    Args:
        table: wide scores.
        scores: columns whose metrics' parameters count; all metrics' if None.
    """
    reasons = differences(table, scores)
    grid, cells = paper_grid(), filled(table)
    wanted = sum(len(values) for swept in grid["methods"].values() for values in swept.values())
    for cell in cells.to_dict("records"):
        if cell["num_settings"] < wanted:
            reasons.append(f"{cell['num_settings']} of {wanted} settings on {cell['dataset']}")
    fewest = int(cells["num_seeds"].min()) if len(cells) else 0
    if fewest < MIN_SEEDS:
        reasons.append(f"{counted(fewest, 'seed')}, {MIN_SEEDS} needed")
    return reasons


def _behind(
    summary: DataFrame, figure: str, table: DataFrame, score: str
) -> tuple[DataFrame, list[str]]:
    """The models that a figure's numbers are over, and which of the study's scores nobody has."""
    table, wanted = learned(table), _scores(figure, score)
    if not wanted:
        names = dict.fromkeys([*summary["row"], *summary["column"]])
        parts = [complete_models(rows, list(names))[0] for _, rows in table.groupby("dataset")]
        return (pd.concat(parts) if parts else table), []
    given = [name for name in wanted if name in table and table[name].notna().any()]
    lacking = f"only {len(given)} of the study's {len(wanted)} scores"
    return table.dropna(subset=given), [lacking] * (len(given) < len(wanted))


def _scores(figure: str, score: str) -> Sequence[str]:
    """The scores behind every number of a figure; none if each number has its own."""
    return [score] if score else DISENTANGLEMENT if figure in AVERAGED else ()


def _judge(entry: dict, value: float, reasons: list[str], num_seeds: int) -> tuple[str, str]:
    if np.isnan(entry["published"]) or entry["row"] == entry["column"]:
        return "", ""
    if np.isnan(value):
        reasons.append(entry["note"])
    elif np.isnan(entry["low"]):
        reasons.append(entry["note"] or "no interval")
    if "unverified" in entry["source"]:
        reasons.append("the published number is unverified")
    if reasons:
        return "not comparable", "; ".join(dict.fromkeys(reasons))
    # The longer side: an interval is symmetric until a correlation's is cut at 1 or -1.
    half = max(entry["high"] - value, value - entry["low"])
    allowed = half * np.sqrt(1 + num_seeds / paper_grid()["seeds"]) + 0.005
    verdict = "agrees" if abs(entry["difference"]) <= allowed else "differs"
    return verdict, f"within {allowed:.3f}" if verdict == "agrees" else entry["caveat"]
