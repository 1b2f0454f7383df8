"""An illustration of theorem 1 of Locatello et al. 2019: the picture and tables of theorem.md.

.venv/bin/python docs/theorem.py [--folder docs/pictures]
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from teasel.datasets import Dataset, load
from teasel.metrics import dci, mig, modularity, sap
from teasel.models import METHODS, Replica, Settings, TrainedModel, Trainer

NUM_ROTATIONS, NUM_SLOW = 1000, 10
NUM_POINTS, NUM_TRAIN = 5000, 800
"""Of MIG and modularity; and of these, those that DCI and SAP are trained on."""

SETTINGS = Settings(steps=2000, learning_rate=2e-3, num_latents=6, network="mlp", width=0.25)

Scores = dict[str, np.ndarray]
"""Of each score, the value before and, from the second on, after each rotation."""


def main() -> None:
    """Writes theorem.png into a folder, and the tables to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("docs/pictures"))
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    data = load("dsprites_mini")
    model = train(data)
    indices = rng.integers(len(data), size=NUM_POINTS)
    factors = data.factors(indices)
    codes = np.asarray(model.encode(data.images(indices)).mean, np.float64)
    jittered = jitter(factors, data.factor_sizes, rng)
    found = {
        "Ground-truth codes": score(jittered, factors, stats.uniform, rng),
        "A beta-VAE's codes": score(codes, factors, stats.norm, rng),
    }
    print("| codes | score | before | after, mean | after, highest |")
    print("| --- | --- | --- | --- | --- |")
    for title, scores in found.items():
        for name, (before, *after) in scores.items():
            print(f"| {title} | {name} | {before:.3f} | {np.mean(after):.3f} | {max(after):.3f} |")
    print("\n| nats | before | after | largest difference of an image |\n| --- | --- | --- | --- |")
    for name, (before, after) in terms(model, data.images(indices[:256]), rng).items():
        apart = abs(before - after).max()
        print(f"| {name} | {before.mean():.3f} | {after.mean():.3f} | {apart:.1g} |")
    draw(found, options.folder / "theorem.png")


def draw_rotation(rng: np.random.Generator, size: int) -> np.ndarray:
    """A random orthogonal matrix (size, size), uniform among those without a zero."""
    while True:
        matrix, upper = np.linalg.qr(rng.standard_normal((size, size)))
        if (matrix != 0).all():
            return matrix * np.sign(np.diag(upper))


def entangle(codes: np.ndarray, rotation: np.ndarray, prior: Any) -> np.ndarray:
    """The proof's f of codes (N, D): to standard normals, rotated, and back; of the same shape.

    The transposed rotation is the inverse.

    Args:
        codes: (N, D), each column in the support of the prior.
        rotation: (D, D), orthogonal.
        prior: Of each latent, continuous, one of `scipy.stats`.
    """
    return prior.ppf(stats.norm.cdf(stats.norm.ppf(prior.cdf(codes)) @ rotation.T))


def jitter(factors: np.ndarray, sizes: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Codes (N, K), independent and uniform in [0, 1], of which each says one factor exactly."""
    return (factors + rng.random(factors.shape)) / sizes


def train(data: Dataset) -> TrainedModel:
    """A beta-VAE: a minute of one core."""
    given = data.image_shape, data.sample_batch, data.device_data()
    trainer = Trainer(METHODS["beta_vae"], SETTINGS, *given)
    pack, _ = trainer.advance(trainer.start([Replica({"beta": 8.0}, seed=0)]), SETTINGS.steps)
    return trainer.models(pack)[0]


def score(codes: np.ndarray, factors: np.ndarray, prior: Any, rng: np.random.Generator) -> Scores:
    """The scores of codes (N, D) of factors (N, K), before and after random rotations."""

    def split(metric: Callable[..., Any], codes: np.ndarray) -> Any:
        train, test = slice(NUM_TRAIN), slice(NUM_TRAIN, 4 * NUM_TRAIN)
        return metric(codes[train], factors[train], codes[test], factors[test])

    versions = [codes] + [
        entangle(codes, draw_rotation(rng, codes.shape[1]), prior) for _ in range(NUM_ROTATIONS)
    ]
    few = versions[: 1 + NUM_SLOW]
    return {
        "MIG": np.array([mig(each, factors) for each in versions]),
        "Modularity": np.array([modularity(each, factors) for each in versions]),
        "DCI disentanglement": np.array([split(dci, each).disentanglement for each in few]),
        "SAP": np.array([split(sap, each) for each in few]),
    }


def terms(
    model: TrainedModel, images: np.ndarray, rng: np.random.Generator
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The terms of the bound (N,), in nats, of images and of one rotated model of them."""
    mean, log_variance = (np.asarray(part, np.float64) for part in model.encode(images))
    variance = np.exp(log_variance)
    rotation = draw_rotation(rng, mean.shape[1])
    drawn = mean + np.sqrt(variance) * rng.standard_normal(mean.shape)
    back = entangle(entangle(drawn, rotation, stats.norm), rotation.T, stats.norm)
    covariances = np.einsum("ij,nj,kj->nik", rotation, variance, rotation)

    @jax.jit
    def reconstruction(codes: jax.Array) -> jax.Array:
        return model.model.reconstruction(model.parameters, codes, jnp.asarray(images))

    def kl(mean: np.ndarray, covariances: np.ndarray) -> np.ndarray:
        trace = np.trace(covariances, axis1=1, axis2=2)
        inside = trace + np.sum(mean**2, axis=1) - mean.shape[1]
        return (inside - np.linalg.slogdet(covariances)[1]) / 2

    before = kl(mean, np.einsum("nj,jk->njk", variance, np.eye(mean.shape[1])))
    codes = (jnp.asarray(each, jnp.float32) for each in (drawn, back))
    first, second = (np.asarray(reconstruction(each)) for each in codes)
    return {"reconstruction": (first, second), "KL": (before, kl(mean @ rotation.T, covariances))}


def draw(found: dict[str, Scores], path: Path) -> None:
    """Histograms of each score after the rotations, and a line for it before."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from teasel.analysis.plots.style import INK, STYLE

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.5, 3.4), layout="constrained")
        rows = figure.subplots(len(found), 4, sharex=True, squeeze=False)
        for (title, scores), row in zip(found.items(), rows, strict=True):
            for (name, values), axes in zip(scores.items(), row, strict=True):
                axes.hist(values[1:], bins=np.linspace(0, 1, 51), color="#9db4c8")
                axes.axvline(values[0], color=INK, clip_on=False)
                axes.set(title=name, xlim=(0, 1), yticks=[])
            row[0].set_ylabel(title)
        figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
