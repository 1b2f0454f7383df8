"""The memory that a pack needs on a device, and the number of models to train together.

`pack_memory` only calculates and starts no backend, so a study can be planned on any machine.
"""

import math
import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from ..settings import Settings
from .convolution import form_for
from .method import MethodEntry
from .priors import PRIORS
from .program import RATE, Program, draw_blanks

COPIES = {"direct": (2.4, 11.5, 1.0), "kernels": (1.2, 2.8, 1.2), "lax": (1.4, 15.6, 1.25)}
"""The bytes that a step needs at once, by form, as multiples of three sizes: all layers' outputs,
the batch's images, and the parameters, for gradients and reordered operands.

They are from the programs compiled (jax 0.10.2) for a CPU, an H100 and a TPU v5e, for one and three
channels (`benchmarks/accelerator_memory.py`). A slow test and `make test-accelerators` compile some
of them again.
"""

MOVES = {"kernels": (6.0, 17.0), "lax": (13.3, 15.6)}
"""How often a step reads or writes all layers' outputs and the images, and the parameters, from the
same programs."""

PACK_SIZES = (64, 32, 16, 8, 4, 2, 1)
"""Pack sizes to choose from, best first. On an H200, packs of 64 are 60 % faster than packs of 8,
and 128 another 6 %; larger packs mostly delay the first result."""

USABLE = 0.8
"""The share of the device's memory for a pack; the rest is for fragments and the runtime."""


class Memory(NamedTuple):
    """Bytes of a pack on its device.

    Attributes:
        data: The data set, once.
        parameters: The parameters of one model.
        optimizer: The optimizer's state of one model.
        activations: Further memory for a step of one model, including gradients.
        num_replicas: The number of models in the pack.
        together: Whether all models take their step at the same time.
    """

    data: int
    parameters: int
    optimizer: int
    activations: int
    num_replicas: int
    together: bool

    @property
    def total(self) -> int:
        """The bytes of the whole pack."""
        kept = self.num_replicas * (self.parameters + self.optimizer)
        at_once = self.num_replicas if self.together else 1
        return self.data + kept + at_once * self.activations


def pack_memory(
    method: MethodEntry,
    settings: Settings,
    image_shape: tuple[int, int, int],
    data_bytes: int,
    num_replicas: int,
    *,
    platform: str,
) -> Memory:
    """The bytes of a pack, with the form of convolutions of its backend.

    On a CPU the models of a pack take their steps one after another, elsewhere together.

    Args:
        method: An entry of `METHODS`.
        settings: The training settings, of which batch size and number of latents matter.
        image_shape: (H, W, C).
        data_bytes: Size of the data set on the device.
        num_replicas: R.
        platform: The platform of the device, "cpu", "gpu" or "tpu".
    """
    parameters, optimizer, outputs = _sizes(method, settings, image_shape)
    of_outputs, of_images, of_parameters = COPIES[form_for(platform)]
    numbers = of_outputs * outputs + of_images * math.prod(image_shape)
    return Memory(
        data=data_bytes,
        parameters=parameters,
        optimizer=optimizer,
        activations=int(
            settings.batch_size * numbers * _width(settings) + of_parameters * parameters
        ),
        num_replicas=num_replicas,
        together=platform != "cpu",
    )


def step_bytes(
    method: MethodEntry, settings: Settings, image_shape: tuple[int, int, int], *, platform: str
) -> float:
    """The bytes moved by a model's step in a large pack on a "gpu" or "tpu".

    They are within a tenth of the compiled program's, or a sixth on a TPU in bfloat16.
    """
    parameters, _, outputs = _sizes(method, settings, image_shape)
    of_numbers, of_parameters = MOVES[form_for(platform)]
    numbers = settings.batch_size * (outputs + math.prod(image_shape))
    return of_numbers * numbers * _width(settings) + of_parameters * parameters


def pack_size(num_trials: int, memory: Memory, device_bytes: int) -> int:
    """The number of waiting trials to train together, at least 1.

    It is the first of `PACK_SIZES` that fits in memory, and at most the number of trials.

    Args:
        num_trials: Trials waiting for this program.
        memory: The memory of a pack of these trials, of any size.
        device_bytes: The device's total memory.

    Raises:
        ValueError: If no trial is waiting.
    """
    if num_trials < 1:
        raise ValueError(f"num_trials is {num_trials}; expected at least 1")
    for size in PACK_SIZES:
        needed = memory._replace(num_replicas=size).total
        if size <= num_trials and needed <= USABLE * device_bytes:
            return size
    return 1


def device_memory() -> int:
    """The bytes of memory of the first device (this starts the backend)."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in statistics:
        return statistics["bytes_limit"]
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _sizes(
    method: MethodEntry, settings: Settings, image_shape: tuple[int, int, int]
) -> tuple[int, int, int]:
    """Bytes of the parameters and of the optimizer's state, and all outputs for one image.

    The outputs include those for further inputs of the networks in a step, per image of a batch.
    """
    program = Program(method, settings, image_shape, draw_blanks(image_shape), "direct")
    values = dict.fromkeys((*method.parameters, RATE), 1.0)
    state = jax.eval_shape(lambda: program.start(0, values))
    seen: dict[str, float] = {}
    seen["encoder"], seen["decoder"] = method.passes
    if "importance_samples" in method.reads:
        seen["decoder"] *= settings.importance_samples
    if encoded := PRIORS[settings.prior].encoded:
        seen["encoder"] += getattr(settings, encoded) / settings.batch_size
    outputs = round(_outputs_per_image(state.parameters, image_shape, seen))
    return _bytes(state.parameters), _bytes(state.optimizer), outputs


def _width(settings: Settings) -> int:
    return 2 if settings.precision == "bfloat16" else 4


def _outputs_per_image(
    parameters: Any, image_shape: tuple[int, int, int], seen: Mapping[str, float]
) -> float:
    """The number of outputs of all layers for one image: every bias, at every position.

    `seen` is the number of images or codes that a network processes per image of a batch.

    The names of Teasel's layers tell their position. For another package's convolution, outputs are
    assumed to have the side of the image.
    """
    total = 0.0
    for path, leaf in jax.tree_util.tree_leaves_with_path(parameters):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if not name.endswith("/kernel"):
            continue
        side = image_shape[0] if leaf.ndim == 4 else 1
        own = re.fullmatch(r"(encoder|decoder)/convolution_(\d+)/kernel", name)
        if own:
            index = int(own[2])
            side = side >> index if own[1] == "encoder" else 4 << index
        total += seen.get(name.partition("/")[0], 1.0) * side**2 * leaf.shape[-1]
    return total


def _bytes(tree) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
