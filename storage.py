"""Files for all rooms: atomic writing, digests and the headers of safetensors files."""

import contextlib
import hashlib
import json
import os
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for writing that replaces `path` once it is complete and synced.

    Until then readers of `path` see its old content, which stays if an error occurs.

    Args:
        path: A path in an existing folder.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def is_half_written(name: str) -> bool:
    """Whether this is the name of a temporary file that `replace_file` has not completed.

    >>> is_half_written(f".a.parquet.{32 * '0'}"), is_half_written(".a.lock")
    (True, False)
    """
    return re.fullmatch(r"\..+\.[0-9a-f]{32}", name) is not None


UNSEALED = f"teasel-digest:{16 * '0'}"
"""A placeholder that writers put in a file's text metadata; `seal` replaces its zeros."""


def seal(content: bytes) -> bytes:
    """The content with its digest, if it has a placeholder. It detects damage, not forgery.

    >>> is_sound(seal(UNSEALED.encode())), is_sound(b"x" + seal(UNSEALED.encode())), is_sound(b"")
    (True, False, None)
    """
    before, _, digest, after = _around_digest(content)
    return b"".join((before, digest, after)) if before else content


def is_sound(content: bytes) -> bool | None:
    """Whether the content matches its digest; None if it has no digest, or only zeros."""
    before, found, digest, _ = _around_digest(content)
    return found == digest if before and found != UNSEALED[-16:].encode() else None


def _around_digest(content: bytes) -> tuple[memoryview, bytes, bytes, memoryview]:
    """The content before the digest, the digest found, the digest expected, and the rest."""
    view, mark = memoryview(content), UNSEALED[:-16].encode()
    place = content.rfind(mark)
    if place < 0:
        return view[:0], b"", b"", view
    start = place + len(mark)
    digest = hashlib.blake2b(view[:start], digest_size=8)
    digest.update(view[start + 16 :])
    return (
        view[:start],
        content[start : start + 16],
        digest.hexdigest().encode(),
        view[start + 16 :],
    )


class TensorsHeader(NamedTuple):
    """The header of a safetensors file.

    Attributes:
        metadata: Texts added by the writer.
        names: Names of the tensors.
        num_bytes: The expected size of the whole file.
    """

    metadata: dict[str, str]
    names: list[str]
    num_bytes: int


def read_tensors_header(read: Callable[[int], bytes], size: int) -> TensorsHeader:
    """The header of a safetensors file, without reading its tensors.

    Args:
        read: Returns the given number of bytes from the start of the file.
        size: The size of the file in bytes.

    Raises:
        ValueError: If the header is not valid.
    """
    length = int.from_bytes(read(8), "little")
    if 8 + length > size:
        raise ValueError(f"its length is {length:,} bytes, but the file has {size:,}")
    try:
        tensors = json.loads(read(8 + length)[8:])
        metadata = tensors.pop("__metadata__", {})
        ends = [tensor["data_offsets"][1] for tensor in tensors.values()]
        return TensorsHeader(metadata, list(tensors), 8 + length + max(ends, default=0))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
