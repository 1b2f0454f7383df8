"""The points that are scored: the original's, in its order, of hidden factors and noise too."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from teasel.datasets import DATASETS, Dataset, Factor, load
from teasel.datasets.smallnorb import SMALLNORB
from teasel.metrics import PAPER_SEEDS, Rng, TableRepresentation
from teasel.sweep.trials.request import POINTS
from teasel.sweep.work.representations import FreshRepresentation

NUM = 10_000
SEED = PAPER_SEEDS["mean"]["mig"]
PROBES = ([0, 20, 31, 40, 63], [0, 50, 32, 30, 63])  # rows and columns of pixels


def by_sixteen(num: int) -> list[int]:
    return [min(16, num - first) for first in range(0, num, 16)]


def test_smallnorbs_points_are_the_originals_instances_too() -> None:
    store = np.zeros((5 * 10 * 9 * 18 * 6, 1), np.uint8)
    norb = Dataset("norb", SMALLNORB.grid, store, (64, 64, 1), "test", "test")
    indices = np.arange(len(store))[:, None]
    representation = TableRepresentation(indices, None, norb.factor_sizes, norb.sample_indices)
    found, factors = representation.sample(np.random.RandomState(SEED), NUM)

    rng, batches = np.random.RandomState(SEED), []
    for num in by_sixteen(NUM):
        category, elevation, azimuth, lighting = (
            rng.randint(size, size=num) for size in (5, 9, 18, 6)
        )
        instance = rng.randint(10, size=num)
        batches.append(np.stack([category, instance, elevation, azimuth, lighting], axis=1))
    every = np.concatenate(batches)
    np.testing.assert_array_equal(factors, every[:, [0, 2, 3, 4]])
    rows = np.array([((c * 10 + i) * 9 + e) * 18 * 6 + a * 6 + o for c, i, e, a, o in every])
    np.testing.assert_array_equal(found[:, 0], rows)


Draw = Callable[[np.random.RandomState, np.ndarray], np.ndarray]
"""What the original draws on sprites (N, 64, 64, 3), in its order, and what it shows."""


def in_colour(rng: np.random.RandomState, sprites: np.ndarray) -> np.ndarray:
    return sprites * rng.uniform(0.5, 1, [len(sprites), 1, 1, 3])


def in_noise(rng: np.random.RandomState, sprites: np.ndarray) -> np.ndarray:
    return np.minimum(sprites + rng.uniform(0, 1, [len(sprites), 64, 64, 3]), 1.0)


def on_a_painting(painting: np.ndarray) -> Draw:
    def draw(rng: np.random.RandomState, sprites: np.ndarray) -> np.ndarray:
        shown = sprites.copy()
        for image in shown:
            top = rng.randint(0, painting.shape[0] - 64)
            left = rng.randint(0, painting.shape[1] - 64)
            patch = painting[top : top + 64, left : left + 64]
            background = (patch + rng.uniform(0, 1, size=3)) / 2
            image[:] = np.where(image == 1, 1 - background, background)
        return shown

    return draw


def check_points(noisy: Dataset, draw: Draw, atol: float, num_points: int) -> None:
    """Every point of the data set has the original's factors, and shows its noise."""
    plain = load("dsprites_mini")

    def posterior(indices: np.ndarray, rng: Rng) -> np.ndarray:
        seen = noisy.images(indices, rng)[:, *PROBES].reshape(len(indices), -1)
        means = np.concatenate([indices[:, None], seen], axis=1)
        return np.stack([means, np.full_like(means, -np.inf)], axis=1)

    representation = FreshRepresentation(noisy, posterior)
    found, factors = representation.sample(np.random.RandomState(SEED), num_points)

    rng, drawn, shown = np.random.RandomState(SEED), [], []
    for num in by_sixteen(num_points):
        drawn.append(np.stack([rng.randint(n, size=num) for n in plain.factor_sizes], axis=1))
        sprites = np.repeat(plain.images(plain.sample_indices(drawn[-1])), 3, axis=3)
        shown.append(draw(rng, sprites)[:, *PROBES].reshape(num, -1))
    np.testing.assert_array_equal(factors, np.concatenate(drawn))
    np.testing.assert_array_equal(found[:, 0], plain.sample_indices(factors))
    np.testing.assert_allclose(found[:, 1:], np.concatenate(shown), atol=atol)


@pytest.mark.parametrize(
    "num_points", [pytest.param(1_000, id="first"), pytest.param(NUM, marks=pytest.mark.slow)]
)
class TestNoisySets:
    """Noise is drawn at each point, so that a point shows all that were drawn before it."""

    def test_color_dsprites_has_the_originals_points_and_colours(self, num_points: int) -> None:
        check_points(load("color_dsprites_mini"), in_colour, 2**-24, num_points)

    def test_noisy_dsprites_has_the_originals_points_and_its_noise_to_1024_levels(
        self, num_points: int
    ) -> None:
        check_points(load("noisy_dsprites_mini"), in_noise, 2**-11, num_points)

    def test_scream_dsprites_has_the_originals_points_and_patches(
        self, num_points: int, tmp_path: Path
    ) -> None:
        pixels = np.random.default_rng(1).integers(256, size=(274, 219, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "scream.jpg")
        scream = load("scream_dsprites_mini", tmp_path)
        with Image.open(tmp_path / "scream.jpg") as painting:
            draw = on_a_painting(np.asarray(painting) / 255)
        check_points(scream, draw, 2**-22, num_points)


def test_a_generator_draws_hidden_factors_and_noise_as_it_did() -> None:
    """Kept codes, pictures and fits go by a Generator, and stay what they were."""
    grid = (Factor("seen", 2), Factor("hidden", 1000, hidden=True))
    dataset = Dataset("d", grid, np.zeros((2000, 1), np.uint8), (64, 64, 1), "test", "test")
    given, expected = np.random.default_rng(3), np.random.default_rng(3)
    hidden = expected.integers(1000, size=4)
    np.testing.assert_array_equal(
        dataset.sample_indices(np.ones((4, 1), int), given), 1000 + hidden
    )
    color = load("color_dsprites_mini")
    words = expected.integers(2**32, size=(1, 3), dtype=np.uint32)
    tones = 0.5 + (words >> 8) / 2**25
    np.testing.assert_allclose(color.images(np.array([0]), given).max(axis=(1, 2)), tones, 1e-7)


def test_the_data_sets_with_hidden_factors_or_noise_have_points_of_version_2() -> None:
    drawing = {
        name
        for name, entry in DATASETS.items()
        if entry.appearance or any(factor.hidden for factor in entry.grid)
    }
    assert drawing == set(POINTS)
    assert set(POINTS.values()) == {2}
