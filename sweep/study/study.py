"""A study in its results folder: its wanted trials and scores, and the meaning of its names.

Everything is read from the resolved grids in ``study.json``. No catalogue is needed, so a folder
can be read where a method, a metric or a data set of the study is not installed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from ..grid.expand import Cell, Resolved, requests_of, trials_of
from ..grid.select import select
from ..store.results import Results
from ..trials.request import MetricRequest
from ..trials.trial import Trial, tabulate_trials
from .remaining import WantedTrial

if TYPE_CHECKING:
    from ..grid.grid import Grid
    from .catalogue import CatalogueSection


class Study(NamedTuple):
    """A study in its results folder.

    Attributes:
        name: The study's name.
        grids: Its resolved grids, in the order in which they were added.
        catalogue: The meaning of the names of methods, metrics and data sets.
    """

    name: str
    grids: "list[Resolved]"
    catalogue: "CatalogueSection"

    @property
    def save_models(self) -> bool:
        """Whether the parameters of every model are saved."""
        return all(grid["save_models"] for grid in self.grids)

    def wanted_trials(self) -> list[WantedTrial]:
        """Every trial of the study once, in order, with the scores wanted of it."""
        return merge((trials_of(grid), requests_of(grid)) for grid in self.grids)

    def _repr_html_(self) -> str:
        """A table of its trials, for a notebook."""
        return tabulate_trials(self.name, (wanted.trial for wanted in self.wanted_trials()))


def read_study(results: Results) -> Study:
    """The study that a results folder holds.

    Raises:
        ResultsError: If there is none, or it is damaged or of a newer version.
    """
    study = results.study
    return Study(
        study["study"],
        study.get("grids", []),
        study.get("catalogue", {"methods": {}, "metrics": {}, "datasets": {}}),
    )


def wanted_trials(grids: "Iterable[Grid]") -> list[WantedTrial]:
    """Every trial of several grids once, in order, with all scores that those grids want of it."""
    return merge((grid.trials(), grid.requests_by_cell()) for grid in grids)


def select_wanted(wanted: Sequence[WantedTrial], expression: str | None) -> list[WantedTrial]:
    """The trials that meet every condition of a selection; all of them if it is None.

    Raises:
        SelectionError: If the selection is wrong, or no trial is left.
    """
    chosen = {trial.trial_id for trial in select([trial for trial, _ in wanted], expression)}
    return [each for each in wanted if each.trial.trial_id in chosen]


def merge(
    parts: "Iterable[tuple[Iterable[Trial], dict[Cell, list[MetricRequest]]]]",
) -> list[WantedTrial]:
    """Every trial once, in order, with all scores wanted of it.

    Args:
        parts: Trials, and the scores wanted of the models of each data set and method.
    """
    found: dict[str, Trial] = {}
    sources: dict[str, tuple[tuple[int, Cell], ...]] = {}
    requests: list[dict[Cell, list[MetricRequest]]] = []
    for trials, by_cell in parts:
        for trial in trials:
            known = found.setdefault(trial.trial_id, trial)
            if trial.file and known.file and trial.file.npz != known.file.npz:
                found[trial.trial_id] = replace(trial, file=trial.file.moved_from(known.file))
            source = len(requests), (trial.dataset, trial.method)
            sources[trial.trial_id] = (*sources.get(trial.trial_id, ()), source)
        requests.append(by_cell)

    @cache  # thousands of trials want the same scores, and share them
    def of(sources: tuple[tuple[int, Cell], ...]) -> tuple[MetricRequest, ...]:
        every = (request for part, cell in sources for request in requests[part][cell])
        return tuple({request.key: request for request in every}.values())

    return [WantedTrial(trial, of(sources[trial_id])) for trial_id, trial in found.items()]
