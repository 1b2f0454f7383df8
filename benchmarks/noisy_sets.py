"""Does noise with few levels change a score? Compares it with the original's on the same images.

    taskset -c 0 .venv/bin/python benchmarks/noisy_sets.py

Noisy-dSprites has 1,024 levels of noise here (`teasel.datasets`), the original's are continuous.
Trains a beta-VAE with several seeds on a small noisy set and scores each of them twice, with the
same draws: on observations as `teasel` makes them, and on these with the missing lower bits of
their noise drawn too, which makes it uniform as the original's. Drawn apart, the two ways would
differ by the chance of the draws, far more than by the levels. Prints both means, the mean size of
the difference, and the spread of the score over the training seeds.
"""

import argparse

import jax
import numpy as np

from teasel.datasets import Dataset, load
from teasel.metrics import METRICS
from teasel.models import METHODS, Replica, Settings, TrainedModel, Trainer
from teasel.sweep.trials.references import Encode
from teasel.sweep.work.representations import ComputedRepresentation

WAYS = ("ours", "the original's")
LEVELS = 1024  # of our noise

POINTS = {"num_train": 2_000, "num_test": 1_000}
FEWER = {"num_train": 300, "num_test": 200}  # each encodes 64 or 128 images
PARAMETERS: dict[str, dict[str, int]] = {
    **dict.fromkeys(("dci", "explicitness", "sap"), POINTS),
    **{name: {"num_train": 2_000} for name in ("mig", "modularity", "unsupervised")},
    "beta_vae_score": FEWER,
    "factor_vae_score": FEWER | {"num_variance": 2_000},
}
SCORES = (
    *(("beta_vae_score", "beta_vae_score"), ("factor_vae_score", "factor_vae_score")),
    *(("mig", "mig"), ("modularity", "modularity"), ("dci", "disentanglement")),
    *(("dci", "completeness"), ("explicitness", "test"), ("sap", "sap")),
    *(("unsupervised", "gaussian_total_correlation"), ("unsupervised", "mutual_info_score")),
)


def train(dataset: Dataset, steps: int, num_seeds: int) -> list:
    """Returns a beta-VAE for each seed."""
    data = jax.device_put(dataset.device_data())
    settings = Settings(steps=steps, learning_rate=1e-3)  # in few steps, further than the paper's
    trainer = Trainer(
        METHODS["beta_vae"], settings, dataset.image_shape, dataset.sample_batch, data
    )
    pack = trainer.start([Replica({"beta": 1.0}, seed) for seed in range(num_seeds)])
    pack, curves = trainer.advance(pack, steps)
    print("reconstruction, mean over all steps:", curves["reconstruction"].round(1), flush=True)
    return trainer.models(pack)


def as_the_original(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the observations with continuous noise, of the same first ten bits."""
    lower_bits = (rng.random(images.shape, np.float32) - 0.5) / LEVELS
    return np.where(images == 1, 1, images + lower_bits)  # sprites are 1, noise is below


def codes_of(dataset: Dataset, model: TrainedModel, way: str) -> Encode:
    """Returns what draws and encodes fresh observations, a function of image indices."""
    noise, lower = np.random.default_rng(0), np.random.default_rng(1)

    def codes(indices: np.ndarray) -> np.ndarray:
        images = dataset.images(indices, noise)
        if way == WAYS[1]:
            images = as_the_original(images, lower)
        return np.asarray(model.encode(images.clip(0, 1)).mean)

    return codes


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--seeds", type=int, default=5, help="trainings")
    arguments = parser.parse_args()
    dataset = load("noisy_dsprites_mini")
    values = {way: {score: [] for score in SCORES} for way in WAYS}
    for number, model in enumerate(train(dataset, arguments.steps, arguments.seeds)):
        for way in WAYS:
            codes = codes_of(dataset, model, way)
            found = {
                name: METRICS[name](
                    ComputedRepresentation(dataset, codes), np.random.RandomState(0), **given
                )
                for name, given in PARAMETERS.items()
            }
            for metric, score in SCORES:
                values[way][metric, score].append(found[metric][score])
        print(f"model {number}", flush=True)
    print("| score | ours | the original's | mean difference | spread over trainings | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    for score in SCORES:
        ours, theirs = (np.array(values[way][score]) for way in WAYS)
        difference, spread = np.abs(ours - theirs).mean(), theirs.std(ddof=1)
        print(
            f"| {': '.join(dict.fromkeys(score))} | {ours.mean():.4f} | {theirs.mean():.4f} "
            f"| {difference:.5f} | {spread:.4f} | {difference / spread:.3f} |"
        )


if __name__ == "__main__":
    main()
