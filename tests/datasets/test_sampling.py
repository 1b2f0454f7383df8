"""Training draws what it is told to draw: correlated factors, and no combination held out."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.stats import chisquare

from teasel.datasets import DATASETS, DataError, Dataset, Sampling, from_file, load
from teasel.datasets.feed import windows

PAIR = ("scale", "position_x", 0.2)
SAMPLING = Sampling((PAIR,), ((("scale", (0, 1)), ("shape", (1,))), (("shape", (2,)),)))
NUM = 20_000
BATCH = [7132, 36955, 7270, 23910, 10646, 44006]
VIEWS = [10448, 36948, 2406, 8550, 2486, 38902]


def dataset(sampling: Sampling = SAMPLING) -> Dataset:
    return replace(load("dsprites_mini"), sampling=sampling)


def expected() -> np.ndarray:
    """The probability (3, 6, 16) of each shape, scale and position, as the paper writes it."""
    scale, position = np.indices((6, 16))
    slope, spread = 5 / 15, 0.2 * 5
    density = np.exp(-((scale - slope * position) ** 2) / (2 * spread**2))
    joint = np.stack([density] * 3)
    joint[1, :2] = joint[2] = 0
    return joint / joint.sum()


def check(joint: np.ndarray, indices: ArrayLike) -> None:
    """That the images are drawn with these probabilities, and all else uniformly."""
    factors = load("dsprites_mini").factors(np.asarray(indices))
    counts = np.zeros_like(joint)
    np.add.at(counts, tuple(factors[:, [0, 1, 3]].T), 1)
    assert not counts[joint == 0].any()
    rare = (joint > 0) & (joint * NUM < 5)  # too few for a chi-square each
    common = joint * NUM >= 5
    observed = [*counts[common], counts[rare].sum()]
    assert chisquare(observed, NUM * np.array([*joint[common], joint[rare].sum()])).pvalue > 1e-4
    for other in (2, 4):
        assert chisquare(np.bincount(factors[:, other])).pvalue > 1e-4


def test_images_are_drawn_by_the_density_and_none_that_is_held_out() -> None:
    check(expected(), dataset().sample_batch_indices(jax.random.key(0), NUM))
    check(expected(), dataset().draw_indices(np.random.default_rng(0), NUM))


def test_both_images_of_a_pair_are_drawn_by_the_density_and_share_what_they_say() -> None:
    first, second, shared = dataset().sample_pair_indices(jax.random.key(1), NUM)
    check(expected(), first)
    check(expected(), second)
    one, other = (load("dsprites_mini").factors(np.asarray(each)) for each in (first, second))
    same = (one == other)[np.asarray(shared)]
    assert same.all()
    assert set(np.asarray(shared).sum(axis=1)) == {1, 2, 3, 4}


def test_uniform_batches_are_what_they_were() -> None:
    """The numbers are those of the code before there was any other way to draw."""
    key = jax.random.key(3)
    assert dataset().uniform.sampling is None
    for plain in (load("dsprites_mini"), dataset().uniform):
        assert plain.sample_batch_indices(key, 6).tolist() == BATCH
        assert plain.sample_pair_indices(key, 6)[1].tolist() == VIEWS


def test_several_pairs_multiply_and_the_order_of_two_factors_does_not_matter() -> None:
    sizes = {"a": 3, "b": 5, "c": 4}
    one, other = ("a", "b", 0.3), ("c", "b", 0.5)
    both = Sampling((one, other)).weights(sizes)
    alone = [Sampling((pair,)).weights(sizes) for pair in (one, other)]
    np.testing.assert_allclose(both, alone[0][:, :, None] * alone[1][None])
    np.testing.assert_allclose(alone[0], Sampling((("b", "a", 0.3),)).weights(sizes))


def test_the_last_image_is_never_drawn_where_it_is_held_out() -> None:
    whole = dataset(Sampling((), ((("position_y", (0, 15)),),)))
    bounds, last = whole._bounds
    assert last == len(whole) - 2
    ends = jnp.asarray([0, 2**32 - 1], jnp.uint32)
    found = jnp.minimum(jnp.searchsorted(jnp.asarray(bounds), ends, "right"), last)
    assert found.tolist() == [1, last]


def test_windows_hold_the_images_that_are_drawn() -> None:
    drawn, keys = dataset(), jax.random.split(jax.random.key(0), 3)
    (window,) = windows(drawn, [keys], 5, jax.devices()[0])
    for key in keys:
        whole = drawn.sample_batch(jnp.asarray(drawn.device_data()), key, 5)
        np.testing.assert_array_equal(drawn.sample_batch(window, key, 5), whole)


@pytest.fixture
def uneven(tmp_path: Path) -> Path:
    """A file with an image of each of six combinations, and of the last two more."""
    factors = np.stack(np.unravel_index([0, 1, 2, 3, 4, 5, 5, 5], (2, 3)), axis=1)
    images = np.zeros((8, 16, 16), np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, factors=factors)
    return tmp_path / "mine.npz"


def test_images_of_a_combination_share_its_weight(uneven: Path) -> None:
    definition = from_file("mine", uneven)
    sampling = Sampling((("factor_0", "factor_1", 1.0),))
    opened = definition.drawn_by(sampling, "mine")()
    joint = sampling.weights({"factor_0": 2, "factor_1": 3}).ravel()
    shares = NUM * np.array([*joint[:5], *[joint[5] / 3] * 3]) / joint.sum()
    first, second, shared = opened.sample_pair_indices(jax.random.key(0), NUM)
    for drawn in (first, second):
        assert chisquare(np.bincount(drawn), shares).pvalue > 1e-4
    alike = opened.labels(first) == opened.labels(second)
    assert bool(alike[shared].all())


@pytest.mark.parametrize(
    ("sampling", "what"),
    [
        (Sampling((("scale", "size", 0.2),)), "no factor 'size'; expected one of its factors: sha"),
        (Sampling((), ((("shape", (3,)),),)), "no value 3 of the factor shape; .* from 0 to 2"),
        (Sampling((), ((("shape", (0, 1, 2)),),)), "no combination is left to train on"),
    ],
)
def test_what_a_data_set_lacks_is_refused(sampling: Sampling, what: str) -> None:
    with pytest.raises(DataError, match=f"dsprites_mini has {what}"):
        DATASETS["dsprites_mini"].drawn_by(sampling, "mine")


def test_a_data_set_without_all_combinations_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", images=np.zeros((4, 16, 16), np.uint8))
    with pytest.raises(DataError, match="mine offers nothing; expected an image of each combinat"):
        from_file("mine", tmp_path / "mine.npz").drawn_by(SAMPLING, "mine")
