"""What is wrong with a method or a data set is said before anything begins or is written."""

from pathlib import Path
from typing import Annotated

import jax.numpy as jnp
import numpy as np
import pytest

from teasel.__main__ import main
from teasel.datasets import DATASETS, from_function
from teasel.errors import ConfigError
from teasel.models import METHODS, Bounds, Method, MethodEntry, forward, regularized
from teasel.settings import Settings
from teasel.sweep.commands.run import run
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.schedule.preflight import find_faults_in_a_child, look_before
from teasel.sweep.study.remaining import Remaining, WantedTrial
from teasel.sweep.trials.trial import Trial
from teasel.sweep.work.preflight import PreflightError, find_faults, what_to_look_at
from teasel.tests.support.commands import call

SETTINGS = Settings(steps=6, batch_size=4, num_latents=3)


def conv_ae(nats: Annotated[float, Bounds(ge=0)]) -> Method:
    """The mistake that everybody makes first."""
    weight = 2.0 if nats > 0.2 else 1.0

    def loss(model, params, batch, key, step):
        passed = forward(model, params, batch.images, key, step)
        return regularized(passed, weight * passed.kl)

    return Method(loss)


def numpy_ae(nats: Annotated[float, Bounds(ge=0)]) -> Method:
    """NumPy on a traced array."""

    def loss(model, params, batch, key, step):
        passed = forward(model, params, batch.images, key, step)
        return regularized(passed, jnp.sum(np.asarray(passed.codes)) + nats)

    return Method(loss)


def misspelled_ae(nats: Annotated[float, Bounds(ge=0)]) -> Method:
    """Any other mistake."""

    def loss(model, params, batch, key, step):
        return regularized(forward(model, params, batch.images, key, step), nats.nothing)

    return Method(loss)


def trial_of(method: str, dataset: str = "dsprites_mini") -> Trial:
    return Trial(dataset, method, {"nats": 0.5}, 0, SETTINGS)


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        (conv_ae, ["TracerBoolConversionError", "use jnp.where instead of `if`"]),
        (numpy_ae, ["TracerArrayConversionError", "jnp instead of numpy"]),
        (misspelled_ae, ["AttributeError", "nothing"]),
    ],
)
def test_a_method_that_cannot_be_traced_is_named_with_the_place_and_the_advice(
    factory, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS.own, "mine", MethodEntry(factory))
    look = what_to_look_at([trial_of("mine")], [], open_data=True)
    assert look.methods == ()  # Teasel's own are known to be sound
    (fault,) = find_faults(look._replace(methods=(trial_of("mine"),)))
    for word in ("method mine cannot be traced", f"{Path(__file__).name}:", *words):
        assert word in fault


def test_a_method_of_ones_own_is_looked_at_in_a_child_that_takes_no_accelerator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def find(look):
        asked.append(look)
        return ["method mine: no"]

    monkeypatch.setitem(METHODS.__dict__.setdefault("entries", METHODS.entries), "mine", conv_ae)
    monkeypatch.setattr("teasel.sweep.schedule.preflight.find_faults_in_a_child", find)
    left = Remaining([WantedTrial(trial_of("mine"), ())], [], [], [])
    with pytest.raises(PreflightError, match="method mine: no"):
        look_before(left)
    (look,) = asked
    assert [trial.method for trial in look.methods] == ["mine"]
    look_before(left._replace(untrained=[WantedTrial(trial_of("beta_vae"), ())]))
    assert len(asked) == 1


def test_a_child_says_what_is_wrong_even_if_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    look = what_to_look_at([trial_of("beta_vae", "cars3d")], [], open_data=True)
    monkeypatch.setenv("TEASEL_CACHE_DIR", "/nowhere")
    monkeypatch.delenv("TEASEL_DATA_DIR", raising=False)
    (fault,) = find_faults_in_a_child(look)
    assert fault.startswith("data set cars3d: missing ")
    monkeypatch.setattr(
        "teasel.sweep.schedule.preflight._CHILD", "import os; os.write(2, b'gone'); os._exit(7)"
    )
    assert find_faults_in_a_child(look) == [
        "the process that checks methods and data sets ended with 7:\ngone"
    ]


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_missing_data_set_ends_a_command_with_one_error_and_nothing_is_written(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TEASEL_CACHE_DIR", "/nowhere")
    monkeypatch.delenv("TEASEL_DATA_DIR", raising=False)
    grid = tmp_path / "cars.yaml"
    grid.write_text("study: c\ndatasets: [cars3d]\nseeds: 1\nmethods: {beta_vae: {beta: 1}}\n")
    assert main([command, str(grid), "--results", str(tmp_path / "results")]) == 2
    said = capsys.readouterr()
    assert ("1 trial, 1 setting" in said.out) == (command == "plan")
    assert said.err.startswith("data set cars3d: missing ")
    assert "TEASEL_DATA_DIR" in said.err
    assert not (tmp_path / "results").exists()


def write_squares(file: Path, side: int = 64) -> None:
    factors = np.stack(np.unravel_index(np.arange(16), (4, 4)), axis=1)
    images = np.zeros((16, 64, 64), np.uint8)
    for image, (row, column) in zip(images, factors, strict=True):
        image[16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = 255
    np.savez(file, images=images[:, :side], factors=factors)


GRID = """\
study: mine
datasets: [{name: squares, npz: squares.npz}]
seeds: 1
methods: {untrained: {}}
training: {batch_size: 4, num_latents: 2, evaluation_batches: 1}
metrics: {mig: {num_train: 60, num_bins: 4}}
"""


def test_a_wrong_file_is_refused_before_anything_is_frozen_and_the_mended_one_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid, folder = tmp_path / "grid.yaml", tmp_path / "results"
    grid.write_text(GRID)
    write_squares(tmp_path / "squares.npz", side=48)
    with pytest.raises(ConfigError, match=r"grid.yaml:2:12: .* images are 48 x 64 with 1 channels"):
        run(grid, results=folder, executor=InProcess())
    assert not folder.exists()
    with pytest.raises(ConfigError, match="images are 48 x 64 with 1 channels"):
        call("plan", str(grid))
    assert capsys.readouterr().out == ""
    write_squares(tmp_path / "squares.npz")
    assert run(grid, results=folder, executor=InProcess()).done == 1


def test_a_data_set_of_ones_own_that_raises_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def render(factors: np.ndarray) -> np.ndarray:
        if len(factors) == 65:  # not the first look, of 64 images
            raise SystemExit(1)
        return np.zeros((len(factors), 64, 64, 1), np.uint8)

    mine = from_function("mine_that_raises", {"level": 65}, render)
    monkeypatch.setitem(DATASETS.__dict__.setdefault("entries", DATASETS.entries), "mine", mine)
    look = what_to_look_at([trial_of("beta_vae", "mine")], [], open_data=True)
    assert find_faults(look) == ["data set mine: SystemExit: 1 (" + _place(render) + ")"]


def _place(function) -> str:
    return f"{__file__}:{function.__code__.co_firstlineno + 2}"


def broken_at_once(beta: Annotated[float, Bounds(ge=0)]) -> Method:
    """A slip in the factory itself."""
    raise ZeroDivisionError(f"{beta:g} / 0")


def test_a_method_that_cannot_be_made_is_one_error(
    grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS.own, "beta_vae", MethodEntry(broken_at_once))
    message = r"beta_vae with beta 1 cannot be made: ZeroDivisionError: 1 / 0"
    with pytest.raises(ConfigError, match=message):
        run(grid_file, results=tmp_path / "results", executor=InProcess())
    assert not (tmp_path / "results").exists()
