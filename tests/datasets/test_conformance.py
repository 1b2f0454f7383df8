"""All that holds of every data set, and of each the numbers that its publisher states.

A new data set adds a row to `PUBLISHED`.
"""

from pathlib import Path

import numpy as np
import pytest

from teasel.datasets import DATASETS, DataError, from_file, from_function, from_npz
from teasel.testing import check_dataset
from teasel.testing.datasets import missing_pieces
from teasel.testing.require import require_pieces
from teasel.words import readable

DSPRITES, MINI = (3, 6, 40, 32, 32), (3, 6, 10, 16, 16)
MPI3D = (6, 6, 2, 3, 3, 40, 40)

PUBLISHED = {
    "dsprites": (737_280, DSPRITES, (64, 64, 1)),
    "color_dsprites": (737_280, DSPRITES, (64, 64, 3)),
    "noisy_dsprites": (737_280, DSPRITES, (64, 64, 3)),
    "scream_dsprites": (737_280, DSPRITES, (64, 64, 3)),
    "smallnorb": (48_600, (5, 10, 9, 18, 6), (64, 64, 1)),  # the second, the toy, is hidden
    "cars3d": (17_568, (4, 24, 183), (64, 64, 3)),
    "shapes3d": (480_000, (10, 10, 10, 8, 4, 15), (64, 64, 3)),
    "shapes3d_synthetic": (480_000, (10, 10, 10, 8, 4, 15), (64, 64, 3)),
    "dsprites_noshape": (737_280, DSPRITES, (64, 64, 1)),  # the first, the shape, is hidden
    "mpi3d_toy": (1_036_800, MPI3D, (64, 64, 3)),
    "mpi3d_realistic": (1_036_800, MPI3D, (64, 64, 3)),
    "mpi3d_real": (1_036_800, MPI3D, (64, 64, 3)),
    "dsprites_mini": (46_080, MINI, (64, 64, 1)),
    "color_dsprites_mini": (46_080, MINI, (64, 64, 3)),
    "noisy_dsprites_mini": (46_080, MINI, (64, 64, 3)),
    "scream_dsprites_mini": (46_080, MINI, (64, 64, 3)),
}
"""name -> images, values of each factor, shape of an image."""


def _parameter(name: str) -> object:
    large = DATASETS[name].num_bytes > 1e9
    return pytest.param(name, marks=pytest.mark.slow if large else ())


@pytest.mark.parametrize("name", DATASETS.own)
def test_a_data_set_lacks_nothing_and_has_the_published_sizes(name: str) -> None:
    definition = DATASETS[name]
    missing = missing_pieces(definition)
    if definition.label == readable(name):
        missing.append("a label: Definition(..., label='Shapes3D')")
    if name not in PUBLISHED:
        missing.append(
            "its published sizes: a row of PUBLISHED in tests/datasets/test_conformance.py"
        )
    require_pieces(f"the data set {name}", missing)
    sizes = tuple(factor.size for factor in definition.grid)
    assert (definition.num_images, sizes, definition.image_shape) == PUBLISHED[name]


@pytest.mark.parametrize("name", [_parameter(name) for name in DATASETS.own if name in PUBLISHED])
def test_a_data_set_does_what_every_data_set_must(
    name: str, request: pytest.FixtureRequest
) -> None:
    try:
        check_dataset(name)
    except DataError:
        data_dir = request.getfixturevalue("data_dir")
        try:
            check_dataset(name, data_dir)
        except DataError as error:
            pytest.skip(str(error))


def ramps(factors: np.ndarray) -> np.ndarray:
    steepness, colour = factors.T[:, :, None, None, None]
    across = np.broadcast_to(np.arange(64)[:, None], (64, 64, 1))
    return (across * (steepness + np.arange(3) * colour)).astype(np.uint8)


def test_a_users_function_does_what_every_data_set_must() -> None:
    check_dataset(from_function("ramps", {"steepness": 4, "colour": 3}, ramps))


def test_a_users_file_does_what_every_data_set_must(tmp_path: Path) -> None:
    factors = np.array([[steepness, colour] for steepness in range(4) for colour in range(3)] * 2)
    np.savez(tmp_path / "mine.npz", images=ramps(factors), factors=factors)
    check_dataset(from_npz("mine", tmp_path / "mine.npz"))


@pytest.mark.parametrize("kind", ["ranked", "continuous", "without factors"])
def test_a_users_table_of_factors_does_what_every_data_set_must(tmp_path: Path, kind: str) -> None:
    grid = np.array([[steepness, colour] for steepness in range(4) for colour in range(3)])
    chosen = np.random.default_rng(0).integers(11, size=40)  # the last is missing, others repeated
    factors = {} if kind == "without factors" else {"factors": grid[chosen] / 4}
    np.savez(tmp_path / "mine.npz", images=ramps(grid[chosen]), **factors)
    mine = from_file("mine", tmp_path / "mine.npz", continuous=kind == "continuous")
    assert mine.table is not None
    check_dataset(mine)
