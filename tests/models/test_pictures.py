import io

import numpy as np
from PIL import Image

from teasel.models.pictures import interpolations, traversals, traverse


def grey(codes: np.ndarray) -> np.ndarray:
    """Images (N, 2, 2, 1) as grey as a code's first latent says."""
    return np.broadcast_to(codes[:, 0, None, None, None], (len(codes), 2, 2, 1))


def levels(png: bytes) -> np.ndarray:
    """The grey of every image of a sheet of 2 x 2 images with gaps of 2."""
    return np.asarray(Image.open(io.BytesIO(png)))[::4, ::4]


def test_an_interpolation_goes_straight_from_one_code_to_the_next() -> None:
    codes = np.array([[0.0, 5.0], [1.0, 5.0], [1.0, 0.0], [0.2, 0.0]], np.float32)
    expected = np.round(255 * np.linspace([0, 1], [1, 0.2], 9, dtype=np.float32)).T
    np.testing.assert_allclose(levels(interpolations(codes, grey)), expected, atol=1)


def test_a_traversal_moves_one_latent_and_keeps_the_others() -> None:
    shown = levels(traversals(traverse(np.array([0.6, 0.0], np.float32), grey)))
    np.testing.assert_array_equal(shown[0], np.round(255 * np.clip(np.linspace(-2, 2, 9), 0, 1)))
    np.testing.assert_array_equal(shown[1], np.full(9, 153))  # .6 of 255
