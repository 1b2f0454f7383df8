"""Where the publishers' files are."""

import os
from pathlib import Path

from .dataset import DataError


def find(name: str, data_dir: Path | str | None = None) -> Path | None:
    """The publisher's file or folder `name`, in `data_dir` or one folder below it, or None.

    Args:
        name: as the publisher calls it.
        data_dir: the folder of publishers' files; by default TEASEL_DATA_DIR, if set.

    Raises:
        DataError: if the folder doesn't exist.
    """
    given = data_dir or os.environ.get("TEASEL_DATA_DIR")
    if not given:
        return None
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise DataError(f"the folder of publishers' files, {folder}, doesn't exist")
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        if (place / name).exists():
            return place / name
    return None
