"""The reaction of each score to codes with known faults: the picture and table of reactions.md.

.venv/bin/python docs/reactions.py [--folder docs/pictures]
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from teasel.metrics import METRICS, Metric, Rng, sample_factors

SIZES = (3, 4, 5, 6)
NUMBERS = {"num_train": 1000, "num_test": 1000, "num_variance": 1000, "num_draws": 5}
LEVELS = (0, 0.25, 0.5, 0.75, 1)
LEAST_NOISE = 0.05
"""Of every latent, in standard deviations of a factor: codes of a network are not whole numbers."""

Fault = Callable[[np.ndarray, float, Rng], np.ndarray]
"""(a latent of each factor (N, K) with mean 0 and variance 1, level, rng) -> codes (N, D)."""


def add_noise(latents: np.ndarray, level: float, rng: Rng) -> np.ndarray:
    """Normal noise on each latent, at level 1 of twice its standard deviation."""
    return latents + 2 * level * rng.standard_normal(latents.shape)


def rotate(latents: np.ndarray, level: float, rng: Rng) -> np.ndarray:
    """Latents 0 and 1, 2 and 3 turned together, at level 1 by 45 degrees."""
    angle = level * np.pi / 4
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.concatenate([pair @ turn for pair in np.split(latents, 2, axis=1)], axis=1)


def copy(latents: np.ndarray, level: float, rng: Rng) -> np.ndarray:
    """A second latent of the first factors, at level 1 of all."""
    return np.concatenate([latents, latents[:, : _share(latents, level)]], axis=1)


def lose(latents: np.ndarray, level: float, rng: Rng) -> np.ndarray:
    """Normal noise in place of the first latents, at level 1 of all."""
    lost, codes = _share(latents, level), latents.copy()
    codes[:, :lost] = rng.standard_normal((len(latents), lost))
    return codes


def warp(latents: np.ndarray, level: float, rng: Rng) -> np.ndarray:
    """Each latent through an exponential, at level 1 of twice the latent, whose slope is over 1."""
    return np.expm1(2 * level * (latents + 1.5)) / (2 * level) if level else latents


def blur(latents: np.ndarray, level: float, rng: Rng) -> np.ndarray:
    """Normal noise that grows from none on the first latent to that of `add_noise` on the last."""
    shares = np.linspace(0, 1, latents.shape[1])
    return latents + 2 * level * shares * rng.standard_normal(latents.shape)


def _share(latents: np.ndarray, level: float) -> int:
    return round(level * latents.shape[1])


FAULTS: dict[str, Fault] = {
    "noise": add_noise,
    "rotation": rotate,
    "copies": copy,
    "missing": lose,
    "warp": warp,
    "unequal": blur,
}


class Made:
    """A representation made from the factors themselves, with one fault."""

    factor_sizes = SIZES

    def __init__(self, fault: Fault, level: float) -> None:
        self._fault, self._level = fault, level

    def sample(self, rng: Rng, num: int) -> tuple[np.ndarray, np.ndarray]:
        """Codes (num, D) and factors (num, K)."""
        factors = sample_factors(rng, SIZES, num)
        return self.encode(factors, rng), factors

    def encode(self, factors: np.ndarray, rng: Rng) -> np.ndarray:
        """Codes (N, D) of factors (N, K), with fresh noise."""
        sizes = np.array(SIZES)
        latents = (factors - (sizes - 1) / 2) / np.sqrt((sizes**2 - 1) / 12)
        codes = self._fault(latents, self._level, rng)
        return codes + LEAST_NOISE * rng.standard_normal(codes.shape)


REPEAT = ("unified", "few_labels")
"""Metrics whose scores are others' from other matrices, or of fewer points."""


def metrics() -> Iterator[Metric]:
    """Those of the package that codes and factors are enough for."""
    others = (name for name in METRICS.own if name not in REPEAT)
    return (METRICS[name] for name in others if not METRICS[name].of_model)


def score(made: Made) -> dict[str, float]:
    """The scores of a representation that have a label, by label."""
    found = {}
    for metric in metrics():
        sizes: dict[str, Any] = {
            name: size for name, size in NUMBERS.items() if name in metric.parameters
        }
        if isinstance(metric.defaults["num_train"], tuple):
            sizes["num_train"] = (NUMBERS["num_train"],)
        scores = metric(made, np.random.default_rng(0), **sizes)
        found |= {metric.labels[name]: scores[name] for name in metric.labels if name in scores}
    return found


def main() -> None:
    """Writes reactions.png into a folder, and the table to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("docs/pictures"))
    options = parser.parse_args()
    perfect = score(Made(add_noise, 0))
    found = {
        name: [perfect, *(score(Made(fault, level)) for level in LEVELS[1:])]
        for name, fault in FAULTS.items()
    }
    print("| score | perfect |", " | ".join(FAULTS), "|")
    print("| --- " * (2 + len(FAULTS)) + "|")
    for label, best in perfect.items():
        ends = (f"{scores[-1][label]:.2f}" for scores in found.values())
        print(f"| {label} | {best:.2f} |", " | ".join(ends), "|")
    draw(found, options.folder / "reactions.png")


def draw(found: dict[str, list[dict[str, float]]], path: Path) -> None:
    """A row for each score, and a cell for each level of each fault."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from teasel.analysis.plots.style import STYLE

    labels = list(found["noise"][0])
    values = {
        name: np.array([[scores[label] for scores in levels] for label in labels])
        for name, levels in found.items()
    }
    largest = np.maximum(np.max([each.max(axis=1) for each in values.values()], axis=0), 1)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.5, 6.5), layout="constrained")
        panels = figure.subplots(1, len(found), sharey=True)
        for name, axes in zip(found, panels, strict=True):
            axes.imshow(
                values[name] / largest[:, None], cmap="viridis", vmin=0, vmax=1, aspect="auto"
            )
            axes.set(title=name, xticks=range(len(LEVELS)), yticks=range(len(labels)))
            axes.set_xticklabels([f"{level:g}" if level in (0, 0.5, 1) else "" for level in LEVELS])
            axes.set_yticklabels(labels)
        figure.supxlabel("level of the fault", fontsize=8)
        figure.colorbar(panels[0].images[0], ax=panels, shrink=0.4, aspect=30, pad=0.01)
        figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
