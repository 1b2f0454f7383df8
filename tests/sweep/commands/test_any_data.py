"""Studies on data sets whose factors make no grid: planned, run, scored and reported."""

from pathlib import Path

import numpy as np
import pytest

from teasel.__main__ import main
from teasel.analysis import scores
from teasel.datasets import DATASETS
from teasel.errors import ConfigError
from teasel.metrics import METRICS, NEEDS
from teasel.sweep.commands.rescore import rescore
from teasel.sweep.commands.run import run
from teasel.sweep.grid.grid import load_grid
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store.results import Results

HEAD = """\
study: any
seeds: 1
training: {steps: 4, batch_size: 4, num_latents: 3, evaluation_batches: 1}
"""
STUDY = """\
datasets: [{name: partial, file: partial.npz}, {name: bare, file: bare.npz, resize: 64}]
methods: {beta_vae: {beta: 1}, pca: {}, ground_truth: {}}
exclude: [{dataset: bare, method: ground_truth}]
metrics:
  mig: {num_train: 60, num_bins: 4}
  unsupervised: {num_train: 60, num_bins: 4}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files beside a grid: 20 images of a grid that lacks a combination, and 30 of none."""
    rng = np.random.default_rng(0)
    place = np.arange(20) % 16
    place -= place == 15  # which is missing
    factors = np.stack([place // 4, place % 4 / 8], axis=1)
    images = rng.integers(256, size=(30, 64, 64), dtype=np.uint8)
    np.savez(tmp_path / "partial.npz", images=images[:20], factors=factors)
    np.savez(tmp_path / "bare.npz", images=images[:, :48])
    return tmp_path


def grid_of(folder: Path, text: str) -> Path:
    (folder / "grid.yaml").write_text(HEAD + text)
    return folder / "grid.yaml"


@pytest.mark.slow
def test_a_study_on_partial_and_bare_data_has_the_scores_that_can_be(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid, results = grid_of(folder, STUDY), folder / "results"
    assert main(["plan", str(grid)]) == 0
    assert "\n  bare has no factors: no mig\n" in capsys.readouterr().out
    summary = run(grid, results=results, executor=InProcess())
    assert (summary.done, summary.failed, summary.missing) == (5, 0, 0)
    table = scores(results, wide=True, representation="mean").set_index(["dataset", "method"])
    assert table["mig"].notna().loc["partial"].all()
    assert table["mig"].isna().loc["bare"].all()
    assert table["mutual_info_score"].notna().all()
    assert table["mig"].loc["partial", "ground_truth"].min() > 0.7
    summary = rescore(results, ["modularity", "factor_vae_score"], executor=InProcess())
    assert (summary.failed, summary.missing) == (0, 0)
    table = scores(results, wide=True, representation="mean")
    assert set(table["dataset"][table["modularity"].notna()]) == {"partial"}
    assert "factor_vae_score" not in table
    _, _, factors = Results(results).representation(load_grid(grid)[0].trials()[-1].trial_id)
    assert factors.shape == (15_000, 0)
    assert main(["report", str(results)]) == 0
    assert main(["verify", str(results)]) == 0


@pytest.mark.slow
def test_a_study_without_any_factors_is_reported(folder: Path) -> None:
    text = "datasets: {name: bare, file: bare.npz, resize: 64}\nmethods: {untrained: {}}\n"
    grid = grid_of(folder, text + "representations: mean\nmetrics: paper\n")
    assert run(grid, results=folder / "results", executor=InProcess()).done == 1
    assert main(["report", str(folder / "results")]) == 0
    assert "mutual_info_score" in scores(folder / "results", wide=True)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "datasets: {name: bare, file: bare.npz, resize: 64}\nmetrics: [unsupervised, mig]\n"
            "methods: {beta_vae: {beta: 1}}\n",
            "5:25: mig needs factors, and bare has no factors",
        ),
        (
            "datasets: {name: mine, file: partial.npz}\nmetrics: {mig: {}, beta_vae_score: {}}\n"
            "methods: {beta_vae: {beta: 1}}\n",
            "5:20: beta_vae_score needs all combinations, and mine lacks some combinations of fact",
        ),
        (
            "datasets: {name: mine, file: partial.npz, continuous: true}\nmetrics: {irs: {}}\n"
            "methods: {beta_vae: {beta: 1}}\n",
            "5:11: irs needs discrete factors, and mine has continuous factors",
        ),
        (
            "datasets: {name: bare, file: bare.npz, resize: 64}\nmetrics: all\n"
            "methods: {ground_truth: {}}\n",
            "6:11: ground_truth needs factors, and bare has no factors: exclude it for this data "
            "set",
        ),
        (
            "datasets: [{name: bare, file: bare.npz}]\nmethods: {beta_vae: {beta: 1}}\n",
            "4:12: .*bare.npz: images are 48 x 64 with 1 channels, not square .*`resize: 64`",
        ),
        (
            "datasets: [{name: bare, file: bare.npz, npz: a.npz}]\nmethods: {pca: {}}\n",
            "4:12: datasets: expected file or npz, which mean the same, got both: bare.npz and "
            "a.npz",
        ),
        (
            "datasets: [{name: dsprites, resize: 64}]\nmethods: {pca: {}}\n",
            "4:12: datasets: 'file' is missing, but other keys describe it",
        ),
        (
            "datasets: [{name: bare, file: bare.npz, resize: 63}]\nmethods: {pca: {}}\n",
            "4:49: datasets.resize: input should be 16, 32, 64, 128 or 256, got 63",
        ),
    ],
)
def test_what_a_data_set_cannot_give_is_refused_with_its_place(
    folder: Path, text: str, fault: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^.*grid.yaml:{fault}"):
        load_grid(grid_of(folder, text))


def test_all_metrics_of_continuous_factors_are_those_that_take_any_numbers(folder: Path) -> None:
    text = "datasets: {name: mine, file: partial.npz, continuous: [factor_1]}\n"
    grid, _ = load_grid(grid_of(folder, text + "methods: {beta_vae: {beta: 1}}\n"))
    (requests,) = grid.requests_by_cell().values()
    assert {request.metric for request in requests} == {
        "mig",
        "dci",
        "modularity",
        "sap",
        "unsupervised",
    }
    (line,) = grid.left_out()
    assert line.startswith("mine has continuous factors: no beta_vae_score, factor_vae_score, expl")


def test_how_a_file_is_read_is_part_of_a_trial_only_if_it_is_said(folder: Path) -> None:
    def trial_id(entry: str) -> str:
        text = f"datasets: [{{name: mine, {entry}}}]\nmethods: {{beta_vae: {{beta: 1}}}}\n"
        return load_grid(grid_of(folder, text))[0].trials()[0].trial_id

    plain = trial_id("npz: partial.npz")
    assert trial_id("file: partial.npz") == plain
    assert trial_id("file: partial.npz, continuous: false, resize: null") == plain
    others = ["resize: 32", "continuous: true", "factor_names: [a, b]", "factors: factors"]
    assert len({plain, *(trial_id(f"file: partial.npz, {other}") for other in others)}) == 5


def test_the_catalogues_speak_of_needs_in_the_same_words() -> None:
    assert {metric.needs for metric in METRICS.values()} <= set(NEEDS)
    assert {DATASETS[name].offers for name in DATASETS.own} == {"all combinations"}
