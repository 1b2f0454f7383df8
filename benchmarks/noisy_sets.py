"""Do scores depend on how the noise of an observation is drawn? Ours against the original's way.

    taskset -c 0 .venv/bin/python benchmarks/noisy_sets.py

Trains a beta-VAE with several seeds on a small noisy set and scores each of them on observations
of the same factors as `teasel` draws them (noise of few bits, from a counter) and as the original
did (`min(image + uniform noise, 1)`, or a uniform colour), with several metric seeds. Prints both
means, their difference, and the spread of the score over the training seeds.
"""

import argparse

import jax
import numpy as np

from teasel.datasets import Dataset, load
from teasel.metrics import METRICS
from teasel.models import METHODS, Replica, Settings, Trainer, encode
from teasel.sweep.representations import FreshRepresentation

POINTS = {"num_train": 2_000, "num_test": 1_000}
FEWER = {"num_train": 60, "num_test": 30}  # each encodes 64 or 128 images
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
    """Returns the parameters of a beta-VAE for each seed."""
    data = jax.device_put(dataset.device_data())
    settings = Settings(steps=steps, learning_rate=1e-3)  # in few steps, further than the study's
    trainer = Trainer(METHODS["beta_vae"], settings, dataset.image_shape, dataset.draw, data)
    pack = trainer.start([Replica({"beta": 1.0}, seed) for seed in range(num_seeds)])
    pack, curves = trainer.advance(pack, steps)
    print("reconstruction, mean over all steps:", curves["reconstruction"].round(1), flush=True)
    return trainer.parameters(pack)


def original_images(dataset: Dataset, plain: Dataset, indices, rng) -> np.ndarray:
    """Returns observations as the original made them, of white sprites on black."""
    sprites = np.repeat(plain.images(indices), 3, axis=3)
    if dataset.name.startswith("noisy"):
        return np.minimum(sprites + rng.uniform(size=sprites.shape), 1).astype(np.float32)
    return (sprites * rng.uniform(0.5, 1, (len(sprites), 1, 1, 3))).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    sets = ("noisy_dsprites_mini", "color_dsprites_mini")
    parser.add_argument("--dataset", default=sets[0], choices=sets)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--seeds", type=int, default=4, help="trainings")
    parser.add_argument("--metric-seeds", type=int, default=2)
    arguments = parser.parse_args()
    dataset, plain = load(arguments.dataset), load("dsprites_mini")
    draws = {
        "ours": dataset.images,
        "the original's": lambda indices, rng: original_images(dataset, plain, indices, rng),
    }
    values = {way: {score: [] for score in SCORES} for way in draws}
    for number, parameters in enumerate(train(dataset, arguments.steps, arguments.seeds)):
        for way, draw in draws.items():
            for seed in range(arguments.metric_seeds):
                noise = np.random.default_rng(seed)

                def codes(indices, rng, parameters=parameters, draw=draw, noise=noise):
                    del rng  # has drawn the factors, and would draw others after other noise
                    return np.asarray(encode(parameters, draw(indices, noise))[0])

                found = {
                    name: METRICS[name](
                        FreshRepresentation(dataset, codes), np.random.RandomState(seed), **given
                    )
                    for name, given in PARAMETERS.items()
                }
                for metric, score in SCORES:
                    values[way][metric, score].append(found[metric][score])
            print(f"model {number} {way}", flush=True)
    print("| score | ours | the original's | difference | spread over trainings | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    for score in SCORES:
        ours, theirs = (
            np.reshape(values[way][score], (arguments.seeds, arguments.metric_seeds))
            for way in draws
        )
        difference = ours.mean() - theirs.mean()
        spread = np.concatenate([ours, theirs], axis=1).mean(axis=1).std(ddof=1)
        print(
            f"| {': '.join(dict.fromkeys(score))} | {ours.mean():.4f} | {theirs.mean():.4f} "
            f"| {difference:+.4f} | {spread:.4f} | {abs(difference) / spread:.2f} |"
        )


if __name__ == "__main__":
    main()
