"""A cache of values computed from the files of a table."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from .files import for_all, list_files, retry_if_folded
from .store import DamagedFileError, Store

Made = TypeVar("Made")


class Kept(Generic[Made]):
    """Computes a value from each file of a folder, once per file.

    A file is identified by its name and size: attempts write a file once, and a change of its rows
    changes its size. Damaged files are left out.

    Args:
        store: The store.
        folder: The folder in it.
        make: The function that computes a value from a file's name.

    Attributes:
        sizes: The size of each file in bytes, from the last listing.
    """

    def __init__(self, store: Store, folder: str, make: Callable[[str], Made]) -> None:
        self._store, self._folder, self._make = store, folder, make
        self._made: dict[tuple[str, int], Made | DamagedFileError] = {}
        self.sizes: dict[str, int] = {}

    def read(self, wanted: Callable[[str], bool] = lambda file: True) -> list[Made]:
        """The values of the files that exist now, of those whose names are `wanted`.

        Raises:
            StoreError: If the folder or a file cannot be read.
        """
        retry_if_folded(lambda: self._look(wanted))
        return [made for made in self._made.values() if not isinstance(made, DamagedFileError)]

    @property
    def damaged(self) -> list[DamagedFileError]:
        """The faults of the files that were left out."""
        return [made for made in self._made.values() if isinstance(made, DamagedFileError)]

    def _look(self, wanted: Callable[[str], bool]) -> None:
        files = filter(wanted, list_files(self._store, self._folder).files)
        sizes = self._store.sizes(self._folder, ".parquet")
        self.sizes = {file: sizes.get(file, 0) for file in files}  # one without has gone since
        new = [each for each in self.sizes.items() if each not in self._made]
        made = dict(zip(new, for_all([file for file, _ in new], self._try), strict=True))
        known: Any = self._made | made
        self._made = {each: known[each] for each in self.sizes.items()}

    def _try(self, file: str) -> Made | DamagedFileError:
        try:
            return self._make(file)
        except DamagedFileError as error:
            return error
