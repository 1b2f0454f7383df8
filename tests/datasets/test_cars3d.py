from pathlib import Path

import numpy as np
import pytest

from teasel.datasets import load
from teasel.datasets.cars3d import ARCHIVE
from teasel.datasets.files import find


def test_all_of_cars3d_is_read_from_the_real_files(data_dir: Path) -> None:
    if not find(ARCHIVE, data_dir):
        pytest.skip("no Cars3D files")
    dataset = load("cars3d", data_dir)
    assert len(dataset) == 17_568
    # A car stays itself while it turns: views of one car are closer than those of two.
    side = np.array([[1, 6, car] for car in range(183)])
    front = side + np.array([0, 1, 0])
    images = dataset.images(dataset.sample_indices(side))
    turned = dataset.images(dataset.sample_indices(front))
    same = np.abs(images - turned).mean()
    different = np.abs(images - np.roll(turned, 1, axis=0)).mean()
    assert same < 0.8 * different
