"""docs/model.md: the model is rebuilt from its file alone, in PyTorch and in NumPy."""

import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from teasel.models import METHODS, Model, TrainedModel

PAGE = (Path(__file__).parents[1] / "docs" / "model.md").read_text()
CODE = dict(re.findall(r"```python\n# (\w+)\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture(scope="module", params=[(64, 64, 3), (32, 32, 1)], ids=str)
def model(request: pytest.FixtureRequest) -> TrainedModel:
    made = Model(request.param, num_latents=4)
    parameters = made.initial_parameters(jax.random.key(0))
    rng = np.random.default_rng(0)
    moved = jax.tree.map(
        lambda leaf: np.asarray(leaf + 0.05 * rng.normal(size=leaf.shape), np.float32), parameters
    )
    return TrainedModel(METHODS["beta_vae"], {"beta": 4.0}, made, moved)


def rebuilt(kind: str, model: TrainedModel, folder: Path, monkeypatch: Any) -> dict[str, Any]:
    model.save(folder / "model.safetensors")
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(CODE[kind], names)
    return names


def check(model: TrainedModel, encode: Any, decode: Any) -> None:
    images = np.random.default_rng(1).random((3, *model.model.image_shape), np.float32)
    posterior = model.encode(images)
    for ours, theirs in zip(posterior, encode(images), strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-5 * np.abs(ours).max())
    np.testing.assert_allclose(decode(posterior.mean), model.decode(posterior.mean), atol=1e-5)


def test_numpy_rebuilds_it(model: TrainedModel, tmp_path: Path, monkeypatch: Any) -> None:
    names = rebuilt("numpy", model, tmp_path, monkeypatch)
    check(model, names["encode"], names["decode"])


def test_pytorch_rebuilds_it(model: TrainedModel, tmp_path: Path, monkeypatch: Any) -> None:
    torch = pytest.importorskip("torch")
    names = rebuilt("pytorch", model, tmp_path, monkeypatch)

    def encode(images: np.ndarray) -> list[np.ndarray]:
        found = names["encode"](torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
        return [part.numpy() for part in found]

    def decode(codes: np.ndarray) -> np.ndarray:
        return names["decode"](torch.from_numpy(np.array(codes))).numpy().transpose(0, 2, 3, 1)

    check(model, encode, decode)
