"""Points of data in which not every combination of factors has an image."""

from pathlib import Path

import numpy as np
import pytest

from teasel.datasets import Dataset, from_file
from teasel.metrics import TableRepresentation
from teasel.sweep.store.results import Results, read_factors
from teasel.sweep.trials.references import REFERENCES
from teasel.sweep.work.representations import ComputedRepresentation, DrawnImages

FACTORS = np.array([[0, 0], [0, 1], [2, 1], [2, 1], [1, 0]])


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("TEASEL_CACHE_DIR", str(tmp_path / "cache"))
    images = np.random.default_rng(0).integers(256, size=(5, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, factors=FACTORS)
    return from_file("mine", tmp_path / "mine.npz")()


def test_images_are_drawn_uniformly_with_their_factors(dataset: Dataset) -> None:
    codes = np.arange(10.0).reshape(5, 2)
    by_index = TableRepresentation(codes, None, dataset.factor_sizes, lambda which, rng: which)
    drawn = DrawnImages(dataset, by_index)
    seen, factors = drawn.sample(np.random.RandomState(0), 500)
    which = (seen[:, 0] / 2).astype(int)
    np.testing.assert_array_equal(factors, FACTORS[which])
    assert np.bincount(which).min() > 70
    np.testing.assert_array_equal(drawn.encode(FACTORS[4:], np.random.RandomState(0)), codes[4:])
    with pytest.raises(ValueError, match="no image has the factors factor_0 1, factor_1 1"):
        drawn.encode(np.array([[1, 1]]), np.random.RandomState(0))


def test_the_ground_truth_of_a_table_is_standardised_by_it(dataset: Dataset) -> None:
    encode = REFERENCES["ground_truth"].function(dataset, 0, 0)
    drawn = DrawnImages(dataset, ComputedRepresentation(dataset, encode))
    codes = drawn.encode(FACTORS[[0, 1, 4]], np.random.RandomState(0))
    expected = (FACTORS - FACTORS.mean(axis=0)) / FACTORS.std(axis=0)
    np.testing.assert_allclose(codes, expected[[0, 1, 4]], rtol=1e-6)


def test_points_without_factors_are_kept_and_read(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.store.make()
    results.add_points("mine", np.arange(7), np.empty((7, 0), np.int64))
    (file,) = tmp_path.rglob("factors.parquet")
    factors = results.store.parquet(str(file.relative_to(tmp_path)), read_factors)
    assert factors.shape == (7, 0)
