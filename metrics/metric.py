"""Catalogue entries of metrics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any

from ..catalogue import Bounds, Parameter, read_parameters
from ..words import readable
from .representation import Representation, Rng

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
