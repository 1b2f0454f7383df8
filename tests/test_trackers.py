"""docs/trackers.md does what it says, with each tracker in an environment of its own."""

import re
import sqlite3
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from teasel.sweep.store.results import Results
from teasel.tests.support.synthetic import SyntheticResults

PAGE = (Path(__file__).parents[1] / "docs" / "trackers.md").read_text()
START, *RECIPES = re.findall(r"```python\n(.*?)```", PAGE, re.S)
NUM_MODELS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which ``results/made`` lies: a dozen models with losses and scores."""
    folder = tmp_path_factory.mktemp("trackers")
    made = SyntheticResults(np.random.default_rng(0), num_datasets=1, num_seeds=1, pictures=False)
    results = Results(folder / "results" / "made")
    results.write_study(made.study, "")
    rows = made.table("trials").to_pylist()[:NUM_MODELS]
    kept = {row["trial_id"] for row in rows}
    results.add("trials", "attempt", rows)
    for name in ("scores", "curves"):
        rows = [row for row in made.table(name).to_pylist() if row["trial_id"] in kept]
        results.add(name, "attempt", rows)
    return folder


def runs_of_mlflow(folder: Path) -> int:
    with sqlite3.connect(folder / "mlflow.db") as database:
        (number,) = database.execute("SELECT COUNT(DISTINCT run_uuid) FROM metrics").fetchone()
        (scored,) = database.execute("SELECT COUNT(*) FROM metrics WHERE key = 'mig'").fetchone()
    assert scored == NUM_MODELS
    return number


def runs_of_tensorboard(folder: Path) -> int:
    return len([path for path in (folder / "tensorboard").iterdir() if list(path.glob("events*"))])


def runs_of_wandb(folder: Path) -> int:
    return len(list((folder / "wandb").glob("offline-run-*/*.wandb")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "count"),
    [("mlflow", runs_of_mlflow), ("tensorboardX", runs_of_tensorboard), ("wandb", runs_of_wandb)],
)
def test_a_recipe_makes_a_run_of_each_model(package, count, folder, tmp_path) -> None:
    (recipe,) = [recipe for recipe in RECIPES if re.search(rf"(import|from) {package}\b", recipe)]
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    (site,) = environment.glob("lib/python*/site-packages")
    ours = sysconfig.get_path("purelib")
    (site / "project.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]
    subprocess.run(install, check=True)
    subprocess.run([python, "-c", START + recipe], cwd=folder, check=True)
    assert count(folder) == NUM_MODELS
