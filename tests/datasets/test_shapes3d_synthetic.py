import numpy as np
import pytest

from teasel.datasets import DATASETS
from teasel.datasets.shapes3d import GRID
from teasel.datasets.shapes3d_synthetic import tint, weights

FLOOR, WALL, OBJECT, SHINE = range(4)


def test_it_has_the_factors_of_shapes3d_and_says_that_it_is_a_stand_in() -> None:
    definition = DATASETS["shapes3d_synthetic"]
    assert definition.grid == GRID
    assert definition.source == "drawn stand-in for Shapes3D"
    assert definition.publication is None


@pytest.mark.parametrize("shape", range(4))
def test_a_pixel_gets_no_more_light_than_white(shape: int) -> None:
    scene = weights(7, shape, 3)
    assert scene.shape == (64, 64, 4)
    assert (scene == np.floor(scene)).all()
    assert scene.min() >= 0
    assert scene.sum(axis=2).max() <= 256
    assert scene.sum(axis=2).min() > 60  # no pixel misses the room


def test_shapes_differ_and_grow_with_scale() -> None:
    small, large = (np.stack([weights(scale, shape, 7) for shape in range(4)]) for scale in (0, 7))
    seen_small, seen_large = (
        (scenes[..., OBJECT] > 0).sum(axis=(1, 2)) for scenes in (small, large)
    )
    # 1.25 / .75 along each side; less or more by perspective and by the pixels at the rim.
    np.testing.assert_allclose(seen_large / seen_small, (1.25 / 0.75) ** 2, rtol=0.15)
    for one in range(4):
        for other in range(one):
            assert ((large[one] - large[other])[..., OBJECT] != 0).mean() > 0.02


def test_every_orientation_looks_different() -> None:
    views = np.stack(
        [weights(4, 2, orientation) for orientation in range(15)]
    )  # a sphere: the room turns
    for one in range(15):
        for other in range(one):
            assert (views[one] != views[other]).any(axis=-1).mean() > 0.1


def test_the_object_stands_in_the_middle_on_the_floor() -> None:
    for shape in range(4):
        rows, columns = np.nonzero(weights(4, shape, 7)[..., OBJECT] > 100)
        assert abs(columns.mean() - 31.5) < 2
        below = weights(4, shape, 7)[rows.max() + 3, int(columns.mean())]
        assert below[FLOOR] > 0
        assert below[WALL] == 0


def test_a_sphere_seen_by_hand() -> None:
    # The ray through the middle of the picture meets the sphere (centre and radius .7 at size 1):
    # it starts 3.9 away at height 1.9 and aims at height .62, so it hits near the centre.
    assert weights(4, 2, 7)[32, 32, OBJECT] > 100


def test_hues_tint_their_own_part_and_nothing_else() -> None:
    scenes = np.stack([weights(4, 0, 7), weights(4, 1, 7)])
    images = list(tint(scenes))
    assert len(images) == 1000
    assert images[0].shape == (2, 64, 64, 3)
    for step, part in ((100, FLOOR), (10, WALL), (1, OBJECT)):
        changed = (images[3 * step] != images[0]).any(axis=-1)
        assert (scenes[changed][:, part] > 0).all()
        assert changed[scenes[..., part] > 8].all()
    # By hand: hue 0 is (255, 26, 26) of 255 at saturation .9; all parts under it are alike.
    lit = scenes.sum(axis=-1)[0, 5, 5]
    assert images[0][0, 5, 5, 0] == (lit * 255 + 128) // 256
