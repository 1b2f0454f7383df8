"""The grid: a study's YAML, fully checked, with the trials and scores that it describes."""

import itertools
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, ValidationError

from ...datasets import DataError, Definition
from ...errors import ConfigError, hint
from ...metrics import METRICS, is_enough
from ...models import LIKELIHOODS, METHODS, READERS, MethodEntry, Model, misfit, unread
from ...settings import Settings
from ..trials.data import definition_of, offers
from ..trials.references import REFERENCES, select_requests
from ..trials.request import MetricRequest
from ..trials.trial import Trial, tabulate_trials
from .expand import Cell, meets, requests_of, trials_of
from .faults import faults
from .schema import (
    MOST_TRIALS,
    DatasetEntries,
    MethodsBlock,
    MetricsBlock,
    Name,
    Representations,
    ResourcesBlock,
    Sample,
    Seeds,
    Strict,
    TrainingBlock,
    as_sample,
)
from .source import (
    MOST_FAULTS,
    Fault,
    KeyPath,
    Source,
    change,
    read_dict,
    read_yaml,
    read_yaml_file,
)

GridName = str | Path | Mapping[str, Any]
"""A grid as given: the name of a packaged grid, a YAML file, or a dict with the same keys."""


_OF_STEPS = ("batch_size", "learning_rate", "optimizer", "schedule", "warmup_steps")
"""Settings with no effect on a method that isn't trained."""

_LACKS = {
    "nothing": "has no factors",
    "factors": "has continuous factors",
    "discrete factors": "lacks some combinations of factors",
}
"""Why metrics cannot use a data set, by what it offers."""

_MOST_LOOKS = 5_000_000  # at a trial, to see whether it is excluded


class Grid(Strict):
    """A study: what to train and what to score."""

    study: Name
    description: str = ""
    datasets: DatasetEntries
    seeds: Seeds
    methods: MethodsBlock
    training: TrainingBlock = TrainingBlock()
    representations: Representations = Field(["mean", "sampled"])
    metrics: MetricsBlock = Field("all", validate_default=True)  # type: ignore[assignment]
    metric_seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    metric_seeds: Annotated[int, Field(ge=1, le=1000)] = 1
    exclude: list[dict[str, Any]] = Field([])
    sample: Annotated[Sample, BeforeValidator(as_sample)] | None = None
    save_models: bool = True
    resources: ResourcesBlock = ResourcesBlock()

    def _repr_html_(self) -> str:
        """A table of its trials, for a notebook."""
        return tabulate_trials(self.study, self.trials())

    @property
    def chosen_methods(self) -> dict[str, list[Strict]]:
        """The grid's blocks for each method that it names, in the catalogue's order."""
        return {
            name: blocks
            for name in (*METHODS, *REFERENCES)
            if (blocks := getattr(self.methods, name)) is not None
        }

    def trials(self) -> list[Trial]:
        """All trials except exclusions, in the order of data set, method, setting and seed."""
        return trials_of(resolve(self))

    def requests(self) -> list[MetricRequest]:
        """Every score that the grid names."""
        return [
            request
            for representation in self.representations
            for name in METRICS
            if (parameters := getattr(self.metrics, name)) is not None
            if representation == self.representations[0] or not METRICS[name].of_model
            for request in MetricRequest.of(
                representation, name, parameters.model_dump(), self.metric_seed
            ).repeat(self.metric_seeds)
        ]

    def requests_by_cell(self) -> dict[Cell, list[MetricRequest]]:
        """The scores wanted of the models of each data set and method."""
        return requests_of(resolve(self))

    def offers(self) -> dict[str, str]:
        """What each data set offers to metrics."""
        return {entry.name: offers(entry.model_dump()) for entry in self.datasets}

    def left_out(self) -> list[str]:
        """A line for each data set that lacks scores, with the metrics and the reason."""
        names = dict.fromkeys(request.metric for request in self.requests())
        found = []
        for data, offered in self.offers().items():
            lacking = [name for name in names if not is_enough(offered, METRICS[name].needs)]
            if lacking:
                found.append(f"{data} {_LACKS[offered]}: no {', '.join(lacking)}")
        return found


def _expand_method(
    method: str, blocks: list[Strict], shared: TrainingBlock
) -> Iterable[tuple[dict[str, float], Settings, int]]:
    """The product of the axes of each block, with the training settings and the version."""
    seen = set()
    for block in blocks:
        for cell in _expand_block(method, block, shared):
            values, training, _ = cell
            if (known := (*values.values(), training)) not in seen:
                seen.add(known)
                yield cell


def _expand_block(
    method: str, entry: Strict, shared: TrainingBlock
) -> Iterable[tuple[dict[str, float], Settings, int]]:
    axes = shared.model_dump()
    if method in REFERENCES:
        first = Settings(**{name: values[0] for name, values in axes.items()})
        for num_latents in axes["num_latents"]:
            yield {}, first._replace(steps=0, num_latents=num_latents), 1
        return
    own = {name: getattr(entry, name) for name in Settings._fields}
    chosen = {name: own[name] or values for name, values in axes.items()}
    products = itertools.product(*(chosen[name] for name in Settings._fields))
    found = METHODS[method]
    settings = list(dict.fromkeys(_drop_unread(found, Settings(*values)) for values in products))
    axes = {name: getattr(entry, name) for name in found.parameters}
    for values in itertools.product(*axes.values()):
        hyperparameters = dict(zip(axes, values, strict=True))
        try:
            made = found(**hyperparameters)
            trainable, version = made.trainable, made.version
        except (Exception, SystemExit) as error:
            given = ", ".join(f"{name} {value:g}" for name, value in hyperparameters.items())
            what = f"{method} with {given or 'no hyper-parameters'}"
            raise ConfigError(f"{what} cannot be made: {type(error).__name__}: {error}") from error
        if trainable:
            yield from ((hyperparameters, each, version) for each in settings)
            continue
        # It takes no steps, whatever the grid gives the others, and has no need of a rate.
        still = {name: chosen[name][0] for name in _OF_STEPS} | {"steps": 0}
        for each in dict.fromkeys(each._replace(**still) for each in settings):
            yield hyperparameters, each, version


def _drop_unread(method: MethodEntry, settings: Settings) -> Settings:
    """The settings with those reset that have no effect on this model."""
    defaults = {name: Settings._field_defaults[name] for name in unread(method, settings)}
    return settings._replace(**defaults)


def _size_faults(grid: Grid) -> list[Fault]:
    """Faults of grids that are too large, found by multiplying the axes without expanding them."""
    cells = {
        name: sum(
            math.prod(
                len(getattr(block, axis, None) or getattr(grid.training, axis, None) or [1])
                for axis in (*METHODS[name].parameters, *Settings._fields)
            )
            for block in blocks
        )
        if name in METHODS
        else len(cast(Any, grid.training).num_latents)
        for name, blocks in grid.chosen_methods.items()
    }
    num = len(grid.datasets) * len(grid.seeds) * sum(cells.values())
    if num > MOST_TRIALS:
        largest = max(cells, key=lambda name: cells[name])
        what = f"the grid has {num:,} trials, {largest} {cells[largest]:,} settings"
        return [Fault(("methods", largest), f"{what}; expected at most {MOST_TRIALS:,} trials")]
    values = [v for rule in grid.exclude for v in rule.values()]
    looks = num * sum(len(value) if isinstance(value, list) else 1 for value in values)
    if looks > _MOST_LOOKS:
        what = f"{num:,} trials would be compared with {looks:,} values"
        return [Fault(("exclude",), f"{what}; expected at most {_MOST_LOOKS:,}")]
    return []


def _model_faults(grid: Grid) -> list[Fault]:
    """Faults of settings without effect, and of data sets that the models cannot be trained on."""
    found: list[Fault] = []
    places: list[tuple[KeyPath, Any, set[tuple[str, Settings]]]] = []
    for name in grid.chosen_methods.keys() - REFERENCES.keys():
        for place, block in enumerate(grid.chosen_methods[name]):
            trainings = (each for _, each, _ in _expand_block(name, block, grid.training))
            own = {(name, each._replace(learning_rate=1.0)) for each in trainings}
            places.append((("methods", name, place), block, own))
    cells = set().union(*(own for *_, own in places))
    places.append((("training",), grid.training, cells))
    for path, block, used in places:
        unread_by = [unread(METHODS[name], training) for name, training in used]
        for setting in set.intersection(*unread_by) if used else ():
            values, default = getattr(block, setting, None), Settings._field_defaults[setting]
            if values and values != [default]:
                what = f"{setting}: only {READERS[setting]} reads it"
                found.append(Fault((*path, setting), what, at_key=True))
    for name, training in sorted(cells):
        if what := misfit(METHODS[name], training):
            found.append(Fault(("methods", name), what, at_key=True))
    for place, entry in enumerate(grid.datasets):
        try:
            data = definition_of(entry.model_dump())
        except DataError:
            continue  # which `_data_faults` says
        for method, training in sorted(cells):
            if what := _misfit(data, METHODS[method], training):
                found.append(Fault(("datasets", place), f"{entry.name}: {what}"))
    return list(dict.fromkeys(found))


def _misfit(data: Definition, method: MethodEntry, training: Settings) -> str:
    """Why a model with these settings cannot be trained on a data set; empty if it can."""
    try:
        Model.of(training, data.image_shape)
    except ValueError as error:
        return str(error)
    if data.appearance and LIKELIHOODS[training.likelihood].levels:
        return f"its pixels do not have the 256 levels that {training.likelihood} needs"
    needs = {"pairs": "all combinations", "labels": "discrete factors"}.get(method.batch, "nothing")
    if not is_enough(data.offers, needs):
        return f"it {_LACKS[data.offers]}, and {method.name} needs {method.batch}"
    return ""


def _data_faults(grid: Grid, given: Any) -> list[Fault]:
    """Faults of data sets that cannot be read or sampled, and of metrics or references on them."""
    found, offered = [], grid.offers()
    for place, entry in enumerate(grid.datasets):
        try:
            definition_of(entry.model_dump())
        except DataError as error:
            if entry.npz is None or Path(entry.npz).exists():
                found.append(Fault(("datasets", place), str(error)))
    named = given.get("metrics")
    by_key = isinstance(named, dict)
    for place, name in enumerate(named if isinstance(named, list | dict) else ()):
        path, needs = ("metrics", name if by_key else place), METRICS[name].needs
        if METRICS[name].of_model and not grid.save_models:
            what = f"{name} needs the models' parameters, and save_models is false"
            found.append(Fault(path, what))
        if not any(is_enough(each, needs) for each in offered.values()):
            what = f"{name} needs {needs}, and {_say_lacks(offered)}"
            found.append(Fault(path, what, at_key=by_key))
    for name in grid.chosen_methods.keys() & REFERENCES.keys():
        needs = REFERENCES[name].needs
        poor = {data: each for data, each in offered.items() if not is_enough(each, needs)}
        if poor and any(t.method == name and t.dataset in poor for t in grid.trials()):
            what = f"{name} needs {needs}, and {_say_lacks(poor)}: exclude it for this data set"
            found.append(Fault(("methods", name), what, at_key=True))
    return found


def _say_lacks(offered: Mapping[str, str]) -> str:
    return " and ".join(f"{name} {_LACKS[each]}" for name, each in offered.items())


def _exclude_faults(value: Any) -> list[Fault]:
    """Faults of keys in `exclude` that no trial has, which would silently exclude nothing."""
    rules = value.get("exclude") if isinstance(value, dict) else None
    known = ["dataset", "method", "seed", *Settings._fields]
    known += sorted({name for method in METHODS.values() for name in method.parameters})
    found = (
        Fault(("exclude", index, key), f"unknown key '{key}'{hint(key, known)}", at_key=True)
        for index, rule in enumerate(rules if isinstance(rules, list) else [])
        for key in (rule if isinstance(rule, dict) else [])
        if key not in known
    )
    return list(itertools.islice(found, MOST_FAULTS + 1))


def _idle_exclusions(grid: Grid) -> list[Fault]:
    """Faults of exclusions that leave no trials or exclude none."""
    if not grid.exclude:
        return []
    if not grid.trials():
        return [Fault(("exclude",), "the exclusions leave no trial")]
    every = grid.model_copy(update={"exclude": []}).trials()
    return [
        Fault(("exclude", index), "this excludes no trial of the grid")
        for index, rule in enumerate(grid.exclude)
        if not any(meets(trial, rule) for trial in every)
    ]


def _sample(cells: list[tuple[str, Any]], sample: Sample) -> list[tuple[str, Any]]:
    """Randomly sampled cells of the methods, and all cells of references."""
    drawn = [place for place, (name, _) in enumerate(cells) if name not in REFERENCES]
    chosen = {*random.Random(sample.seed).sample(drawn, min(sample.num, len(drawn)))}
    return [c for place, c in enumerate(cells) if place in chosen or c[0] in REFERENCES]


def packaged_grids() -> dict[str, str]:
    """The text of every packaged grid, by name."""
    folder = resources.files("teasel.sweep.grid")
    return {
        entry.name.removesuffix(".yaml"): entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yaml")
    }


def load_grid(name: GridName, changes: Sequence[str] = ()) -> tuple[Grid, Source]:
    """The grid of a packaged name, a YAML file or a dict with the same keys, and its source.

    Args:
        name: The grid.
        changes: Changes to values, each like ``training.steps=1000``, made before the check.

    Raises:
        ConfigError: With every fault, each as ``file:line:column: what``, or with the path of keys
            for a dict, or with the wrong change.
    """
    source = change(_read(name), changes)
    return check_grid(source), source


def _read(name: GridName) -> Source:
    if isinstance(name, Mapping):
        return read_dict(name, "the grid")
    packaged = packaged_grids()
    if str(name) in packaged:
        return read_yaml(packaged[str(name)], f"{name}.yaml")
    if Path(name).suffix in (".yaml", ".yml") or Path(name).is_file():
        return read_yaml_file(name)
    known = hint(str(name), list(packaged))
    raise ConfigError(f"{name} is neither a file nor a packaged grid{known}")


def check_grid(source: Source) -> Grid:
    """The grid that a parsed YAML file describes.

    Raises:
        ConfigError: With every fault of the file.
    """
    found = _exclude_faults(source.value)
    grid = None
    try:
        folder = Path(source.name).parent
        grid = Grid.model_validate(source.value, context={"folder": folder})
    except ValidationError as error:
        found += faults(error, Grid)
    if grid and not grid.chosen_methods:
        found.append(Fault(("methods",), f"no method is named{hint('', list(METHODS))}"))
    elif grid and not found:
        found += _size_faults(grid) or _model_faults(grid) or _idle_exclusions(grid)
        found = found or _data_faults(grid, source.value)
    if grid is None or found:
        raise source.error(found)
    return grid


def resolve(grid: Grid) -> dict[str, Any]:
    """Everything that determines the grid's trials and scores: plain JSON, defaults filled in.

    `requests_of` lists indices into `metrics` for each method that does not get all scores, and
    `requests_on` does so for each data set.
    """
    requests = grid.requests()
    cells = [
        (name, {"hyperparameters": values, "training": training._asdict()} | made)
        for name, blocks in grid.chosen_methods.items()
        for values, training, version in _expand_method(name, blocks, grid.training)
        for made in [{"version": version} if version > 1 else {}]
    ]
    if grid.sample is not None:
        cells = _sample(cells, grid.sample)
    possible = {
        name: [
            place
            for place, request in enumerate(requests)
            if is_enough(offered, METRICS[request.metric].needs)
        ]
        for name, offered in grid.offers().items()
    }
    wanted_of = {name: select_requests(name, requests) for name in grid.chosen_methods}
    return {
        "study": grid.study,
        "description": grid.description,
        "datasets": [entry.model_dump(exclude_defaults=True) for entry in grid.datasets],
        "seeds": grid.seeds,
        "methods": {
            name: [cell for owner, cell in cells if owner == name] for name in grid.chosen_methods
        },
        "training": {
            name: values[0] if len(values) == 1 else values
            for name, values in grid.training.model_dump().items()
        },
        "exclude": grid.exclude,
        "representations": grid.representations,
        "metrics": [asdict(request) for request in requests],
        "metric_seed": grid.metric_seed,
        **({"metric_seeds": grid.metric_seeds} if grid.metric_seeds > 1 else {}),
        "requests_of": {
            name: [place for place, request in enumerate(requests) if request in chosen]
            for name, chosen in wanted_of.items()
            if len(chosen) < len(requests)
        },
        "requests_on": {
            name: places for name, places in possible.items() if len(places) < len(requests)
        },
        "save_models": grid.save_models,
    }
