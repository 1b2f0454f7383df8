"""The paper's numbers of its models."""

import subprocess
import sys
from dataclasses import replace

from teasel.sweep.grid.grid import load_grid
from teasel.sweep.grid.locatello2019 import model_num


def test_a_models_number_is_its_place_in_the_papers_grid() -> None:
    trials = load_grid("locatello2019")[0].trials()
    assert [model_num(trial) for trial in trials] == list(range(12_600))


def test_what_the_paper_did_not_train_has_no_number() -> None:
    trial = load_grid("locatello2019")[0].trials()[12_599]
    others = [
        replace(trial, seed=50),
        replace(trial, method_version=2),
        replace(trial, training=trial.training._replace(steps=1)),
        replace(trial, hyperparameters=trial.hyperparameters | {"c_max": 3.0}),
    ]
    assert model_num(trial) == 12_599
    assert [model_num(other) for other in others] == [None] * 4


def test_a_worker_imports_nothing_of_the_grid() -> None:
    code = (
        "import sys; import teasel.sweep.work.train, teasel.sweep.work.score;"
        "sys.exit(any(name.startswith('teasel.sweep.grid') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
