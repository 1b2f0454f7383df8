"""A user's file whose factors make no grid, in each format and with each option."""

import csv
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from teasel.datasets import DataError, from_file, hash_file
from teasel.datasets.combinations import Combinations
from teasel.datasets.custom import find_file

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(256, size=(30, 32, 32, 3), dtype=np.uint8)
SHAPES, ANGLES = np.arange(30) % 3, np.arange(30) % 5 / 4  # of 15 combinations; two images of each
SHAPES[0] = 1  # but for (0, 0), and there are three of (1, 0)
FACTORS = np.stack([SHAPES, ANGLES], axis=1)
FACTORS[15] = FACTORS[0]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEASEL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


def write_npz(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "mine.npz", **arrays)
    return folder / "mine.npz"


def write_h5(folder: Path, **arrays: Any) -> Path:
    with h5py.File(folder / "mine.h5", "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return folder / "mine.h5"


def write_folder(folder: Path, images: np.ndarray, factors: np.ndarray) -> Path:
    (folder / "mine" / "part").mkdir(parents=True)
    with open(folder / "mine" / "labels.csv", "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["file", "shape", "angle"])
        for place, (image, (shape, angle)) in enumerate(zip(images, factors, strict=True)):
            name = f"part/{99 - place}.png"  # in another order than by name
            Image.fromarray(image).save(folder / "mine" / name)
            lines.writerow([name, int(shape), angle])
    return folder / "mine"


@pytest.mark.parametrize("write", [write_npz, write_h5, write_folder])
def test_a_table_keeps_the_images_as_they_come_with_the_ranks_of_their_factors(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    path = write(tmp_path, images=IMAGES, factors=FACTORS)
    dataset = from_file("mine", path)()
    np.testing.assert_array_equal(dataset.store, IMAGES)
    factors = dataset.factors(np.arange(30))
    assert factors.dtype == np.int64
    np.testing.assert_array_equal(factors, np.rint(FACTORS * [1, 4]))
    assert (len(dataset), dataset.factor_sizes, dataset.complete) == (30, (3, 5), False)
    drawn = dataset.sample_indices(np.tile([1, 0], (60, 1)), np.random.default_rng(0))
    assert set(drawn) == {0, 10, 15, 25}
    assert dataset.sample_indices(np.array([[2, 4]]), RNG) in (14, 29)
    with pytest.raises(ValueError, match=r"mine: no image has the factors .* 0, .* 0$"):
        dataset.sample_indices(np.array([[1, 1], [0, 0]]), RNG)
    with pytest.raises(ValueError, match="as rng"):
        dataset.sample_indices(np.array([[1, 0]]))


def test_a_continuous_factor_keeps_its_values(tmp_path: Path) -> None:
    path = write_npz(tmp_path, images=IMAGES, factors=FACTORS, factor_names=["shape", "angle"])
    mine = from_file("mine", path, continuous=["angle"])
    dataset = mine()
    assert (mine.offers, dataset.factors(np.array([4])).tolist()) == ("factors", [[1, 1.0]])
    assert dataset.factors(np.array([3])).tolist() == [[0, 0.75]]
    assert dataset.sample_indices(np.array([[0, 0.75]]), RNG) in (3, 18)
    assert from_file("mine", path)().fingerprint != dataset.fingerprint
    with pytest.raises(DataError, match=r"no factor 'angel' \(did you mean 'angle'\?\)"):
        from_file("mine", path, continuous=["angel"])
    many = write_npz(tmp_path, images=np.zeros((1200, 16, 16), bool), y=np.arange(1200) / 7)
    with pytest.raises(DataError, match=r"1,200 values; expected at most 1,000, or `continuous"):
        from_file("mine", many)


def test_images_without_factors_are_a_data_set(tmp_path: Path) -> None:
    mine = from_file("mine", write_npz(tmp_path, imgs=IMAGES))
    dataset = mine()
    assert (mine.offers, mine.num_images, dataset.factor_names) == ("nothing", 30, ())
    assert dataset.factors(np.arange(4)).shape == (4, 0)
    assert repr(dataset) == "<mine: 30 images (32, 32, 3), no factors; user's npz>"
    drawn = dataset.sample_indices(np.empty((900, 0), int), np.random.default_rng(0))
    assert set(drawn) == set(range(30))


def test_texts_are_factors_and_a_constant_one_is_left_out(tmp_path: Path) -> None:
    factors = np.stack([np.where(SHAPES == 1, "cube", "ball"), np.full(30, "red")], axis=1)
    for write in (write_npz, write_h5):
        stored = factors if write is write_npz else factors.astype(object)
        dataset = from_file("mine", write(tmp_path, images=IMAGES, labels=stored))()
        assert (dataset.factor_names, dataset.factor_sizes) == (("factor_0",), (2,))
        np.testing.assert_array_equal(dataset.factors(np.arange(30))[:, 0], SHAPES == 1)
        assert dataset.complete  # though one value has more images than the other


def test_a_grid_of_any_values_is_put_in_order_and_streamed(tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(24)
    grid = np.stack(np.unravel_index(np.arange(24), (2, 3, 4)), axis=1)
    path = write_h5(tmp_path, images=IMAGES[:24][order], labels=grid[order] / 10)
    dataset = from_file("mine", path)()
    assert (dataset.table, dataset.factor_sizes) == (None, (2, 3, 4))
    np.testing.assert_array_equal(dataset.store, IMAGES[:24])


@pytest.mark.parametrize("write", [write_npz, write_h5])
def test_floats_and_channels_that_come_first_are_the_same_images(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    floats = np.moveaxis(IMAGES, 3, 1).astype(np.float32) / 255
    dataset = from_file("mine", write(tmp_path, x=floats, y=SHAPES), channels_first=True)()
    np.testing.assert_array_equal(dataset.store, IMAGES)
    assert dataset.source.endswith(", rounded to 256 levels")
    np.testing.assert_array_equal(dataset.factors(np.arange(30))[:, 0], SHAPES)


def test_resizing_takes_means_and_any_number_of_channels(tmp_path: Path) -> None:
    wide = np.repeat(np.repeat(IMAGES[:, :16, :16, [0, 1, 2, 0, 1]], 3, axis=1), 2, axis=2)
    dataset = from_file("mine", write_npz(tmp_path, images=wide), resize=16)()
    np.testing.assert_array_equal(dataset.store, IMAGES[:, :16, :16, [0, 1, 2, 0, 1]])
    assert dataset.image_shape == (16, 16, 5)


def test_an_array_in_columns_is_read_as_well(tmp_path: Path) -> None:
    path = write_npz(tmp_path, images=np.asfortranarray(IMAGES))
    np.testing.assert_array_equal(from_file("mine", path)().store, IMAGES)


def test_arrays_go_by_the_names_that_are_given(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["train/pixels"], file["train/hue"], file["y"] = IMAGES, SHAPES, ANGLES
    path = tmp_path / "mine.h5"
    given = {"images": "train/pixels", "factors": "train/hue", "factor_names": ["hue"]}
    dataset = from_file("mine", path, **given)()
    assert (dataset.factor_names, dataset.factor_sizes) == (("hue",), (3,))
    with pytest.raises(DataError, match=r"no array 'train/pixel' \(did you mean 'train/pixels'"):
        from_file("mine", path, images="train/pixel")


def test_what_was_prepared_stays_when_the_file_is_gone(tmp_path: Path, cache: Path) -> None:
    path = write_npz(tmp_path, images=IMAGES, factors=FACTORS)
    before, sha256 = from_file("mine", path, resize=16)(), hash_file(path)
    path.unlink()
    again = find_file("mine", [str(path)], sha256, resize=16)()
    assert again.fingerprint == before.fingerprint
    np.testing.assert_array_equal(again.factors(np.arange(30)), before.factors(np.arange(30)))
    with pytest.raises(DataError, match="not prepared in this machine's cache"):
        find_file("mine", [str(path)], sha256)
    (table,) = cache.glob("*.factors.npy")
    table.write_bytes(table.read_bytes()[:-1] + b"\7")
    with pytest.raises(DataError, match=r"factors.npy is corrupt: remove it"):
        find_file("mine", [str(path)], sha256, resize=16)


def test_a_folder_counts_by_its_images_and_its_table(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, IMAGES, FACTORS)
    before = hash_file(folder)
    (folder / "notes.txt").write_text("nothing")
    assert hash_file(folder) == before == hash_file(folder.rename(tmp_path / "moved"))
    Image.fromarray(IMAGES[1]).save(tmp_path / "moved" / "part" / "99.png")
    assert hash_file(tmp_path / "moved") != before


def test_a_folder_without_a_table_has_its_images_by_name(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for place in range(9, -1, -1):
        size = (40 + place, 50)  # each its own: `resize` makes them one
        Image.new("L", size, 10 * place).save(tmp_path / "mine" / f"{place}.png")
    with pytest.raises(DataError, match=r"not square with 16, .*; `resize: 64` resizes them"):
        from_file("mine", tmp_path / "mine")
    dataset = from_file("mine", tmp_path / "mine", resize=16)()
    np.testing.assert_array_equal(dataset.store[:, 3, 3, 0], np.arange(10) * 10)
    assert dataset.source == "user's folder"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,a\nx.png,1,2\n", "line 2 has 3 cells, expected 2"),
        ("file,a,a\nx.png,1,2\n", "expected a line of distinct names"),
        ("", "expected a line of distinct names"),
        ("file,a\n../x.png,1\n", "not a file in the folder of the CSV"),
        ("file,a\nx.png,1\n", r"cannot read the image .*x.png"),
        ("file,a\ndeep.png,1\n", "has pixels of kind I;16; expected 8 bits"),
        ("file,a\nsmall.png,1\nlarge.png,2\n", r"large.png is \(64, 64, 3\), and small.png"),
    ],
)
def test_a_folder_of_another_form_is_refused(tmp_path: Path, content: str, message: str) -> None:
    Image.fromarray(np.zeros((16, 16), np.uint16)).save(tmp_path / "deep.png")
    Image.new("RGB", (16, 16)).save(tmp_path / "small.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "large.png")
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        from_file("mine", tmp_path)()
    (tmp_path / "more.csv").write_text("file,a\nsmall.png,1\n")
    with pytest.raises(
        DataError, match=r"several CSV files, labels.csv, more.csv: choose one with"
    ):
        from_file("mine", tmp_path)
    assert len(from_file("mine", tmp_path, factors="more.csv")()) == 1


def test_no_number_grows_with_the_product_of_the_sizes() -> None:
    table = RNG.integers(900, size=(1000, 40))  # 900 ** 40 combinations
    known = Combinations(table)
    np.testing.assert_array_equal(known.image(known.find(table), 0), np.arange(1000))
    assert (known.find(table + 1) == -1).all()


_STREAM = """
import resource, sys
import numpy as np
from teasel.datasets import from_file
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
import PIL.Image, h5py
before = peak()
print(len(from_file("mine", sys.argv[1])()), peak() - before)
"""


def write_npz_in_pieces(path: Path, shape: tuple[int, ...], factors: np.ndarray) -> Path:
    """An .npz of images that compress well, written without holding them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("images.npy", "w", force_zip64=True) as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, shape[0], 1000):
                num = min(1000, shape[0] - start)
                levels = np.arange(start, start + num) % 251
                file.write(np.repeat(levels.astype(np.uint8), np.prod(shape[1:])).data)
        with archive.open("factors.npy", "w") as file:
            np.save(file, factors)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ordered", "shuffled", "h5"])
def test_a_file_of_a_gigabyte_is_prepared_in_little_memory(tmp_path: Path, kind: str) -> None:
    num, shape = 84_000, (64, 64, 3)  # 1.03 GB
    order = np.arange(num) if kind != "shuffled" else np.random.default_rng(0).permutation(num)
    factors = np.stack(np.unravel_index(order, (84, 1000)), axis=1)
    if kind == "h5":
        with h5py.File(tmp_path / "mine.h5", "w") as file:
            file["labels"] = factors
            file.create_dataset("images", (num, *shape), np.uint8, chunks=(100, *shape))[:1] = 7
        path = tmp_path / "mine.h5"
    else:
        path = write_npz_in_pieces(tmp_path / "mine.npz", (num, *shape), factors)
    run = subprocess.run(
        [sys.executable, "-c", _STREAM, str(path)], capture_output=True, text=True, check=True
    )
    found, kilobytes = map(int, run.stdout.split())
    assert found == num
    assert kilobytes < 200_000
