"""The cache is made once, whole or not at all, and never trusted blindly."""

import fcntl
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from teasel.datasets import DataError, Factor, cache_dir
from teasel.datasets.cache import PUBLISHED, Recipe, description, open_prepared

SHAPE = (6, 64, 64, 1)
IMAGES = np.random.default_rng(0).integers(256, size=SHAPE, dtype=np.uint8)


def chunks() -> Iterator[np.ndarray]:
    yield IMAGES[:4]
    yield IMAGES[4:]


def no_chunks() -> Iterator[np.ndarray]:
    raise AssertionError("made again")


RECIPE = Recipe("toy", (Factor("a", 2), Factor("b", 3)), SHAPE[1:], "drawn", chunks)
UNMAKEABLE = replace(RECIPE, chunks=no_chunks)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEASEL_CACHE_DIR", str(tmp_path))
    return tmp_path / "datasets"


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEASEL_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_dir() == Path("/somewhere/teasel")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "teasel"


def test_a_second_opening_reads_what_the_first_made(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "teasel")
    images, info = open_prepared(RECIPE)
    assert "Preparing toy: 6 images (drawn)" in caplog.messages
    again, _ = open_prepared(UNMAKEABLE)
    for array in (images, again):
        assert isinstance(array, np.memmap)
        np.testing.assert_array_equal(array, IMAGES)
    assert info["factors"] == [
        {"name": "a", "size": 2, "hidden": False},
        {"name": "b", "size": 3, "hidden": False},
    ]
    assert description("toy") == info
    assert description("other") is None
    assert visible(folder) == ["toy.json", "toy.npy"]


@pytest.mark.parametrize("change", ["flipped bit", "truncated", "emptied", "json garbled", "{}"])
def test_a_corrupt_cache_is_made_again_and_said_so(folder: Path, change: str) -> None:
    open_prepared(RECIPE)
    images, notes = folder / "toy.npy", folder / "toy.json"
    content = images.read_bytes()
    if change == "flipped bit":
        images.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    elif change == "truncated":
        images.write_bytes(content[:-1])
    elif change == "emptied":
        images.write_bytes(b"")
    else:
        notes.write_text(notes.read_text()[:40] if change == "json garbled" else change)
    with pytest.warns(UserWarning, match=r"toy.npy is corrupt: making it again"):
        again, _ = open_prepared(RECIPE)
    np.testing.assert_array_equal(again, IMAGES)
    open_prepared(UNMAKEABLE)


def test_images_without_their_json_are_not_trusted(folder: Path) -> None:
    open_prepared(RECIPE)
    (folder / "toy.json").unlink()
    with pytest.raises(AssertionError, match="made again"):
        open_prepared(UNMAKEABLE)


def test_a_copied_cache_is_checked_once_and_kept(folder: Path) -> None:
    open_prepared(RECIPE)
    content = (folder / "toy.npy").read_bytes()
    (folder / "toy.npy").write_bytes(content)  # another time of writing
    stamp = json.loads((folder / "toy.json").read_text())["stamp"]
    open_prepared(UNMAKEABLE)
    assert json.loads((folder / "toy.json").read_text())["stamp"] != stamp


def test_another_version_or_a_better_source_is_made_again() -> None:
    open_prepared(RECIPE)
    with pytest.raises(AssertionError, match="made again"):
        open_prepared(replace(UNMAKEABLE, version=2))
    with pytest.raises(AssertionError, match="made again"):
        open_prepared(replace(UNMAKEABLE, source=PUBLISHED))
    open_prepared(replace(RECIPE, source=PUBLISHED))
    _, info = open_prepared(UNMAKEABLE)
    assert info["source"] == PUBLISHED


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([IMAGES[:4]], "toy: 4 images, not 6"),
        ([IMAGES, IMAGES], "toy: 12 images, not 6"),
        ([IMAGES[:, :32]], r"uint8 \(32, 64, 1\), not uint8 \(64, 64, 1\)"),
        ([IMAGES.astype(np.float32)], "float32"),
    ],
)
def test_images_of_the_wrong_number_shape_or_type_leave_nothing(
    folder: Path, made: list[np.ndarray], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        open_prepared(replace(RECIPE, chunks=lambda: made))
    assert visible(folder) == []


def test_two_processes_at_once_make_it_once(folder: Path) -> None:
    code = (
        "import logging\n"
        "from teasel.datasets import load\n"
        "logging.basicConfig(level=logging.INFO)\n"
        "print('ready', flush=True)\n"
        "print(load('dsprites_mini').fingerprint)"
    )
    folder.mkdir()
    with open(folder / ".dsprites_mini.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        processes = [
            subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True)
            for _ in range(2)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)  # both have looked, found nothing and wait for the lock
    (first, first_said), (second, second_said) = (process.communicate() for process in processes)
    assert first == second
    assert len(first) == 65
    assert (first_said + second_said).count("Preparing dsprites_mini") == 1
    for said in (first_said, second_said):
        assert "Waiting: another process prepares dsprites_mini" in said
    assert visible(folder) == ["dsprites_mini.json", "dsprites_mini.npy"]


def test_what_a_killed_process_left_is_swept_away(folder: Path) -> None:
    folder.mkdir()
    (folder / f".toy.npy.{32 * 'a'}").write_bytes(b"half")
    open_prepared(RECIPE)
    assert visible(folder) == ["toy.json", "toy.npy"]


def test_no_space_left_is_one_clear_error_and_leaves_nothing(folder: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(DataError, match=r"can't write .*toy.npy: .* MB left"):
            open_prepared(RECIPE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert visible(folder) == []


def test_a_folder_that_cannot_be_made_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TEASEL_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"can't make the cache folder .*; set TEASEL_CACHE_DIR to"):
        open_prepared(RECIPE)


def test_a_terminal_gets_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    open_prepared(RECIPE)
    assert "100%" in capsys.readouterr().err
