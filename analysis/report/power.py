"""The number of seeds that a comparison needs."""

import numpy as np
from pandas import DataFrame

from ..formats import DASH
from ..statistics.power import seeds_needed
from ..tables import split_by
from . import elements
from .elements import Element
from .parts import Report, Shown, describe_models, section

WORDS = (
    "Seeds per setting needed to distinguish two settings whose true means differ by this much, "
    "with 80 % power at the 5 % level, if seeds vary as they do here. Brackets hold the number for "
    "a paired comparison of the same seeds. The spread is the largest of any data set here."
)


@section("power", "How many seeds are needed?")
def make_section(report: Report) -> Shown:
    """How many seeds a comparison of two settings needs."""
    summary = seeds_needed(report.trained, report.scores)
    known = summary[summary["num_seeds"].notna()]
    if known.empty:
        reasons = "; ".join(dict.fromkeys(summary["note"]))
        reasons = reasons or "no model has a disentanglement score yet (`metrics: [mig]`)"
        return f"This cannot be computed: {reasons}."
    return [
        elements.text(WORDS, "reading"),
        _tabulate_seeds(report, known),
        elements.text(f"{describe_models(report.trained)}.", "note"),
        elements.data(power=summary),
    ]


def _tabulate_seeds(report: Report, known: DataFrame) -> Element:
    """The seeds that each score needs, given the largest spread of any data set."""
    worst = known.sort_values("spread").groupby(["score", "delta"], sort=False).tail(1)
    deltas = sorted(worst["delta"].unique())
    by_score, rows = split_by(worst, "score"), []
    for score in report.scores:
        if score in by_score:
            of_delta = {row["delta"]: row for row in by_score[score].to_dict("records")}
            counts = [
                f"{_format_seeds(of_delta[delta]['num_seeds'])} "
                f"({_format_seeds(of_delta[delta]['num_seeds_paired'])})"
                for delta in deltas
            ]
            first = by_score[score].iloc[0]
            rows.append((report.names.label(score), first["spread"], *counts))
    titles = {"score": "Score", "spread": "Spread over seeds"}
    titles |= {f"{delta:g}": f"Difference {delta:g}" for delta in deltas}
    return elements.table("power-table", DataFrame(rows, columns=list(titles)), titles, digits=3)


def _format_seeds(seeds: float) -> str:
    return DASH if np.isnan(seeds) else "over a million" if np.isinf(seeds) else f"{seeds:,.0f}"
