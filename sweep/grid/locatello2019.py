"""The paper's numbering of its 12,600 models."""

from functools import cache
from typing import Any

from ..trials.trial import Trial


def model_num(trial: Trial) -> int | None:
    """The paper's number of this model, 0 to 12,599; None if it is not in the paper.

    The packaged grid lists data sets, methods, settings and seeds in the paper's order, so a
    trial's index in it is its number.
    """
    places, seeds = _places()
    place = places.get(trial.setting)
    if place is None or trial.seed not in seeds:
        return None
    return place * len(seeds) + seeds.index(trial.seed)


@cache
def _places() -> tuple[dict[tuple[Any, ...], int], list[int]]:
    """The index of each of the 252 settings on the data sets, and the seeds of each."""
    from .grid import load_grid

    grid, _ = load_grid("locatello2019")
    one_seed = grid.model_copy(update={"seeds": grid.seeds[:1]})
    return {trial.setting: place for place, trial in enumerate(one_seed.trials())}, grid.seeds
