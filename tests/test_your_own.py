"""docs/your_own.md: its package is built, found by its entry points, and its study is run."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "your_own.md").read_text()
FILES = dict(re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))

LOOK = """
import my_study.info_vae, my_study.active_units  # before Teasel's own modules
import doctest
import jax, jax.numpy as jnp, numpy as np
import teasel.models.objective as objective
from teasel.__main__ import main
from teasel.datasets import load
from teasel.models import METHODS, NETWORKS, Batch

for command in ("list methods", "list metrics", "data list", "plan study.yaml"):
    assert main(command.split()) == 0
assert doctest.testmod(my_study.active_units) == (0, 1)
assert METHODS["info_vae"].label == "InfoVAE"
assert NETWORKS["residual"].cost == 4

squares = load("xy_squares")
image = squares.images(squares.sample_indices([[0, 1, 7, 2]]))[0]
assert image.shape == (64, 64, 3) and image.sum() == 2 * 8 * 8
assert image[8:16, :8, 0].all() and image[16:24, 56:, 1].all()

codes = jax.random.normal(jax.random.key(0), (500, 3))
others = jax.random.normal(jax.random.key(1), (500, 3))
distance = my_study.info_vae.maximum_mean_discrepancy
assert 0 < distance(codes, others) < 0.01 < 0.1 < distance(codes + 1.0, others)

kl = jnp.float32([1, 2, 3])
passed = objective.Forward(None, codes + 1.0, jnp.float32(40.0), kl.sum(), kl.sum(), kl)
my_study.info_vae.forward = lambda model, params, images, key, step: passed
def regularizer(**values):
    given = (None, {}, Batch(None), jax.random.key(0), 0)
    loss, info = METHODS["info_vae"](**values).loss(*given)
    assert np.isclose(loss, 40 + info.regularizer)
    return float(info.regularizer)
assert regularizer(lambda_mmd=1.0, alpha=0.0) == 6.0  # the plain bound
apart = regularizer(lambda_mmd=1.0)
assert 0.1 < apart and np.isclose(regularizer(lambda_mmd=9.0, alpha=0.5), 0.5 * 6 + 8.5 * apart)
"""

RUN = """
import sys
from teasel.__main__ import main
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.commands.run import run

select = "dataset=xy_squares,method=info_vae,lambda_mmd=10,seed=0,network=" + sys.argv[1]
run(["few.yaml"], results="results", select=select, executor=InProcess())
assert main("top results --metric active_units".split()) == 0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's grid, a shorter one, and its package as installed in ``site``."""
    folder = tmp_path_factory.mktemp("your_own")
    source = folder / "source"  # not where the programs run: they are to find what is installed
    for name, text in FILES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    grid = FILES["study.yaml"]
    few = grid.replace("steps: 5000", "steps: 3, batch_size: 8, evaluation_batches: 2, width: 0.2")
    metrics = "{active_units: {num_train: 200}, mig: {num_train: 200}}"
    few = few.replace("{active_units: {}, mig: {}}", metrics)
    (folder / "study.yaml").write_text(grid)
    (folder / "few.yaml").write_text(few)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
    built = subprocess.run(
        [*command, "--skip-dependency-check", source], capture_output=True, text=True, cwd=folder
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder


def output(folder: Path, code: str, *arguments: str) -> str:
    """What a program prints where the package is installed."""
    environment = os.environ | {"PYTHONPATH": str(folder / "site")}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_entries_are_in_the_catalogues_and_do_what_they_say(folder: Path) -> None:
    printed = output(folder, LOOK)
    assert "info_vae: The method with a weight on MMD(q(z), p(z))" in printed
    assert "  alpha: a finite number of at least 0 and of at most 1; default 1" in printed
    assert re.search(
        r"active_units \(version 1\): .*\n  num_train=10000, threshold=0.01\n", printed
    )
    assert "xy_squares: to be rendered; 4,096 images" in printed
    assert "40 trials, 20 settings" in printed
    assert "# 40 trials, and" in PAGE


@pytest.mark.slow
@pytest.mark.parametrize("network", ["conv", "residual"])
def test_its_study_trains_and_is_scored(folder: Path, network: str) -> None:
    printed = output(folder, RUN, network)
    assert re.search(r"xy_squares +info_vae", printed), printed


@pytest.mark.slow
def test_its_tests_pass(folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(folder / "site")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder]
    done = subprocess.run(
        [*command, folder / "source" / "tests"],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_its_method_is_short() -> None:
    assert len(FILES["my_study/info_vae.py"].splitlines()) <= 66
