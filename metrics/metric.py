"""What a catalogue entry says about a metric."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from .representation import Representation, Rng


class Bounds(NamedTuple):
    """The closed range of a numeric parameter, read from its annotation when a grid is checked."""

    ge: float | None = None
    le: float | None = None


Count = Annotated[int, Bounds(ge=1)]


@dataclass(frozen=True)
class Metric:
    """A function from a representation to named scores, and what its rows in the results say.

    Args:
        function: `(representation, rng, *, parameters) -> {score: value}`; its keyword arguments
            are the metric's parameters, their annotations the accepted types and `Bounds`.
        reference: Who defined it, and where.
        version: Raised whenever the same parameters would give another score.
        draws_points: Whether it gets points drawn for it. If not, it can only `sample`, and gets
            the points that are kept of every model, in order: 10,000 and then 5,000 more. A
            finished study is then scored by it without encoding an image.
    """

    function: Callable[..., dict[str, float]]
    reference: str
    version: int = 1
    draws_points: bool = True

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
