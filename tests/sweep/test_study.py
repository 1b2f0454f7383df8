"""A study in its folder: what freezing a grid adds to it, and what is checked of it later."""

from pathlib import Path

from teasel.sweep.grid import load_grid
from teasel.sweep.results import Results
from teasel.sweep.study import freeze


def test_a_grid_that_is_resumed_is_frozen_once(tmp_path: Path) -> None:
    for _ in range(20):
        freeze(Results(tmp_path), [load_grid("mini")])
    assert len(Results(tmp_path).study["grids"]) == 1
