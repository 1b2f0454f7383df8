"""What a trained model makes of its data set: codes of all images, codes to keep, pictures."""

from typing import Any

import jax
import numpy as np

from ...datasets import Dataset
from ...models import decode, encode, encode_all
from ..store import code_tables
from ..store.results import Results
from . import pictures
from .batches import Batches

NUM_TRAIN_POINTS, NUM_TEST_POINTS = 10_000, 5_000
_NUM_PICTURES, _NUM_INTERPOLATED = 16, 8  # Differs from the original: 64, of sampled codes.


def fixed_points(dataset: Dataset) -> np.ndarray:
    """Image indices (15,000,) of the kept codes: 10,000 to train on, then 5,000 to test on.

    Drawn uniformly with replacement, the same for all models.
    """
    rng = np.random.default_rng(0)
    return rng.integers(len(dataset), size=NUM_TRAIN_POINTS + NUM_TEST_POINTS)


def codes_of_points(
    parameters: Any, results: Results, trial_id: str, dataset: Dataset, batches: Batches
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log variance, (15,000, D) each, of the fixed points.

    Each image is encoded once, into a table that is kept until all metrics have looked their codes
    up; so are these.

    Args:
        parameters: The model's.
        results: Where the table is kept.
        trial_id: The model's name there.
        dataset: What is observed.
        batches: How the device gets it.
    """
    data = batches.data if batches.whole else dataset.window
    mean, log_variance = encode_all(parameters, dataset.observe, data, len(dataset))
    code_tables.save(results, trial_id, mean, log_variance)
    points = fixed_points(dataset)
    return mean[points], log_variance[points]


def render_pictures(parameters: Any, dataset: Dataset) -> dict[str, bytes]:
    """PNGs by kind, of the first fixed points; none if the codes are no numbers."""
    images = dataset.images(fixed_points(dataset)[:_NUM_PICTURES])
    means = np.asarray(encode(parameters, images)[0])
    if not np.isfinite(means).all():
        return {}

    def to_images(codes: np.ndarray) -> np.ndarray:
        return np.asarray(jax.nn.sigmoid(decode(parameters, codes)))

    return {
        "reconstructions": pictures.reconstructions(images, to_images(means)),
        "traversals": pictures.traversals(means[0], to_images),
        "interpolations": pictures.interpolations(means[:_NUM_INTERPOLATED], to_images),
    }
