"""Catalogue entries of metrics."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np

from ..catalogue import Bounds, Parameter, read_parameters
from ..words import readable
from .representation import Representation, Rng, sample_seed

Count = Annotated[int, Bounds(ge=1)]


NEEDS = ("nothing", "factors", "discrete factors", "all combinations")
"""What a metric may need from a data set besides its images, each more than the one before.

"factors" may be any numbers. For "discrete factors" each value is a class. For "all combinations"
each combination of their values has an image.
"""


def is_enough(offered: str, needs: str) -> bool:
    """Whether what a data set offers, a word of `NEEDS`, is enough for what is needed."""
    return NEEDS.index(needs) <= NEEDS.index(offered)


@dataclass(frozen=True)
class Metric:
    """A function from a representation to named scores, with facts for tables and figures.

    Args:
        function: `(representation, rng, *, parameters) -> {score: value}`; its keyword arguments
            are the metric's parameters, their annotations the accepted types and `Bounds`.
        reference: The publication that defined it.
        version: Raised whenever the same parameters give a different score.
        lower_is_better: The scores for which less is better; for the others more is better.
        samples_points: Whether points are sampled for it. If not, it can only call `sample`, and
            gets the points saved for every model, in order: 10,000 and then 5,000 more. It can then
            score a finished study without encoding an image.
        of_model: Whether it evaluates a model with its decoder and prior. It then gets a
            `BoundedModel`, and needs saved parameters.
        needs: What it needs from a data set, one of `NEEDS`: "all combinations" if it requests
            images by their factors (`encode`). It is not computed if a data set offers less.
        label: The metric's label; by default its name.
        labels: Labels of its scores in tables and figures, by score. Without any, the score with
            the metric's name has the metric's label.
        units: Units of its scores, such as "nats", by score.
    """

    function: Callable[..., dict[str, float]]
    reference: str
    version: int = 1
    lower_is_better: tuple[str, ...] = ()
    samples_points: bool = True
    of_model: bool = False
    needs: str = "all combinations"
    label: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    units: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __call__(
        self, representation: Representation, rng: Rng, **parameters: object
    ) -> dict[str, float]:
        """The scores of `representation`.

        Raises:
            UndefinedScoreError: If they are not defined.
        """
        return self.function(representation, rng, **parameters)

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """The keyword arguments of the metric, with their types, bounds and defaults."""
        return read_parameters(self.function, keyword_only=True)

    @property
    def defaults(self) -> dict[str, Any]:
        """The defaults of the parameters: the paper's, if it has the metric."""
        return {name: parameter.default for name, parameter in self.parameters.items()}


def of_points(
    function: Callable[..., Any], num_test: int | None = None
) -> Callable[..., dict[str, float]]:
    """The function of a representation that samples points for a function of arrays.

    Its parameters are `num_train`, by default 10,000 points; with `num_test`, the number of further
    points to test on; and those of the given function, whose `seed` follows `rng`.

    Args:
        function: A function of codes and factors, and of those to test on with `num_test`. It
            returns a number, or several by name; arrays among them are left out.
        num_test: The default number of points to test on, if there are any.
    """
    given = inspect.signature(function).parameters
    name, sizes = function.__name__, {"num_train": 10_000}
    sizes |= {} if num_test is None else {"num_test": num_test}

    def score(representation: Representation, rng: Rng, **parameters: Any) -> dict[str, float]:
        nums = [parameters.pop(size, default) for size, default in sizes.items()]
        points = [array for num in nums for array in representation.sample(rng, num)]
        if "seed" in given:
            parameters["seed"] = sample_seed(rng)
        found = function(*points, **parameters)
        found = found._asdict() if hasattr(found, "_asdict") else found
        scores = found if isinstance(found, dict) else {name: found}
        return {key: value for key, value in scores.items() if not isinstance(value, np.ndarray)}

    score.__name__, score.__module__ = f"score_{name}", function.__module__
    trained = f"`{name}`, trained on `num_train` points and tested on `num_test`."
    score.__doc__ = f"`{name}` of `num_train` points." if num_test is None else trained
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(s, keyword, default=d, annotation=Count) for s, d in sizes.items()
    ]
    parameters += [
        each.replace(kind=keyword)
        for each in given.values()
        if each.default is not each.empty and each.name != "seed"
    ]
    score.__annotations__ = {each.name: each.annotation for each in parameters}
    score.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return score


def adopt_metric(name: str, offered: object) -> Metric:
    """The metric for an offered object, with a label.

    Raises:
        TypeError: If it is not a metric, or one of its parameters has no annotation.
    """
    if not isinstance(offered, Metric):
        raise TypeError(f"a {type(offered).__name__}; expected a teasel.metrics.Metric")
    if offered.needs not in NEEDS:
        raise TypeError(f"it needs {offered.needs!r}; expected one of {', '.join(NEEDS)}")
    for parameter in offered.parameters.values():
        if parameter.kind is None:
            raise TypeError(
                f"the parameter {parameter.name} has no annotation such as '{parameter.name}: int'"
            )
    label = offered.label or readable(name)
    return replace(offered, label=label, labels=offered.labels or {name: label})
