from pathlib import Path

import numpy as np
import pytest

from teasel.datasets import load
from teasel.datasets.dsprites import FULL, MINI, render


@pytest.fixture(scope="module")
def real(data_dir: Path) -> dict[str, np.ndarray]:
    path = data_dir / "dsprites" / "dsprites_real_grid.npz"
    if not path.exists():
        pytest.skip(f"no {path}")
    return dict(np.load(path))


def test_at_most_ten_of_the_real_images_differ_by_one_pixel(real: dict[str, np.ndarray]) -> None:
    dataset = load("dsprites", data_dir=None)
    wrong = np.bitwise_count(dataset.store[real["indices"]] ^ real["images"]).sum(axis=1)
    assert len(wrong) == 46_080
    assert wrong.max() <= 1
    assert (wrong > 0).sum() <= 10  # 6 when this was written


def test_the_whole_set_has_the_published_moments() -> None:
    store = load("dsprites").store
    mean = np.bitwise_count(store).sum(dtype=np.int64) / (8 * store.size)
    # Of the published file: mean pixel .042494, standard deviation .201714.
    assert mean == pytest.approx(0.042494, abs=5e-7)
    assert np.sqrt(mean - mean**2) == pytest.approx(0.201714, abs=5e-7)


def test_a_square_of_9_6_pixels_at_half_scale_fills_a_10_by_10_block() -> None:
    # By hand: centre 16, half side 4.8, so centres from 11.5 to 20.5 lie inside.
    first = load("dsprites_mini").images(np.array([0]))[0, :, :, 0]
    expected = np.zeros((64, 64))
    expected[11:21, 11:21] = 1
    np.testing.assert_array_equal(first, expected)


def test_x_moves_columns_and_y_moves_rows() -> None:
    dataset = load("dsprites_mini")
    right, down = dataset.images(dataset.sample_indices([[0, 0, 0, 15, 0], [0, 0, 0, 0, 15]]))
    assert np.argmax(right.sum(axis=(0, 2)) > 0) > 32
    assert np.argmax(right.sum(axis=(1, 2)) > 0) == 11
    np.testing.assert_array_equal(down[..., 0], right[..., 0].T)


def test_the_mini_set_is_a_part_of_the_whole() -> None:
    whole, mini = load("dsprites"), load("dsprites_mini")
    steps = np.array([1, 1, 4, 2, 2])
    indices = np.arange(0, len(mini), 97)
    same = whole.sample_indices(mini.factors(indices) * steps)
    np.testing.assert_array_equal(whole.images(same), mini.images(indices))


def test_drawing_follows_the_axes_it_is_given() -> None:
    one_pose = (FULL[0][2:], FULL[1][3:4], FULL[2][7:8], FULL[3][:5], FULL[4][-1:])
    (chunk,) = render(one_pose)
    whole = load("dsprites")
    factors = [[2, 3, 7, x, 31] for x in range(5)]
    np.testing.assert_array_equal(chunk, whole.store[whole.sample_indices(factors)])
    assert sum(len(chunk) for chunk in render(MINI)) == len(load("dsprites_mini"))
