"""Unsupervised Disentanglement Ranking (Duan et al. 2020, arXiv:1905.12614)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from .arrays import check_codes


def udr(
    codes: Sequence[np.ndarray],
    kl_per_latent: Sequence[np.ndarray],
    similarity: Literal["lasso", "spearman"] = "lasso",
    smallest_kl: float = 0.01,
) -> np.ndarray:
    """The ranking score (R,) in [0, 1] of models that differ in their seed (Duan et al. 2020).

    A model's score is the median of its similarity to the others: how nearly each informative
    latent of the one corresponds to a single one of the other. Duan et al. use at least 5 models.

    Args:
        codes: For each of the R models, the mean codes (N, D) of the same N images.
        kl_per_latent: For each model, the mean divergence (D,) of each latent from its prior, in
            nats.
        similarity: Of two latents: the size of a lasso's coefficient, or of Spearman's rank
            correlation.
        smallest_kl: A latent that tells no more than this, in nats, takes no part.

    Raises:
        ValueError: If there are fewer than two models, or their shapes do not match.
    """
    if len(codes) < 2 or len(codes) != len(kl_per_latent):
        raise ValueError(
            f"udr compares two models or more, got {len(codes)} codes, {len(kl_per_latent)} KLs"
        )
    informative = []
    for model, kl in zip(codes, kl_per_latent, strict=True):
        model, kl = check_codes(model), np.asarray(kl)
        if kl.shape != model.shape[1:] or len(model) != len(codes[0]):
            raise ValueError(
                f"got codes {model.shape} and KL {kl.shape}: expected ({len(codes[0])}, D), (D,)"
            )
        # The squares of tiny codes underflow in float32, and an overflow would follow.
        model = model.astype(np.float64)
        center, scale = model.mean(axis=0), model.std(axis=0)
        varied = (model.min(axis=0) < model.max(axis=0)) & (scale > 0)
        kept = (kl > smallest_kl) & varied
        informative.append((model - center)[:, kept] / scale[kept])
    compare = {"lasso": _lasso_sizes, "spearman": _rank_correlations}[similarity]
    pairwise = np.full((len(codes), len(codes)), np.nan)
    for first, second in np.ndindex(*pairwise.shape):
        if first != second:
            pairwise[first, second] = _one_to_one(compare(informative[first], informative[second]))
    return np.nanmedian(pairwise, axis=0)


def _one_to_one(sizes: np.ndarray) -> float:
    """Mean over rows and over columns of max^2 / sum, 1 for a permutation matrix; (A, B) >= 0."""

    def concentration(rows: np.ndarray) -> float:
        total = rows.sum(axis=1)
        shares = rows.max(axis=1) ** 2 / np.where(total > 0, total, 1)
        return float(shares.mean())

    if 0 in sizes.shape:
        return 0.0
    return (concentration(sizes) + concentration(sizes.T)) / 2


def _lasso_sizes(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sizes (A, B) of the coefficients that predict codes (N, B) from codes (N, A)."""
    from sklearn.linear_model import Lasso

    if 0 in (first.shape[1], second.shape[1]):
        return np.zeros((first.shape[1], second.shape[1]))
    lasso = Lasso(alpha=0.1).fit(first, second)
    return np.abs(np.atleast_2d(lasso.coef_)).T


def _rank_correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sizes (A, B) of Spearman's correlation of each latent of one with each of the other."""
    from scipy.stats import rankdata

    ranks = [rankdata(model, axis=0) for model in (first, second)]
    centered = [rank - rank.mean(axis=0) for rank in ranks]
    units = [rank / np.linalg.norm(rank, axis=0) for rank in centered]
    return np.abs(units[0].T @ units[1])
