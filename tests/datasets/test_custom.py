"""A user's own data set: an .npz, or a function of factors."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teasel.datasets import DataError, from_function, from_npz

COMBINATIONS = np.array(list(product([2, 5, 9], [-1, 4])))
IMAGES = np.random.default_rng(0).integers(256, size=(6, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEASEL_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def write(**arrays: object) -> Path:
        path = tmp_path / "mine.npz"
        np.savez(path, **{"images": IMAGES, "factors": COMBINATIONS} | arrays)
        return path

    return write


def test_an_npz_in_any_order_is_sorted_by_its_factors(save: Callable[..., Path]) -> None:
    order = np.array([3, 0, 5, 1, 4, 2])
    path = save(images=IMAGES[order], factors=COMBINATIONS[order], factor_names=["hue", "side"])
    dataset = from_npz("mine", path)()
    assert dataset.name == "mine"
    assert dataset.factor_names == ("hue", "side")
    assert dataset.factor_sizes == (3, 2)
    assert dataset.source == "user's npz"
    np.testing.assert_array_equal(dataset.store, IMAGES)
    np.testing.assert_array_equal(dataset.factors(np.array([3])), [[1, 1]])


def test_an_npz_counts_by_its_content_not_by_its_path(
    save: Callable[..., Path], tmp_path: Path
) -> None:
    first = from_npz("mine", save())()
    save().rename(tmp_path / "moved.npz")
    assert from_npz("other", tmp_path / "moved.npz")().fingerprint == first.fingerprint
    changed = IMAGES.copy()
    changed[3, 5, 5, 0] ^= 1
    assert from_npz("mine", save(images=changed))().fingerprint != first.fingerprint


def test_several_images_of_each_combination_make_a_hidden_factor(save: Callable[..., Path]) -> None:
    path = save(
        images=np.concatenate([IMAGES, 255 - IMAGES]), factors=np.tile(COMBINATIONS, (2, 1))
    )
    dataset = from_npz("mine", path)()
    assert dataset.factor_sizes == (3, 2)
    assert len(dataset) == 12
    np.testing.assert_array_equal(dataset.store[6], IMAGES[3])
    np.testing.assert_array_equal(dataset.store[7], 255 - IMAGES[3])
    drawn = dataset.sample_indices(np.tile([1, 1], (50, 1)), np.random.default_rng(0))
    assert set(drawn) == {6, 7}


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8])
def test_black_and_white_may_come_as_zeros_and_ones(save: Callable[..., Path], dtype: type) -> None:
    dataset = from_npz("mine", save(images=(IMAGES[..., 0] > 127).astype(dtype)))()
    assert dataset.image_shape == (64, 64, 1)
    np.testing.assert_array_equal(dataset.images(np.arange(6))[..., 0], IMAGES[..., 0] > 127)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": IMAGES.astype(np.int32)}, "images are int32, not uint8, bool, or floats"),
        ({"images": IMAGES.astype(np.float32)}, "images are float32 from 0 to 255, not from 0 to"),
        ({"images": np.full((6, 16, 16), np.nan)}, "images are float64 from nan to nan"),
        (
            {"images": IMAGES[:, :32]},
            "images are 32 x 64 with 3 channels, not square .*`resize: 64",
        ),
        (
            {"images": IMAGES[:, :48, :48]},
            "images are 48 x 48 with 3 channels, not square with 16,",
        ),
        ({"images": np.moveaxis(IMAGES, 3, 1)}, "set `channels_first: true`"),
        ({"images": IMAGES[:, 0, 0]}, r"images are \(6, 3\), not \(N, H, W\)"),
        ({"factors": COMBINATIONS[:4]}, r"\(4, 2\), not \(N, K\) for the N = 6 images"),
        ({"factors": COMBINATIONS[None]}, r"factors are int64 \(1, 6, 2\), not \(N, K\)"),
        (
            {"factors": np.full((6, 2), np.inf)},
            "the factor factor_0 has values that are not finite",
        ),
        ({"factors": COMBINATIONS * 1j}, "the factor factor_0 is complex128; expected numbers"),
        ({"factors": np.array([None] * 6)}, "cannot read images of .*Object arrays"),
        ({"factor_names": ["a"]}, r"2 factors, but the names \('a',\)"),
        ({"factor_names": ["a", "a"]}, "2 factors, but the names"),
    ],
)
def test_an_npz_of_another_form_is_refused(
    save: Callable[..., Path], arrays: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        from_npz("mine", save(**arrays))


def test_a_missing_truncated_or_incomplete_npz_is_refused(
    save: Callable[..., Path], tmp_path: Path
) -> None:
    path = save()
    path.write_bytes(path.read_bytes()[:-500])
    np.savez(tmp_path / "other.npz", pictures=IMAGES)
    for name in ("mine.npz", "absent.npz"):
        with pytest.raises(DataError, match=f"cannot read images of .*{name}: "):
            from_npz("mine", tmp_path / name)()
    with pytest.raises(DataError, match="has the arrays pictures, none of images, imgs"):
        from_npz("mine", tmp_path / "other.npz")


def test_another_package_adds_a_data_set_by_an_entry_point(tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(
        "import numpy as np\n"
        "from teasel.datasets import from_function\n"
        "def render(factors):\n"
        "    return np.tile(factors[:, :, None, None], (1, 64, 64, 1)).astype(np.uint8)\n"
        "GREYS = from_function('greys', {'level': 200}, render)\n"
    )
    (tmp_path / "theirs-1.0.dist-info").mkdir()
    (tmp_path / "theirs-1.0.dist-info" / "METADATA").write_text("Name: theirs\nVersion: 1.0\n")
    (tmp_path / "theirs-1.0.dist-info" / "entry_points.txt").write_text(
        "[teasel.datasets]\ngreys = theirs:GREYS\n"
    )
    code = "from teasel.datasets import load; print(load('greys'))"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, stdout=-1, text=True)
    assert run.stdout == "<greys: 200 images (64, 64, 1), level 200; user's function>\n"


def test_the_examples_of_the_page_on_data_sets_run() -> None:
    page = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text()
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        names: dict[str, Any] = {}
        exec(example, names)
    assert repr(names["dataset"]).startswith("<bars: 64 images (64, 64, 1), row 8, column 8")


def bars(factors: np.ndarray) -> np.ndarray:
    rows, columns = factors.T[:, :, None, None, None]
    return (
        (np.arange(64)[:, None, None] < 8 * rows) ^ (np.arange(64)[:, None] < columns)
    ) * np.uint8(200)


def test_a_function_of_factors_is_drawn_once() -> None:
    calls = []

    def counted(factors: np.ndarray) -> np.ndarray:
        calls.append(len(factors))
        return bars(factors)

    definition = from_function("bars", {"row": 8, "column": 40}, counted)
    dataset = definition()
    assert dataset.source == "user's function"
    assert dataset.factor_sizes == (8, 40)
    np.testing.assert_array_equal(dataset.store, bars(dataset.factors(np.arange(320))))
    assert sum(calls) == 64 + 320
    from_function("bars", {"row": 8, "column": 40}, counted)()
    assert sum(calls) == 64 + 320 + 64


def test_a_function_that_changed_is_drawn_again() -> None:
    first = from_function("bars", {"row": 8, "column": 40}, bars)()
    second = from_function("bars", {"row": 8, "column": 40}, lambda f: bars(f) // 2)()
    assert second.store.max() == 100
    assert first.fingerprint != second.fingerprint


@pytest.mark.parametrize(
    ("factors", "render", "message"),
    [
        ({"row": 8, "column": 1}, bars, "needs at least two values"),
        ({}, bars, "needs at least two values"),
        ({"row": 8, "column": 9}, lambda f: bars(f)[:3], r"64 factors gave images of shape \(3, "),
        ({"row": 8, "column": 9}, lambda f: bars(f) / 255, "images are float64, not uint8"),
        ({"row": 8, "column": 9}, lambda f: bars(f)[:, :9], "images are 9 x 64 with 1 channels"),
    ],
)
def test_a_function_of_another_form_is_refused(
    factors: dict[str, int], render: Callable[[np.ndarray], np.ndarray], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        from_function("mine", factors, render)
