"""What the small files of a results folder look like, and whether a value looks so.

Files come from other people, from other versions and from damaged disks: whoever reads one gives
its shape, and gets a value of that shape or an error that names the place.
"""

from dataclasses import is_dataclass
from types import UnionType
from typing import (
    Any,
    Literal,
    NotRequired,
    TypedDict,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from ...settings import Settings
from ..trials.request import MetricRequest


class MethodFacts(TypedDict):
    """A method, or a reference."""

    label: str  # its name for people
    colour: str  # as "#rrggbb", or ""
    reference: str  # who published it, and where; or ""
    trained: bool  # whether it can be: an untrained network and a reference cannot
    keeps: list[str]  # "parameters" (with losses, curves and pictures), "codes"


class MetricFacts(TypedDict):
    """A metric."""

    label: str
    reference: str
    version: str  # of its code
    defaults: dict[str, Any]  # its parameters where a grid gives none
    labels: dict[str, str]  # the name for people of each of its scores, by wide column
    lower_is_better: list[str]  # the wide columns of which less is better


class DatasetFacts(TypedDict):
    """A data set."""

    label: str
    factors: list[str]  # the names of the reported ones, as far as they are known


class CatalogueSection(TypedDict):
    """The section `catalogue` of a ``study.json``: all names that the study uses."""

    methods: dict[str, MethodFacts]
    metrics: dict[str, MetricFacts]
    datasets: dict[str, DatasetFacts]


class _Dataset(TypedDict):
    name: str
    npz: NotRequired[str]
    sha256: NotRequired[str]


class _Cell(TypedDict):
    hyperparameters: dict[str, float]
    training: Settings
    version: NotRequired[int]


class _Grid(TypedDict):
    study: str
    description: NotRequired[str | None]
    datasets: list[_Dataset]
    seeds: list[int]
    methods: dict[str, list[_Cell]]
    exclude: list[dict[str, Any]]
    metrics: list[MetricRequest]
    requests_of: NotRequired[dict[str, list[int]]]  # the places in `metrics`; since version 2
    save_models: bool


class StoredStudy(TypedDict):
    """A ``study.json``; one that was made by hand may say no more than the first two."""

    study: str
    schema_version: int
    grids: NotRequired[list[_Grid]]
    latest: NotRequired[int]
    catalogue: NotRequired[CatalogueSection]


class _Index(TypedDict):
    step: int
    trial_ids: list[str]
    train_seconds: float


class _Report(TypedDict):
    at: float
    trials: list[str]
    step: int
    steps: int
    failed: NotRequired[list[str]]


class _Driver(TypedDict):
    host: str
    pid: int
    since: str
    shard: NotRequired[tuple[int, int] | None]
    share: NotRequired[tuple[int, int] | None]  # as version 1 calls it
    beat: int
    at: float


class _Manifest(TypedDict):
    files: dict[str, list[str]]


SHAPES: dict[str, Any] = {
    "study.json": StoredStudy,
    "tables/_columns.json": dict[str, list[str]],
    "_manifest.json": _Manifest,
    "checkpoints": _Index,
    "running/drivers": _Driver,
    "running": _Report,
}
"""The shapes of JSON files, by their whole name, the end of it or their folder."""


def shape_of(name: str) -> Any:
    """The shape of the JSON file of this name; any object, if nobody knows it."""
    folder, _, last = name.rpartition("/")
    return next((SHAPES[each] for each in (name, last, folder) if each in SHAPES), dict)


def misfit(value: Any, shape: Any, place: str = "it") -> str | None:
    """Where a JSON value is not of a shape, and what was expected there; None if it is.

    A shape is a type, a list, dict, tuple or union of shapes, or a record: a TypedDict, which may
    have more keys than it names, or a named tuple or dataclass, which may not.

    >>> misfit({"a": [1, "b"]}, dict[str, list[int]])
    'it.a.1 is no int'
    """
    origin, inner = get_origin(shape), get_args(shape)
    if shape is Any:
        return None
    if origin in (Union, UnionType):
        found = [misfit(value, each, place) for each in inner]
        return None if None in found else found[0]
    if origin is Literal:
        return None if value in inner else f"{place} is none of {', '.join(map(repr, inner))}"
    is_record = is_typeddict(shape) or is_dataclass(shape) or hasattr(shape, "_fields")
    kind: Any = dict if is_record else list if origin is tuple else origin or shape
    fits = isinstance(value, (int, float) if kind is float else kind)
    if not fits or (type(value) is bool) != (kind is bool):
        return f"{place} is no {kind.__name__}"
    if is_record:
        hints = get_type_hints(shape)
        needed = (
            getattr(shape, "__required_keys__", hints)
            - getattr(shape, "_field_defaults", {}).keys()
        )
        known = value if is_typeddict(shape) else hints
        if wrong := sorted((needed - value.keys()) | (value.keys() - known.keys())):
            return f"{place} has no {wrong[0]}, or should not have it"
        parts = [(name, value[name], hints[name]) for name in hints if name in value]
    else:
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if inner else ()
        parts = [(name, each, inner[-1]) for name, each in pairs]
        if origin is tuple and len(parts) != len(inner):
            return f"{place} has not {len(inner)} items"
    wrong = (misfit(each, hint, f"{place}.{name}") for name, each, hint in parts)
    return next(filter(None, wrong), None)
