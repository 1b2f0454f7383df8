"""What freezing a grid adds to a study, and what it refuses."""

from pathlib import Path

import pytest

from teasel.sweep.grid.grid import load_grid
from teasel.sweep.store.results import Results, ResultsError
from teasel.sweep.study.freeze import freeze, freeze_metrics


def test_a_grid_that_is_resumed_is_frozen_once(tmp_path: Path) -> None:
    for _ in range(20):
        freeze(Results(tmp_path), [load_grid("mini")])
    assert len(Results(tmp_path).study["grids"]) == 1


def test_what_was_frozen_is_not_written_again(tmp_path: Path) -> None:
    freeze(Results(tmp_path), [load_grid("mini")])
    before = (tmp_path / "study.json").stat().st_mtime_ns
    freeze(Results(tmp_path), [load_grid("mini")])
    freeze_metrics(Results(tmp_path), ["mig"])  # the grid has it
    assert (tmp_path / "study.json").stat().st_mtime_ns == before


def test_a_metric_that_is_added_is_described_and_asked_of_no_trial(tmp_path: Path) -> None:
    results = Results(tmp_path)
    freeze(results, [load_grid("quickstart")])
    before = results.study
    freeze_metrics(results, ["irs"])
    after = results.study
    assert after["catalogue"]["metrics"].keys() - before["catalogue"]["metrics"].keys() == {"irs"}
    assert after["grids"] == before["grids"]


def test_a_study_that_was_written_by_hand_is_not_added_to(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.write_study({"study": "mini"}, "")
    with pytest.raises(ResultsError, match="no catalogue and no grids and no protocol: it was"):
        freeze(results, [load_grid("mini")])
