"""Pictures of selected models: the best, the median and the worst."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pandas import DataFrame

from ..formats import format_number
from ..names import Names
from ..paper_grid import DISENTANGLEMENT
from ..summary import exemplars
from .parts import Report

KINDS = ("reconstructions", "traversals", "interpolations")


class Picture(NamedTuple):
    """A PNG of one model, and its caption."""

    dataset: str
    kind: str
    name: str
    png: bytes
    caption: str


def ranking_score(trained: DataFrame, own: Iterable[str] = ()) -> str | None:
    """The score by which models are ranked: MIG, or else the first that the models have.

    Args:
        trained: wide scores of trained models.
        own: scores to use if there are none of the paper's six.
    """
    candidates = ("mig", *DISENTANGLEMENT, *own, "elbo")
    there = (name for name in candidates if name in trained and trained[name].notna().any())
    return next(there, None)


def choose_pictures(
    report: Report,
    by: Sequence[str] = ("dataset",),
    which: Sequence[str] = ("best", "median", "worst"),
) -> list[Picture]:
    """The stored pictures of the best, median and worst model of each group, in that order.

    Args:
        report: the results.
        by: the columns that define a group: the data set, or data set and method.
        which: which of the three to show.
    """
    score = ranking_score(report.trained, report.own)
    if score is None:
        return []
    chosen = exemplars(report.trained, score, by, report.names)
    chosen = chosen[chosen["which"].isin(which)].drop_duplicates("trial_id")
    stored = report.folder.table("pictures").to_pandas()
    stored = stored[stored["trial_id"].isin(chosen["trial_id"])]
    png_of = {(row["trial_id"], row["kind"]): row["png"] for row in stored.to_dict("records")}
    dataset_of = dict(zip(report.mean["trial_id"], report.mean["dataset"], strict=True))
    found = []
    for _, rows in chosen.groupby(list(by), sort=False):
        for kind in KINDS:
            for model in rows.to_dict("records"):
                png = png_of.get((model["trial_id"], kind))
                if png is not None:
                    dataset = dataset_of[model["trial_id"]]
                    parts = [dataset, *([model["method"]] if "method" in by else [])]
                    name = re.sub(r"[^\w-]", "_", "-".join([*parts, model["which"], kind]))
                    caption = f"{kind.capitalize()}, {_describe(report.names, model, score)}"
                    found.append(Picture(dataset, kind, name, png, caption))
    return found


def _describe(names: Names, model: Mapping[Any, Any], score: str) -> str:
    method = names.label_model(model["method"], model["setting"])
    return (
        f"{model['which']} model: {method}, seed {model['seed']}, "
        f"{names.label(score)} {format_number(model[score])}"
    )
