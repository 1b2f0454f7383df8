"""Errors that several rooms raise: one class for each kind of fault, whichever room it is."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from teasel.analysis import published_numbers
from teasel.analysis.tables import check_scores
from teasel.analysis.top import top
from teasel.cluster.schema import Slurm, load_cluster
from teasel.datasets import load
from teasel.errors import ConfigError, TeaselError, UnknownNameError
from teasel.sweep.commands.rescore import rescore
from teasel.sweep.grid.grid import load_grid
from teasel.tests.support.synthetic import SyntheticResults


@pytest.mark.parametrize(
    ("look_up", "message"),
    [
        (lambda: load("dsprits"), "unknown data set 'dsprits' (did you mean 'dsprites'?)"),
        (lambda: rescore("nowhere", ["migg"]), "unknown metric 'migg' (did you mean 'mig'?)"),
        (lambda: check_scores("mgi"), "unknown score 'mgi' (did you mean 'mig'?)"),
        (lambda: published_numbers("figure_7"), "unknown figure 'figure_7' (did you mean 'figure_"),
        (
            lambda: top(SyntheticResults(np.random.default_rng(0), num_seeds=1), "migg"),
            "unknown score 'migg' in these results (did you mean 'mig'?)",
        ),
    ],
)
def test_an_unknown_name_is_one_error_in_every_room(
    look_up: Callable[[], object], message: str
) -> None:
    with pytest.raises(UnknownNameError) as caught:
        look_up()
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, TeaselError)


@pytest.mark.parametrize("load_file", [load_grid, lambda path: load_cluster(path, Slurm)])
def test_a_wrong_file_is_one_error_in_every_room(
    load_file: Callable[[str], object], tmp_path: Path
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("hours: [1\n")
    with pytest.raises(ConfigError, match=r"wrong\.yaml:2:1: not YAML"):
        load_file(str(file))


def test_an_error_about_a_name_survives_the_way_from_another_process() -> None:
    error = UnknownNameError("metric", "x", ["mig", "sap"], "in these results")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "unknown metric 'x' in these results (one of: mig, sap)"
    assert again.hint == " (one of: mig, sap)"
