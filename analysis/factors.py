"""The names of factors: a score of one factor is stored with the factor's index."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pandas import DataFrame

from ..sweep.store.files import group_rows


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


def name_factors(rows: pa.Table, models: DataFrame, study: Mapping[str, Any]) -> pa.Table:
    """The scores, with the factor's name in the score's name and in the column `factor`."""
    known = factors_of(study)
    dataset_of = dict(zip(models["trial_id"], models["dataset"], strict=True))
    model_of, first = group_rows(rows, ["trial_id"])
    datasets = [dataset_of.get(each, "") for each in rows["trial_id"].take(first).to_pylist()]
    datasets = pa.array(datasets, pa.string()).dictionary_encode().take(model_of)
    pair_of, first = group_rows(rows.append_column("dataset", datasets), ["dataset", "score"])
    columns = (column.take(first).to_pylist() for column in (datasets, rows["score"]))
    pairs = zip(*columns, strict=True)
    names = [name_factor(score, known.get(dataset, [])) for dataset, score in pairs]
    score, factor = (
        pa.array([name[place] for name in names], pa.string()).take(pair_of).dictionary_encode()
        for place in range(2)
    )
    place = rows.column_names.index("score")
    return rows.set_column(place, "score", score).append_column("factor", factor)
