"""The original study's numbering of its 12,600 models."""

from functools import cache


@cache
def model_numbers() -> dict[str, int]:
    """The original's `model_num` (0 to 12,599) of each of its trials, by trial_id.

    The packaged grid lists data sets, methods, settings and seeds in the original's order, so a
    trial's place in it is its number there.
    """
    from .grid import load_grid

    grid, _ = load_grid("locatello2019")
    return {trial.trial_id: number for number, trial in enumerate(grid.trials())}
