"""A folder of immutable files, local or on an object store, written atomically."""

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from ...errors import TeaselError
from ...storage import UNSEALED, is_half_written, is_sound, replace_file, seal
from .shapes import misfit, shape_of
from .tables import SCHEMA_VERSION

Found = TypeVar("Found")


class StoreError(TeaselError):
    """A file of the results folder cannot be read or written; the message says which and why."""


class MissingFileError(StoreError):
    """The file does not exist: it never did, or another driver has removed it."""


class DamagedFileError(StoreError):
    """The file's content was changed, or does not belong at its place in a results folder.

    Attributes:
        reason: The fault, without the file's name.
    """

    reason = ""


class NewerVersionError(StoreError):
    """The file is intact, but was written by a newer version of Teasel."""


class Store:
    """Files below one root, named by relative paths with forward slashes.

    No name, trusted or not, can lead outside the root. Files have digests if their format has room
    for one, so reading returns what was written or raises an error. A failed operation or an
    unreachable store is a StoreError.

    A local file is written under a temporary name in the same folder, synced and renamed, so
    readers never see half of it. An object store's single put gives the same guarantee.

    Args:
        uri: A local path, or a URI that `pyarrow.fs` understands (``s3://``, ``gs://``).

    Attributes:
        uri_with_secrets: The root as given, made absolute, with which a worker opens the store.
        uri: The same for messages, without the key and secret before an ``@``.
        local: Whether it is a path in this machine's file system.
        unsealed: The files read so far that have no digest, as earlier versions wrote them.

    Raises:
        StoreError: If the URI is not understood.
    """

    def __init__(self, uri: str | Path) -> None:
        text = str(uri)
        if "://" not in text:
            text = str(Path(os.path.expanduser(text)).absolute())  # '~nobody' stands for itself
        self.uri_with_secrets = text
        self.uri = without_secrets(text)
        try:
            filesystem, root = fs.FileSystem.from_uri(text)
        except (pa.ArrowInvalid, OSError) as error:
            reason = str(error).replace(text, self.uri)
            raise StoreError(
                f"{self.uri}: not a folder or URI that can be opened: {reason}"
            ) from None
        self._filesystem = filesystem
        self._root = root.rstrip("/")
        self.local = isinstance(filesystem, fs.LocalFileSystem)
        self.unsealed: set[str] = set()

    def __reduce__(self) -> tuple[type["Store"], tuple[str]]:
        return Store, (self.uri_with_secrets,)

    def _path(self, name: str) -> str:
        if name and not is_plain(name):
            raise StoreError(f"{self.uri}: {name!r} is not a valid file name in it")
        return f"{self._root}/{name}" if name else self._root

    @contextlib.contextmanager
    def _explain_errors(self, what: str, name: str) -> Iterator[str]:
        """Gives the path of `name`, and turns errors there into one clear line.

        A local file is never changed in a folder outside the root that a link leads to.
        """
        path = self._path(name)
        if self.local and what in _CHANGES:
            folder = os.path.realpath(os.path.dirname(path))
            if self.leads_out(name.rpartition("/")[0]):
                raise StoreError(f"cannot {what} {path}: a link leads from {self.uri} to {folder}")
        try:
            yield path
        except FileNotFoundError as error:
            raise MissingFileError(f"cannot {what} {path}: the file does not exist") from error
        except OSError as error:
            raise StoreError(f"cannot {what} {path}: {error.strerror or error}") from error

    def make(self) -> None:
        """Makes the root if it is a local folder, which writing does not.

        Raises:
            StoreError: If the folder cannot be made.
        """
        if self.local:
            with self._explain_errors("make", "") as path:
                Path(path).mkdir(parents=True, exist_ok=True)

    def write(self, name: str, content: bytes) -> None:
        """Writes `content` to `name` atomically, replacing an existing file.

        Content with room for a digest is sealed.
        """
        content = seal(content)
        with self._explain_errors("write", name) as path:
            if self.local:
                try:
                    for folder in reversed(Path(name).parents[:-1]):  # not the root: it may be gone
                        Path(self._root, folder).mkdir(exist_ok=True)
                    with replace_file(Path(path)) as file:
                        file.write(content)
                except FileNotFoundError as error:
                    raise StoreError(f"{self.uri} is gone: it was moved or removed") from error
            else:
                with self._filesystem.open_output_stream(path) as stream:
                    stream.write(content)

    def read(self, name: str, num_bytes: int | None = None) -> bytes:
        """The content of the file at `name`, or its first `num_bytes`, which are not checked.

        Raises:
            MissingFileError: If the file does not exist.
            DamagedFileError: If the content does not match its digest.
            StoreError: If the file cannot be read.
        """
        with self.open(name) as stream, self._explain_errors("read", name):
            content = stream.read(num_bytes)
        sound = is_sound(content) if num_bytes is None else True
        if sound is None:
            self.unsealed.add(name)
        elif not sound:
            raise self.damaged(name, "its content does not match its digest")
        return content

    def open(self, name: str) -> pa.NativeFile:
        """Opens the file at `name` for reading, without checking its content.

        Raises:
            MissingFileError: If the file does not exist.
            StoreError: If it cannot be opened.
        """
        with self._explain_errors("read", name) as path:
            return self._filesystem.open_input_file(path)

    def leads_out(self, name: str) -> bool:
        """Whether a link in the path of a local file leads outside the root."""
        root, path = os.path.realpath(self._root), os.path.realpath(self._path(name))
        return self.local and not Path(path).is_relative_to(root)

    def damaged(self, name: str, reason: str) -> DamagedFileError:
        """The error for a damaged file, with advice."""
        error = DamagedFileError(
            f"cannot read {self._path(name)}: {reason}; `teasel verify {self.uri}` says whether "
            "it is damaged, and what to do"
        )
        error.reason = reason
        return error

    def write_json(self, name: str, value: Mapping[str, Any], indent: int | None = None) -> None:
        """Writes `value` as a JSON file with a digest."""
        text = json.dumps({**value, "digest": UNSEALED}, indent=indent)
        self.write(name, text.encode())

    def read_json(self, name: str) -> dict[str, Any]:
        """The content of a JSON file, checked against its shape in `shapes`.

        Raises:
            MissingFileError: If the file does not exist.
            DamagedFileError: If it is damaged or has another shape.
            NewerVersionError: If it is of a newer version.
            StoreError: If it cannot be read.
        """
        try:
            value = json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            raise self.damaged(name, f"it is not valid JSON: {error}") from error
        if isinstance(value, dict):
            value.pop("digest", None)
            version = value.get("schema_version")
            if isinstance(version, int) and version > SCHEMA_VERSION:
                raise newer(self._path(name), version)
        if wrong := misfit(value, shape_of(name)):
            raise self.damaged(name, wrong)
        return value

    def exists(self, name: str) -> bool:
        """Whether there is a file at `name`."""
        with self._explain_errors("look for", name) as path:
            return self._filesystem.get_file_info(path).type == fs.FileType.File

    def files(self, folder: str = "", suffix: str = "") -> list[str]:
        """Names of the files directly in `folder` that end in `suffix`, sorted."""
        return list(self.sizes(folder, suffix))

    def sizes(self, folder: str = "", suffix: str = "") -> dict[str, int]:
        """Sizes in bytes of the files directly in `folder` that end in `suffix`, sorted by name.

        Names that begin with a dot belong to half-written files and are left out, as are names that
        Teasel never uses.
        """
        with self._explain_errors("list", folder) as path:
            found = self._filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
        prefix = f"{folder}/" if folder else ""
        return {
            prefix + info.base_name: info.size
            for info in sorted(found, key=lambda info: info.base_name)
            if info.type == fs.FileType.File
            and info.base_name.endswith(suffix)
            and not info.base_name.startswith(".")
            and is_plain(info.base_name)
        }

    def folders(self, folder: str = "") -> list[str]:
        """Names of the folders directly in `folder`, sorted; none if it does not exist."""
        with self._explain_errors("list", folder) as path:
            found = self._filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
        prefix = f"{folder}/" if folder else ""
        return sorted(
            prefix + info.base_name
            for info in found
            if info.type == fs.FileType.Directory and is_plain(info.base_name)
        )

    def remove(self, name: str) -> None:
        """Deletes the file at `name`, if it exists."""
        with contextlib.suppress(MissingFileError), self._explain_errors("remove", name) as path:
            self._filesystem.delete_file(path)

    def move(self, name: str, to: str) -> None:
        """Renames the file at `name`, if it exists."""
        with (
            contextlib.suppress(MissingFileError),
            self._explain_errors("write", to) as target,
            self._explain_errors("remove", name) as path,
        ):
            if self.local:
                Path(target).parent.mkdir(parents=True, exist_ok=True)
            self._filesystem.move(path, target)

    def remove_half_written(self, seconds: float) -> None:
        """Deletes temporary local files of this age, left by killed writers."""
        for folder, _, names in os.walk(self._root) if self.local else ():
            for name in names:
                if is_half_written(name):
                    path = Path(folder, name)
                    with contextlib.suppress(OSError):
                        if time.time() - path.stat().st_mtime > seconds:
                            path.unlink()

    def write_table(self, name: str, table: pa.Table, **options: Any) -> None:
        """Writes `table` as one Parquet file (zstd, checksums, a digest), atomically."""
        sink = pa.BufferOutputStream()
        about = (table.schema.metadata or {}) | {b"digest": UNSEALED.encode()}
        pq.write_table(table.replace_schema_metadata(about), sink, **PARQUET, **options)
        self.write(name, sink.getvalue().to_pybytes())

    def parquet(self, name: str, look: Callable[[pq.ParquetFile], Found], **options: Any) -> Found:
        """The result of `look` for the Parquet file at `name`.

        Raises:
            MissingFileError: If the file does not exist.
            DamagedFileError: If it is damaged, or `look` finds that it does not belong here.
            StoreError: If it cannot be read.
        """
        content = pa.BufferReader(self.read(name))
        try:
            return look(pq.ParquetFile(content, page_checksum_verification=True, **options))
        except (OSError, ValueError, LookupError, MemoryError, pa.ArrowException) as error:
            raise self.damaged(name, str(error).partition("\n")[0]) from error


PARQUET: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
_CHANGES = ("write", "remove")


def newer(file: str, version: int) -> NewerVersionError:
    """The error for a file of a newer version."""
    return NewerVersionError(
        f"{file}: written by a newer version of Teasel (tables of version {version}, this one "
        f"reads up to {SCHEMA_VERSION}): upgrade Teasel"
    )


def is_plain(name: str) -> bool:
    """Whether a joined name stays inside its parent folder, on every system.

    >>> is_plain("tables/a.parquet"), is_plain("../a"), is_plain("/a"), is_plain("a//b")
    (True, False, False, False)
    """
    odd = "\\" in name or "\0" in name
    return not odd and {"", ".", ".."}.isdisjoint(name.split("/"))


def without_secrets(uri: str) -> str:
    """The URI without user and password, which may contain slashes.

    >>> without_secrets("s3://key:secret@bucket/study?region=eu-west-1")
    's3://bucket/study?region=eu-west-1'
    >>> without_secrets("s3://key:se/cr@et@bucket/study")
    's3://bucket/study'
    """
    return re.sub(r"(?<=://).*@", "", uri)
