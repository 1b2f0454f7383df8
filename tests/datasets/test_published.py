"""Publishers' files, written here in their exact format and read through the one code path."""

import gzip
import hashlib
import io
import sys
import tarfile
import zipfile
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from threading import Thread

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from teasel.datasets import DataError, Dataset, Definition, load
from teasel.datasets.cars3d import ARCHIVE, CARS3D
from teasel.datasets.dsprites import DSPRITES_MINI, DSPRITES_NOSHAPE, FILE, GRID, read
from teasel.datasets.files import PublishedFile, download, find
from teasel.datasets.mpi3d import MPI3D_REAL, define
from teasel.datasets.shapes3d import SHAPES3D
from teasel.datasets.smallnorb import FILES, SMALLNORB, read_matrix, shrink

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEASEL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TEASEL_ANY_CHECKSUM", "1")  # none of these is the published file
    monkeypatch.delenv("TEASEL_DATA_DIR", raising=False)
    return tmp_path / "cache" / "datasets"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


def resized(definition: Definition, *sizes: int) -> Definition:
    """The same data set on a smaller grid, which a test can write."""
    grid = zip(definition.grid, sizes, strict=True)
    return replace(definition, grid=tuple(factor._replace(size=size) for factor, size in grid))


def leaves_nothing(cache: Path) -> bool:
    return [path.name for path in cache.iterdir() if not path.name.endswith(".lock")] == []


# SmallNORB: 2 categories, instances 4 (training) and 1 (testing) of 10, 1 x 3 x 2 views.

NORB_SIZES = (2, 2, 1, 3, 2)


def matrix(array: np.ndarray) -> bytes:
    """The publisher's format: magic number, number of axes, at least three lengths, the values."""
    magic = {np.dtype("u1"): 0x1E3D4C55, np.dtype("<i4"): 0x1E3D4C54}[array.dtype]
    lengths = [*array.shape, 1, 1][: max(3, array.ndim)]
    return np.array([magic, array.ndim, *lengths], "<i4").tobytes() + array.tobytes()


def write_norb(folder: Path, zipped: bool = True) -> dict[tuple[int, ...], np.ndarray]:
    """Six files in shuffled order; returns the first camera's image of each combination."""
    written = {}
    for part, instance in ((FILES[:3], 0), (FILES[3:], 1)):
        views = list(product(range(2), range(1), range(3), range(2)))
        RNG.shuffle(views)
        pairs = RNG.integers(256, size=(len(views), 2, 96, 96), dtype=np.uint8)
        info = [(instance, elevation, 2 * azimuth, light) for _, elevation, azimuth, light in views]
        arrays = (pairs, np.array([v[0] for v in views], "<i4"), np.array(info, "<i4"))
        for file, array in zip(part, arrays, strict=True):
            if zipped:
                (folder / file.name).write_bytes(gzip.compress(matrix(array), 1))
            else:
                (folder / file.unpacked).write_bytes(matrix(array))
        for pair, (category, *view) in zip(pairs, views, strict=True):
            written[category, instance, *view] = pair[0]
    return written


@pytest.mark.parametrize("zipped", [True, False])
def test_smallnorb_is_read_in_factor_order_with_its_instance_hidden(
    folder: Path, zipped: bool
) -> None:
    written = write_norb(folder, zipped)
    dataset = resized(SMALLNORB, *NORB_SIZES)(folder)
    assert dataset.factor_names == ("category", "elevation", "azimuth", "lighting")
    assert dataset.factor_sizes == (2, 1, 3, 2)
    assert dataset.source == "published file"
    for index, factors in enumerate(product(*map(range, NORB_SIZES))):
        expected = shrink(written[factors][:, :, None])
        np.testing.assert_array_equal(dataset.store[index], expected)
    np.testing.assert_array_equal(dataset.factors(np.array([0, 6, 23]))[:, 0], [0, 0, 1])


def test_a_hidden_instance_is_drawn_uniformly(folder: Path) -> None:
    write_norb(folder)
    dataset = resized(SMALLNORB, *NORB_SIZES)(folder)
    factors = np.tile([1, 0, 2, 1], (1000, 1))
    drawn = dataset.sample_indices(factors, np.random.default_rng(0))
    values, counts = np.unique(drawn, return_counts=True)
    np.testing.assert_array_equal(values, [17, 23])  # (1, 0 or 1, 0, 2, 1), row-major
    assert abs(counts[0] - 500) < 80  # 5 standard deviations
    with pytest.raises(ValueError, match="as rng"):
        dataset.sample_indices(factors)


def test_smallnorb_is_clipped_where_lanczos_rings() -> None:
    edge = np.zeros((96, 96, 1), np.uint8)
    edge[:, 48:] = 255
    unclipped = np.asarray(
        Image.fromarray(edge[:, :, 0].astype(np.int32)).resize((64, 64), Image.Resampling.LANCZOS)
    )
    assert unclipped.min() < 0
    assert unclipped.max() > 255
    np.testing.assert_array_equal(shrink(edge)[:, :, 0], np.clip(unclipped, 0, 255))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not start like"),
        (matrix(np.zeros((4, 4), "<i4"))[:30], "holds 30 bytes; its header says 84"),
        (matrix(np.zeros((4, 4), "<i4")) + b"x", "holds 85 bytes"),
        (b"\0" * 100, "does not start like"),
    ],
)
def test_a_broken_matrix_is_named(folder: Path, content: bytes, message: str) -> None:
    (folder / "some.mat").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_matrix(folder / "some.mat")


def test_smallnorb_files_that_do_not_belong_together_are_refused(folder: Path, cache: Path) -> None:
    write_norb(folder)
    (folder / FILES[1].name).write_bytes(gzip.compress(matrix(np.zeros(5, "<i4"))))
    with pytest.raises(DataError, match=r"have shapes .*not \(N, 2, 96, 96\), \(N,\), \(N, 4\)"):
        resized(SMALLNORB, *NORB_SIZES)(folder)
    assert leaves_nothing(cache)


def test_a_truncated_gzip_is_refused_and_leaves_nothing(folder: Path, cache: Path) -> None:
    write_norb(folder)
    path = folder / FILES[0].name
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match=f"{path} can't be read"):
        resized(SMALLNORB, *NORB_SIZES)(folder)
    assert leaves_nothing(cache)


def test_images_that_do_not_fill_the_grid_are_refused(folder: Path, cache: Path) -> None:
    write_norb(folder)
    with pytest.raises(DataError, match=r"no image has the factors \(0, 2, 0, 0, 0\)"):
        resized(SMALLNORB, 2, 3, 1, 3, 2)(folder)
    with pytest.raises(DataError, match=r"\(.*2.*\) are not in a grid of \(2, 2, 1, 2, 2\)"):
        resized(SMALLNORB, 2, 2, 1, 2, 2)(folder)
    assert leaves_nothing(cache)


# Cars3D: 2 cars.


def write_cars(folder: Path) -> dict[str, np.ndarray]:
    (folder / "cars").mkdir()
    views = {}
    for name in ("car_007_mesh", "car_012_mesh"):
        views[name] = RNG.integers(256, size=(128, 128, 3, 24, 4), dtype=np.uint8)
        savemat(folder / "cars" / f"{name}.mat", {"im": views[name]}, do_compression=True)
    (folder / "cars" / "list.txt").write_text("car_012_mesh\ncar_007_mesh\n")
    return views


def write_archive(folder: Path) -> Path:
    with tarfile.open(folder / ARCHIVE.name, "w:gz", compresslevel=1) as archive:
        archive.add(folder / "cars", "data/cars")
    (folder / "cars").rename(folder / "moved")
    return folder / ARCHIVE.name


def check_cars(dataset: Dataset, views: dict[str, np.ndarray]) -> None:
    for elevation, azimuth, car in ((0, 0, 0), (3, 23, 1), (2, 5, 0)):
        view = views[sorted(views)[car]][..., azimuth, elevation]
        small = Image.fromarray(view).resize((64, 64), Image.Resampling.LANCZOS)
        index = dataset.sample_indices(np.array([[elevation, azimuth, car]]))
        np.testing.assert_array_equal(dataset.store[index][0], small)


def test_cars3d_is_read_from_the_folder_and_from_the_archive(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    views = write_cars(folder)
    from_folder = resized(CARS3D, 4, 24, 2)(folder)
    check_cars(from_folder, views)
    write_archive(folder)
    monkeypatch.setenv("TEASEL_CACHE_DIR", str(tmp_path / "other"))
    from_archive = resized(CARS3D, 4, 24, 2)(folder)
    assert from_archive.fingerprint == from_folder.fingerprint


def test_broken_cars_are_refused(folder: Path, cache: Path) -> None:
    write_cars(folder)
    cars, definition = folder / "cars", resized(CARS3D, 4, 24, 2)
    whole = (cars / "car_012_mesh.mat").read_bytes()
    (cars / "car_012_mesh.mat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"car_012_mesh\.mat can't be read"):
        definition(folder)
    savemat(cars / "car_012_mesh.mat", {"im": np.zeros((4, 4), np.uint8)})
    with pytest.raises(DataError, match=r"holds uint8 \(4, 4\), not uint8 \(128, 128, 3, 24, 4\)"):
        definition(folder)
    (cars / "car_012_mesh.mat").write_bytes(whole)
    archive = write_archive(folder)
    archive.write_bytes(archive.read_bytes()[:-5000])
    with pytest.raises(DataError, match="not the published archive"):
        definition(folder)
    assert leaves_nothing(cache)


# Shapes3D: 2 x 1 x 1 x 2 x 1 x 3.

SHAPES_SIZES = (2, 1, 1, 2, 1, 3)


def write_shapes(path: Path, images: np.ndarray | None = None) -> np.ndarray:
    values = ([0.0, 0.1], [0.0], [0.0], [0.75, 1.25], [0.0], [-30.0, 0.0, 30.0])
    labels = np.array(list(product(*values)))
    if images is None:
        images = RNG.integers(256, size=(len(labels), 64, 64, 3), dtype=np.uint8)
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images, chunks=True, compression="gzip")
        file.create_dataset("labels", data=labels)
    return images


def test_shapes3d_is_read_in_its_own_order(folder: Path) -> None:
    images = write_shapes(folder / "3dshapes.h5")
    dataset = resized(SHAPES3D, *SHAPES_SIZES)(folder)
    np.testing.assert_array_equal(dataset.store, images)
    np.testing.assert_array_equal(dataset.images(np.array([5]))[0], images[5] / np.float32(255))
    np.testing.assert_array_equal(dataset.factors(np.array([5])), [[0, 0, 0, 1, 0, 2]])


def test_a_large_set_is_parsed_in_parts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = write_shapes(folder / "3dshapes.h5")
    monkeypatch.setattr("teasel.datasets.builder._SPLIT_BYTES", 5 * 12_400)  # 5, 5 and 2 images
    dataset = resized(SHAPES3D, *SHAPES_SIZES)(folder)
    np.testing.assert_array_equal(dataset.store, images)


def test_broken_shapes3d_files_are_refused(folder: Path, cache: Path) -> None:
    path, definition = folder / "3dshapes.h5", resized(SHAPES3D, *SHAPES_SIZES)
    write_shapes(path)
    path.write_bytes(path.read_bytes()[:-10_000])
    with pytest.raises(DataError, match=r"not the published Shapes3D file|can't read"):
        definition(folder)
    write_shapes(path, np.zeros((12, 32, 32, 3), np.uint8))
    with pytest.raises(DataError, match=r"shapes \(12, 32, 32, 3\) and \(12, 6\)"):
        definition(folder)
    write_shapes(path, np.zeros((12, 64, 64, 3), np.float32))
    with pytest.raises(DataError, match="images are float32, not uint8"):
        definition(folder)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="not the published Shapes3D file"):
        definition(folder)
    assert leaves_nothing(cache)


# dSprites


def write_dsprites(path: Path, shape: tuple[int, ...], dtype: str = "u1", blocks: int = 0) -> None:
    """An archive whose images.npy promises `shape` and holds `blocks` times 1024 black images."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    )
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("imgs.npy", "w", force_zip64=True) as file,
    ):
        file.write(header.getvalue())
        for _ in range(blocks):
            file.write(bytes(1024 * 4096))


def test_a_wrong_dsprites_file_is_refused(folder: Path, cache: Path) -> None:
    path = folder / FILE.name
    path.write_bytes(b"no archive")
    with pytest.raises(DataError, match="not the published dSprites file"):
        load("dsprites", folder)
    write_dsprites(path, (737280, 32, 32))
    with pytest.raises(DataError, match=r"uint8 \(737280, 32, 32\), not uint8 \(737280, 64, 64\)"):
        load("dsprites", folder)
    write_dsprites(path, (737280, 64, 64), "f4")
    with pytest.raises(DataError, match="float32"):
        load("dsprites", folder)
    write_dsprites(path, (737280, 64, 64), blocks=1)
    with pytest.raises(DataError, match="not the published dSprites file"):
        load("dsprites", folder)
    assert leaves_nothing(cache)


@pytest.mark.slow
def test_the_published_dsprites_file_is_preferred_to_drawing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = load("dsprites")
    assert drawn.source == "drawn"
    write_dsprites(folder / FILE.name, (737280, 64, 64), blocks=720)
    assert load("dsprites", folder).source == "published file"
    assert load("color_dsprites").source == "published file"
    dataset = load("dsprites")
    assert not dataset.store.any()
    assert dataset.fingerprint != drawn.fingerprint


def test_published_dsprites_images_come_in_the_order_of_the_file(folder: Path) -> None:
    write_dsprites(folder / FILE.name, (737280, 64, 64), blocks=2)
    examples = read([folder / FILE.name])
    factors = [next(examples)[1] for _ in range(1030)]
    sizes = tuple(factor.size for factor in GRID)
    np.testing.assert_array_equal(np.ravel_multi_index(np.transpose(factors), sizes), range(1030))


# Finding, checking and downloading files


def test_a_missing_file_says_what_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"missing\. `teasel data prepare shapes3d`.*Put 3dshapes\.h5"
    ):
        load("shapes3d")
    with pytest.raises(DataError, match=r"Put .*tar\.gz \(or cars\) into a folder"):
        load("cars3d")
    with pytest.raises(DataError, match=r"Put scream\.jpg into a folder.*TEASEL_DATA_DIR"):
        load("scream_dsprites_mini")
    with pytest.raises(DataError, match="nowhere, doesn't exist"):
        load("cars3d", tmp_path / "nowhere")


def test_files_without_tensorflow_datasets_say_what_to_install(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shapes(folder / "3dshapes.h5")
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(DataError, match="needs tensorflow-datasets: pip install"):
        load("shapes3d", folder)
    assert leaves_nothing(cache)


def test_a_wrong_checksum_is_refused_unless_any_will_do(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shapes(folder / "3dshapes.h5")
    definition = resized(SHAPES3D, *SHAPES_SIZES)
    monkeypatch.delenv("TEASEL_ANY_CHECKSUM")
    with pytest.raises(DataError, match=r"its sha256 is [0-9a-f]{64}, not 0a0f6ed9"):
        definition(folder)
    assert leaves_nothing(cache)
    monkeypatch.setenv("TEASEL_ANY_CHECKSUM", "1")
    assert len(definition(folder)) == 12


def test_files_are_found_one_folder_down_and_in_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "below").mkdir()
    path = folder / "below" / "3dshapes.h5"
    path.touch()
    monkeypatch.setenv("TEASEL_DATA_DIR", str(folder))
    assert find(SHAPES3D.publication.files[0]) == path


@pytest.fixture
def server(tmp_path: Path):
    (tmp_path / "served").mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Quiet, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = Thread(target=http.serve_forever)
        thread.start()
        yield tmp_path / "served", f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def served(server: tuple[Path, str], definition: Definition, digest: str = "") -> Definition:
    """The definition with its one file at a mirror that lacks it and at one that serves it."""
    _, address = server
    file = definition.publication.files[0]
    urls = (f"{address}/gone/{file.name}", f"{address}/{file.name}")
    file = PublishedFile(file.name, urls, digest)
    return replace(definition, publication=replace(definition.publication, files=(file,)))


def test_preparing_downloads_from_the_first_mirror_that_serves(
    server: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = server
    images = write_shapes(folder / "3dshapes.h5")
    digest = hashlib.sha256((folder / "3dshapes.h5").read_bytes()).hexdigest()
    definition = served(server, resized(SHAPES3D, *SHAPES_SIZES), f"sha256:{digest}")
    monkeypatch.delenv("TEASEL_ANY_CHECKSUM")
    assert definition.status().state == "missing 3dshapes.h5"
    dataset = definition.prepare()
    np.testing.assert_array_equal(dataset.store, images)
    (folder / "3dshapes.h5").unlink()
    assert definition.status().state == "prepared (published file)"
    assert definition.prepare().fingerprint == dataset.fingerprint


def test_a_download_with_a_wrong_checksum_leaves_nothing(
    server: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = server
    write_shapes(folder / "3dshapes.h5")
    definition = served(server, SHAPES3D, f"sha256:{64 * '0'}")
    monkeypatch.delenv("TEASEL_ANY_CHECKSUM")
    with pytest.raises(DataError, match=r"HTTP Error 404.*its sha256 is .*, not 000"):
        definition.prepare()
    assert list((tmp_path / "cache" / "downloads").iterdir()) == []


def test_no_network_is_said_at_once_with_the_way_out() -> None:
    file = PublishedFile("data.bin", ("http://127.0.0.1:9/data.bin",))
    with pytest.raises(DataError, match=r"can't download data.bin .*refused.*Put data.bin into"):
        download(file)


# MPI3D: the publisher's file holds nothing but images, in the grid's order.

MPI3D_SIZES = (2, 1, 2, 1, 1, 2, 3)


def test_mpi3d_is_read_in_the_order_of_its_file(folder: Path) -> None:
    images = RNG.integers(256, size=(24, 64, 64, 3), dtype=np.uint8)
    np.savez_compressed(folder / "mpi3d_real.npz", images=images)
    small = resized(MPI3D_REAL, *MPI3D_SIZES)
    dataset = define("real", "real.npz", small.grid)(folder)
    np.testing.assert_array_equal(dataset.store, images)
    assert dataset.factor_names[-2:] == ("horizontal_axis", "vertical_axis")
    assert dataset.factors(np.array([23])).tolist() == [[1, 0, 1, 0, 0, 1, 2]]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((23, 64, 64, 3), "u1")}, r"images is uint8 \(23, 64, 64, 3\), not"),
        ({"images": np.zeros((24, 64, 64, 3), "f4")}, "images is float32"),
        ({"imgs": np.zeros((24, 64, 64, 3), "u1")}, "is not the published MPI3D file: 'images'"),
    ],
)
def test_a_wrong_mpi3d_file_is_refused(
    folder: Path, cache: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    np.savez_compressed(folder / "mpi3d_toy.npz", **arrays)
    with pytest.raises(DataError, match=message):
        define("toy", "mpi3d_toy.npz", resized(MPI3D_REAL, *MPI3D_SIZES).grid)(folder)
    assert leaves_nothing(cache)


def test_dsprites_without_its_shape_draws_it_at_random(cache: Path) -> None:
    small = replace(DSPRITES_MINI, grid=DSPRITES_NOSHAPE.grid[:1] + DSPRITES_MINI.grid[1:])
    dataset, whole = small(), DSPRITES_MINI()
    assert dataset.factor_names == ("scale", "orientation", "position_x", "position_y")
    drawn = dataset.sample_indices(np.tile([5, 0, 1, 2], (50, 1)), np.random.default_rng(0))
    assert set(whole.factors(drawn)[:, 0]) == {0, 1, 2}
    assert DSPRITES_NOSHAPE.stored_as == "dsprites"
