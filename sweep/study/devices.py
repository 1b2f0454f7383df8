"""Accelerators to plan for without having one: their memory, their bandwidth, what was reached."""

from collections.abc import Sequence
from typing import NamedTuple

from ...models import METHODS
from ...models.memory import step_bytes
from ..trials.data import definition
from ..trials.trial import Trial
from .costs import ON_ACCELERATOR, after_seconds
from .packing import largest_pack, memory_of


class Device(NamedTuple):
    """An accelerator, from its maker's data sheet.

    Attributes:
        platform: "gpu" or "tpu".
        memory: Bytes.
        bandwidth: Bytes a second.
        reached: By precision, the share of the bandwidth that packs of 64 reached on one
            (benchmarks/RESULTS.md); empty where none was measured.
    """

    platform: str
    memory: int
    bandwidth: float
    reached: dict[str, float]


DEVICES = {
    "h100": Device("gpu", 80 * 2**30, 3.35e12, {}),
    "h200": Device(
        "gpu", 141 * 10**9, 4.8e12, {"bfloat16": 0.44, "tensorfloat32": 0.32, "float32": 0.18}
    ),
    "v5e": Device("tpu", 16 * 2**30, 0.82e12, {}),
}


class DevicePlan(NamedTuple):
    """What training takes of a device.

    Attributes:
        pack_size: Models of the largest pack.
        pack_bytes: Its memory.
        step_bytes: What a model's step moves, on average over all steps.
        seconds_at_best: Of one device, at its bandwidth, until every image is encoded.
        seconds_as_measured: The same at the rates that were reached; None if none was measured.
    """

    pack_size: int
    pack_bytes: int
    step_bytes: float
    seconds_at_best: float
    seconds_as_measured: float | None


def plan_device(device: Device, trials: Sequence[Trial]) -> DevicePlan:
    """What training these trials takes of one device; at least one of them is trained."""
    programs = {trial.program: trial for trial in trials}
    moved = {program: _step_bytes(device, trial) for program, trial in programs.items()}
    steps = sum(trial.training.steps for trial in trials)
    total = sum(trial.training.steps * moved[trial.program] for trial in trials)
    after = sum(_steps_after(trial) * moved[trial.program] for trial in trials)
    at_best = (total + after) / device.bandwidth
    shares = [device.reached.get(trial.training.precision) for trial in trials]
    measured = None
    if all(shares):
        measured = sum(
            trial.training.steps * moved[trial.program] / (share * device.bandwidth)
            + after_seconds(trial, ON_ACCELERATOR)
            for trial, share in zip(trials, shares, strict=True)
            if share
        )
    sizes = [
        (largest_pack(trial, device.memory, device.platform), trial) for trial in programs.values()
    ]
    size, trial = max(sizes, key=lambda found: found[0])
    memory = memory_of(trial, size, device.platform).total
    return DevicePlan(size, memory, total / steps if steps else 0.0, at_best, measured)


def _step_bytes(device: Device, trial: Trial) -> float:
    shape = definition(trial).image_shape
    return step_bytes(METHODS[trial.method], trial.training, shape, platform=device.platform)


def _steps_after(trial: Trial) -> float:
    """The steps that evaluation and encoding are worth: a third and a sixth for each batch."""
    training = trial.training
    encoded = definition(trial).num_images / training.batch_size
    return training.evaluation_batches / 3 + encoded / 6
