"""The schema of a grid: its keys and allowed values, taken from the catalogues."""

import math
import re
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, LiteralString, cast, get_args, get_origin

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    create_model,
)
from pydantic_core import PydanticCustomError

from ...catalogue import LARGEST, Parameter, read_parameters
from ...datasets import DATASETS, hash_file
from ...errors import INSTALL, TeaselError, hint
from ...metrics import METRICS, PAPER_PARAMETERS
from ...models import LIKELIHOODS, METHODS, NETWORKS, PRIORS, MethodEntry
from ...settings import Settings
from ..store.tables import TRIALS
from ..trials.references import REFERENCES
from ..trials.trial import short_hash

MOST_TRIALS = 200_000
"""The most trials of a grid. More are a mistake, and would fill the memory."""

_COLUMNS = {
    *TRIALS,
    *METRICS,
    *("representation", "metric", "score", "value", "metric_seed", "num_points"),
    "hyperparameter",
    "hyperparameter_value",
    "setting",
}
"""Columns of the tables that also hold a column for each hyper-parameter."""

_SETTINGS = read_parameters(Settings)

_LONGEST = 80  # name of a variant that is made up: it is a folder's, too

_UNUSED = 0.05
"""The shares of an accelerator, by the number of packs that share it; 0.33 means a third."""


class Strict(BaseModel):
    """Unknown keys are errors, and so is a string that looks like a number."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())


def _fault(kind: LiteralString, what: str) -> PydanticCustomError:
    """The error that says what is wrong with a value; braces in it stand for themselves."""
    return PydanticCustomError(kind, "{what}", {"what": what})


def as_list(value: Any) -> Any:
    """The value as a list; a scalar becomes an axis of one value."""
    return value if isinstance(value, list) else [value]


def _spread(value: Any) -> Any:
    """The list for `{log: [1, 100], num: 5}` or `{linear: [0, 1], num: 3}`, to six digits.

    >>> _spread({"log": [1, 100], "num": 3})
    [1, 10, 100]
    """
    if not isinstance(value, dict):
        return as_list(value)
    kind = "log" if "log" in value else "linear"
    ends, num = value.get(kind), value.get("num")
    numbers = ends if isinstance(ends, list) and len(ends) == 2 else []
    numbers = [each for each in numbers if type(each) in (int, float) and math.isfinite(each)]
    good = value.keys() == {kind, "num"} and type(num) is int and 2 <= num <= MOST_TRIALS
    if not good or len(numbers) < 2 or (kind == "log" and min(numbers) <= 0):
        forms = "{log: [1, 100], num: 5} or {linear: [0, 1], num: 3}"
        raise _fault(
            "axis",
            f"expected a value, a list, or a mapping such as {forms} (with log, both ends "
            f"above 0), got {value!r}",
        )
    spread = np.geomspace if kind == "log" else np.linspace
    places = spread(numbers[0], numbers[1], cast(int, num))
    rounded = [float(f"{place:.6g}") for place in places]
    return [int(place) if place.is_integer() else place for place in rounded]


def _check_distinct(values: list[Any]) -> list[Any]:
    seen: set[Any] = set()
    for value in values:
        known = value if isinstance(value, Hashable) else repr(value)
        if known in seen:
            raise _fault("repeated", f"{value!r} is listed twice")
        seen.add(known)
    return values


def _check_name(value: str) -> str:
    """Checks that a name can be part of a file name and of a column's value."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", value):
        raise _fault(
            "name", "expected letters, digits, '_', '.' and '-', starting with a letter or a digit"
        )
    return value


def _axis(annotation: Any, before: Callable[[Any], Any] = as_list) -> Any:
    """One value, a list of distinct values, or something that `before` turns into a list."""
    return Annotated[
        list[annotation],
        Field(min_length=1),
        AfterValidator(_check_distinct),
        BeforeValidator(before),
    ]


def _list_seeds(value: Any) -> Any:
    """The list of seeds for a count, a list, or `{from: first, count: how_many}`."""
    if isinstance(value, list):
        return value
    span = value if isinstance(value, dict) else {"from": 0, "count": value}
    if span.keys() != {"from", "count"} or any(type(number) is not int for number in span.values()):
        what = f"expected a count, a list, or a mapping with 'from' and 'count', got {value!r}"
        raise _fault("seeds", what)
    if span["count"] > MOST_TRIALS:
        raise _fault("seeds", f"expected at most {MOST_TRIALS:,} seeds, got {value!r}")
    return list(range(span["from"], span["from"] + span["count"]))


def _check_pack(value: Any) -> Any:
    if value == "auto" or (type(value) is int and value >= 1):
        return value
    raise _fault("pack", f"expected 'auto' or a number of trials of at least 1, got {value!r}")


def _check_waste(share: float) -> float:
    """Checks that packs side by side leave hardly anything of an accelerator unused."""
    unused = 1 - int(1 / share + 1e-9) * share
    if unused > _UNUSED:
        what = f"leaves {unused:.2g} of an accelerator unused; expected 1, 0.5, 0.33, ..."
        raise _fault("unused", what)
    return share


def _names_to_parameters(value: Any) -> Any:
    """The mapping from name to parameters for `all`, `paper`, a list of names or a mapping."""
    if value in ("all", "paper"):
        value = PAPER_PARAMETERS if value == "paper" else [*PAPER_PARAMETERS, "irs"]
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return {name: {} for name in value}
    if not isinstance(value, dict):
        raise _fault(
            "metrics",
            "expected 'all', 'paper', a list of names, or a mapping from names to parameters",
        )
    return _fill_in_empty(value)


def _fill_in_empty(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: {} if inner is None else inner for key, inner in value.items()}


def _check_distinct_names(entries: "list[DatasetEntry]") -> "list[DatasetEntry]":
    _check_distinct([entry.name for entry in entries])
    return entries


def _as_entry(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _look_up(entry: "DatasetEntry", info: ValidationInfo) -> "DatasetEntry":
    """Looks up the name in the catalogue or the file on disk, whose path is stored as `npz`."""
    given = entry.file or entry.npz
    if entry.file and entry.npz:
        what = f"expected file or npz, which mean the same, got both: {entry.file} and {entry.npz}"
        raise _fault("taken", what)
    drawn = {name for name in ("correlated", "held_out") if getattr(entry, name)}
    if entry.of and (given or not drawn):
        what = "'of' can only name a data set of the catalogue, with 'correlated' or 'held_out'"
        raise _fault("taken", what)
    if given is None:
        if entry.model_fields_set - {"name", "of", "correlated", "held_out"}:
            raise _fault("taken", "'file' is missing, but other keys describe it")
        name = entry.of or entry.name
        if name not in DATASETS:
            what = f"unknown data set '{name}'{hint(name, list(DATASETS), INSTALL)}"
            raise _fault("unknown_name", what)
        if not drawn:
            return entry
        if entry.of is None:
            return entry.model_copy(update={"of": name, "name": _name_variant(entry)})
    if entry.name in DATASETS:
        what = f"'{entry.name}' is a data set of the catalogue: call {given or entry.of} otherwise"
        raise _fault("taken", what)
    if given is None:
        return entry
    path = Path((info.context or {}).get("folder", "."), given).expanduser().absolute()
    if entry.sha256 is None:
        try:
            sha256 = hash_file(path)
        except OSError as error:
            raise _fault("unreadable", f"cannot read {path}: {error.strerror}") from error
        entry = entry.model_copy(update={"sha256": sha256})
    return entry.model_copy(update={"npz": str(path), "file": None})


def _name_variant(entry: "DatasetEntry") -> str:
    """The name of a catalogued data set from which training samples non-uniformly.

    >>> pair = {"factors": ["scale", "position_x"], "strength": 0.2}
    >>> _name_variant(DatasetEntry(name="dsprites", correlated=[pair], held_out=[{"shape": 1}]))
    'dsprites-scale-position_x-0.2-without-shape-1'
    """
    words = [f"{'-'.join(pair.factors)}-{pair.strength:g}" for pair in entry.correlated]
    for rule in entry.held_out:
        words += ["without", *("-".join(map(str, (name, *rule[name]))) for name in rule)]
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", "-".join([entry.name, *words]))
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}-{short_hash(name, 8)}"


Name = Annotated[str, AfterValidator(_check_name)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Pack = Annotated[Any, AfterValidator(_check_pack)]
Seeds = Annotated[
    list[Seed], Field(min_length=1), AfterValidator(_check_distinct), BeforeValidator(_list_seeds)
]


HeldOut = Annotated[dict[str, _axis(Annotated[int, Field(ge=0)])], Field(min_length=1)]


class ResourcesBlock(Strict):
    """The `resources` block: how work is distributed; never part of a trial's identity."""

    pack: Pack = "auto"
    gpus_per_pack: Annotated[float, Field(ge=0.01, le=1), AfterValidator(_check_waste)] = 1.0
    checkpoint_minutes: Annotated[float, Field(gt=0)] = 10.0
    task_minutes: Annotated[float, Field(gt=0, le=1e6)] = 60.0
    deterministic: bool = False


def as_sample(value: Any) -> Any:
    """The sample for a count, which means that many settings."""
    return {"num": value} if type(value) is int else value


class Sample(Strict):
    """A random part of a grid: a number of its settings, each with all data sets and seeds."""

    num: Count
    seed: Seed = 0


class Correlated(Strict):
    """Two factors that are correlated in training."""

    factors: Annotated[
        list[str], Field(min_length=2, max_length=2), AfterValidator(_check_distinct)
    ]
    strength: Annotated[float, Field(ge=1e-3, le=LARGEST, allow_inf_nan=False)]


class DatasetEntry(Strict):
    """A data set of the catalogue or a user's file, and how training samples from it."""

    name: Name
    file: str | None = None
    npz: str | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    images: str | None = None
    factors: str | None = None
    factor_names: Annotated[list[str], AfterValidator(_check_distinct)] = Field([])
    continuous: Annotated[list[str], AfterValidator(_check_distinct)] | bool = False
    resize: Literal[16, 32, 64, 128, 256] | None = None
    channels_first: bool = False
    correlated: Annotated[list[Correlated], BeforeValidator(as_list)] = Field([])
    held_out: Annotated[list[HeldOut], BeforeValidator(as_list)] = Field([])
    of: str | None = None


def _field(parameter: Parameter) -> tuple[Any, Any]:
    """The field for a parameter of a catalogue entry: its annotation, and default or `...`."""
    kind = parameter.kind
    limits: dict[str, Any] = {
        name: limit for name, limit in parameter.bounds._asdict().items() if limit is not None
    }
    if get_origin(kind) is tuple:  # of numbers, each within the bounds; YAML has lists only
        number, *rest = get_args(kind)
        kind = tuple[Annotated[number, Field(**limits)], *rest]
        limits = {"strict": False}
    elif kind is float:
        limits = {"ge": -LARGEST, "le": LARGEST, "allow_inf_nan": False} | limits
    default = ... if parameter.required else parameter.default
    return (Annotated[kind, Field(**limits)] if limits else kind), default


def _setting(parameter: Parameter) -> tuple[Any, Any]:
    """The field for a training setting, which looks up names in their catalogue."""
    kind, default = _field(parameter)
    known = {"network": NETWORKS, "likelihood": LIKELIHOODS, "prior": PRIORS}.get(parameter.name)
    if known is None:
        return kind, default

    def look_up(name: str) -> str:
        if name not in known:
            what = f"unknown {parameter.name} '{name}'{hint(name, list(known), INSTALL)}"
            raise _fault("unknown_name", what)
        return name

    return Annotated[kind, AfterValidator(look_up)], default


def _method_entry(name: str, method: MethodEntry) -> type[Strict]:
    """A method's entry in a grid: an axis per hyper-parameter, and training settings of its own.

    Raises:
        TeaselError: If the method or a hyper-parameter has a name that is already taken.
    """
    if name in REFERENCES:
        raise TeaselError(f"the method {name}: this is the name of a reference representation")
    for argument in method.parameters:
        if argument in _COLUMNS:
            raise TeaselError(
                f"the method {name}: a hyper-parameter cannot be called {argument}, as a column of "
                f"the results has that name"
            )
    axes = {}
    for argument, parameter in method.parameters.items():
        annotation, default = _field(parameter)
        axes[argument] = (
            _axis(annotation, _spread),
            Field(default, validate_default=default is not ...),
        )
    own = {name: (_axis(kind, _spread) | None, None) for name, (kind, _) in _SETTING_FIELDS.items()}
    return _model(name, own | axes)


_SETTING_FIELDS = {name: _setting(parameter) for name, parameter in _SETTINGS.items()}


def _optional(name: str, entries: dict[str, Any]) -> type[Strict]:
    return _model(name, {key: (entry | None, None) for key, entry in entries.items()})


def _model(name: str, fields: dict[str, Any]) -> type[Strict]:
    return create_model(name, __base__=Strict, **fields)


if TYPE_CHECKING:
    DatasetEntries = list[DatasetEntry]
    Representations = list[str]
    TrainingBlock = Strict
    MethodsBlock = Strict
    MetricsBlock = Strict
else:
    DatasetEntries = Annotated[
        _axis(Annotated[DatasetEntry, BeforeValidator(_as_entry), AfterValidator(_look_up)]),
        AfterValidator(_check_distinct_names),
    ]
    Representations = _axis(Literal["mean", "sampled"])
    TrainingBlock = _model(
        "TrainingBlock",
        {
            key: (_axis(kind, _spread), [default])
            for key, (kind, default) in _SETTING_FIELDS.items()
        },
    )
    MethodsBlock = Annotated[
        _optional(
            "Methods",
            {name: _axis(_method_entry(name, METHODS[name])) for name in METHODS}
            | {name: _axis(_model(name, {})) for name in REFERENCES},
        ),
        BeforeValidator(_fill_in_empty),
    ]
    MetricsBlock = Annotated[
        _optional(
            "Metrics",
            {
                name: _model(name, {key: _field(value) for key, value in metric.parameters.items()})
                for name, metric in METRICS.items()
            },
        ),
        BeforeValidator(_names_to_parameters),
    ]
