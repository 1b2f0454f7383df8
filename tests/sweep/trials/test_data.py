"""The data set of a trial, and the user's own file behind it."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from teasel.datasets import DataError
from teasel.sweep.grid.grid import load_grid
from teasel.sweep.trials.data import definition

GRID = """\
study: mine
datasets: [{name: mine, npz: mine.npz}]
seeds: 1
methods: {beta_vae: {beta: 1}}
"""


@pytest.fixture
def grid_file(tmp_path: Path) -> Path:
    factors = np.stack(np.unravel_index(np.arange(4), (2, 2)), axis=1)
    images = np.random.default_rng(0).integers(256, size=(4, 64, 64), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, factors=factors)
    (tmp_path / "grid.yaml").write_text(GRID)
    return tmp_path / "grid.yaml"


def test_a_users_file_is_hashed_once_from_the_grid_to_the_data_set(
    grid_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, hashed = hashlib.file_digest, []
    monkeypatch.setattr(
        hashlib, "file_digest", lambda file, name: hashed.append(file.name) or digest(file, name)
    )
    (trial,) = load_grid(grid_file)[0].trials()
    opened = definition(trial)
    assert hashed == [str(grid_file.with_name("mine.npz"))]
    content = grid_file.with_name("mine.npz").read_bytes()
    assert trial.file is not None
    assert trial.file.sha256 == hashlib.sha256(content).hexdigest()
    assert opened.stored_as == f"npz_{trial.file.sha256[:16]}"


def test_a_file_that_is_another_one_now_is_refused(grid_file: Path) -> None:
    (trial,) = load_grid(grid_file)[0].trials()
    file = grid_file.with_name("mine.npz")
    file.write_bytes(file.read_bytes() + b"more")
    with pytest.raises(
        DataError, match=r"mine\.npz now holds a different data set, with the SHA-256"
    ):
        definition(trial)()
