"""A folder of immutable files, local or on an object store, written whole or not at all."""

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from ...errors import TeaselError
from ...storage import is_half_written, replace_file


class StoreError(TeaselError):
    """A file of the results folder cannot be read or written; says which and why."""


class MissingFileError(StoreError):
    """The file is not there: it never was, or another driver has removed it."""


class Store:
    """Files below one root, named by relative paths with forward slashes.

    A local file is written under a temporary name beside its place, synced and renamed, so a
    reader never sees half of one. An object store's single put gives the same promise.

    Args:
        uri: A local path, or a URI that `pyarrow.fs` understands (``s3://``, ``gs://``).

    Attributes:
        uri_with_secrets: The root as given, absolute; a worker opens the store by it.
        uri: The same without what stands before an ``@``, a key and its secret: for messages.
        local: Whether it is a path of this machine's file system.

    Raises:
        StoreError: If the URI is not understood.
    """

    def __init__(self, uri: str | Path) -> None:
        text = str(uri)
        if "://" not in text:
            text = str(Path(os.path.expanduser(text)).absolute())  # '~nobody' stands for itself
        self.uri_with_secrets = text
        self.uri = _without_secrets(text)
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

    def __reduce__(self) -> tuple[type["Store"], tuple[str]]:
        return Store, (self.uri_with_secrets,)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    @contextlib.contextmanager
    def _explain_errors(self, what: str, name: str) -> Iterator[str]:
        """Gives the path of `name`; what goes wrong there is one clear line."""
        path = self._path(name)
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

    def write(self, name: str, content: bytes | pa.Buffer) -> None:
        """Puts `content` at `name`, replacing what stands there, whole or not at all.

        Raises:
            StoreError: If the store refuses (no space, no permission).
        """
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
        """The content of the file at `name`, or its first `num_bytes`.

        Raises:
            MissingFileError: If there is none.
            StoreError: If it is unreadable.
        """
        with (
            self._explain_errors("read", name) as path,
            self._filesystem.open_input_file(path) as stream,
        ):
            return stream.read(num_bytes)

    def exists(self, name: str) -> bool:
        """Whether there is a file at `name`.

        Raises:
            StoreError: If the store cannot be reached.
        """
        with self._explain_errors("look for", name) as path:
            return self._filesystem.get_file_info(path).type == fs.FileType.File

    def files(self, folder: str = "", suffix: str = "") -> list[str]:
        """Names of the files directly in `folder` that end in `suffix`, sorted; none if absent."""
        return list(self.sizes(folder, suffix))

    def sizes(self, folder: str = "", suffix: str = "") -> dict[str, int]:
        """Bytes of the files directly in `folder` that end in `suffix`, sorted by name.

        Names that begin with a dot are half-written files and are left out.

        Raises:
            StoreError: If the store cannot be reached.
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
        }

    def folders(self, folder: str = "") -> list[str]:
        """Names of the folders directly in `folder`, sorted; none if it is absent.

        Raises:
            StoreError: If the store cannot be reached.
        """
        with self._explain_errors("list", folder) as path:
            found = self._filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
        prefix = f"{folder}/" if folder else ""
        return sorted(
            prefix + info.base_name for info in found if info.type == fs.FileType.Directory
        )

    def remove(self, name: str) -> None:
        """Deletes the file at `name`; a missing file is no error.

        Raises:
            StoreError: If the store refuses.
        """
        with contextlib.suppress(MissingFileError), self._explain_errors("remove", name) as path:
            self._filesystem.delete_file(path)

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
        """Writes `table` as one Parquet file (zstd, checksums), whole or not at all."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, **PARQUET, **options)
        self.write(name, sink.getvalue())

    def parquet(self, name: str, **options: Any) -> pq.ParquetFile:
        """The Parquet file at `name`, opened for reading.

        Raises:
            MissingFileError: If there is none.
            StoreError: If it cannot be read, or is damaged.
        """
        with self.reading(name) as path:
            return pq.ParquetFile(
                self._filesystem.open_input_file(path), pre_buffer=not self.local, **options
            )

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[str]:
        """Gives the path of a Parquet file; what goes wrong with it is one clear line.

        Raises:
            MissingFileError: If there is none.
            StoreError: If it cannot be read, or is damaged.
        """
        with self._explain_errors("read", name) as path:
            try:
                yield path
            except FileNotFoundError:
                raise
            except (OSError, pa.ArrowException) as error:
                reason = str(error).partition("\n")[0]
                raise StoreError(
                    f"cannot read {path}: {reason}; `teasel verify {self.uri}` says whether it is "
                    "damaged, and what to do"
                ) from error


PARQUET: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}


def _without_secrets(uri: str) -> str:
    """The URI without user and password, which may have slashes in it.

    >>> _without_secrets("s3://key:secret@bucket/study?region=eu-west-1")
    's3://bucket/study?region=eu-west-1'
    >>> _without_secrets("s3://key:se/cr@et@bucket/study")
    's3://bucket/study'
    """
    return re.sub(r"(?<=://).*@", "", uri)
