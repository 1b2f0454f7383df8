"""The points that are scored: the original's, in its order, of hidden factors too."""

import numpy as np

from teasel.datasets import DATASETS, Dataset, Factor, load
from teasel.datasets.smallnorb import SMALLNORB
from teasel.metrics import PAPER_SEEDS, TableRepresentation
from teasel.sweep.trials.request import POINTS
from teasel.sweep.work.representations import ComputedRepresentation

NUM = 10_000
SEED = PAPER_SEEDS["mean"]["mig"]


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


def test_a_noisy_sets_points_are_drawn_by_the_seed_and_shown_by_their_index() -> None:
    noisy, plain = load("noisy_dsprites_mini"), load("dsprites_mini")
    table = np.arange(len(noisy))[:, None]
    looked_up = TableRepresentation(table, None, noisy.factor_sizes, noisy.sample_indices)
    found, factors = looked_up.sample(np.random.RandomState(SEED), 100)
    np.testing.assert_array_equal(found[:, 0], plain.sample_indices(factors))

    def first_row(indices: np.ndarray) -> np.ndarray:
        return noisy.images(indices)[:, 0].reshape(len(indices), -1)

    computed = ComputedRepresentation(noisy, first_row)
    codes, same = computed.sample(np.random.RandomState(SEED), 100)
    np.testing.assert_array_equal(same, factors)
    np.testing.assert_array_equal(codes, first_row(found[:, 0]))
    np.testing.assert_array_equal(computed.encode(factors, np.random.RandomState(0)), codes)


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


def test_the_data_sets_with_hidden_factors_or_noise_have_versions_of_their_points() -> None:
    hidden = {
        name: 2 for name, entry in DATASETS.items() if any(factor.hidden for factor in entry.grid)
    }
    noisy = {name: 3 for name, entry in DATASETS.items() if entry.appearance}
    assert hidden | noisy == POINTS
