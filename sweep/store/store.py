"""A folder of immutable files, local or on an object store, written whole or not at all."""

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
    """A file of the results folder cannot be read or written; says which and why."""


class MissingFileError(StoreError):
    """The file is not there: it never was, or another driver has removed it."""


class DamagedFileError(StoreError):
    """The file is not what was written, or not what belongs at its place in a results folder.

    Attributes:
        reason: What is wrong, without the file's name.
    """

    reason = ""


class NewerVersionError(StoreError):
    """The file is whole, and was written by a newer version of Teasel."""


class Store:
    """Files below one root, named by relative paths with forward slashes.

    No name leads out of the root, whoever has thought it up. Files carry digests, wherever their
    format has room for one: what is read is what was written, or an error. Whatever the store
    refuses, or cannot be reached for, is a StoreError.

    A local file is written under a temporary name beside its place, synced and renamed, so a
    reader never sees half of one. An object store's single put gives the same promise.

    Args:
        uri: A local path, or a URI that `pyarrow.fs` understands (``s3://``, ``gs://``).

    Attributes:
        uri_with_secrets: The root as given, absolute; a worker opens the store by it.
        uri: The same without what stands before an ``@``, a key and its secret: for messages.
        local: Whether it is a path of this machine's file system.
        unsealed: The files that were read and carry no digest, as earlier versions wrote them.

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
            raise StoreError(f"{self.uri}: {name!r} is no name of a file in it")
        return f"{self._root}/{name}" if name else self._root

    @contextlib.contextmanager
    def _explain_errors(self, what: str, name: str) -> Iterator[str]:
        """Gives the path of `name`; what goes wrong there is one clear line.

        A local file is changed only where it lies: not in a folder that a link leads to.
        """
        path = self._path(name)
        if self.local and what in _CHANGES:
            folder = os.path.realpath(os.path.dirname(path))
            if self.leads_out(name.rpartition("/")[0]):
                raise StoreError(f"cannot {what} {path}: a link leads from {self.uri} to {folder}")
        try:
            yield path
        except FileNotFoundError as error:
            raise MissingFileError(f"cannot {what} {path}: there is no such file") from error
        except OSError as error:
            raise StoreError(f"cannot {what} {path}: {error.strerror or error}") from error

    def make(self) -> None:
        """Makes the root, where it is a folder of this machine's: writing does not.

        Raises:
            StoreError: If that cannot be done.
        """
        if self.local:
            with self._explain_errors("make", "") as path:
                Path(path).mkdir(parents=True, exist_ok=True)

    def write(self, name: str, content: bytes) -> None:
        """Puts `content` at `name`, replacing what stands there, whole or not at all.

        Content that has room for a digest is sealed.
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
            MissingFileError: If there is none.
            DamagedFileError: If it carries a digest and is not what was written.
            StoreError: If it is unreadable.
        """
        with self.open(name) as stream, self._explain_errors("read", name):
            content = stream.read(num_bytes)
        sound = is_sound(content) if num_bytes is None else True
        if sound is None:
            self.unsealed.add(name)
        elif not sound:
            raise self.damaged(name, "it is not what was written")
        return content

    def open(self, name: str) -> pa.NativeFile:
        """Gives the file at `name` to read; what it holds is not checked.

        Raises:
            MissingFileError: If there is none.
            StoreError: If it cannot be opened.
        """
        with self._explain_errors("read", name) as path:
            return self._filesystem.open_input_file(path)

    def leads_out(self, name: str) -> bool:
        """Whether a link on the way to a local file leads out of the root."""
        root, path = os.path.realpath(self._root), os.path.realpath(self._path(name))
        return self.local and not Path(path).is_relative_to(root)

    def damaged(self, name: str, reason: str) -> DamagedFileError:
        """The error that says that a file is damaged, and what to do."""
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
        """The content of a JSON file; it has the shape that `shapes` says.

        Raises:
            MissingFileError: If there is none.
            DamagedFileError: If it is damaged, or of another shape.
            NewerVersionError: If it is of a newer version.
            StoreError: If it is unreadable.
        """
        try:
            value = json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            raise self.damaged(name, f"it is no JSON: {error}") from error
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
        """Names of the files directly in `folder` that end in `suffix`, sorted; none if absent."""
        return list(self.sizes(folder, suffix))

    def sizes(self, folder: str = "", suffix: str = "") -> dict[str, int]:
        """Bytes of the files directly in `folder` that end in `suffix`, sorted by name.

        Names that begin with a dot are half-written files and are left out; so are names that
        Teasel would never give.
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
        """Names of the folders directly in `folder`, sorted; none if it is absent."""
        with self._explain_errors("list", folder) as path:
            found = self._filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
        prefix = f"{folder}/" if folder else ""
        return sorted(
            prefix + info.base_name
            for info in found
            if info.type == fs.FileType.Directory and is_plain(info.base_name)
        )

    def remove(self, name: str) -> None:
        """Deletes the file at `name`; a missing file is no error."""
        with contextlib.suppress(MissingFileError), self._explain_errors("remove", name) as path:
            self._filesystem.delete_file(path)

    def move(self, name: str, to: str) -> None:
        """Gives the file at `name` another name; a missing file is no error."""
        with (
            contextlib.suppress(MissingFileError),
            self._explain_errors("write", to) as target,
            self._explain_errors("remove", name) as path,
        ):
            if self.local:
                Path(target).parent.mkdir(parents=True, exist_ok=True)
            self._filesystem.move(path, target)

    def remove_half_written(self, seconds: float) -> None:
        """Deletes what writers that were killed have left of local files, if it is so old."""
        for folder, _, names in os.walk(self._root) if self.local else ():
            for name in names:
                if is_half_written(name):
                    path = Path(folder, name)
                    with contextlib.suppress(OSError):
                        if time.time() - path.stat().st_mtime > seconds:
                            path.unlink()

    def write_table(self, name: str, table: pa.Table, **options: Any) -> None:
        """Writes `table` as one Parquet file (zstd, checksums, a digest), whole or not at all."""
        sink = pa.BufferOutputStream()
        about = (table.schema.metadata or {}) | {b"digest": UNSEALED.encode()}
        pq.write_table(table.replace_schema_metadata(about), sink, **PARQUET, **options)
        self.write(name, sink.getvalue().to_pybytes())

    def parquet(self, name: str, look: Callable[[pq.ParquetFile], Found], **options: Any) -> Found:
        """What `look` makes of the Parquet file at `name`.

        Raises:
            MissingFileError: If there is none.
            DamagedFileError: If it is damaged, or `look` finds it to be of another kind.
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
    """The error that says that a file is of a newer version."""
    return NewerVersionError(
        f"{file}: written by a newer version of Teasel (tables of version {version}, this one "
        f"reads up to {SCHEMA_VERSION}): upgrade Teasel"
    )


def is_plain(name: str) -> bool:
    """Whether a name stays below where it is joined, on every system.

    >>> is_plain("tables/a.parquet"), is_plain("../a"), is_plain("/a"), is_plain("a//b")
    (True, False, False, False)
    """
    odd = "\\" in name or "\0" in name
    return not odd and {"", ".", ".."}.isdisjoint(name.split("/"))


def without_secrets(uri: str) -> str:
    """The URI without user and password, which may have slashes in it.

    >>> without_secrets("s3://key:secret@bucket/study?region=eu-west-1")
    's3://bucket/study?region=eu-west-1'
    >>> without_secrets("s3://key:se/cr@et@bucket/study")
    's3://bucket/study'
    """
    return re.sub(r"(?<=://).*@", "", uri)
