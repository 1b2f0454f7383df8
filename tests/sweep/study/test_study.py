"""A study in its folder: what freezing a grid adds to it, and what is checked of it later."""

from pathlib import Path

import pytest

from teasel.sweep.grid.grid import check_grid, load_grid
from teasel.sweep.grid.source import read_yaml
from teasel.sweep.store.results import Results, ResultsError
from teasel.sweep.study.study import freeze, frozen_grids


def test_a_grid_that_is_resumed_is_frozen_once(tmp_path: Path) -> None:
    for _ in range(20):
        freeze(Results(tmp_path), [load_grid("mini")])
    assert len(Results(tmp_path).study["grids"]) == 1


def test_a_folder_stays_readable_whose_packs_had_a_share_that_is_refused_today(
    tmp_path: Path,
) -> None:
    results = Results(tmp_path)
    freeze(results, [load_grid("mini")])
    study = results.study
    study["grids"][0]["yaml"] += "\nresources: {gpus_per_pack: 0.3}\n"
    results.write_study(study, "")
    assert [grid.study for grid in frozen_grids(results)] == ["mini"]


def test_models_that_are_kept_no_more_are_a_grid_of_their_own(tmp_path: Path) -> None:
    results = Results(tmp_path)
    kept, source = load_grid("mini")
    thrown = read_yaml(source.text + "save_models: false\n", "mini.yaml")
    freeze(results, [(kept, source)])
    freeze(results, [(check_grid(thrown), thrown)])
    assert [grid.save_models for grid in frozen_grids(results)] == [True, False]


def test_a_study_that_was_made_by_hand_is_not_added_to(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.write_study({"study": "mini"}, "")
    with pytest.raises(ResultsError, match="no grids and no protocol: it was made by hand"):
        freeze(results, [load_grid("mini")])
