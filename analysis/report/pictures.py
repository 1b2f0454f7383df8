"""Pictures of the models worth a look: the best, the median and the worst."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ..frames import DataFrame
from ..labels import label, setting_label
from ..summary import exemplars
from ..tables import DISENTANGLEMENT, ResultsReader, learned

KINDS = ("reconstructions", "traversals", "interpolations")


class Picture(NamedTuple):
    """A PNG of one model, and what to say below it."""

    dataset: str
    kind: str
    name: str
    png: bytes
    caption: str


def ranking_score(table: DataFrame) -> str | None:
    """The score that tells which model is best: MIG, or else the first the models have."""
    candidates = ("mig", *DISENTANGLEMENT, "elbo")
    rows = learned(table)
    return next((name for name in candidates if name in rows and rows[name].notna().any()), None)


def pictures(
    results: ResultsReader,
    table: DataFrame,
    by: Sequence[str] = ("dataset",),
    which: Sequence[str] = ("best", "median", "worst"),
) -> list[Picture]:
    """The stored pictures of the best, median and worst model of each group, in that order.

    Args:
        results: the folder.
        table: wide scores.
        by: what makes a group: the data set, or data set and method.
        which: those of the three to show.
    """
    score = ranking_score(table)
    if score is None:
        return []
    chosen = exemplars(table, score, by)
    chosen = chosen[chosen["which"].isin(which)].drop_duplicates("trial_id")
    stored = results.table("pictures").to_pandas()
    stored = stored[stored["trial_id"].isin(chosen["trial_id"])]
    methods = table.set_index("trial_id")["dataset"]
    found = []
    for _, rows in chosen.groupby(list(by), sort=False):
        for kind in KINDS:
            of_kind = stored[stored["kind"] == kind].set_index("trial_id")["png"]
            for model in rows.to_dict("records"):
                if model["trial_id"] in of_kind:
                    dataset = methods[model["trial_id"]]
                    parts = [dataset, *([model["method"]] if "method" in by else [])]
                    name = "-".join([*parts, model["which"], kind])
                    caption = (
                        f"{kind.capitalize()}, {model['which']} model: {label(model['method'])}"
                        f"{_with_space(setting_label(model['setting']))}, seed {model['seed']}, "
                        f"{label(score)} {model[score]:.2f}"
                    )
                    png = of_kind[model["trial_id"]]
                    found.append(Picture(dataset, kind, re.sub(r"[^\w-]", "_", name), png, caption))
    return found


def _with_space(words: str) -> str:
    return f" {words}" if words else ""
