"""Made studies of known truth, for tests, benchmarks and examples: no model was trained."""

import functools
import io
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas import DataFrame
from scipy import stats

from ...analysis.names import KNOWN
from ...analysis.paper_grid import DISENTANGLEMENT, paper_grid
from ...sweep.store.tables import to_table

# Every (metric, score) a made results folder holds.
SCORES = (
    *(("beta_vae_score", "beta_vae_score"), ("factor_vae_score", "factor_vae_score")),
    *(("mig", "mig"), ("dci", "disentanglement"), ("dci", "completeness")),
    *(("dci", "informativeness_test"), ("modularity", "modularity"), ("sap", "sap")),
    *(("explicitness", "test"), ("unsupervised", "gaussian_total_correlation")),
    *(("unsupervised", "gaussian_wasserstein_correlation"), ("unsupervised", "mutual_info_score")),
    *(("downstream_lr", str(size)) for size in (10, 100, 1000, 10000)),
    *(("downstream_gbt", str(size)) for size in (10, 100, 1000, 10000)),
)


SKEWED = stats.beta(1, 8)

COLLAPSED = -2.0
"""What a model that tells nothing scores, in units of total spread below the mean of all."""


def cell_means(
    rng: np.random.Generator,
    num_datasets: int = 7,
    num_scores: int = len(DISENTANGLEMENT),
    method_share: float = 0.37,
    setting_share: float = 0.22,
    dataset_correlation: float = 0.6,
) -> np.ndarray:
    """The true means (data sets, 36 settings, scores) of a made study, in units of total spread.

    In every data set and score the methods' means have variance `method_share` and the settings'
    within their method `setting_share`, exactly; the rest, to 1, is left for seeds.
    `dataset_correlation` is the expected correlation of the effects between two data sets.
    """
    shared, own = np.sqrt([dataset_correlation, 1 - dataset_correlation])

    def effects(groups: int, settings: int, variance: float) -> np.ndarray:
        common = rng.normal(size=(1, groups, settings, num_scores))
        drawn = shared * common + own * rng.normal(
            size=(num_datasets, groups, settings, num_scores)
        )
        drawn -= drawn.mean(axis=2 if settings > 1 else 1, keepdims=True)
        return drawn * np.sqrt(variance / drawn.var(axis=(1, 2), keepdims=True))

    means = effects(6, 1, method_share) + effects(6, 6, setting_share)
    return means.reshape(num_datasets, 36, num_scores)


def synthetic_scores(
    rng: np.random.Generator,
    means: np.ndarray | None = None,
    num_seeds: int = 50,
    columns: Sequence[str] = DISENTANGLEMENT,
    seed_share: float = 0.0,
    noise_share: float = 0.41,
    correlation: np.ndarray | float = 0.0,
    skewed: bool = False,
    collapsed: float = 0.0,
) -> DataFrame:
    """A wide score table, one row per made model, as `scores(results, wide=True)` gives.

    A score is its cell's mean + an effect of the seed, the same in all cells of a data set, +
    independent noise, all Gaussian unless said otherwise.

    Args:
        rng: NumPy generator.
        means: (data sets, 36, len(columns)) of `cell_means`; drawn with its defaults if None.
        num_seeds: models per cell.
        columns: score columns.
        seed_share: variance of the seeds' effect.
        noise_share: variance of the noise.
        correlation: of seeds' effects and noise between columns, a matrix or one number.
        skewed: whether the noise is as a score that beta(1, 8) distributes: many low, few high.
        collapsed: the share of models whose scores are all `COLLAPSED`, whichever their cell.
    """
    means = cell_means(rng, num_scores=len(columns)) if means is None else means
    num_datasets, num_settings, num_scores = means.shape
    if np.ndim(correlation) == 0:
        correlation = np.full((num_scores, num_scores), correlation)
        np.fill_diagonal(correlation, 1.0)
    mix = np.linalg.cholesky(np.asarray(correlation))
    seeds = np.sqrt(seed_share) * rng.normal(size=(num_datasets, 1, num_seeds, num_scores))
    noise = rng.normal(size=(num_datasets, num_settings, num_seeds, num_scores))
    noise, seeds = noise @ mix.T, seeds @ mix.T
    if skewed:
        noise = (SKEWED.ppf(stats.norm.cdf(noise)) - SKEWED.mean()) / SKEWED.std()
    values = means[:, :, None] + seeds + np.sqrt(noise_share) * noise
    if collapsed:
        values[rng.random(values.shape[:-1]) < collapsed] = COLLAPSED
    grid = paper_grid()
    cells = [
        (method, name, value)
        for method, swept in grid["methods"].items()
        for name, all_values in swept.items()
        for value in all_values
    ][:num_settings]
    names = [*grid["datasets"], *(f"dataset_{n}" for n in range(7, num_datasets))]
    frame = pd.MultiIndex.from_product(
        [names[:num_datasets], range(num_settings), range(num_seeds)],
        names=["dataset", "cell", "seed"],
    ).to_frame(index=False)
    method, name, value = (np.array(column)[frame["cell"]] for column in zip(*cells, strict=True))
    setting = np.array([f"{name}={value:g}" for _, name, value in cells])[frame["cell"]]
    return DataFrame(
        {
            "trial_id": [f"{number:016x}" for number in range(len(frame))],
            "dataset": frame["dataset"],
            "method": method,
            "hyperparameter": name,
            "hyperparameter_value": value.astype(float),
            "setting": setting,
            "seed": frame["seed"],
            "representation": "mean",
            **{column: values[..., i].ravel() for i, column in enumerate(columns)},
        }
    )


class SyntheticResults:
    """A made results folder in memory: what `teasel.sweep.store.results.Results` offers.

    Losses and total correlations follow the strength of the regularisation; everything else is
    `synthetic_scores` squeezed into the range of real scores.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        num_datasets: int = 1,
        num_seeds: int = 5,
        steps: int = 300_000,
        pictures: bool = True,
    ):
        self._tables: dict[str, pa.Table] = {}
        self._steps, self._pictures = steps, pictures
        means = cell_means(rng, num_datasets, len(SCORES))
        columns = [f"{metric}/{score}" for metric, score in SCORES]
        self._wide = synthetic_scores(rng, means, num_seeds, columns, 0.05, 0.36, correlation=0.5)
        rank = self._wide.groupby("method")["hyperparameter_value"].rank("dense").to_numpy()
        self._strength = np.where(self._wide["method"] == "annealed_vae", 7 - rank, rank) / 6
        self.study: dict[str, Any] = {
            "study": "synthetic",
            "protocol": 1,
            "catalogue": {
                "methods": {name: KNOWN["methods"][name] for name in self._wide["method"].unique()},
                "metrics": {name: KNOWN["metrics"][name] for name, _ in SCORES},
                "datasets": {
                    name: KNOWN["datasets"][name] for name in self._wide["dataset"].unique()
                },
            },
        }

    def table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """One of the tables trials, scores, curves, pictures and failures."""
        if name not in self._tables:
            rng = np.random.default_rng(zlib.crc32(name.encode()))
            self._tables[name] = getattr(self, f"_{name}_table")(rng)
        return self._tables[name]

    def representation(self, trial_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Codes of five used and five unused latents, and dSprites' factors: 15,000 points."""
        rng = np.random.default_rng(int(trial_id, 16))
        factors = rng.integers(0, (3, 6, 40, 32, 32), size=(15_000, 5))
        means = rng.normal(size=(15_000, 10)) * 0.05
        means[:, :5] += (factors / (3, 6, 40, 32, 32) - 0.5) * 3
        log_variances = np.where(np.arange(10) < 5, -3.0, -0.01) * np.ones_like(means)
        return means.astype(np.float32), log_variances.astype(np.float32), factors

    def _trials_table(self, rng: np.random.Generator) -> pa.Table:
        wide, size = self._wide, len(self._wide)
        kl = 30 * (1.1 - self._strength) + rng.normal(size=size)
        reconstruction = 40 + 60 * self._strength + rng.normal(size=size)
        columns = {
            **{name: wide[name] for name in ("trial_id", "dataset", "method", "seed")},
            "study": "synthetic",
            "model_num": np.arange(size),
            **{
                name: np.where(wide["hyperparameter"] == name, wide["hyperparameter_value"], np.nan)
                for name in wide["hyperparameter"].unique()
            },
            "steps": np.where(wide["method"] == "factor_vae", self._steps // 2, self._steps),
            "batch_size": 64,
            "learning_rate": 1e-4,
            "num_latents": 10,
            "status": "done",
            "error": None,
            "loss": reconstruction + kl,
            "reconstruction": reconstruction,
            "kl": kl,
            "elbo": -(reconstruction + kl),
            "kl_per_latent": list(kl[:, None] * np.arange(10) / 45),
            "train_seconds": 60.0,
            "encode_seconds": 2.0,
            "data_source": "synthetic",
            "data_fingerprint": "none",
            "device": "none",
            "host": "none",
            "pack_id": "none",
            "pack_size": 1,
            "attempt": 0,
            "finished_at": "2026-01-01T00:00:00",
            **{f"{name}_version": "0" for name in ("teasel", "jax", "numpy", "sklearn")},
        }
        return pa.Table.from_pandas(wide[[]].assign(**columns), preserve_index=False)

    def _scores_table(self, rng: np.random.Generator) -> pa.Table:
        size, tables = len(self._wide), []
        for kind in ("mean", "sampled"):
            for metric, score in SCORES:
                value = 1 / (1 + np.exp(-self._wide[f"{metric}/{score}"].to_numpy()))
                if score == "gaussian_total_correlation":
                    sign = 1 if kind == "mean" else -1
                    value = 2 + 1.5 * sign * self._strength + 0.2 * value
                columns = {
                    "trial_id": self._wide["trial_id"].to_numpy(str),
                    "representation": np.full(size, kind),
                    "metric": np.full(size, metric),
                    "score": np.full(size, score),
                    "value": value,
                    "num_points": np.full(size, 10_000),
                    "metric_seed": np.zeros(size, int),
                    "metric_version": np.full(size, "1"),
                    "parameters": pa.nulls(size, pa.string()),
                    "parameters_hash": np.full(size, "synthetic"),
                    "seconds": np.full(size, 1.0),
                    "error": pa.nulls(size, pa.string()),
                    "attempt": np.zeros(size, int),
                    "points": np.ones(size, int),
                }
                tables.append(pa.table(columns))
        return pa.concat_tables(tables)

    def _curves_table(self, rng: np.random.Generator) -> pa.Table:
        steps = np.linspace(self._steps / 20, self._steps, 20).astype(int)
        fall = np.exp(-np.arange(20) / 3)
        last = 40 + 60 * self._strength
        reconstruction = last[:, None] + 300 * fall + rng.normal(size=(len(last), 20))
        kl = (30 * (1.1 - self._strength))[:, None] * (1 - fall)
        columns = {
            "trial_id": np.repeat(self._wide["trial_id"].to_numpy(str), 20),
            "step": np.tile(steps, len(last)),
            "loss": (reconstruction + kl).ravel(),
            "reconstruction": reconstruction.ravel(),
            "kl": kl.ravel(),
            "regularizer": kl.ravel(),
        }
        return pa.table(columns)

    def _pictures_table(self, rng: np.random.Generator) -> pa.Table:
        ids = self._wide["trial_id"] if self._pictures else self._wide["trial_id"][:0]
        kinds = ("reconstructions", "traversals", "interpolations")
        rows = [
            {"trial_id": trial_id, "kind": kind, "png": _picture(kind)}
            for trial_id in ids
            for kind in kinds
        ]
        schema = pa.schema([("trial_id", pa.string()), ("kind", pa.string()), ("png", pa.binary())])
        return pa.Table.from_pylist(rows, schema)

    def _failures_table(self, rng: np.random.Generator) -> pa.Table:
        return to_table("failures", [])


@functools.cache
def _picture(kind: str) -> bytes:
    from PIL import Image

    rows, columns = {"reconstructions": (4, 8), "traversals": (10, 9)}.get(kind, (4, 9))
    y, x = np.mgrid[: rows * 64, : columns * 64]
    radius = 8 + 14 * (x // 64) / columns
    disc = (x % 64 - 32) ** 2 + (y % 64 - 20 - 2 * (y // 64)) ** 2 < radius**2
    buffer = io.BytesIO()
    Image.fromarray((255 * disc).astype(np.uint8)).save(buffer, "png")
    return buffer.getvalue()
