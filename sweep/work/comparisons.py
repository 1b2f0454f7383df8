"""A trained trial with its partners of other seeds, for metrics that compare models."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache

import numpy as np

from ...metrics.udr import Cell, Model
from ..store.results import Results
from ..trials.trial import Trial

NUM_POINTS = 1000
"""The number of fixed points to compare, from the first."""


class Cells:
    """The models of a results folder, each read once and kept for the next comparisons."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._read = lru_cache(maxsize=64)(self._read_model)

    def open(self, trial: Trial, partners: Sequence[int]) -> Cell:
        """The codes of a trial and of its partners, which are named by their seeds.

        Raises:
            ResultsError: If the codes of one of them were not saved.
        """
        others = [self._read(replace(trial, seed=seed).trial_id) for seed in partners]
        return Cell(self._read(trial.trial_id), others)

    def _read_model(self, trial_id: str) -> Model:
        return self._results.representation(trial_id)[0][:NUM_POINTS], self._kl[trial_id]

    @cached_property
    def _kl(self) -> dict[str, np.ndarray]:
        rows = self._results.table("trials", ["kl_per_latent"]).to_pylist()
        return {row["trial_id"]: np.asarray(row["kl_per_latent"], float) for row in rows}
