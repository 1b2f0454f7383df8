"""Files that are there whole or not at all, and what a safetensors file says of itself."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from teasel.storage import is_half_written, read_tensors_header, replace_file


def test_a_file_is_replaced_only_once_its_writer_is_done(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with replace_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
        (half,) = (each for each in tmp_path.iterdir() if each != path)
        assert is_half_written(half.name)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_of_the_writer_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def fail() -> None:
        with replace_file(path) as file:
            file.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_header_of_tensors_is_read_without_the_tensors() -> None:
    tensors = {"x": np.zeros((3, 2), np.float32), "y": np.zeros(5, np.uint8)}
    content = save(tensors, {"step": "7"})
    asked: list[int] = []

    def read(num: int) -> bytes:
        asked.append(num)
        return content[:num]

    header = read_tensors_header(read, len(content))
    assert header.metadata == {"step": "7"}
    assert sorted(header.names) == ["x", "y"]
    assert header.num_bytes == len(content)
    assert max(asked) == len(content) - (3 * 2 * 4 + 5)


@pytest.mark.parametrize("content", [b"", b"\x02", b"\x02" + bytes(7) + b"[]", b"\xff" * 64])
def test_what_is_no_file_of_tensors_has_no_header(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_tensors_header(lambda num: content[:num], len(content))
