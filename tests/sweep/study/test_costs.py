"""What a trial costs is read from what trials like it took."""

from pathlib import Path

import pytest

from teasel.sweep.grid.grid import load_grid
from teasel.sweep.store.results import Results
from teasel.sweep.store.tables import TrialRow
from teasel.sweep.study.costs import cost, measured_seconds, train_seconds
from teasel.sweep.study.study import wanted_trials


def test_the_seconds_of_a_step_are_the_median_of_the_models_own(tmp_path: Path) -> None:
    results = Results(tmp_path)
    rows = [
        TrialRow(
            str(seconds),
            dataset="d",
            method="m",
            steps=10,
            batch_size=64,
            network=network,
            width=1.0,
            device="cpu",
            status=status,
            train_seconds=seconds,
            pack_train_seconds=8 * seconds,
            pack_size=8,
        )
        for seconds, status, network in (
            *((4.0, "done", "conv"), (5.0, "done", "conv"), (90.0, "done", "conv")),
            *((0.1, "failed", "conv"), (70.0, "done", "mlp")),
        )
    ]
    results.add("trials", "a", rows)
    assert measured_seconds(results, on_cpu=True) == {
        ("d", "m", 64, "conv", 1.0): 0.5,
        ("d", "m", 64, "mlp", 1.0): 7.0,
    }
    assert measured_seconds(results, on_cpu=False) == {}


def test_the_papers_scores_take_at_most_300_core_hours() -> None:
    everything = wanted_trials([load_grid("locatello2019")[0]])
    bill = cost((), everything, save_models=False, measured={})
    assert 100 < bill.score_seconds / 3600 < 300


def test_a_network_of_a_tenth_of_the_width_trains_in_a_tenth_of_the_time() -> None:
    wide, narrow = (
        load_grid("quickstart", [f"training.width={width}"])[0].trials()[0] for width in (1, 0.1)
    )
    assert train_seconds(narrow, {}) == pytest.approx(train_seconds(wide, {}) / 10)
