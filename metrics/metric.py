"""What a catalogue entry says about a metric."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, get_type_hints

from ..catalogue import Bounds
from .representation import Representation, Rng

Count = Annotated[int, Bounds(ge=1)]


@dataclass(frozen=True)
class Metric:
    """A function from a representation to named scores, and what its rows in the results say.

    Args:
        function: `(representation, rng, *, parameters) -> {score: value}`; its keyword arguments
            are the metric's parameters, their annotations the accepted types and `Bounds`.
        reference: Who defined it, and where.
        version: Raised whenever the same parameters would give another score.
        lower_is_better: The scores of which less is better; of the others more is.
        samples_points: Whether it gets points drawn for it. If not, it can only `sample`, and gets
            the points that are kept of every model, in order: 10,000 and then 5,000 more. A
            finished study is then scored by it without encoding an image.
    """

    function: Callable[..., dict[str, float]]
    reference: str
    version: int = 1
    lower_is_better: tuple[str, ...] = ()
    samples_points: bool = True

    def __call__(
        self, representation: Representation, rng: Rng, **parameters: object
    ) -> dict[str, float]:
        """The scores of `representation`; raises ValueError where they are not defined."""
        return self.function(representation, rng, **parameters)

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The keyword arguments of the metric, with their defaults and annotations."""
        everything = inspect.signature(self.function).parameters
        return {
            name: parameter
            for name, parameter in everything.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        }


def check_metric(entry: object) -> None:
    """Raises TypeError if something is no metric, or a parameter of it has no annotation."""
    if not isinstance(entry, Metric):
        raise TypeError(f"a {type(entry).__name__}; expected a teasel.metrics.Metric")
    hints = get_type_hints(entry.function)
    for name in entry.parameters:
        if name not in hints:
            raise TypeError(f"the parameter {name} has no annotation, as in '{name}: int'")
