"""Files as every floor writes and reads them: whole or not at all, and their headers first."""

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
    """Gives a file to write, which takes the place of `path` once it is complete and synced.

    Whoever reads `path` meanwhile sees what was there before; an error leaves that as it is.

    Args:
        path: In a folder that exists.
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
    """Whether a file has the name of one that `replace_file` has not completed.

    >>> is_half_written(f".a.parquet.{32 * '0'}"), is_half_written(".a.lock")
    (True, False)
    """
    return re.fullmatch(r"\..+\.[0-9a-f]{32}", name) is not None


UNSEALED = f"teasel-digest:{16 * '0'}"
"""What a writer puts where its format has room for a text; `seal` makes a digest of the zeros."""


def seal(content: bytes) -> bytes:
    """The content with its digest, if it has room for one: that tells of damage, not of forgery.

    >>> is_sound(seal(UNSEALED.encode())), is_sound(b"x" + seal(UNSEALED.encode())), is_sound(b"")
    (True, False, None)
    """
    before, _, digest, after = _around_digest(content)
    return b"".join((before, digest, after)) if before else content


def is_sound(content: bytes) -> bool | None:
    """Whether the content is what was sealed; None if it carries no digest, or zeros."""
    before, found, digest, _ = _around_digest(content)
    return found == digest if before and found != UNSEALED[-16:].encode() else None


def _around_digest(content: bytes) -> tuple[memoryview, bytes, bytes, memoryview]:
    """What stands before the digest, the digest, as it should be, and the rest; else nothing."""
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
    """What a safetensors file says of itself.

    Attributes:
        metadata: The texts that its writer has added.
        names: Of its tensors.
        num_bytes: The size that the whole file must have.
    """

    metadata: dict[str, str]
    names: list[str]
    num_bytes: int


def read_tensors_header(read: Callable[[int], bytes], size: int) -> TensorsHeader:
    """The header of a safetensors file, without reading its tensors.

    Args:
        read: Gives the first so many bytes of the file.
        size: How many bytes there are.

    Raises:
        ValueError: If it has no such header.
    """
    length = int.from_bytes(read(8), "little")
    if 8 + length > size:
        raise ValueError(f"it should have {length:,} bytes, the file has {size:,}")
    try:
        tensors = json.loads(read(8 + length)[8:])
        metadata = tensors.pop("__metadata__", {})
        ends = [tensor["data_offsets"][1] for tensor in tensors.values()]
        return TensorsHeader(metadata, list(tensors), 8 + length + max(ends, default=0))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
