"""A data set of 64 small pictures and a grid of four tiny trainings on it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from teasel.sweep.commands.run import run
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store.results import Results

GRID = """\
study: tiny
datasets: [{name: squares, npz: squares.npz}]
seeds: 2
methods:
  beta_vae: {beta: [1, 4]}
training: {steps: 6, batch_size: 4, num_latents: 3, learning_rate: 1e-3, evaluation_batches: 2}
metrics:
  mig: {num_train: 60, num_bins: 4}
  modularity: {num_train: 60, num_bins: 4}
resources: {pack: 2}
"""


@pytest.fixture(scope="session")
def grid_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The grid as a file, beside its data set: a bright square, by row, column and brightness."""
    folder = tmp_path_factory.mktemp("tiny")
    factors = np.stack(np.unravel_index(np.arange(64), (4, 4, 4)), axis=1)
    images = np.zeros((64, 64, 64), np.uint8)
    for image, (row, column, brightness) in zip(images, factors, strict=True):
        image[16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = 60 * brightness + 70
    np.savez(folder / "squares.npz", images=images, factors=factors)
    path = folder / "tiny.yaml"
    path.write_text(GRID)
    return path


@pytest.fixture(scope="session")
def finished(grid_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The grid's results; tests that change them take `results_copy`."""
    folder = tmp_path_factory.mktemp("results")
    summary = run([str(grid_file)], results=str(folder), executor=InProcess())
    assert (summary.done, summary.failed, summary.missing) == (4, 0, 0)
    return Results(folder)


@pytest.fixture
def results_copy(finished: Results, tmp_path: Path) -> Results:
    """The grid's results in a folder of the test's own."""
    return Results(shutil.copytree(finished.uri, tmp_path / "results"))
