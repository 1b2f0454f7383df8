"""The names of factors: a score of one factor is stored with the factor's index."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pandas import DataFrame


def factors_of(study: Mapping[str, Any]) -> dict[str, list[str]]:
    """The names of each data set's factors, if the folder has them."""
    datasets = study.get("catalogue", {}).get("datasets", {})
    return {name: list(facts.get("factors", ())) for name, facts in datasets.items()}


def name_factor(score: str, factors: Sequence[str]) -> tuple[str, str | None]:
    """A stored score's name with its factor's name for the factor's index, and the factor's name.

    >>> name_factor("100_test_factor_1", ["shape", "scale"]), name_factor("100_test", [])
    (('100_test_scale', 'scale'), ('100_test', None))
    """
    match = re.fullmatch(r"(.*)factor_(\d+)", score)
    if not match:
        return score, None
    place = int(match[2])
    name = factors[place] if place < len(factors) else f"factor_{place}"
    return match[1] + name, name


def name_factors(rows: DataFrame, models: DataFrame, study: Mapping[str, Any]) -> DataFrame:
    """The scores, with the factor's name in the score's name and in the column `factor`."""
    known = factors_of(study)
    dataset = rows["trial_id"].map(models.set_index("trial_id")["dataset"])
    named = rows[["score"]].assign(factor=pd.Series(None, index=rows.index, dtype=object))
    of_factor = rows["score"].isin([each for each in rows["score"].unique() if "factor_" in each])
    groups = rows[of_factor].groupby([dataset[of_factor], "score"], sort=False)
    for (of, score), group in groups:
        name = name_factor(str(score), known.get(str(of), []))
        named.loc[group.index, ["score", "factor"]] = name
    return rows.assign(score=named["score"], factor=named["factor"])
