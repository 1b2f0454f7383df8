"""What is drawn of a trained model."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

from teasel.datasets import Dataset, Factor, load
from teasel.models import METHODS, Model, Posterior, TrainedModel
from teasel.sweep.store import code_tables
from teasel.sweep.store.results import Results
from teasel.sweep.work import encoding
from teasel.sweep.work.batches import Batches


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


def first_images(name: str) -> Dataset:
    """A noisy data set of the first 300 images: more than a batch, and no whole number of them."""
    data = load(name)
    return replace(data, grid=(Factor("image", 300),), store=np.asarray(data.store[:300]))


@pytest.mark.slow
def test_a_noisy_sets_codes_are_the_same_from_the_device_and_from_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy, results = first_images("noisy_dsprites_mini"), Results(tmp_path)
    made = Model(noisy.image_shape, 3)
    parameters = made.initial_parameters(jax.random.key(0))
    model = TrainedModel(METHODS["untrained"], {}, made, parameters)
    whole = Batches(noisy, 4)
    monkeypatch.setattr("teasel.sweep.work.batches.fits", lambda *_: False)
    from_host = Batches(noisy, 4)
    assert whole.whole
    assert not from_host.whole
    kept = encoding.codes_of_points(replace(model, name="device"), results, noisy, whole)
    table = code_tables.load(results, "device")
    assert table is not None
    assert table[0].shape == (300, 3)
    np.testing.assert_array_equal(kept, np.array(table)[:, encoding.fixed_points(noisy)])
    encoding.codes_of_points(replace(model, name="host"), results, noisy, from_host)
    np.testing.assert_array_equal(code_tables.load(results, "host"), table)
