"""Lazy packages: public names that are imported when they are first used."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def attach(
    package: str, homes: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The `__getattr__`, `__dir__` and `__all__` of a package that imports lazily (PEP 562).

    Args:
        package: The package's own `__name__`.
        homes: The public names of each module of the package.

    >>> find, _, names = attach("teasel", {"catalogue": ["Bounds"]})
    >>> find("Bounds").__name__, names
    ('Bounds', ['Bounds'])
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def find(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f".{home_of[name]}", package), name)

    names = sorted(home_of)
    return find, lambda: names, names
