"""Feeding a data set that a device can't hold: the host sends the images of the coming steps."""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

from .dataset import Dataset, Window

_LOG = logging.getLogger("teasel")


def fits(dataset: Dataset, device: Any) -> bool:
    """Whether the whole data set takes at most half of the device's memory.

    Where a device doesn't say how much it has, as a CPU, the answer is yes.
    """
    memory = (device.memory_stats() or {}).get("bytes_limit")
    return memory is None or dataset.device_data().nbytes <= memory / 2


def windows(
    dataset: Dataset, keys: Iterable[jax.Array], batch_size: int, device: Any
) -> Iterator[Window]:
    """For each array of keys, a window on the device: `device_data()` for the images of those keys.

    Logs that the images come from the host. While one window is in use the
    next is gathered, so that the device needn't wait.

    Args:
        dataset: Which images are drawn from.
        keys: Arrays of keys, of any shape: what `sample_batch` gets before the next window.
        batch_size: As given to `sample_batch`.
        device: Where the windows go; it holds two at a time.
    """
    try:
        chooser = jax.local_devices(backend="cpu")[0]
    except RuntimeError:  # JAX_PLATFORMS names accelerators alone; indices are the same on any
        chooser = device

    @jax.jit
    def draw_indices(keys: jax.Array) -> jax.Array:
        return jax.vmap(lambda key: dataset.sample_batch_indices(key, batch_size))(keys.reshape(-1))

    def gather(keys: jax.Array) -> Window:
        indices = np.asarray(draw_indices(jax.device_put(keys, chooser)))
        return jax.device_put(dataset.window(indices), device)

    size = dataset.device_data().nbytes / 1e6
    _LOG.info("%s: %s MB stay on the host and are fed to %s", dataset.name, f"{size:,.0f}", device)
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming = None
        for step_keys in keys:
            following = thread.submit(gather, step_keys)
            if coming:
                yield coming.result()
            coming = following
        if coming:
            yield coming.result()
