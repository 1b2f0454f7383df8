"""A folder of immutable files, local or on an object store, written whole or not at all."""

import contextlib
import os
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from .. import TeaselError


class StoreError(TeaselError):
    """A file of the results folder cannot be read or written; says which and why."""


class Store:
    """Files below one root, named by relative paths with forward slashes.

    A local file is written under a temporary name beside its place, synced and renamed, so a
    reader never sees half of one. An object store's single put gives the same promise.

    Args:
        uri: A local path, or a URI that `pyarrow.fs` understands (``s3://``, ``gs://``).

    Attributes:
        uri: The root, absolute.
        local: Whether it is a path of this machine's file system.

    Raises:
        StoreError: If the URI is not understood.
    """

    def __init__(self, uri: str | Path) -> None:
        text = str(uri)
        if "://" not in text:
            text = str(Path(text).expanduser().absolute())
        self.uri = text
        try:
            filesystem, root = fs.FileSystem.from_uri(text)
        except (pa.ArrowInvalid, OSError) as error:
            raise StoreError(f"{uri}: not a folder or URI that can be opened: {error}") from error
        self._filesystem = filesystem
        self._root = root
        self.local = isinstance(filesystem, fs.LocalFileSystem)

    def __reduce__(self) -> tuple[type["Store"], tuple[str]]:
        return Store, (self.uri,)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def write(self, name: str, content: bytes) -> None:
        """Puts `content` at `name`, replacing what stands there, whole or not at all.

        Raises:
            StoreError: If the store refuses (no space, no permission).
        """
        path = self._path(name)
        try:
            if self.local:
                _write_and_rename(Path(path), content)
            else:
                with self._filesystem.open_output_stream(path) as stream:
                    stream.write(content)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror or error}") from error

    def read(self, name: str) -> bytes:
        """The content of the file at `name`.

        Raises:
            StoreError: If it is missing or unreadable.
        """
        try:
            with self._filesystem.open_input_file(self._path(name)) as stream:
                return stream.read()
        except OSError as error:
            raise StoreError(f"cannot read {self._path(name)}: {error}") from error

    def exists(self, name: str) -> bool:
        """Whether there is a file at `name`."""
        return self._filesystem.get_file_info(self._path(name)).type == fs.FileType.File

    def files(self, folder: str = "", suffix: str = "") -> list[str]:
        """Names of the files directly in `folder` that end in `suffix`, sorted; none if absent.

        Names that begin with a dot are half-written files and are left out.
        """
        selector = fs.FileSelector(self._path(folder), allow_not_found=True)
        prefix = f"{folder}/" if folder else ""
        return sorted(
            prefix + info.base_name
            for info in self._filesystem.get_file_info(selector)
            if info.type == fs.FileType.File
            and info.base_name.endswith(suffix)
            and not info.base_name.startswith(".")
        )

    def remove(self, name: str) -> None:
        """Deletes the file at `name`; a missing file is no error."""
        with contextlib.suppress(FileNotFoundError):
            self._filesystem.delete_file(self._path(name))

    def write_table(self, name: str, table: pa.Table, **options: Any) -> None:
        """Writes `table` as one Parquet file (zstd), whole or not at all."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", **options)
        self.write(name, sink.getvalue().to_pybytes())

    def parquet(self, name: str) -> pq.ParquetFile:
        """The Parquet file at `name`, opened for reading.

        Raises:
            StoreError: If it is missing, or damaged.
        """
        try:
            return pq.ParquetFile(self._filesystem.open_input_file(self._path(name)))
        except (OSError, pa.ArrowInvalid) as error:
            raise StoreError(f"cannot read {self._path(name)}: {error}") from error


def _write_and_rename(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
