"""Fetches a published results folder from a folder, a server, an object store or an archive.

Only files listed in `checksums.txt` are copied, and only if their checksums match.
"""

import contextlib
import hashlib
import http.client
import re
import stat
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar, cast
from urllib.parse import quote, urlsplit, urlunsplit

from ...storage import replace_file
from ...version import __version__
from .checksums import CHECKSUMS, PublicationError, list_all, new_folder, parse_checksums
from .results import Results
from .store import MissingFileError, Store, StoreError, is_plain, without_secrets

_ARCHIVE = re.compile(r"\.(zip|tar|tgz|tbz2|txz|tar\.(gz|bz2|xz))(/content)?$", re.IGNORECASE)
_ARCHIVE_ITSELF = "archive"  # its name among the files that its address gives
_SECONDS = 60.0  # of silence of a server
_TRIES, _PAUSE = 3, 1.0  # of a file that a server is to give, and seconds in between
_PIECE = 2**20

_UNREADABLE = (
    *(OSError, EOFError, RuntimeError, NotImplementedError, http.client.HTTPException),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, ValueError),
)
"""Errors that can occur on reading an untrusted or remote file."""


Read = TypeVar("Read")


class _BrokenError(PublicationError):
    """A file was read incompletely or differs; a server may succeed on another try."""


class Fetched(NamedTuple):
    """The outcome of a fetch.

    Attributes:
        num_files: The number of files, including the checksums.
        num_bytes: Their size.
        sha256: The SHA-256 of `checksums.txt`, which covers every byte.
    """

    num_files: int
    num_bytes: int
    sha256: str


class _Source(NamedTuple):
    """A source of files.

    Attributes:
        where: Its name, for messages.
        open: Opens a file by its name, or raises MissingFileError.
        names: The names of all its files, in reading order; None if they cannot be listed.
        tries: The number of tries to read a file.
    """

    where: str
    open: Callable[[str], Any]
    names: list[str] | None
    tries: int = 1


def fetch(uri: str | Path, folder: str | Path, sha256: str | None = None) -> Fetched:
    """Fetches a published results folder; nothing appears at `folder` before all is verified.

    Args:
        uri: A folder made by `teasel publish`, or its .zip or .tar: a path, an ``https://`` address
            or a URI of an object store.
        folder: A new or empty local folder.
        sha256: The expected SHA-256 of its `checksums.txt`, if known.

    Raises:
        PublicationError: If a file was changed, is missing, is not listed or is outside the folder,
            or if `folder` is not new or cannot be written.
        StoreError: If the store cannot be reached, or the study is of a newer version.
    """
    with new_folder(folder) as made, _open(str(uri), made.parent) as source:
        content = _retry(source, lambda: b"".join(_pieces(source, CHECKSUMS)))
        found = hashlib.sha256(content).hexdigest()
        if sha256 is not None and sha256.lower() != found:
            raise PublicationError(
                f"{source.where}: {CHECKSUMS} has the SHA-256 {found}, expected {sha256}"
            )
        wanted = parse_checksums(content, source.where)
        if "study.json" not in wanted:
            raise PublicationError(
                f"{source.where}: no study.json, so this is not a results folder"
            )
        listed = source.names if source.names is not None else [*wanted]
        for name in listed:
            if name not in wanted and name != CHECKSUMS:
                raise PublicationError(f"{source.where}: {name} has no checksum in checksums.txt")
        num_bytes = len(content)
        for name in [name for name in listed if name in wanted] + sorted({*wanted} - {*listed}):
            num_bytes += _take(source, name, wanted[name], made / name)
        with replace_file(made / CHECKSUMS) as file:
            file.write(content)
        try:
            _ = Results(made).study
        except StoreError as error:
            raise StoreError(str(error).replace(str(made), source.where)) from None
        return Fetched(len(wanted) + 1, num_bytes, found)


def _take(source: _Source, name: str, digest: str, target: Path) -> int:
    """Copies a file; returns its size.

    Raises:
        PublicationError: If it is missing, cannot be read, or was changed.
    """

    def copy() -> int:
        found, size = hashlib.sha256(), 0
        with replace_file(target) as file:
            for piece in _pieces(source, name):
                found.update(piece)
                size += len(piece)
                file.write(piece)
        if found.hexdigest() != digest:
            raise _BrokenError(f"{source.where}: {name} was changed after it was published")
        return size

    target.parent.mkdir(parents=True, exist_ok=True)
    return _retry(source, copy)


def _retry(source: _Source, read: Callable[[], Read]) -> Read:
    """The result of reading, after as many tries as the source allows."""
    for _ in range(source.tries - 1):
        try:
            return read()
        except _BrokenError:
            time.sleep(_PAUSE)
    return read()


def _pieces(source: _Source, name: str) -> Iterator[bytes]:
    """The content of a file, piece by piece."""
    try:
        with source.open(name) as stream:
            while piece := stream.read(_PIECE):
                yield piece
    except MissingFileError:
        told = {CHECKSUMS: ", so this is not a published folder", _ARCHIVE_ITSELF: " there"}
        what = told.get(name, f", which {CHECKSUMS} lists")
        raise PublicationError(f"{source.where}: there is no {name}{what}") from None
    except _UNREADABLE as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise _BrokenError(f"{source.where}: cannot read {name}: {why}") from error


@contextlib.contextmanager
def _open(uri: str, room: Path) -> Iterator[_Source]:
    """Opens the source at a URI; `room` is a folder with room for a downloaded archive."""
    web = re.match(r"https?://", uri, re.IGNORECASE) is not None
    remote = "://" in uri
    if not _ARCHIVE.search(urlsplit(uri).path if remote else uri) or Path(uri).is_dir():
        yield _of_server(uri) if web else _of_store(Store(uri))
    elif web:
        where = _without_query(uri)
        server = _Source(where, lambda _: _open_url(uri), None, _TRIES)
        with tempfile.TemporaryFile(dir=room) as file:

            def download() -> None:
                file.seek(0)
                file.truncate()
                file.writelines(_pieces(server, _ARCHIVE_ITSELF))

            _retry(server, download)
            file.seek(0)
            with _of_archive(cast(BinaryIO, file), where) as source:
                yield source
    else:
        if remote:
            parts = urlsplit(uri)
            above, _, name = parts.path.rpartition("/")
            store = Store(urlunsplit(parts._replace(path=above)))
        else:
            path = Path(uri).expanduser().absolute()
            store, name = Store(path.parent), path.name
        with (
            store.open(name) as file,
            _of_archive(cast(BinaryIO, file), f"{store.uri}/{name}") as source,
        ):
            yield source


def _of_store(store: Store) -> _Source:
    def open_inside(name: str) -> Any:
        if store.leads_out(name):
            raise PublicationError(f"{store.uri}: {name} is a link to outside the folder")
        return store.open(name)

    return _Source(store.uri, open_inside, list(list_all(store)))


def _of_server(uri: str) -> _Source:
    parts = urlsplit(uri)

    def open_file(name: str) -> Any:
        path = f"{parts.path.rstrip('/')}/{quote(name)}"
        return _open_url(urlunsplit(parts._replace(path=path, fragment="")))

    return _Source(_without_query(uri), open_file, None, _TRIES)


def _open_url(url: str) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": f"teasel/{__version__}"})
    try:
        return urllib.request.urlopen(request, timeout=_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (404, 410):
                raise MissingFileError(url) from error
            raise OSError(f"the server answered {error.code} {error.reason}") from error


def _without_query(uri: str) -> str:
    """An address for messages, without its query, which may contain a secret."""
    return without_secrets(uri.partition("?")[0]) if "://" in uri else uri


@contextlib.contextmanager
def _of_archive(file: BinaryIO, where: str) -> Iterator[_Source]:
    """Opens an archive of a folder or of its content; only files read by name are unpacked."""
    try:
        is_zip = zipfile.is_zipfile(file)
        file.seek(0)
        archive: Any = zipfile.ZipFile(file) if is_zip else tarfile.open(fileobj=file)  # noqa: SIM115
        members = archive.infolist() if is_zip else archive.getmembers()
    except _UNREADABLE as error:
        raise PublicationError(f"{where} is not a readable .zip or .tar") from error
    with archive:
        found: dict[str, Any] = {}
        for member in members:
            name = (member.filename if is_zip else member.name).removeprefix("./")
            if member.is_dir() if is_zip else member.isdir():
                continue
            if not is_plain(name):
                raise PublicationError(f"{where}: {name!r} is outside the folder")
            if not (_is_file(member) if is_zip else member.isreg()):
                raise PublicationError(f"{where}: {name} is not a plain file")
            if name in found:
                raise PublicationError(f"{where}: {name} is in it twice")
            found[name] = member
        indices = [n for n in found if n.rpartition("/")[2] == CHECKSUMS]
        top = min(indices, key=lambda n: n.count("/"), default="").removesuffix(CHECKSUMS)

        def open_member(name: str) -> Any:
            if top + name not in found:
                raise MissingFileError(name)
            member = found[top + name]
            return archive.open(member) if is_zip else archive.extractfile(member)

        names = [n.removeprefix(top) for n in found if not n.rpartition("/")[2].startswith(".")]
        yield _Source(where, open_member, names)


def _is_file(member: zipfile.ZipInfo) -> bool:
    """Whether a member of a .zip is a plain file, which its writer need not state."""
    return stat.S_IFMT(member.external_attr >> 16) in (0, stat.S_IFREG)
