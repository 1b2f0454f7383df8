"""`import teasel`: the names a program needs, and nothing loaded before one is used."""

import subprocess
import sys
from pathlib import Path

import pytest

import teasel
from teasel import sweep

NOT_YET = ("jax", "numpy", "pandas", "pyarrow", "ray", "pydantic", "sklearn", "matplotlib")


@pytest.mark.parametrize("package", [teasel, sweep])
def test_every_public_name_is_there_and_listed(package) -> None:
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in dir(package)
    with pytest.raises(AttributeError, match="has no attribute 'rum'"):
        package.rum  # noqa: B018


def test_the_names_are_those_of_their_rooms() -> None:
    from teasel import Results, load_grid, representation, run, scores, trials
    from teasel.analysis import tables
    from teasel.sweep.grid import grid
    from teasel.sweep.store import results

    assert (scores, trials, representation) == (tables.scores, tables.trials, tables.representation)
    assert (load_grid, Results) == (grid.load_grid, results.Results)
    assert run is sweep.run


def test_importing_it_loads_nothing_heavy_and_has_no_handler_that_prints() -> None:
    code = (
        "import sys, logging, teasel, teasel.sweep\n"
        "from teasel import TeaselError\n"
        f"assert not set({NOT_YET}) & set(sys.modules)\n"
        "logging.getLogger('teasel').warning('not shown')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_type_checkers_are_told_that_it_is_typed() -> None:
    assert Path(teasel.__file__).with_name("py.typed").is_file()
