"""Catalogues: what there is of one kind, from this package and from others that are installed."""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import entry_points
from typing import Generic, NamedTuple, TypeVar

from . import TeaselError

Entry = TypeVar("Entry")


class Bounds(NamedTuple):
    """The finite numbers that an argument may be; stands in its annotation.

    >>> str(Bounds(ge=0)), Bounds(gt=0, le=1).allow(0.0)
    ('a finite number of at least 0', False)
    """

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def __str__(self) -> str:
        words = {"ge": "of at least", "gt": "above", "le": "of at most", "lt": "below"}
        limits = [
            f"{words[name]} {limit:g}"
            for name, limit in self._asdict().items()
            if limit is not None
        ]
        return " ".join(["a finite number", " and ".join(limits)]).strip()

    def allow(self, value: float) -> bool:
        """Whether `value` is one of them."""
        return (
            math.isfinite(value)
            and (self.ge is None or value >= self.ge)
            and (self.gt is None or value > self.gt)
            and (self.le is None or value <= self.le)
            and (self.lt is None or value < self.lt)
        )


class Catalogue(Mapping[str, Entry], Generic[Entry]):
    """Entries by name: a package's own, then those of other packages.

    Another package says in its ``pyproject.toml``::

        [project.entry-points."teasel.metrics"]
        my_metric = "my_package.my_module:MY_METRIC"

    It is imported when a name is looked up that is none of the own ones, or all names are: by then
    the module that holds the catalogue is there for it to import.

    Args:
        kind: "datasets", "methods" or "metrics".
        own: The package's own entries, whose names cannot be used again.
        check: Says what is wrong with an entry of another package, by raising TypeError.

    Raises:
        TeaselError: From a look-up, if an entry cannot be imported, is none, or its name is taken.
    """

    def __init__(self, kind: str, own: dict[str, Entry], check: Callable[[Entry], object]) -> None:
        self._kind = kind
        self.own = own
        self._check = check

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """All entries."""
        found = dict(self.own)
        for point in entry_points(group=f"teasel.{self._kind}"):
            where = f"the entry point {point.name} = {point.value} in teasel.{self._kind}"
            if point.name in found:
                raise TeaselError(f"{where}: the name {point.name!r} is taken")
            try:
                found[point.name] = point.load()
            except Exception as error:
                raise TeaselError(f"{where} cannot be imported: {error!r}") from error
            try:
                self._check(found[point.name])
            except TypeError as error:
                raise TeaselError(f"{where}: {error}") from error
        return found

    def __getitem__(self, name: str) -> Entry:
        return self.own[name] if name in self.own else self.entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)
