"""The store: a file is there whole, or not at all."""

import errno
import os
from pathlib import Path

import pyarrow as pa
import pytest

from teasel.sweep.store.store import Store, StoreError


def test_what_is_written_is_read_back_and_listed(tmp_path: Path) -> None:
    store = Store(tmp_path / "new" / "folder")
    store.make()
    store.write("a/b.txt", b"one")
    store.write("a/c.json", b"{}")
    store.write("a/b.txt", b"two")
    assert store.read("a/b.txt") == b"two"
    assert store.files("a") == ["a/b.txt", "a/c.json"]
    assert store.files("a", ".json") == ["a/c.json"]
    assert store.files("nowhere") == []
    store.remove("a/b.txt")
    store.remove("a/b.txt")
    assert not store.exists("a/b.txt")


def test_a_full_disk_leaves_the_old_file_and_no_half_written_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.write("a.txt", b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"cannot write .*a\.txt: No space left on device"):
        store.write("a.txt", b"new")
    assert store.read("a.txt") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_half_written_file_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / ".a.parquet.123").write_bytes(b"half")
    assert Store(tmp_path).files("", "") == []


def test_a_folder_that_is_a_file_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot write"):
        Store(tmp_path / "file").write("a.txt", b"")


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_table("t.parquet", pa.table({"x": [1, 2]}))
    content = store.read("t.parquet")
    store.write("t.parquet", content[: len(content) // 2])
    with pytest.raises(StoreError, match=r"t\.parquet"):
        store.parquet("t.parquet", lambda parquet: parquet.read())


def test_an_unknown_kind_of_store_is_refused() -> None:
    with pytest.raises(StoreError, match="ftp://x/y"):
        Store("ftp://x/y")


@pytest.mark.parametrize("secret", ["secret", "sec/ret", "se@cr/et"])
def test_a_secret_is_not_shown(secret: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store(f"ftp://key:{secret}@bucket/x")
    assert str(caught.value).startswith("ftp://bucket/x: ")
    assert secret not in str(caught.value)


def test_a_store_travels_to_another_process(tmp_path: Path) -> None:
    import pickle

    store = pickle.loads(pickle.dumps(Store(tmp_path)))
    store.write("x", b"1")
    assert Store(tmp_path).read("x") == b"1"
