"""Accelerators that `plan` knows without having one: memory, bandwidth and reached bandwidth."""

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
        bandwidth: Bytes per second.
        reached: The fraction of the bandwidth reached by packs of 64, by precision
            (benchmarks/RESULTS.md); empty if not measured.
    """

    platform: str
    memory: int
    bandwidth: float
    reached: dict[str, float]


DEVICES = {
    "h100": Device(
        "gpu", 80 * 2**30, 3.35e12, {"bfloat16": 0.57, "tensorfloat32": 0.44, "float32": 0.24}
    ),
    "h200": Device(
        "gpu", 141 * 10**9, 4.8e12, {"bfloat16": 0.44, "tensorfloat32": 0.32, "float32": 0.18}
    ),
    "v5e": Device("tpu", 16 * 2**30, 0.82e12, {}),
}


class DevicePlan(NamedTuple):
    """What training needs from a device.

    Attributes:
        pack_size: Number of models in the largest pack.
        pack_bytes: Memory of the largest pack.
        step_bytes: Bytes moved by a model's step, averaged over all steps.
        seconds_at_best: Seconds on one device at its full bandwidth, until all images are encoded.
        seconds_as_measured: The same at the bandwidth reached; None if not measured.
    """

    pack_size: int
    pack_bytes: int
    step_bytes: float
    seconds_at_best: float
    seconds_as_measured: float | None


def plan_device(device: Device, trials: Sequence[Trial]) -> DevicePlan:
    """The plan for training these trials on one device; at least one must need training."""
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
    """The steps that cost as much as evaluation and encoding: 1/3 and 1/6 of a step per batch."""
    training = trial.training
    encoded = definition(trial).num_images / training.batch_size
    return training.evaluation_batches / 3 + encoded / 6
