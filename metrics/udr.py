"""Unsupervised Disentanglement Ranking (Duan et al. 2020, arXiv:1905.12614)."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from .arrays import check_codes
from .metric import Metric
from .regression import correlations
from .representation import Rng
from .undefined import UndefinedScoreError

Model = tuple[np.ndarray, np.ndarray]
"""A model's mean codes (N, D) of some images, and its divergence per latent (D,) in nats."""


class Cell(NamedTuple):
    """A model with its partners, which the catalogue entry takes in place of a representation.

    Attributes:
        model: The model to score.
        partners: The models to compare it with, which differ from it in seed.
    """

    model: Model
    partners: Sequence[Model]


def udr(
    codes: Sequence[np.ndarray],
    kl_per_latent: Sequence[np.ndarray],
    similarity: Literal["lasso", "spearman"] = "lasso",
    smallest_kl: float = 0.01,
) -> np.ndarray:
    """The ranking score (R,) in [0, 1] of models that differ in seed (Duan et al. 2020).

    A model's score is the median of its similarities to the others: how far each informative latent
    of one corresponds to a single latent of the other. Duan et al. use at least 5 models.

    Args:
        codes: For each of the R models, the mean codes (N, D) of the same N images.
        kl_per_latent: For each model, the mean divergence (D,) of each latent from its prior, in
            nats.
        similarity: The similarity of two latents: the size of a lasso's coefficient, or of
            Spearman's rank correlation.
        smallest_kl: A latent whose divergence, in nats, is not larger is left out.

    Raises:
        ValueError: If there are fewer than two models, or their shapes do not match.
    """
    if len(codes) < 2 or len(codes) != len(kl_per_latent):
        raise ValueError(
            f"udr compares at least two models, got {len(codes)} codes, {len(kl_per_latent)} KLs"
        )
    models = list(zip(codes, kl_per_latent, strict=True))
    return np.array(
        [
            compare_models(model, models[:place] + models[place + 1 :], similarity, smallest_kl)
            for place, model in enumerate(models)
        ]
    )


def compare_models(
    model: Model,
    others: Sequence[Model],
    similarity: Literal["lasso", "spearman"] = "lasso",
    smallest_kl: float = 0.01,
) -> float:
    """The ranking score in [0, 1] of one model against others, as in `udr`.

    Args:
        model: Its codes (N, D) and its divergence per latent (D,).
        others: The same for at least one other model.
        similarity: As in `udr`.
        smallest_kl: As in `udr`.
    """
    size = len(model[0])
    compare = {"lasso": _lasso_sizes, "spearman": _rank_correlations}[similarity]
    own = _keep_informative(*model, size, smallest_kl)
    kept = (_keep_informative(*other, size, smallest_kl) for other in others)
    return float(np.median([_one_to_one(compare(other, own)) for other in kept]))


def _keep_informative(
    codes: np.ndarray, kl: np.ndarray, size: int, smallest_kl: float
) -> np.ndarray:
    """The standardised codes of the informative latents."""
    codes, kl = check_codes(codes), np.asarray(kl)
    if kl.shape != codes.shape[1:] or len(codes) != size:
        raise ValueError(f"got codes {codes.shape} and KL {kl.shape}: expected ({size}, D), (D,)")
    center, scale = codes.mean(axis=0), codes.std(axis=0)
    varied = (codes.min(axis=0) < codes.max(axis=0)) & (scale > 0)
    kept = (kl > smallest_kl) & varied
    return (codes - center)[:, kept] / scale[kept]


def _one_to_one(sizes: np.ndarray) -> float:
    """The mean over rows and columns of max^2 / sum of (A, B) >= 0; 1 for a permutation matrix."""

    def concentration(rows: np.ndarray) -> float:
        total = rows.sum(axis=1)
        shares = rows.max(axis=1) ** 2 / np.where(total > 0, total, 1)
        return float(shares.mean())

    if 0 in sizes.shape:
        return 0.0  # Differs from the original: no informative latent, an error there, is worth 0.
    return (concentration(sizes) + concentration(sizes.T)) / 2


def _lasso_sizes(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The sizes (A, B) of coefficients that predict codes (N, B) from codes (N, A)."""
    from sklearn.linear_model import Lasso

    if 0 in (first.shape[1], second.shape[1]):
        return np.zeros((first.shape[1], second.shape[1]))
    lasso = Lasso(alpha=0.1).fit(first, second)
    return np.abs(np.atleast_2d(lasso.coef_)).T


def _rank_correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The sizes (A, B) of Spearman's correlation of each latent of one with each of the other."""
    from scipy.stats import rankdata

    return np.abs(correlations(*(rankdata(model, axis=0) for model in (first, second))))


def score_udr(cell: Cell, rng: Rng, *, partners: tuple[int, ...] = ()) -> dict[str, float]:
    """`compare_models` of a model and its partners, which `partners` names by their seeds.

    Raises:
        UndefinedScoreError: If a model has no KL per latent, as with a learned prior.
    """
    if any(np.isnan(model[1]).any() for model in (cell.model, *cell.partners)):
        raise UndefinedScoreError("udr needs the KL of each latent, but a model has none")
    return {"udr": compare_models(cell.model, cell.partners)}


UDR = Metric(
    score_udr,
    "Duan et al. 2020, arXiv:1905.12614",
    samples_points=False,
    needs="nothing",
    label="UDR",
    labels={"udr": "UDR (later work)"},
)
