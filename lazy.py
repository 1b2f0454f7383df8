"""Lazy packages: public names that are imported when they are first used."""

import ast
from collections.abc import Callable
from importlib import import_module
from pkgutil import get_data
from typing import Any


def attach(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The `__getattr__`, `__dir__` and `__all__` of a package that imports lazily (PEP 562).

    The public names are those that the package imports as themselves, ``from .a import b as b``,
    below ``if TYPE_CHECKING``. Type checkers read the same lines.

    Args:
        package: The package's own `__name__`.

    >>> find, _, names = attach("teasel")
    >>> find("TeaselError").__name__, "run" in names, "attach" in names
    ('TeaselError', True, False)
    """
    source = get_data(package, "__init__.py") or b""
    home_of = {
        public.name: node.module
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for public in node.names
        if public.asname == public.name
    }

    def find(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f".{home_of[name]}", package), name)

    names = sorted(home_of)
    return find, lambda: names, names
