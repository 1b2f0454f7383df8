"""Publishers' files: found in the user's folder, or downloaded and checked."""

import hashlib
import os
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from .cache import cache_dir
from .dataset import DataError


@dataclass(frozen=True)
class PublishedFile:
    """A publisher's file.

    Attributes:
        name: The file's name.
        urls: Its addresses; the first that answers is used.
        digest: "sha256:..." or "md5:..." of the file; empty if unknown.
        unpacked: The name of its unpacked content, for which no digest is known.
        num_bytes: The size of the download; 0 if unknown.
    """

    name: str
    urls: tuple[str, ...]
    digest: str = ""
    unpacked: str = ""
    num_bytes: int = 0


def find(file: PublishedFile, data_dir: Path | str | None = None) -> Path | None:
    """The path of a publisher's file or of its unpacked content, or None.

    Args:
        file: The file to look for.
        data_dir: The folder to search, with its subfolders; by default TEASEL_DATA_DIR, if set.
            Downloads in the cache are searched last.

    Raises:
        DataError: If the folder doesn't exist.
    """
    places = [_downloads()]
    given = data_dir or os.environ.get("TEASEL_DATA_DIR")
    if given:
        folder = Path(given).expanduser()
        if not folder.is_dir():
            raise DataError(f"the folder of publishers' files, {folder}, doesn't exist")
        places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir()), *places]
    for place in places:
        for name in filter(None, (file.name, file.unpacked)):
            if (place / name).exists():
                return place / name
    return None


def check(file: PublishedFile, path: Path) -> None:
    """Compares a file's digest with the publisher's.

    Raises:
        DataError: If they differ and TEASEL_ANY_CHECKSUM isn't set.
    """
    if not file.digest or path.name != file.name or os.environ.get("TEASEL_ANY_CHECKSUM"):
        return
    algorithm, expected = file.digest.split(":")
    with open(path, "rb") as content:
        digest = hashlib.file_digest(content, algorithm).hexdigest()
    if digest != expected:
        raise DataError(
            f"{path} is not the published file: its {algorithm} is {digest}, not {expected}. "
            f"Get it again, or set TEASEL_ANY_CHECKSUM=1 to read it anyway."
        )


def download(file: PublishedFile) -> Path:
    """Downloads a file into the cache from the first address that serves it, and checks it.

    Raises:
        DataError: If no address serves it or its digest is wrong; the message says where to put it.
    """
    failures = []
    for url in file.urls:
        try:
            # tensorflow-datasets tries an unreachable place again for minutes: ask first.
            urllib.request.urlopen(url, timeout=10).close()
            return _download(file, url)
        except (OSError, DataError) as error:
            failures.append(f"{url}: {error}")
    raise DataError(f"can't download {file.name} ({'; '.join(failures)}). {where_to_put([file])}")


def where_to_put(files: Sequence[PublishedFile]) -> str:
    """A sentence that says which files to put where."""
    names = [f"{file.name} (or {file.unpacked})" if file.unpacked else file.name for file in files]
    return f"Put {', '.join(names)} into a folder and set TEASEL_DATA_DIR to that folder."


def _downloads() -> Path:
    return cache_dir() / "downloads"


def _download(file: PublishedFile, url: str) -> Path:
    tfds = import_tfds()
    _downloads().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_downloads()) as folder, redirect_stdout(sys.stderr):
        try:
            found = Path(tfds.download.DownloadManager(download_dir=folder).download(url))
        except Exception as error:  # whatever the transfer ran into
            raise DataError(f"{type(error).__name__}: {error}") from error
        found = found.rename(found.with_name(file.name))
        check(file, found)
        return found.replace(_downloads() / file.name)


def import_tfds():
    """The module tensorflow_datasets, needed only to prepare publishers' files.

    Raises:
        DataError: If it isn't installed.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DataError(
            "reading publishers' files needs tensorflow-datasets: pip install tensorflow-datasets"
        ) from error
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    return tfds
