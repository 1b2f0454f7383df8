"""Where a training's batches come from: the device's memory, or windows sent by the host."""

import itertools
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from ...datasets import Dataset
from ...datasets.feed import fits, windows
from ...models import Pack, Purpose, Trainer


class Batches:
    """A data set at the disposal of a trainer.

    Where the device can hold the data set it lies there whole. Where it cannot, the host sends the
    images of the coming chunk while the device works on the one before; the batches are the same.

    Args:
        dataset: What is drawn from.
        batch_size: Images a step.
    """

    def __init__(self, dataset: Dataset, batch_size: int) -> None:
        self._dataset = dataset
        self._batch_size = batch_size
        self._device = jax.local_devices()[0]
        memory = (self._device.memory_stats() or {}).get("bytes_limit")
        self.whole = fits(dataset.device_data().nbytes, memory)
        if self.whole:
            self.data = jax.device_put(dataset.device_data())
        else:
            self.data = dataset.window(np.zeros(batch_size, np.int64))

    def for_chunks(
        self,
        trainer: Trainer,
        pack: Pack,
        first: int,
        chunks: list[int],
        purpose: Purpose = Purpose.BATCH,
    ) -> Iterator[Any]:
        """What to hand to `advance` or `evaluate` for each chunk; None means the trainer's own.

        Args:
            trainer: The trainer that the batches are for.
            pack: The pack whose seeds choose the images.
            first: The first step, or evaluation batch.
            chunks: How many steps each chunk has.
            purpose: Training or evaluation.
        """
        if self.whole:
            return itertools.repeat(None)
        starts = itertools.accumulate(chunks, initial=first)
        keys = (
            trainer.batch_keys(pack, start, num, purpose)
            for start, num in zip(starts, chunks, strict=False)
        )
        return windows(self._dataset, keys, self._batch_size, self._device)
