"""What is drawn of a trained model."""

import io
from typing import Any

import numpy as np
from PIL import Image

from teasel.datasets import load
from teasel.models.networks import Posterior
from teasel.sweep.work import encoding


def test_pictures_show_16_images_by_their_means() -> None:
    seen: list[np.ndarray] = []

    class Model:
        def encode(self, images: np.ndarray) -> Posterior:
            return Posterior(np.full((len(images), 2), 0.25), np.full((len(images), 2), 80.0))  # type: ignore[arg-type]

        def decode(self, codes: np.ndarray) -> np.ndarray:
            seen.append(codes)
            return np.zeros((len(codes), 64, 64, 1), np.float32)

    model: Any = Model()
    sheet = encoding.render_pictures(model, load("dsprites_mini"))["reconstructions"]
    np.testing.assert_array_equal(seen[0], np.full((16, 2), 0.25))
    # Four rows of four pairs, 64 pixels each, with gaps of 2 between them.
    assert Image.open(io.BytesIO(sheet)).size == (8 * 66 - 2, 4 * 66 - 2)
