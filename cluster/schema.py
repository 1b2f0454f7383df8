"""The keys that a cluster file may have, for each kind of cluster."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from ..sweep.grid.faults import faults
from ..sweep.grid.schema import Count, Strict
from ..sweep.grid.source import read_yaml_file
from .secrecy import is_secret, shows_secret


def _no_secret(instead: str) -> AfterValidator:
    """A check that refuses secrets, in a line or in variables; `instead` says what to do."""

    def check(value: Any) -> Any:
        for name, text in value.items() if isinstance(value, dict) else [("", value)]:
            if is_secret(name) or shows_secret(text):
                told = {"of": f" ({name})" * bool(name), "instead": instead}
                raise PydanticCustomError(
                    "secret", "others could read this secret{of}: {instead}", told
                )
        return value

    return AfterValidator(check)


Line = Annotated[str, Field(pattern=r"^[^\n]+$")]
Memory = Annotated[str, Field(pattern=r"^\d+(Mi|Gi|Ti)$")]
Inherited = _no_secret("set it in the shell that submits, whose environment the job inherits")
OnNodes = _no_secret("set it in the environment in which the machines are started")
ByName = _no_secret("put it into a Kubernetes Secret, and name that under 'secrets'")
Option = Annotated[str, Field(pattern=r"^--[a-z][^\n]*$"), Inherited]


class Cluster(Strict):
    """The keys of every kind of cluster: the results folder, unless the command line names it."""

    results: Annotated[str, Field(pattern=r"^(/|~/|[a-z0-9]+://)[^\n]+$"), OnNodes] | None = None


def _check_nodes(array: int | None, info: ValidationInfo) -> int | None:
    if array and info.data.get("nodes", 1) > 1:
        raise PydanticCustomError("array", "each job of an array has one node: leave out 'nodes'")
    return array


def _check_warning(seconds: int, info: ValidationInfo) -> int:
    if seconds + 300 > 3600 * info.data.get("hours", 1e9):  # else the job would only restart
        what = "the warning must come five minutes after the start or later: raise 'hours'"
        raise PydanticCustomError("late", what)
    return seconds


class Slurm(Cluster):
    """A Slurm cluster: one job of some nodes, or an array of jobs of one node."""

    partition: Line
    hours: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    cpus_per_node: Count
    gpus_per_node: Annotated[int, Field(ge=0)] = 0
    nodes: Count = 1
    array: Annotated[Count | None, AfterValidator(_check_nodes)] = None
    account: Line | None = None
    memory_per_node: Annotated[str, Field(pattern=r"^\d+[KMGT]?$")] | None = None
    warning_seconds: Annotated[int, Field(ge=60), AfterValidator(_check_warning)] = Field(
        300, validate_default=True
    )
    interface: Line | None = None
    setup: list[Annotated[Line, Inherited]] = Field([])
    container: Line | None = None
    options: list[Option] = Field([])


class RayJob(Cluster):
    """A running Ray cluster, reached through its dashboard."""

    address: Annotated[str, Field(pattern=r"^https?://")]
    wheel: Line | None = None
    environment: Annotated[dict[str, str], OnNodes] = Field({})


def _check_accelerators(number: int, info: ValidationInfo) -> int:
    if number and info.data.get("gpus_per_worker"):
        raise PydanticCustomError("both", "a worker has GPUs or TPUs, not both")
    return number


class KubeRay(Cluster):
    """A Kubernetes cluster with the KubeRay operator."""

    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    image: Line
    workers: Count
    cpus_per_worker: Count
    memory_per_worker: Memory
    gpus_per_worker: Annotated[int, Field(ge=0)] = 0
    tpus_per_worker: Annotated[Literal[0, 1, 4, 8], AfterValidator(_check_accelerators)] = 0
    min_workers: Count = 1
    spot: bool = True
    node_selector: dict[str, str] = Field({})
    grace_seconds: Annotated[int, Field(ge=10)] = 25
    head_cpus: Count = 2
    head_memory: Memory = "8Gi"
    service_account: Line | None = None
    secrets: list[Line] = Field([])
    environment: Annotated[dict[str, str], ByName] = Field({})
    retries: Annotated[int, Field(ge=0)] = 20


Shape = TypeVar("Shape", bound=Cluster)


def load_cluster(path: str, shape: type[Shape]) -> Shape:
    """The settings of a cluster file.

    Raises:
        ConfigError: If the file has mistakes; names each as ``file:line:column: what``.
    """
    source = read_yaml_file(path)
    try:
        return shape.model_validate(source.value)
    except ValidationError as error:
        raise source.error(faults(error, shape)) from error
