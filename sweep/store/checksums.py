"""Publication of a folder: it appears whole, with a checksum of each file.

The checksums are in `checksums.txt`, as `sha256sum` writes them and `sha256sum -c` reads them.
"""

import contextlib
import hashlib
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from ...errors import TeaselError
from .store import Store, is_plain

CHECKSUMS = "checksums.txt"


class PublicationError(TeaselError):
    """A folder cannot be published, or differs from what was published; names the file."""


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Creates a temporary folder to fill, and renames it to `path` if no error occurs.

    Raises:
        PublicationError: If `path` exists and is not empty, is not local, or cannot be written.
    """
    if "://" in str(path):
        raise PublicationError(
            f"{path}: expected a local folder, which you can then copy elsewhere"
        )
    target = Path(path).expanduser().resolve()
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise PublicationError(f"{target} already exists: expected a new or empty folder")
        temporary.mkdir(parents=True)
        yield temporary
        temporary.rename(target)
    except OSError as error:
        raise PublicationError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def list_all(store: Store, folder: str = "") -> Iterator[str]:
    """The files in a folder and its subfolders, without names that begin with a dot."""
    yield from store.files(folder)
    for inner in store.folders(folder):
        if not inner.rpartition("/")[2].startswith("."):
            yield from list_all(store, inner)


def write_checksums(store: Store) -> str:
    """Writes the checksums of all files; returns the SHA-256 of the list itself."""
    names = sorted(set(list_all(store)) - {CHECKSUMS})
    lines = [f"{hashlib.sha256(store.read(name)).hexdigest()}  {name}\n" for name in names]
    content = "".join(lines).encode()
    store.write(CHECKSUMS, content)
    return hashlib.sha256(content).hexdigest()


def parse_checksums(content: bytes, where: str) -> dict[str, str]:
    """The SHA-256 of each file, by its name.

    Args:
        content: The content of `checksums.txt`.
        where: The name of its folder, for messages.

    Raises:
        PublicationError: If a line is invalid, repeats a file, or names one outside the folder.

    >>> parse_checksums(b"0" * 64 + b"  a/b.txt", "here") == {"a/b.txt": "0" * 64}
    True
    """
    found: dict[str, str] = {}
    for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
        place = f"{where}: {CHECKSUMS}, line {number}"
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
        if not match:
            raise PublicationError(f"{place}: expected a SHA-256 and a file name")
        digest, name = match.groups()
        if not is_plain(name):
            raise PublicationError(f"{place}: {name!r} is outside the folder")
        if name in found or name == CHECKSUMS:
            raise PublicationError(f"{place}: {name} is reserved or listed twice")
        found[name] = digest
    return found
