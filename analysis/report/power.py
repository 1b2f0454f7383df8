"""How many seeds does a comparison take?"""

import numpy as np

from ..frames import DataFrame
from ..labels import DASH, counted, label
from ..statistics.power import seeds_needed
from ..tables import learned
from . import elements
from .elements import Block
from .parts import (
    Report,
    cells,
    nothing,
)


def power(report: Report) -> Block:
    """How many seeds a comparison of two settings needs."""
    name, title = "power", "How many seeds does it take?"
    trained = learned(report.mean)
    summary = seeds_needed(trained, report.scores)
    known = summary[summary["num_seeds"].notna()]
    if known.empty:
        reasons = (
            "; ".join(dict.fromkeys(summary["note"]))
            or "no model has one of the study's scores yet"
        )
        return nothing(name, title, f"It cannot be told: {reasons}.")
    words = (
        "Seeds per setting to tell two settings whose true means differ by so much, with 80 % "
        "power at the 5 % level, if seeds differ as they do here; in brackets for a paired "
        "comparison of the same seeds. The most demanding data set of each score."
    )
    worst = known.sort_values("spread").groupby(["score", "delta"], sort=False).tail(1)
    deltas = sorted(worst["delta"].unique())
    rows = []
    for score in report.scores:
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
    table = elements.table("power-table", DataFrame(rows, columns=list(titles)), titles, digits=3)
    return elements.section(
        name,
        title,
        elements.text(words, "reading"),
        table,
        elements.text(f"{counted(len(trained), 'model')}, {cells(trained)}.", "behind"),
        elements.data(power=summary),
    )


def _count(seeds: float) -> str:
    return DASH if np.isnan(seeds) else "over a million" if np.isinf(seeds) else f"{seeds:,.0f}"
