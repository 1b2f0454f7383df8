"""Trains the weakest and the strongest setting of every method at length; says what appeared.

    taskset -c 0 .venv/bin/python benchmarks/long_training.py --hours 2

One seed a setting; all methods in turns, `--every` steps at a time, until `--steps` or `--hours`
are reached. States and curves stay in `--folder`: the same command goes on where it was stopped,
and further with more steps. The page holds which part of the known picture appeared, final losses,
the KL of each latent, scores and curves.
"""

import argparse
import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from teasel.datasets import Dataset, load
from teasel.datasets.cache import cache_dir
from teasel.metrics import METRICS, PAPER_SEEDS
from teasel.models import METHODS, Replica, Settings, TrainedModel, Trainer, keep_freed_memory
from teasel.models.annealed_vae import capacity
from teasel.sweep.work.representations import ComputedRepresentation

# The paper's weakest and strongest values; AnnealedVAE constrains most where c_max is small.
SETTINGS = {
    "beta_vae": ("beta", (1.0, 16.0)),
    "annealed_vae": ("c_max", (100.0, 5.0)),
    "factor_vae": ("gamma", (10.0, 100.0)),
    "beta_tc_vae": ("beta", (1.0, 10.0)),
    "dip_vae_i": ("lambda_od", (1.0, 50.0)),
    "dip_vae_ii": ("lambda_od", (1.0, 50.0)),
}
# Of the mean codes, at the paper's sizes but for the two that encode most: a twentieth of theirs.
FEWER = {"num_train": 500, "num_test": 250}
METRIC_PARAMETERS: dict[str, dict[str, int]] = {
    "beta_vae_score": FEWER,
    "factor_vae_score": FEWER,
    **{name: {} for name in ("mig", "dci", "modularity", "explicitness", "sap", "unsupervised")},
}
SCORES = {  # by column: the metric and its score
    "BetaVAE": ("beta_vae_score", "beta_vae_score"),
    "FactorVAE": ("factor_vae_score", "factor_vae_score"),
    "MIG": ("mig", "mig"),
    "DCI disent.": ("dci", "disentanglement"),
    "Modularity": ("modularity", "modularity"),
    "Explicitness": ("explicitness", "test"),
    "SAP": ("sap", "sap"),
}
NUM_EVALUATION_BATCHES = 100
MOST_COLUMNS = 10

Row = dict[str, Any]


class Training:
    """The two models of one method, kept with their curves in a folder."""

    def __init__(self, name: str, settings: Settings, dataset: Dataset, data: Any, folder: Path):
        self.name, self._dataset, self._data = name, dataset, data
        self.parameter, self.values = SETTINGS[name]
        self.trainer = Trainer(
            METHODS[name], settings, dataset.image_shape, dataset.sample_batch, data
        )
        self._state, self._curves = folder / f"{name}.safetensors", folder / f"{name}.json"
        self.curve: list[dict[str, Any]] = []
        if self._state.exists():
            self.pack = self.trainer.restore(self._state.read_bytes())
            points = json.loads(self._curves.read_text())
            self.curve = [point for point in points if point["step"] <= self.pack.step]
        else:
            replicas = [Replica({self.parameter: value}, seed=0) for value in self.values]
            self.pack = self.trainer.start(replicas)

    def advance(self, num_steps: int) -> None:
        """Takes steps and keeps the state; a curve's point holds the means over these steps."""
        start = time.perf_counter()
        self.pack, means = self.trainer.advance(self.pack, num_steps)
        rate = len(self.values) * num_steps / (time.perf_counter() - start)
        point = {key: value.tolist() for key, value in means.items()}
        self.curve.append({"step": self.pack.step, **point})
        shown = (f"{key} {means[key].round(2)}" for key in ("reconstruction", "kl"))
        print(f"{self.name} {self.pack.step:,}:", *shown, f"{rate:.1f} steps/s", flush=True)
        _replace(self._curves, json.dumps(self.curve).encode())  # first: may hold later points
        _replace(self._state, self.trainer.save(self.pack))

    def rows(self) -> list[Row]:
        """Returns what became of each model: losses, scores, total correlations, curve."""
        evaluations = self.trainer.evaluate(self.pack, NUM_EVALUATION_BATCHES)
        rows = []
        for place, model in enumerate(self.trainer.models(self.pack)):
            scores, correlations = _scores(model, self._dataset, self._data)
            curve = {
                key: [(point["step"], point[key][place]) for point in self.curve]
                for key in ("reconstruction", "kl")
            }
            name = f"{self.name} {self.parameter}={self.values[place]:g}"
            about = {"name": name, "method": self.name, "value": self.values[place]}
            found = {"curve": curve, "scores": scores, "total_correlation": correlations}
            rows.append(about | found | evaluations[place])
        return rows


def _replace(path: Path, content: bytes) -> None:
    written = path.with_suffix(".writing")
    written.write_bytes(content)
    written.replace(path)


def _scores(model: TrainedModel, dataset: Dataset, data: Any) -> tuple[Row, dict[str, float]]:
    """Scores of the mean codes, and the Gaussian total correlation of mean and sampled codes."""

    @jax.jit
    def posterior(indices: jax.Array) -> tuple[jax.Array, jax.Array]:
        return model.entry(**model.hyperparameters).encode(
            model.model, model.parameters, dataset.observe(data, indices)
        )

    noise = np.random.default_rng(0)

    def means(indices: np.ndarray) -> np.ndarray:
        return np.asarray(posterior(jnp.asarray(indices, jnp.int32))[0])

    def samples(indices: np.ndarray) -> np.ndarray:
        mean, log_variance = map(np.asarray, posterior(jnp.asarray(indices, jnp.int32)))
        return mean + np.exp(log_variance / 2) * noise.normal(size=mean.shape)

    def score(kind: str, metric: str) -> dict[str, float]:
        representation = ComputedRepresentation(dataset, {"mean": means, "sampled": samples}[kind])
        rng = np.random.RandomState(PAPER_SEEDS[kind][metric])
        return METRICS[metric](representation, rng, **METRIC_PARAMETERS[metric])

    found = {metric: score("mean", metric) for metric in METRIC_PARAMETERS}
    name = "gaussian_total_correlation"
    correlations = {
        "mean": found["unsupervised"][name],
        "sampled": score("sampled", "unsupervised")[name],
    }
    return {
        column: found[metric][score] for column, (metric, score) in SCORES.items()
    }, correlations


def known_picture(rows: list[Row], step: int) -> list[tuple[str, bool, str]]:
    """Returns what the literature lets one expect, whether it appeared, and the numbers."""
    models = {(row["method"], row["value"]): row for row in rows}
    found = []

    def compare(claim: str, method: str, weak: float, strong: float, *, rises: bool) -> None:
        appeared = strong > weak if rises else strong < weak
        parameter, (first, second) = SETTINGS[method]
        numbers = f"{weak:.3g} at {parameter} = {first:g}, {strong:.3g} at {second:g}"
        found.append((claim, appeared, numbers))

    for method, (_, values) in SETTINGS.items():
        if (method, values[0]) not in models:
            continue
        weak, strong = (models[method, value] for value in values)
        claim, numbers = f"{weak['name']}: under 40 nats", f"{weak['reconstruction']:.1f}"
        found.append((claim, weak["reconstruction"] < 40, numbers))
        before, last = _last_tenth(strong["curve"]["reconstruction"])
        claim = f"{strong['name']}: on a plateau, the last tenth of the steps changes under 1 %"
        found.append((claim, abs(last / before - 1) < 0.01, f"{before:.1f} to {last:.1f}"))
        if method == "beta_vae":
            compare("larger beta: lower KL", method, weak["kl"], strong["kl"], rises=False)
            ends = weak["reconstruction"], strong["reconstruction"]
            compare("larger beta: worse reconstruction", method, *ends, rises=True)
        if method == "annealed_vae":
            for row in (weak, strong):
                target = float(capacity(jnp.float32(step), row["value"], 100_000.0))
                claim = f"AnnealedVAE, c_max = {row['value']:g}: KL within 10 % of C"
                numbers = f"KL {row['kl']:.3f}, C {target:.3f}"
                found.append((claim, abs(row["kl"] - target) <= 0.1 * target, numbers))
        kinds = {"dip_vae_i": "mean", "factor_vae": "sampled", "beta_tc_vae": "sampled"}
        if method in kinds:
            ends = (row["total_correlation"][kinds[method]] for row in (weak, strong))
            claim = f"{method}: the total correlation of {kinds[method]} codes falls"
            compare(claim, method, *ends, rises=False)
    return found


def _last_tenth(curve: list[tuple[int, float]]) -> tuple[float, float]:
    """The curve's value when a tenth of the steps was left, and its last."""
    last_step, last = curve[-1]
    earlier = (value for step, value in curve[::-1] if step <= 0.9 * last_step)
    return next(earlier, np.nan), last


def page(rows: list[Row], dataset: Dataset, step: int, command: str) -> str:
    """Returns the Markdown page."""
    text = (
        "# Long trainings\n\n"
        "Each method's weakest and strongest setting, trained as far as the hours allow. "
        f"`{command}`: {step:,} steps of {Settings().batch_size} images of {dataset.name} "
        f"({dataset.source}), one seed, jax {jax.__version__} on {jax.devices()[0].device_kind}. "
        f"Losses are nats, means over {NUM_EVALUATION_BATCHES} batches; total correlations are "
        "Gaussian, of 10,000 codes. The paper trains 300,000 steps: what takes longer than these "
        "has not appeared.\n\n## The known picture\n\n"
    )
    claims = known_picture(rows, step)
    text += _table(
        ("expected", "appeared", "measured"),
        [(claim, "yes" if appeared else "no", numbers) for claim, appeared, numbers in claims],
    )
    text += "\n## Losses\n\n"
    columns = ("reconstruction", "KL", "TC of means", "TC of samples", "KL of each latent")
    lines = []
    for row in rows:
        latents = " ".join(f"{kl:.1f}" for kl in sorted(row["kl_per_latent"], reverse=True))
        correlations = (f"{row['total_correlation'][kind]:.2f}" for kind in ("mean", "sampled"))
        losses = f"{row['reconstruction']:.1f}", f"{row['kl']:.2f}"
        lines.append((row["name"], *losses, *correlations, latents))
    text += _table(("setting", *columns), lines)
    text += (
        "\n## Scores of the mean codes\n\nWith the paper's seeds and sizes, but "
        f"{FEWER['num_train']} + {FEWER['num_test']} points for the BetaVAE and FactorVAE scores."
        "\n\n"
    )
    lines = [(row["name"], *(f"{row['scores'][name]:.3f}" for name in SCORES)) for row in rows]
    text += _table(("setting", *SCORES), lines)
    for key, title in (("reconstruction", "Reconstruction"), ("kl", "KL")):
        text += f"\n## {title} over the steps\n\n"
        text += _curve_table([(row["name"], row["curve"][key]) for row in rows])
    return text


def _curve_table(curves: list[tuple[str, list[tuple[int, float]]]]) -> str:
    steps = [step for step, _ in curves[0][1]]
    every = -(-len(steps) // MOST_COLUMNS)
    shown = steps[::-1][::every][::-1]  # the last one among them
    lines = []
    for name, curve in curves:
        values = dict(curve)
        lines.append((name, *(f"{values[step]:.1f}" if step in values else "" for step in shown)))
    return _table(("setting", *(f"{step:,}" for step in shown)), lines)


def _table(columns: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    return "".join(
        f"| {' | '.join(line)} |\n" for line in (columns, ("---",) * len(columns), *lines)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", default="dsprites")
    parser.add_argument("--methods", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--steps", type=int, default=50_000, help="how far in all")
    parser.add_argument("--hours", type=float, default=np.inf, help="of this call's training")
    parser.add_argument("--every", type=int, default=500, help="steps between points of a curve")
    parser.add_argument("--folder", type=Path, help="kept states; default: in Teasel's cache")
    parser.add_argument("--output", type=Path, default=Path("docs/long_training.md"))
    arguments = parser.parse_args()
    keep_freed_memory()  # as a worker does, before JAX starts its threads
    dataset = load(arguments.dataset)
    data = jax.tree.map(jnp.asarray, dataset.device_data())
    settings = Settings(steps=arguments.steps)
    folder = arguments.folder or cache_dir() / "long_training" / dataset.name
    folder.mkdir(parents=True, exist_ok=True)
    trainings = [Training(name, settings, dataset, data, folder) for name in arguments.methods]
    start = time.monotonic()
    while True:
        training = min(trainings, key=lambda each: each.pack.step)
        step = training.pack.step
        level = all(each.pack.step == step for each in trainings)
        late = time.monotonic() - start > 3600 * arguments.hours
        if step >= arguments.steps or (level and late):
            break
        training.advance(min(arguments.every, arguments.steps - step))
    rows = [row for training in trainings for row in training.rows()]
    command = shlex.join([".venv/bin/python", "benchmarks/long_training.py", *sys.argv[1:]])
    arguments.output.write_text(page(rows, dataset, step, command))


if __name__ == "__main__":
    main()
