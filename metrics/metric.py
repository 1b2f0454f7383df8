"""What a catalogue entry says about a metric."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any

from ..catalogue import Bounds, Parameter, read_parameters
from ..words import readable
from .representation import Representation, Rng

Count = Annotated[int, Bounds(ge=1)]


NEEDS = ("nothing", "factors", "discrete factors", "all combinations")
"""What a metric may need of a data set beside its images, each more than the one before.

"factors" may be any numbers, of "discrete factors" each value is a class, and of "all combinations"
of their values there is an image.
"""


def is_enough(offered: str, needs: str) -> bool:
    """Whether a data set that offers a word of `NEEDS` has what another says."""
    return NEEDS.index(needs) <= NEEDS.index(offered)


@dataclass(frozen=True)
class Metric:
    """A function from a representation to named scores, and what tables and figures say of them.

    Args:
        function: `(representation, rng, *, parameters) -> {score: value}`; its keyword arguments
            are the metric's parameters, their annotations the accepted types and `Bounds`.
        reference: Who defined it, and where.
        version: Raised whenever the same parameters would give another score.
        lower_is_better: The scores of which less is better; of the others more is.
        samples_points: Whether it gets points drawn for it. If not, it can only `sample`, and gets
            the points that are kept of every model, in order: 10,000 and then 5,000 more. A
            finished study is then scored by it without encoding an image.
        of_model: Whether it is of a model with its decoder and prior, and gets a `BoundedModel`: it
            asks for the model's bound, and for parameters that were kept.
        needs: What it needs of a data set, of `NEEDS`: all combinations if it asks for images by
            their factors (`encode`). It is not computed where a data set offers less.
        label: What to call the metric; by default its name.
        labels: What to call its scores in tables and figures, by score. Where there are none, the
            score of the metric's own name has the metric's label.
        units: Of its scores that have one, as in "nats", by score.
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
            UndefinedScoreError: Where they are not defined.
        """
        return self.function(representation, rng, **parameters)

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """The keyword arguments of the metric, with their types, bounds and defaults."""
        return read_parameters(self.function, keyword_only=True)

    @property
    def defaults(self) -> dict[str, Any]:
        """The defaults of the parameters: the paper's, where it has the metric."""
        return {name: parameter.default for name, parameter in self.parameters.items()}


def adopt_metric(name: str, offered: object) -> Metric:
    """The metric that is offered under a name, with a label.

    Raises:
        TypeError: If something is no metric, or a parameter of it has no annotation.
    """
    if not isinstance(offered, Metric):
        raise TypeError(f"a {type(offered).__name__}; expected a teasel.metrics.Metric")
    if offered.needs not in NEEDS:
        raise TypeError(f"it needs {offered.needs!r}; expected one of {', '.join(NEEDS)}")
    for parameter in offered.parameters.values():
        if parameter.kind is None:
            raise TypeError(
                f"the parameter {parameter.name} has no annotation, as in '{parameter.name}: int'"
            )
    label = offered.label or readable(name)
    return replace(offered, label=label, labels=offered.labels or {name: label})
