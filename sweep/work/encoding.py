"""Encodes a data set with a trained model: codes of all images, codes to keep, pictures."""

import numpy as np

from ...datasets import Dataset
from ...models import TrainedModel, pictures
from ..store import code_tables
from ..store.results import Results
from .batches import Batches

NUM_TRAIN_POINTS, NUM_TEST_POINTS = 10_000, 5_000
_NUM_PICTURES, _NUM_INTERPOLATED = 16, 8  # Differs from the original: 64, of sampled codes.


def fixed_points(dataset: Dataset) -> np.ndarray:
    """Image indices (15,000,) of the kept codes: 10,000 to train on, then 5,000 to test on.

    They are sampled uniformly with replacement, and are the same for all models.
    """
    rng = np.random.default_rng(0)
    return rng.integers(len(dataset), size=NUM_TRAIN_POINTS + NUM_TEST_POINTS)


def codes_of_points(
    model: TrainedModel, results: Results, dataset: Dataset, batches: Batches
) -> tuple[np.ndarray, np.ndarray]:
    """The mean and log variance, (15,000, D) each, of the fixed points.

    Each image is encoded once, into a table that is kept until all metrics have read their codes
    from it. The codes of the fixed points are read from it too.

    Args:
        model: The model, named after its trial.
        results: The results folder for the table.
        dataset: The data set to encode.
        batches: The batches of the data set on the device.
    """
    data = batches.data if batches.whole else dataset.window
    mean, log_variance = model.encode_all(dataset.observe, data, len(dataset))
    code_tables.save(results, model.name, mean, log_variance)
    points = fixed_points(dataset)
    return mean[points], log_variance[points]


def render_pictures(model: TrainedModel, dataset: Dataset) -> dict[str, bytes]:
    """PNG pictures by kind, of the first fixed points; none if codes are NaN."""
    images = dataset.images(fixed_points(dataset)[:_NUM_PICTURES])
    means = np.asarray(model.encode(images).mean)
    if not np.isfinite(means).all():
        return {}
    return {
        "reconstructions": pictures.reconstructions(images, model.decode(means)),
        "traversals": pictures.traversals(pictures.traverse(means[0], model.decode)),
        "interpolations": pictures.interpolations(means[:_NUM_INTERPOLATED], model.decode),
    }
