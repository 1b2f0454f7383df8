"""Requests for scores: a metric with its parameters and seed, on a representation of a model."""

from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any, NamedTuple

from ...metrics import PAPER_SEEDS, find_metric
from .trial import short_hash

_NOISY = ("color_dsprites", "noisy_dsprites", "scream_dsprites")
POINTS = dict.fromkeys(["smallnorb", "dsprites_noshape"], 2) | dict.fromkeys(
    [*_NOISY, *(f"{name}_mini" for name in _NOISY)], 3
)
"""The version of the points that a metric seed selects, by data set; 1 for all others.

2: hidden factors are sampled as in the original. 3: each image has its own noise.
"""


class RequestKey(NamedTuple):
    """The values that identify a request and its rows in the results."""

    representation: str
    metric: str
    parameters_hash: str
    metric_seed: int
    points: int = 1


@dataclass(frozen=True)
class MetricRequest:
    """One metric on one representation, with everything that determines its value."""

    representation: str
    metric: str
    parameters: dict[str, Any] = field(hash=False)
    metric_seed: int
    metric_version: str

    @classmethod
    def of(
        cls, representation: str, metric: str, parameters: dict[str, Any], seed: int | None = None
    ) -> "MetricRequest":
        """The request for a metric of the catalogue, by default with the paper's seed.

        A metric that is not in the paper gets seed 0.
        """
        if seed is None:
            seed = PAPER_SEEDS[representation].get(metric, 0)
        return cls(representation, metric, parameters, seed, str(find_metric(metric).version))

    def repeat(self, num: int) -> "list[MetricRequest]":
        """The request with `num` consecutive seeds, starting with its own."""
        seeds = [(self.metric_seed + place) % 2**32 for place in range(num)]
        return [replace(self, metric_seed=seed) for seed in seeds]

    @cached_property
    def parameters_hash(self) -> str:
        """A hash that is equal for comparable scores: same definition, same sizes."""
        return short_hash({"parameters": self.parameters, "version": self.metric_version})

    @property
    def num_points(self) -> int | None:
        """The number of points behind the score; the largest if there are several sizes."""
        given = self.parameters.get("num_train")
        return max(given) if isinstance(given, tuple | list) else given

    @cached_property
    def key(self) -> RequestKey:
        """The key that identifies the request, whatever the data set."""
        return RequestKey(self.representation, self.metric, self.parameters_hash, self.metric_seed)

    def key_on(self, dataset: str) -> RequestKey:
        """The key of its rows in the results, for a model of this data set."""
        points = POINTS.get(dataset, 1)
        return self.key if points == 1 else _at_points(self.key, points)


@cache
def _at_points(key: RequestKey, points: int) -> RequestKey:
    """The key for a version of the points; thousands of models share it."""
    return key._replace(points=points)
