"""The grid of the paper (Locatello et al. 2019): what a study is held beside, and its order."""

import json
from functools import cache
from importlib.resources import files


@cache
def paper_grid() -> dict:
    """Data sets, methods with their swept values and constants, seeds, steps and settings."""
    return json.loads((files("teasel.analysis") / "paper_grid.json").read_text())
