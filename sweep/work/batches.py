"""Batches for training, from the device's memory or from windows sent by the host."""

import itertools
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from ...datasets import Dataset
from ...datasets.feed import fits, windows
from ...models import Batch, Pack, Purpose, Trainer
from ...models.program import SampleBatch


def sample_of(dataset: Dataset, kind: str) -> SampleBatch:
    """The function that samples a method's batches.

    Args:
        dataset: The data set to sample from.
        kind: The kind of batch that the method's loss needs, from its entry.
    """

    def sample_pairs(data: Any, key: jax.Array, batch_size: int) -> Batch:
        first, second, shared = dataset.sample_pair_indices(key, batch_size)
        images = dataset.observe(data, first, jax.random.fold_in(key, 1))
        views = dataset.observe(data, second, jax.random.fold_in(key, 3))
        return Batch(images, views=views, shared=shared)

    def sample_labelled(data: Any, key: jax.Array, batch_size: int) -> Batch:
        indices = dataset.sample_batch_indices(key, batch_size)
        images = dataset.sample_batch(data, key, batch_size)
        return Batch(images, labels=dataset.labels(indices), indices=indices)

    return {"pairs": sample_pairs, "labels": sample_labelled}.get(kind, dataset.sample_batch)


class Batches:
    """The batches of a data set for a trainer.

    The whole data set is on the device if it fits. Otherwise the host sends the images of the next
    chunk while the device works on the current one. The batches are the same.

    Args:
        dataset: The data set to sample from.
        batch_size: Images per step.
        kind: The kind of batch that the method's loss needs, from its entry.
    """

    def __init__(self, dataset: Dataset, batch_size: int, kind: str = "images") -> None:
        self._dataset = dataset
        self._batch_size = batch_size
        self._pairs = kind == "pairs"
        self._device = jax.local_devices()[0]
        memory = (self._device.memory_stats() or {}).get("bytes_limit")
        self.whole = fits(dataset.device_data().nbytes, memory)
        if self.whole:
            self.data = jax.device_put(dataset.device_data())
        else:
            self.data = dataset.window(np.zeros((1 + self._pairs) * batch_size, np.int64))

    def for_chunks(
        self,
        trainer: Trainer,
        pack: Pack,
        first: int,
        chunks: list[int],
        purpose: Purpose = Purpose.BATCH,
    ) -> Iterator[Any]:
        """The data to pass to `advance` or `evaluate` for each chunk; None means the trainer's own.

        Args:
            trainer: The trainer that the batches are for.
            pack: The pack whose seeds choose the images.
            first: The first step, or evaluation batch.
            chunks: The number of steps of each chunk.
            purpose: Training, or evaluation, which samples all images uniformly.
        """
        if self.whole:
            return itertools.repeat(None)
        starts = itertools.accumulate(chunks, initial=first)
        keys = (
            trainer.batch_keys(pack, start, num, purpose)
            for start, num in zip(starts, chunks, strict=False)
        )
        drawn = self._dataset if purpose is Purpose.BATCH else self._dataset.uniform
        return windows(drawn, keys, self._batch_size, self._device, pairs=self._pairs)
