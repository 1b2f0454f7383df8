"""Reference representations: codes that no method learned, to compare learned codes with.

A grid lists references beside its methods, and they are scored in the same way, except that they
have no posterior to sample from. Each entry of `REFERENCES` holds a function of the data set, the
seed and the number of latents. It returns a function from image indices to codes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...datasets import Dataset
from .request import MetricRequest
from .trial import Trial

Encode = Callable[[np.ndarray], np.ndarray]
"""Image indices (N,) -> codes (N, D); each image has its own noise."""

NUM_FITTED = 10_000
"""Number of images that PCA and ICA are fitted to."""

PAIRWISE_METRICS = ("beta_vae_score", "factor_vae_score")
"""The metrics for raw pixels. Others would examine each of 4,096 or 12,288 codes."""


@dataclass(frozen=True)
class Reference:
    """A reference representation, and what tables and figures say about it.

    Args:
        function: `(data set, seed, number of latents) -> encoder`.
        label: Its name in tables and figures.
        reference: The publication that defined it, if any.
        colour: Its colour in figures, "#rrggbb"; empty for any colour.
        metrics: The metrics that can score it; empty for every metric.
        needs: What it needs from a data set, a word of `teasel.metrics.NEEDS`.
        keeps_codes: Whether its codes are stored. If not, the data set provides them.
    """

    function: Callable[[Dataset, int, int], Encode]
    label: str
    reference: str = ""
    colour: str = ""
    metrics: tuple[str, ...] = ()
    keeps_codes: bool = True
    needs: str = "nothing"


def _ground_truth(dataset: Dataset, seed: int, num_latents: int) -> Encode:
    """The factors themselves, standardised: a perfect representation."""
    sizes = np.array(dataset.factor_sizes)
    centre, spread = (sizes - 1) / 2, np.sqrt((sizes**2 - 1) / 12)
    if dataset.table is not None:
        centre, spread = dataset.table.mean(axis=0), dataset.table.std(axis=0)
    return lambda indices: ((dataset.factors(indices) - centre) / spread).astype(np.float32)


def _raw_pixels(dataset: Dataset, seed: int, num_latents: int) -> Encode:
    """Every pixel of every channel."""
    return lambda indices: dataset.images(indices).reshape(len(indices), -1)


def _random_codes(dataset: Dataset, seed: int, num_latents: int) -> Encode:
    """Standard normal numbers, fixed for each image but independent of its content."""
    codes = np.random.default_rng(seed).standard_normal((len(dataset), num_latents), np.float32)
    return lambda indices: codes[indices]


def _pca(dataset: Dataset, seed: int, num_latents: int) -> Encode:
    """Principal components of the pixels."""
    from sklearn.decomposition import PCA

    return _fit(PCA(num_latents, svd_solver="randomized", random_state=seed), dataset, seed)


def _ica(dataset: Dataset, seed: int, num_latents: int) -> Encode:
    """Independent components of the pixels (Hyvarinen and Oja 2000)."""
    from sklearn.decomposition import PCA, FastICA
    from sklearn.pipeline import make_pipeline

    # The components lie in the span of the principal ones, so that many pixels are whitened fast.
    whitened = PCA(num_latents, svd_solver="randomized", random_state=seed)
    unmixed = FastICA(num_latents, whiten="unit-variance", max_iter=1000, random_state=seed)
    return _fit(make_pipeline(whitened, unmixed), dataset, seed)


def _fit(model, dataset: Dataset, seed: int) -> Encode:
    """The encoder of a scikit-learn model, fitted to images of the data set."""
    rng, pixels = np.random.default_rng(seed), _raw_pixels(dataset, seed, num_latents=0)
    model.fit(pixels(dataset.draw_indices(rng, min(NUM_FITTED, len(dataset)))))
    return lambda indices: model.transform(pixels(indices)).astype(np.float32)


REFERENCES: dict[str, Reference] = {
    "ground_truth": Reference(_ground_truth, label="Ground truth", needs="factors"),
    "raw_pixels": Reference(
        _raw_pixels, label="Raw pixels", metrics=PAIRWISE_METRICS, keeps_codes=False
    ),
    "pca": Reference(_pca, label="PCA"),
    "ica": Reference(_ica, label="ICA", reference="Hyvarinen and Oja 2000"),
    "random_codes": Reference(_random_codes, label="Random codes"),
}


def select_requests(method: str, requests: Sequence[MetricRequest]) -> tuple[MetricRequest, ...]:
    """The requests of a grid that apply to the codes of a method."""
    if method not in REFERENCES:
        return tuple(requests)
    metrics = REFERENCES[method].metrics
    return tuple(
        request
        for request in requests
        if request.representation == "mean" and (not metrics or request.metric in metrics)
    )


def encoder_of(trial: Trial, dataset: Dataset) -> Encode:
    """The encoder of a reference trial; every call returns the same one."""
    return REFERENCES[trial.method].function(dataset, trial.seed, trial.training.num_latents)
