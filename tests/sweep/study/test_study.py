"""A study as its folder holds it: what is wanted is read back as the grid wants it."""

import json
from pathlib import Path

import pytest

from teasel.sweep.grid.grid import check_grid, load_grid, packaged_grids
from teasel.sweep.grid.source import Source, read_yaml
from teasel.sweep.store.results import Results
from teasel.sweep.study.freeze import freeze
from teasel.sweep.study.study import read_study, wanted_trials

EVERYTHING = """\
study: everything
datasets: [dsprites_mini, {name: own, npz: /nowhere.npz, sha256: %s}]
seeds: [0, 7]
methods:
  beta_vae: {beta: [1, 4], steps: 10}
  factor_vae: {gamma: 10}
  untrained: {}
  pca: {}
  raw_pixels: {}
metrics: [mig, beta_vae_score, downstream_lr]
metric_seed: 3
exclude:
  - {method: beta_vae, beta: 4, seed: 7}
  - {dataset: own, method: [pca, factor_vae]}
save_models: false
""" % ("ab" * 32)


def frozen(text: str, folder: Path) -> tuple[Results, Source]:
    """A folder in which a grid has been frozen."""
    source = read_yaml(text, "grid.yaml")
    results = Results(folder)
    freeze(results, [(check_grid(source), source)])
    return results, source


GRIDS = packaged_grids()


@pytest.mark.parametrize("text", [GRIDS["quickstart"], GRIDS["smoke"], GRIDS["mini"], EVERYTHING])
def test_what_a_folder_wants_is_what_its_grid_wants(text: str, tmp_path: Path) -> None:
    results, source = frozen(text, tmp_path)
    read, wanted = read_study(results).wanted_trials(), wanted_trials([check_grid(source)])
    assert read == wanted
    assert [each.trial.trial_id for each in read] == [each.trial.trial_id for each in wanted]
    for kept, asked in zip(read, wanted, strict=True):
        keys = [[request.key for request in each.requests] for each in (kept, asked)]
        assert keys[0] == keys[1]


def test_exclusions_and_references_are_read_as_they_were_meant(tmp_path: Path) -> None:
    study = read_study(frozen(EVERYTHING, tmp_path)[0])
    found = {
        (each.trial.dataset, each.trial.method, each.trial.seed): each
        for each in study.wanted_trials()
        if each.trial.hyperparameters.get("beta") != 4
    }
    # Two data sets, five methods, two seeds; on one data set two methods are left out.
    assert len(found) == 2 * 5 * 2 - 2 * 2
    # Another setting of beta-VAE has the first seed alone.
    assert len(study.wanted_trials()) == len(found) + 2
    assert found["own", "beta_vae", 7].trial.training.steps == 10
    assert found["own", "beta_vae", 7].trial.file is not None
    assert len(found["own", "untrained", 0].requests) == 2 * 3
    assert len(found["dsprites_mini", "pca", 0].requests) == 3
    (pixels,) = found["own", "raw_pixels", 0].requests
    assert (pixels.representation, pixels.metric, pixels.metric_seed) == (
        "mean",
        "beta_vae_score",
        3,
    )
    assert not study.save_models


def test_the_names_of_a_study_are_described(tmp_path: Path) -> None:
    names = read_study(frozen(EVERYTHING, tmp_path)[0]).catalogue
    assert list(names["methods"]) == ["beta_vae", "factor_vae", "untrained", "raw_pixels", "pca"]
    trained = [name for name, facts in names["methods"].items() if facts["trained"]]
    assert trained == ["beta_vae", "factor_vae"]
    assert names["methods"]["untrained"]["keeps"] == ["parameters", "codes"]
    assert names["methods"]["pca"]["keeps"] == ["codes"]
    assert names["methods"]["raw_pixels"]["keeps"] == []
    assert list(names["metrics"]) == ["beta_vae_score", "mig", "downstream_lr"]
    assert names["metrics"]["mig"]["defaults"] == {"num_train": 10_000, "num_bins": 20}
    assert names["metrics"]["downstream_lr"]["defaults"]["num_train"] == [10, 100, 1000, 10_000]
    assert names["datasets"].keys() == {"dsprites_mini", "own"}
    for section in names.values():
        assert all(facts["label"] for facts in section.values())


def test_a_folder_is_read_without_its_yaml(tmp_path: Path) -> None:
    results, source = frozen(EVERYTHING, tmp_path)
    study = json.loads(results.store.read("study.json"))
    for grid in study["grids"]:
        grid["yaml"] = "none of: [this"
    results.write_study(study)
    assert read_study(results).wanted_trials() == wanted_trials([check_grid(source)])


def test_models_that_are_kept_no_more_are_a_grid_of_their_own(tmp_path: Path) -> None:
    text = load_grid("mini")[1].text
    results, _ = frozen(text, tmp_path)
    assert read_study(results).save_models
    frozen(text + "save_models: false\n", tmp_path)
    study = read_study(results)
    assert [grid["save_models"] for grid in study.grids] == [True, False]
    assert not study.save_models
