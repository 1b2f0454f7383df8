"""A trained trial among those that differ from it in their seed, as metrics that compare see it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache

import numpy as np

from ...metrics.udr import Cell, Model
from ..store.results import Results
from ..trials.trial import Trial

NUM_POINTS = 1000
"""The first so many of the points that are kept of every model."""


class Cells:
    """The models of a results folder, each read once while it is compared with the next ones."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._read = lru_cache(maxsize=64)(self._read_model)

    def open(self, trial: Trial, partners: Sequence[int]) -> Cell:
        """The codes of a trial and of its partners, which are named by their seeds.

        Raises:
            ResultsError: If the codes of one are not kept.
        """
        others = [self._read(replace(trial, seed=seed).trial_id) for seed in partners]
        return Cell(self._read(trial.trial_id), others)

    def _read_model(self, trial_id: str) -> Model:
        return self._results.representation(trial_id)[0][:NUM_POINTS], self._kl[trial_id]

    @cached_property
    def _kl(self) -> dict[str, np.ndarray]:
        rows = self._results.table("trials", ["kl_per_latent"]).to_pylist()
        return {row["trial_id"]: np.asarray(row["kl_per_latent"], float) for row in rows}
