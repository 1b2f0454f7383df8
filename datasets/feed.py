"""Feeds a data set that a device can't hold: the host sends the images of the next steps."""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .dataset import Dataset, Window

_LOG = logging.getLogger("teasel")


STEPS = 25
"""The number of steps per window of images on an accelerator."""


def fits(data_bytes: int, device_bytes: int | None) -> bool:
    """Whether a data set fits in half of a device's memory, and is thus stored there whole.

    If a device doesn't report its memory (None), like a CPU, the answer is yes.
    """
    return device_bytes is None or data_bytes <= device_bytes / 2


def windows(
    dataset: Dataset,
    keys: Iterable[jax.Array],
    batch_size: int,
    device: Any,
    *,
    pairs: bool = False,
) -> Iterator[Window]:
    """For each array of keys, a window on the device with the images of those keys.

    Logs that the images come from the host. While one window is in use the
    next is gathered, so that the device needn't wait.

    Args:
        dataset: The data set to sample from.
        keys: Arrays of keys, of any shape, that `sample_batch` uses with one window.
        batch_size: As given to `sample_batch`.
        device: The device for the windows; it holds two at a time.
        pairs: Whether batches are pairs of images.
    """
    try:
        chooser = jax.local_devices(backend="cpu")[0]
    except RuntimeError:  # JAX_PLATFORMS names accelerators alone; indices are the same on any
        chooser = device

    @jax.jit
    def draw_indices(keys: jax.Array) -> jax.Array:
        def of_batch(key: jax.Array) -> jax.Array:
            if pairs:
                return jnp.concatenate(dataset.sample_pair_indices(key, batch_size)[:2])
            return dataset.sample_batch_indices(key, batch_size)

        return jax.vmap(of_batch)(keys.reshape(-1))

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
