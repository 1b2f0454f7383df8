"""A map of one model's codes."""

import numpy as np
from pandas import DataFrame

from ..tables import Codes


def embedding(codes: Codes, num_points: int = 1000, seed: int = 0) -> DataFrame:
    """A two-dimensional t-SNE of a model's mean codes (van der Maaten and Hinton 2008).

    Args:
        codes: the codes from `representation`.
        num_points: the number of points to map, from the first.
        seed: the seed of the optimisation.

    Returns:
        A row per point: x, y, and the value of every factor as "factor 1", "factor 2", ...

    Raises:
        ValueError: if there are fewer than 10 points, or some are not finite.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    means = np.asarray(codes.means[:num_points], float)
    if len(means) < 10:
        raise ValueError(f"a map needs at least 10 points, got {len(means)}")
    if not np.isfinite(means).all():
        raise ValueError("a map needs finite codes")
    perplexity = min(30.0, (len(means) - 1) / 3)
    with threadpool_limits(1):  # so few points only make threads wait for each other
        places = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(means)
    factors = codes.factors[:num_points]
    columns = {f"factor {k + 1}": factors[:, k] for k in range(factors.shape[1])}
    return DataFrame({"x": places[:, 0], "y": places[:, 1], **columns})
