"""Catalogues: the entries of one kind, from this package and from other installed packages."""

import inspect
import math
import numbers
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import entry_points
from typing import (
    Annotated,
    Any,
    Generic,
    NamedTuple,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from .errors import TeaselError
from .words import html_table

Entry = TypeVar("Entry")

LARGEST = 3.4e38
"""The largest float32, the type of all computation."""

REQUIRED = inspect.Parameter.empty
"""Marks a parameter without a default."""


class Bounds(NamedTuple):
    """Bounds on a number, given in an argument's annotation.

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
        """Whether `value` is finite and within the bounds."""
        return (
            math.isfinite(value)
            and (self.ge is None or value >= self.ge)
            and (self.gt is None or value > self.gt)
            and (self.le is None or value <= self.le)
            and (self.lt is None or value < self.lt)
        )


class Parameter(NamedTuple):
    """An argument of a catalogue entry: a method's hyper-parameter, or a metric's parameter.

    Attributes:
        name: The argument's name.
        kind: Its type, without bounds: `float`, `int`, `tuple[int, ...]`; None if not annotated.
        bounds: The bounds of the number, or of each number in a tuple.
        default: The default, or `REQUIRED`.
    """

    name: str
    kind: Any
    bounds: Bounds = Bounds()
    default: Any = REQUIRED

    @property
    def required(self) -> bool:
        """Whether the parameter has no default."""
        return self.default is REQUIRED


def read_parameters(
    function: Callable[..., Any], *, keyword_only: bool = False
) -> dict[str, Parameter]:
    """The arguments of `function` by name, read from its signature.

    Args:
        function: A method's factory, or a metric.
        keyword_only: Whether to read only the keyword-only arguments.

    >>> def scale(codes, *, by: Annotated[float, Bounds(gt=0)] = 2.0): ...
    >>> read_parameters(scale, keyword_only=True)["by"].bounds.allow(-1.0)
    False
    """
    hints = get_type_hints(function, include_extras=True)
    return {
        name: Parameter(name, *_split_annotation(hints.get(name)), argument.default)
        for name, argument in inspect.signature(function).parameters.items()
        if not keyword_only or argument.kind is argument.KEYWORD_ONLY
    }


def round_to_float32(value: Any) -> float:
    """The value as a float32; NaN if it is not a number, infinity if it is too large."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return math.nan
    size: Any = abs(value)  # of any kind of number, a whole one above every float among them
    if size > LARGEST:
        return math.inf
    (rounded,) = struct.unpack("f", struct.pack("f", float(value)))
    return rounded


def _split_annotation(annotation: Any) -> tuple[Any, Bounds]:
    """A type without its bounds, and those bounds."""
    bounds = Bounds()
    if get_origin(annotation) is Annotated:
        annotation, *notes = get_args(annotation)
        bounds = next((note for note in notes if isinstance(note, Bounds)), bounds)
    if get_origin(annotation) is tuple:
        item, *rest = get_args(annotation)
        item, inner = _split_annotation(item)
        return tuple[item, *rest], inner if bounds == Bounds() else bounds
    return annotation, bounds


class Catalogue(Mapping[str, Entry], Generic[Entry]):
    """Entries by name: a package's own, then those of other packages.

    Another package adds an entry in its ``pyproject.toml``::

        [project.entry-points."teasel.metrics"]
        my_metric = "my_package.my_module:MY_METRIC"

    That module is imported on the first look-up of all names, or of a name that is not the
    package's own. The module that holds the catalogue can be imported by then.

    Args:
        kind: The group of entry points, without the leading "teasel.".
        own: The package's own entries, whose names cannot be used again.
        adopt: `(name, object) -> entry`: fills in what may be left out, and raises TypeError if
            the object is not an entry of this kind.

    Raises:
        TeaselError: On look-up, if an entry cannot be imported or is invalid, or its name is taken.
    """

    def __init__(
        self, kind: str, own: Mapping[str, object], adopt: Callable[[str, object], Entry]
    ) -> None:
        self._kind = kind
        self.own = {name: adopt(name, entry) for name, entry in own.items()}
        self._adopt = adopt

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """All entries."""
        found = dict(self.own)
        for point in entry_points(group=f"teasel.{self._kind}"):
            where = f"the entry point {point.name} = {point.value} in teasel.{self._kind}"
            if point.name in found:
                raise TeaselError(f"{where}: the name {point.name!r} is already taken")
            try:
                offered = point.load()
            except Exception as error:
                raise TeaselError(f"{where} cannot be imported: {error!r}") from error
            try:
                found[point.name] = self._adopt(point.name, offered)
            except TypeError as error:
                raise TeaselError(f"{where}: {error}") from error
        return found

    def __getitem__(self, name: str) -> Entry:
        return self.own[name] if name in self.own else self.entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def _repr_html_(self) -> str:
        """The entries as a table for a notebook."""
        rows = [
            (
                *(name, getattr(entry, "label", "")),
                ", ".join(getattr(entry, "parameters", ())),
                getattr(entry, "reference", ""),
            )
            for name, entry in self.entries.items()
        ]
        titles = ["name", "label", "parameters", "reference"]
        shown = [place for place in range(len(titles)) if any(row[place] for row in rows)]
        return html_table(
            f"{len(rows)} {self._kind}",
            [titles[place] for place in shown],
            [[row[place] for place in shown] for row in rows],
        )


def expect(kind: type[Entry], advice: str = "") -> Callable[[str, object], Entry]:
    """An `adopt` that accepts instances of this class; its error ends with `advice`."""

    def adopt(name: str, offered: object) -> Entry:
        del name
        if not isinstance(offered, kind):
            raise TypeError(
                f"a {type(offered).__name__}; expected a {kind.__module__.rpartition('.')[0]}."
                f"{kind.__name__}{advice}"
            )
        return offered

    return adopt
