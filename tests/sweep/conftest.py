"""A data set of 64 small pictures and a grid of four tiny trainings on it."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from teasel.datasets import Dataset
from teasel.models import MethodEntry, Settings, TrainedModel, Trainer
from teasel.models.allocator import keep_freed_memory
from teasel.sweep.commands.run import run
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store.results import Results

GRID = """\
study: tiny
datasets: [{name: squares, npz: squares.npz}]
seeds: 2
methods:
  beta_vae: {beta: [1, 4]}
training: {steps: 6, batch_size: 4, num_latents: 3, learning_rate: 1e-3, evaluation_batches: 2}
metrics:
  mig: {num_train: 60, num_bins: 4}
  modularity: {num_train: 60, num_bins: 4}
resources: {pack: 2}
"""


@pytest.fixture(scope="session", autouse=True)
def _share_programs() -> Iterator[None]:
    """Trainings of one method on one data set take one trainer, and so trace their program once.

    JAX knows a program by the function that it is of, and a data set that is opened anew has new
    functions. What is shared holds no state: packs and data are arguments.
    """
    trainers: dict[Any, Trainer] = {}
    datasets: dict[Any, Dataset] = {}

    def same(function: Any, data: Any) -> Any:
        """The function of the first data set with these images, and what says which they are."""
        owner = getattr(function, "__self__", None)
        if not isinstance(owner, Dataset):
            return function, (function,)
        of = (type(owner), repr(owner), owner.fingerprint, owner.appearance, owner.sampling)
        first = datasets.setdefault(of, owner)
        leaves, tree = jax.tree.flatten(data)
        return getattr(first, function.__name__), (
            of,
            tree,
            *(np.asarray(a).tobytes() for a in leaves),
        )

    def trainer(
        method: MethodEntry, settings: Settings, shape: Any, sample_batch: Any, data: Any
    ) -> Trainer:
        sample_batch, of = same(sample_batch, data)
        key = (method, settings, shape, of)
        if key not in trainers:
            trainers[key] = Trainer(method, settings, shape, sample_batch, data)
        return trainers[key]

    encode_all = TrainedModel.encode_all

    def encode(model: TrainedModel, observe: Any, *given: Any, **options: Any) -> Any:
        return encode_all(model, same(observe, ())[0], *given, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("teasel.sweep.work.train.Trainer", trainer)
        patch.setattr(TrainedModel, "encode_all", encode)
        # Nor is what was compiled in less than half a second to be compiled again.
        patch.setattr("teasel.sweep.work.train._set_up_jax", keep_freed_memory)
        yield


@pytest.fixture(scope="session")
def grid_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The grid as a file, beside its data set: a bright square, by row, column and brightness."""
    folder = tmp_path_factory.mktemp("tiny")
    factors = np.stack(np.unravel_index(np.arange(64), (4, 4, 4)), axis=1)
    images = np.zeros((64, 64, 64), np.uint8)
    for image, (row, column, brightness) in zip(images, factors, strict=True):
        image[16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = 60 * brightness + 70
    np.savez(folder / "squares.npz", images=images, factors=factors)
    path = folder / "tiny.yaml"
    path.write_text(GRID)
    return path


@pytest.fixture(scope="session")
def finished(grid_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The grid's results; tests that change them take `results_copy`."""
    folder = tmp_path_factory.mktemp("results")
    summary = run([str(grid_file)], results=str(folder), executor=InProcess())
    assert (summary.done, summary.failed, summary.missing) == (4, 0, 0)
    return Results(folder)


@pytest.fixture
def results_copy(finished: Results, tmp_path: Path) -> Results:
    """The grid's results in a folder of the test's own."""
    return Results(shutil.copytree(finished.uri, tmp_path / "results"))


SECRETS = ("a-key", "a-secret")


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """The address of moto's server, on this machine, which stands for S3; it has one bucket."""
    boto3, moto = pytest.importorskip("boto3"), pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=SECRETS[0],
        aws_secret_access_key=SECRETS[1],
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="studies")
    yield f"127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def query(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a URI needs there; the credentials are in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", SECRETS[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRETS[1])
    return f"endpoint_override={endpoint}&scheme=http"
