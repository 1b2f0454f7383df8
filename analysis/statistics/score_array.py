"""A study's scores as one array: data sets x settings x seeds x scores."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pandas import DataFrame

from ..summary import sort_as_paper
from ..tables import check_models, check_scores, drop_references


class ScoreArray(NamedTuple):
    """Scores of trained models in the paper's order, NaN if a model or a score is missing.

    Attributes:
        values: (data sets, settings, seeds, scores).
        datasets: names.
        settings: (method, setting) of every setting.
        seeds: numbers, ascending.
        scores: column names.
    """

    values: np.ndarray
    datasets: list[str]
    settings: list[tuple[str, str]]
    seeds: list[int]
    scores: list[str]

    @property
    def methods(self) -> np.ndarray:
        """The method of every setting."""
        return np.array([method for method, _ in self.settings])

    @property
    def num_seeds(self) -> np.ndarray:
        """The number of seeds of a setting with a score, (data sets, settings, scores)."""
        return np.isfinite(self.values).sum(axis=2)

    @property
    def num_models(self) -> np.ndarray:
        """The number of models with a score, (data sets, scores)."""
        return self.num_seeds.sum(axis=1)


def score_array(table: DataFrame, scores: str | Sequence[str]) -> ScoreArray:
    """The array of some scores of a wide table; a missing score is all NaN.

    Raises:
        ValueError: if two rows are of one model, or a score is unknown.
    """
    scores = check_scores(scores, table)
    table = sort_as_paper(drop_references(check_models(table)))
    cells = list(zip(table["method"], table["setting"], strict=True))
    axes = [table["dataset"].tolist(), cells, table["seed"].tolist()]
    names = [list(dict.fromkeys(axis)) for axis in axes]
    names[2].sort()
    places = [{name: place for place, name in enumerate(axis)} for axis in names]
    index = tuple([place[name] for name in axis] for axis, place in zip(axes, places, strict=True))
    values = np.full([*map(len, names), len(scores)], np.nan)
    values[index] = table.reindex(columns=scores).to_numpy(float)
    values[~np.isfinite(values)] = np.nan
    return ScoreArray(values, names[0], names[1], names[2], scores)
