"""Data sets that training draws from otherwise: names, identities, refusals, and a study."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teasel.analysis import scores, write_report
from teasel.errors import ConfigError
from teasel.sweep.commands.run import run
from teasel.sweep.grid.expand import trials_of
from teasel.sweep.grid.grid import Grid, check_grid, load_grid, resolve
from teasel.sweep.grid.select import select
from teasel.sweep.grid.source import read_dict
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store.results import Results
from teasel.sweep.store.shapes import SHAPES, misfit
from teasel.sweep.trials.trial import Trial

PAIR = {"factors": ["scale", "position_x"], "strength": 0.2}
RULE = {"shape": 1, "scale": [1, 0]}


def grid(*datasets: Any) -> Grid:
    entries = {"study": "s", "seeds": 1, "methods": {"pca": {}}, "metrics": ["mig"]}
    return check_grid(read_dict(entries | {"datasets": list(datasets)}, "s"))


def trials(*datasets: Any) -> list[Trial]:
    return grid(*datasets).trials()


def test_a_variant_stands_beside_its_data_set_under_a_name_of_its_own() -> None:
    found = trials("dsprites_mini", {"name": "dsprites_mini", "correlated": PAIR})
    named = ["dsprites_mini", "dsprites_mini-scale-position_x-0.2"]
    assert [trial.dataset for trial in found] == named
    assert select(found, f"dataset={named[1]}") == [found[1]]
    (held,) = trials({"name": "dsprites_mini", "held_out": RULE})
    assert held.dataset == "dsprites_mini-without-shape-1-scale-1-0"
    (short,) = trials({"name": "dsprites_mini", "held_out": [RULE, {"position_x": [*range(15)]}]})
    assert len(short.dataset) < 100
    assert short.trial_id not in {held.trial_id, *(trial.trial_id for trial in found)}


def test_a_trial_is_known_by_what_is_drawn_and_not_by_its_spelling() -> None:
    turned = {"factors": ["position_x", "scale"], "strength": 0.2}
    other = {"factors": ["shape", "scale"], "strength": 1}
    rules = [{"scale": [0, 1], "shape": [1]}, {"shape": 2}]
    one = {"correlated": [PAIR, other], "held_out": [RULE, {"shape": 2}]}
    same = {"correlated": [other, turned], "held_out": rules[::-1]}
    (first,) = trials({"name": "dsprites_mini"} | one)
    (second,) = trials({"name": "hard", "of": "dsprites_mini"} | same)
    (third,) = trials({"name": "hard", "of": "noisy_dsprites_mini"} | same)
    assert second.dataset == "hard"
    assert first.trial_id == second.trial_id != third.trial_id
    assert first.trial_id == "9f637134df61fef1"  # stands in results folders


def test_a_frozen_study_has_the_same_trials() -> None:
    chosen = grid({"name": "dsprites_mini", "correlated": PAIR, "held_out": RULE}, "dsprites_mini")
    stored = json.loads(json.dumps(resolve(chosen)))
    assert misfit(stored, SHAPES["study.json"]["grids?"][0]) is None
    assert trials_of(stored) == chosen.trials()
    assert [trial.variant for trial in trials_of(stored)] == [t.variant for t in chosen.trials()]


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ({"correlated": PAIR | {"factors": ["scale"]}}, "at least 2"),
        ({"correlated": PAIR | {"strength": 0}}, "greater than or equal to 0.001"),
        (
            {"correlated": PAIR | {"factors": ["scale", "size"]}},
            "no factor 'size'; expected one of",
        ),
        (
            {"held_out": {"shape": 3}},
            "no value 3 of the factor shape; expected numbers from 0 to 2",
        ),
        ({"held_out": {"shape": [0, 1, 2]}}, "no combination is left to train on"),
        ({"of": "dsprites_mini"}, "'of' can only name a data set of the catalogue, with"),
        ({"of": "smallnorb", "held_out": RULE}, "'dsprites_mini' is a data set of the catalogue"),
    ],
)
def test_a_mistake_is_refused_at_its_place(entry: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what) as refused:
        grid({"name": "dsprites_mini"} | entry)
    assert "datasets[0]" in str(refused.value)


def test_a_file_without_factors_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", images=np.zeros((4, 16, 16), np.uint8))
    path = str(tmp_path / "mine.npz")
    with pytest.raises(ConfigError, match="mine offers nothing; expected an image of each combi"):
        check_grid(
            read_dict(
                {"study": "s", "seeds": 1, "methods": {"beta_vae": {"beta": 1}}}
                | {"datasets": {"name": "mine", "file": path, "held_out": {"shape": 0}}},
                "s",
            )
        )


STUDY = """\
study: variants
datasets:
  - {name: squares, file: squares.npz}
  - {name: odd, file: squares.npz, held_out: [{factor_0: [0, 1], factor_1: 2}, {factor_2: 3}],
     correlated: {factors: [factor_0, factor_2], strength: 0.3}}
seeds: 1
methods: {beta_vae: {beta: 1}, untrained: }
training: {steps: 6, batch_size: 4, num_latents: 3, learning_rate: 1e-3, evaluation_batches: 2}
representations: mean
metrics: {mig: {num_train: 60, num_bins: 4}, factor_vae_score: {num_train: 40}}
"""


@pytest.mark.slow
def test_models_of_a_variant_are_trained_on_it_and_judged_on_all_images(
    grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = grid_file.with_name("variants.yaml")
    path.write_text(STUDY)
    results = Results(tmp_path / "whole")
    summary = run([str(path)], results=results.uri, executor=InProcess())
    assert (summary.done, summary.failed, summary.missing) == (4, 0, 0)
    table = scores(results.uri, wide=True).set_index(["dataset", "method"])
    assert table["mig"].notna().all()
    # The same network, of the same seed, that nothing has trained is judged alike.
    judged = ["loss", "mig", "factor_vae_score"]
    assert table.loc[("odd", "untrained"), judged].equals(
        table.loc[("squares", "untrained"), judged]
    )
    assert table["loss"].nunique() == 3  # trained ones differ
    assert "odd" in write_report(results.uri).read_text()
    # Where the device cannot hold the data set, the host sends the same batches.
    monkeypatch.setattr("teasel.sweep.work.batches.fits", lambda *_: False)
    run([str(path)], results=str(tmp_path / "fed"), executor=InProcess())
    fed = scores(str(tmp_path / "fed"), wide=True).set_index(["dataset", "method"])
    assert fed.loc[table.index, "loss"].equals(table["loss"])
    assert {trial.dataset for trial in load_grid(path)[0].trials()} == {"squares", "odd"}
