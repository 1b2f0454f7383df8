from pathlib import Path

import numpy as np
from PIL import Image

from teasel.datasets import load
from teasel.docs.render_galleries import gallery, save_gallery


def test_a_gallery_has_two_rows_of_samples_and_one_for_each_factor() -> None:
    dataset = load("dsprites_mini")
    picture = gallery(dataset, num_columns=4)
    assert picture.shape == (7 * 68 + 8, 4 * 68, 3)
    shapes = picture[2 * 68 + 8 :][:64]
    assert (shapes[:, 3 * 68 :] == 255).all()  # three shapes, then white
    assert len({shapes[:, 68 * column :][:, :64].tobytes() for column in range(3)}) == 3


def test_a_row_goes_through_one_factor_and_holds_the_others() -> None:
    dataset = load("dsprites_mini")
    picture = gallery(dataset, num_columns=4)
    positions = picture[5 * 68 + 8 :][:64]  # x: shape, scale, orientation come first
    moved = [positions[:, 68 * column :][:, :64, 0] > 0 for column in range(4)]
    centres = np.array([np.argwhere(sprite).mean(axis=0) for sprite in moved])
    assert np.ptp(centres[:, 0]) < 1.5
    np.testing.assert_allclose(np.diff(centres[:, 1]), 32 * 10 / 31, atol=1.5)  # 5 of 16 values


def test_a_gallery_is_saved_as_a_picture(tmp_path: Path) -> None:
    save_gallery(load("color_dsprites_mini"), tmp_path / "color.png", num_columns=3)
    with Image.open(tmp_path / "color.png") as picture:
        assert picture.size == (3 * 68, 7 * 68 + 8)
