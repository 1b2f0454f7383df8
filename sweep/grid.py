"""The grid: a study's YAML, checked whole, and the trials and scores it stands for."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
)
from pydantic_core import PydanticCustomError

from ..datasets import DATASETS
from ..metrics import METRICS
from ..models import METHODS
from .grid_faults import faults, hint
from .scoring import MetricRequest
from .signatures import arguments
from .trials import Training, Trial
from .yaml_source import Fault, GridError, Source, read_yaml, read_yaml_file


class Strict(BaseModel):
    """Unknown keys are errors, and so is a string that looks like a number."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _distinct(values: list[Any]) -> list[Any]:
    for position, value in enumerate(values):
        if value in values[:position]:
            raise PydanticCustomError("repeated", "{value} stands twice", {"value": repr(value)})
    return values


def _axis(annotation: Any) -> Any:
    """One value, or a list of distinct ones."""
    return Annotated[
        list[annotation], Field(min_length=1), AfterValidator(_distinct), BeforeValidator(_as_list)
    ]


def _one_of(kind: str, names: Iterable[str]) -> Any:
    """A name of a catalogue; `kind` says in messages what it names."""
    known = list(names)

    def check(name: str) -> str:
        if name not in known:
            what = f"unknown {kind} '{name}'{hint(name, known)}"
            raise PydanticCustomError("unknown_name", "{what}", {"what": what})
        return name

    return Annotated[str, AfterValidator(check)]


def _seeds(value: Any) -> Any:
    """A count, a list, or `{from: first, count: how_many}`: always the list."""
    if isinstance(value, list):
        return value
    span = {"from": 0, "count": value} if not isinstance(value, dict) else value
    if span.keys() != {"from", "count"} or any(type(number) is not int for number in span.values()):
        raise PydanticCustomError(
            "seeds",
            "expected a count, a list, or a mapping with 'from' and 'count', got {given}",
            {"given": repr(value)},
        )
    return list(range(span["from"], span["from"] + span["count"]))


def _pack(value: Any) -> Any:
    if value == "auto" or (type(value) is int and value >= 1):
        return value
    raise PydanticCustomError(
        "pack", "expected 'auto' or a number of trials from 1, got {given}", {"given": repr(value)}
    )


def _names_to_parameters(value: Any) -> Any:
    """`all`, a list of names, or a mapping from name to parameters: always the mapping."""
    if value == "all":
        value = list(METRICS)
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return {name: {} for name in value}
    return _nothing_is_empty(value)


def _nothing_is_empty(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: {} if inner is None else inner for key, inner in value.items()}


Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class TrainingBlock(Strict):
    """The `training` block: settings that all methods share, unless a method has its own."""

    steps: Annotated[int, Field(ge=0)] = Training.steps
    batch_size: Annotated[int, Field(ge=2)] = Training.batch_size
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Training.learning_rate
    num_latents: Count = Training.num_latents
    evaluation_batches: Count = Training.evaluation_batches


class Resources(Strict):
    """The `resources` block: how the work is spread; never part of a trial's identity."""

    pack: Annotated[Any, AfterValidator(_pack)] = "auto"
    gpus_per_pack: Annotated[float, Field(gt=0, le=1)] = 1.0
    checkpoint_minutes: Annotated[float, Field(gt=0)] = 10.0


def _method_entry(name: str, factory: Callable[..., Any]) -> Any:
    """What a grid may say of a method: an axis per hyper-parameter, and settings of its own."""
    axes: dict[str, Any] = {
        argument: (_axis(annotation), Field(default, validate_default=default is not ...))
        for argument, (annotation, default) in arguments(factory).items()
    }
    settings: dict[str, Any] = {
        setting: (Annotated[field.annotation, *field.metadata] | None, None)
        for setting, field in TrainingBlock.model_fields.items()
    }
    return create_model(name, __base__=Strict, **settings, **axes)


def _optional(models: dict[str, Any]) -> dict[str, Any]:
    return {name: (model | None, None) for name, model in models.items()}


Methods = create_model(
    "Methods",
    __base__=Strict,
    **_optional({name: _method_entry(name, factory) for name, factory in METHODS.items()}),
)
Metrics = create_model(
    "Metrics",
    __base__=Strict,
    **_optional(
        {
            name: create_model(
                name, __base__=Strict, **arguments(metric.function, keyword_only=True)
            )
            for name, metric in METRICS.items()
        }
    ),
)


class Grid(Strict):
    """A study: what to train and what to score."""

    study: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    description: str = ""
    datasets: _axis(_one_of("data set", DATASETS))
    seeds: Annotated[
        list[Seed], Field(min_length=1), AfterValidator(_distinct), BeforeValidator(_seeds)
    ]
    methods: Annotated[Methods, BeforeValidator(_nothing_is_empty)]
    training: TrainingBlock = TrainingBlock()
    representations: _axis(Literal["mean", "sampled"]) = ["mean", "sampled"]
    metrics: Annotated[Metrics, BeforeValidator(_names_to_parameters)] = Field(
        "all", validate_default=True
    )
    metric_seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    exclude: list[dict[str, Any]] = []
    save_models: bool = True
    resources: Resources = Resources()

    @property
    def chosen_methods(self) -> dict[str, Any]:
        """The grid's entry of each method that it names, in the grid's order."""
        return {
            name: getattr(self.methods, name)
            for name in METHODS
            if getattr(self.methods, name) is not None
        }

    def trials(self) -> list[Trial]:
        """All trials, outermost first: data set, method, setting, seed; exclusions left out."""
        every = (
            Trial(dataset, method, hyperparameters, seed, training)
            for dataset in self.datasets
            for method, entry in self.chosen_methods.items()
            for hyperparameters, training in _settings(method, entry, self.training)
            for seed in self.seeds
        )
        if not self.exclude:
            return list(every)
        return [trial for trial in every if not any(_matches(trial, rule) for rule in self.exclude)]

    def requests(self) -> list[MetricRequest]:
        """Every score wanted of each trained model."""
        return [
            MetricRequest.of(representation, name, parameters.model_dump(), self.metric_seed)
            for representation in self.representations
            for name in METRICS
            if (parameters := getattr(self.metrics, name)) is not None
        ]


def _settings(
    method: str, entry: Any, shared: TrainingBlock
) -> Iterable[tuple[dict[str, float], Training]]:
    """The product of a method's axes, with the training settings that hold for it."""
    own = {name: getattr(entry, name) for name in TrainingBlock.model_fields}
    settings = shared.model_dump() | {
        name: value for name, value in own.items() if value is not None
    }
    factory = METHODS[method]
    axes = {name: getattr(entry, name) for name in arguments(factory)}
    for values in itertools.product(*axes.values()):
        hyperparameters = dict(zip(axes, values, strict=True))
        # A method that isn't trained takes no steps, whatever the grid gives the others.
        steps = settings["steps"] if factory(**hyperparameters).trainable else 0
        yield hyperparameters, Training(**settings | {"steps": steps})


def _matches(trial: Trial, rule: dict[str, Any]) -> bool:
    facts = {"dataset": trial.dataset, "method": trial.method, "seed": trial.seed}
    facts |= trial.hyperparameters
    return all(name in facts and facts[name] in _as_list(wanted) for name, wanted in rule.items())


def _exclude_faults(value: Any) -> list[Fault]:
    """Keys in `exclude` that no trial has: such a rule would silently exclude nothing."""
    rules = value.get("exclude") if isinstance(value, dict) else None
    known = ["dataset", "method", "seed"]
    known += sorted({name for factory in METHODS.values() for name in arguments(factory)})
    return [
        Fault(("exclude", index, key), f"unknown key '{key}'{hint(key, known)}", at_key=True)
        for index, rule in enumerate(rules if isinstance(rules, list) else [])
        for key in (rule if isinstance(rule, dict) else [])
        if key not in known
    ]


def packaged_grids() -> dict[str, str]:
    """The text of every grid that comes with the package, by name."""
    folder = resources.files(__package__) / "grids"
    return {
        entry.name.removesuffix(".yaml"): entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yaml")
    }


def load_grid(name: str | Path) -> tuple[Grid, Source]:
    """The grid of a packaged name or a YAML file, and its source.

    Raises:
        GridError: With every fault of the file, each as ``file:line:column: what``.
    """
    packaged = packaged_grids()
    if str(name) in packaged:
        source = read_yaml(packaged[str(name)], f"{name}.yaml")
    elif Path(name).suffix in (".yaml", ".yml") or Path(name).exists():
        source = read_yaml_file(name)
    else:
        raise GridError(
            f"{name}: neither a file nor a packaged grid{hint(str(name), list(packaged))}"
        )
    return check_grid(source), source


def check_grid(source: Source) -> Grid:
    """The grid that a parsed YAML file describes.

    Raises:
        GridError: With every fault of the file.
    """
    found = _exclude_faults(source.value)
    grid = None
    try:
        grid = Grid.model_validate(source.value)
    except ValidationError as error:
        found += faults(error, Grid)
    if grid and not grid.chosen_methods:
        found.append(Fault(("methods",), f"no method is named{hint('', list(METHODS))}"))
    elif grid and not found and not grid.trials():
        found.append(Fault(("exclude",), "the exclusions leave no trial"))
    if grid is None or found:
        raise source.error(found)
    return grid


def resolved(grid: Grid) -> dict[str, Any]:
    """What determines the grid's trials and scores, in plain JSON values, defaults filled in."""
    return {
        "study": grid.study,
        "description": grid.description,
        "datasets": grid.datasets,
        "seeds": grid.seeds,
        "methods": {
            name: [
                {"hyperparameters": hyperparameters, "training": asdict(training)}
                for hyperparameters, training in _settings(name, entry, grid.training)
            ]
            for name, entry in grid.chosen_methods.items()
        },
        "training": grid.training.model_dump(),
        "exclude": grid.exclude,
        "metrics": [asdict(request) for request in grid.requests()],
    }
