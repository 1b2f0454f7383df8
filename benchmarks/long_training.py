"""Trains the weakest and the strongest setting of every method and writes what became of them.

    .venv/bin/python benchmarks/long_training.py --steps 50000 --output docs/long_training.md

One seed a setting. Prints each chunk's means as it goes; the page holds the curves, the final
losses, the KL of each latent and the total correlation of mean and sampled codes.
"""

import argparse
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from teasel.datasets import load
from teasel.metrics import unsupervised_scores
from teasel.models import METHODS, Replica, Settings, Trainer, encode_all

# The study's weakest and strongest values; AnnealedVAE constrains most where c_max is small.
SETTINGS = {
    "beta_vae": ("beta", (1.0, 16.0)),
    "annealed_vae": ("c_max", (100.0, 5.0)),
    "factor_vae": ("gamma", (10.0, 100.0)),
    "beta_tc_vae": ("beta", (1.0, 10.0)),
    "dip_vae_i": ("lambda_od", (1.0, 50.0)),
    "dip_vae_ii": ("lambda_od", (1.0, 50.0)),
}
NUM_CODES = 10_000


def train(name: str, dataset, data, settings: Settings, num_chunks: int) -> list[dict]:
    """Returns one row per setting of a method: curves, evaluation, total correlations."""
    parameter, values = SETTINGS[name]
    trainer = Trainer(METHODS[name], settings, dataset.image_shape, dataset.draw, data)
    pack = trainer.start([Replica({parameter: value}, seed=0) for value in values])
    curves: list[dict[str, np.ndarray]] = []
    while pack.step < settings.steps:
        chunk = min(max(1, settings.steps // num_chunks), settings.steps - pack.step)
        start = time.perf_counter()
        pack, means = trainer.advance(pack, chunk)
        rate = len(values) * chunk / (time.perf_counter() - start)
        reconstruction, kl = means["reconstruction"].round(1), means["kl"].round(2)
        print(name, pack.step, "reconstruction", reconstruction, "kl", kl, f"{rate:.1f}/s")
        curves.append({"step": np.full(len(values), pack.step), **means})
    rows = []
    evaluations = trainer.evaluate(pack, 100)
    for place, parameters in enumerate(trainer.parameters(pack)):
        rows.append(
            {
                "name": f"{name} {parameter}={values[place]:g}",
                "curve": [(int(c["step"][place]), c["reconstruction"][place]) for c in curves],
                **evaluations[place],
                **_total_correlations(parameters, dataset, data),
            }
        )
    return rows


def _total_correlations(parameters, dataset, data) -> dict[str, float]:
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(dataset), size=NUM_CODES)

    def observe(arrays, indices, key):
        images, order = arrays
        return dataset.observe(images, order[indices], key)

    arrays = (data, jnp.asarray(chosen, jnp.int32))
    mean, log_variance = encode_all(parameters, observe, arrays, NUM_CODES)
    sampled = mean + np.exp(log_variance / 2) * rng.normal(size=mean.shape)
    return {
        f"{kind}_total_correlation": unsupervised_scores(codes).gaussian_total_correlation
        for kind, codes in (("mean", mean), ("sampled", sampled))
    }


def page(rows: list[dict], dataset, settings: Settings, command: str) -> str:
    """Returns the Markdown page."""
    lines = [
        "# Long trainings",
        "",
        f"`{command}`: {settings.steps:,} steps of {settings.batch_size} images of "
        f"{dataset.name} ({dataset.source}), one seed, jax {jax.__version__} on "
        f"{jax.devices()[0].device_kind}. Nats; total correlations are Gaussian, of "
        f"{NUM_CODES:,} codes.",
        "",
        "| setting | reconstruction | KL | TC of means | TC of samples | KL of each latent |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        latents = " ".join(f"{kl:.1f}" for kl in sorted(row["kl_per_latent"], reverse=True))
        lines.append(
            f"| {row['name']} | {row['reconstruction']:.1f} | {row['kl']:.2f} "
            f"| {row['mean_total_correlation']:.2f} | {row['sampled_total_correlation']:.2f} "
            f"| {latents} |"
        )
    lines += ["", "## Reconstruction over the steps", ""]
    lines.append("| setting | " + " | ".join(f"{step:,}" for step, _ in rows[0]["curve"]) + " |")
    lines.append("| --- |" + " --- |" * len(rows[0]["curve"]))
    for row in rows:
        values = " | ".join(f"{value:.1f}" for _, value in row["curve"])
        lines.append(f"| {row['name']} | {values} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="dsprites")
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--methods", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--chunks", type=int, default=10, help="points of each curve")
    parser.add_argument("--output", type=Path, default=Path("docs/long_training.md"))
    arguments = parser.parse_args()
    dataset = load(arguments.dataset)
    data = jax.tree.map(jnp.asarray, dataset.device_data())
    settings = Settings(steps=arguments.steps)
    rows: list[dict] = []
    command = (
        f".venv/bin/python benchmarks/long_training.py --dataset {arguments.dataset} "
        f"--steps {arguments.steps} --methods {' '.join(arguments.methods)}"
    )
    for name in arguments.methods:
        rows += train(name, dataset, data, settings, arguments.chunks)
        arguments.output.write_text(page(rows, dataset, settings, command))


if __name__ == "__main__":
    main()
