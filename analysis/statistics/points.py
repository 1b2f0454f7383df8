"""The number of points that a score needs to rank models as it does with all points."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from pandas import DataFrame

from .correlation import spearman

Score = Callable[[np.ndarray, np.ndarray], float]
"""A score of codes (N, D) and factors (N, K), such as `teasel.metrics.mig`."""


def rank_stability(
    models: Sequence[tuple[np.ndarray, np.ndarray]],
    scores: Mapping[str, Score],
    sizes: Sequence[int] = (100, 300, 1_000, 3_000),
    num_draws: int = 5,
    seed: int = 0,
) -> DataFrame:
    """Rank correlation over models between scores of few points and of all points.

    Each draw uses the same points for all models, without repetition.

    Args:
        models: for each model, the codes (N, D) and the factors (N, K) of the same N points.
        scores: functions of codes and factors, by name.
        sizes: numbers of points, at most N.
        num_draws: the number of draws of points for each size.
        seed: the seed of the draws.

    Returns:
        A row per score and size: score, num_points, correlation (mean over draws), lowest (of the
        draws), num_models, note. A correlation is NaN if scores are constant.

    Raises:
        ValueError: if there are fewer than two models, their N differ, or a size is not in 1 to N.
    """
    lengths = {len(array) for model in models for array in model}
    if len(models) < 2 or len(lengths) != 1:
        raise ValueError(
            f"a ranking needs two models with the same points, got {len(models)} with "
            f"{' or '.join(map(str, sorted(lengths)))} points"
        )
    (num,) = lengths
    if not all(1 <= size <= num for size in sizes):
        raise ValueError(f"sizes must be from 1 to the {num} points of a model, got {list(sizes)}")
    rows = []
    for name, score in scores.items():
        rng = np.random.default_rng(seed)
        whole = [score(codes, factors) for codes, factors in models]
        for size in sizes:
            found = np.empty(num_draws)
            for draw in range(num_draws):
                at = rng.choice(num, size, replace=False)
                few = [score(codes[at], factors[at]) for codes, factors in models]
                found[draw] = spearman(np.column_stack([few, whole]))[0, 1]
            note = "" if np.isfinite(found).all() else "one value for all models"
            rows.append((name, size, found.mean(), found.min(), len(models), note))
    names = ["score", "num_points", "correlation", "lowest", "num_models", "note"]
    return DataFrame(rows, columns=names)
