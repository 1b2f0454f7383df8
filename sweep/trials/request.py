"""Which scores are wanted of a model: a metric, its parameters, its seed, on a representation."""

from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any, NamedTuple

from ...metrics import PAPER_SEEDS, find_metric
from .trial import short_hash

_NOISY = ("color_dsprites", "noisy_dsprites", "scream_dsprites")
POINTS = dict.fromkeys(["smallnorb", "dsprites_noshape"], 2) | dict.fromkeys(
    [*_NOISY, *(f"{name}_mini" for name in _NOISY)], 3
)
"""The version of the points that a metric seed stands for, by data set; 1 if it isn't here.

2: hidden factors are drawn as the original draws them. 3: an image shows its own noise.
"""


class RequestKey(NamedTuple):
    """What tells one request from another, and names its rows in the results."""

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
        """The request for a metric of the catalogue; by default with the paper's seed.

        A metric that the paper lacks, and so has no seed there, gets 0.
        """
        if seed is None:
            seed = PAPER_SEEDS[representation].get(metric, 0)
        return cls(representation, metric, parameters, seed, str(find_metric(metric).version))

    def repeat(self, num: int) -> "list[MetricRequest]":
        """The request with `num` seeds: its own, and the whole numbers after it."""
        seeds = [(self.metric_seed + place) % 2**32 for place in range(num)]
        return [replace(self, metric_seed=seed) for seed in seeds]

    @cached_property
    def parameters_hash(self) -> str:
        """Equal for two scores that may stand in one column: same definition, same sizes."""
        return short_hash({"parameters": self.parameters, "version": self.metric_version})

    @property
    def num_points(self) -> int | None:
        """The points that the score is computed from, the most if there are several sizes."""
        given = self.parameters.get("num_train")
        return max(given) if isinstance(given, tuple | list) else given

    @cached_property
    def key(self) -> RequestKey:
        """What tells one request from another, whatever the data set."""
        return RequestKey(self.representation, self.metric, self.parameters_hash, self.metric_seed)

    def key_on(self, dataset: str) -> RequestKey:
        """What names its rows of a model of this data set in the results."""
        points = POINTS.get(dataset, 1)
        return self.key if points == 1 else _at_points(self.key, points)


@cache
def _at_points(key: RequestKey, points: int) -> RequestKey:
    """The key at points of a version; thousands of models share it."""
    return key._replace(points=points)
