"""The original's own metric code as a reference: its stored outputs, and its representations."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teasel.metrics import Rng, sample_factors


class ReferenceRepresentation:
    """A representation of factor vectors, as `README.md` beside the reference defines the cases."""

    def __init__(self, factor_sizes: list[int], case: str) -> None:
        self.factor_sizes = tuple(factor_sizes)
        self._case = case
        self._noise = {"noisy": np.random.RandomState(99), "noisy10": np.random.RandomState(77)}

    def sample(self, rng: Rng, num: int) -> tuple[np.ndarray, np.ndarray]:
        batches = [
            sample_factors(rng, self.factor_sizes, min(16, num - start))
            for start in range(0, num, 16)
        ]
        return np.concatenate([self.encode(batch, rng) for batch in batches]), np.concatenate(
            batches
        )

    def encode(self, factors: np.ndarray, rng: Rng) -> np.ndarray:
        sizes = np.array(self.factor_sizes, np.float64)
        num, num_factors = factors.shape
        z = (factors - (sizes - 1) / 2) / np.sqrt((sizes**2 - 1) / 12)
        rotation = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
        match self._case:
            case "identity":
                return z
            case "identity_raw":
                return factors.astype(np.float64)
            case "permuted":
                return np.roll(z, 1, axis=1)
            case "mixed":
                matrix = np.random.RandomState(1234).normal(size=(num_factors, 10))
                return z @ (matrix / np.sqrt(num_factors))
            case "rot45":
                return np.concatenate([z[:, :2] @ rotation, z[:, 2:]], axis=1)
            case "noisy":
                return z + 0.5 * self._noise["noisy"].normal(size=z.shape)
            case "noisy10":
                scale = np.where(np.arange(10) < num_factors, 0.3, 0.01)
                padded = np.concatenate([z, np.zeros((num, 10 - num_factors))], axis=1)
                return padded + scale * self._noise["noisy10"].normal(size=(num, 10))
            case "duplicated":
                return np.concatenate([z, z[:, :1]], axis=1)
            case "dead":
                return np.concatenate([z, np.zeros((num, 2))], axis=1)
            case "constant":
                return np.zeros((num, num_factors))
        raise ValueError(self._case)


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    """The folder of the original's outputs; tests that need it are skipped without it."""
    given = os.environ.get("TEASEL_REFERENCE_DIR")
    if not given:
        pytest.skip("no outputs of the original: set TEASEL_REFERENCE_DIR to a folder of them")
    return Path(given) / "scores"


@pytest.fixture(scope="session")
def reference_arrays(reference_dir: Path) -> Callable[[str], dict[str, np.ndarray]]:
    """`name -> arrays` of one `.npz` file, codes and factors turned to our (N, D) and (N, K)."""

    def arrays(name: str) -> dict[str, np.ndarray]:
        with np.load(reference_dir / f"{name}.npz") as stored:
            read = dict(stored)
        turned = {"mus_train", "mus_test", "ys_train", "ys_test", "discretized_mus_train"}
        return {key: value.T if key in turned else value for key, value in read.items()}

    return arrays


@pytest.fixture(scope="session")
def reference_scores(reference_dir: Path) -> list[dict[str, Any]]:
    """Rows of the original's whole metrics, sampling included."""
    lines = (reference_dir / "scores.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def reference_representation() -> Callable[[list[int], str], ReferenceRepresentation]:
    return ReferenceRepresentation
