"""Checkpoints: which one is found, and when it is removed."""

import json
from pathlib import Path

import pytest

from teasel.sweep.store import checkpoints
from teasel.sweep.store.results import Results


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path)


def test_the_furthest_checkpoint_of_each_trial_is_found_whole(results: Results) -> None:
    near = checkpoints.save(results, "a-train-1", 9, ["x", "y"], 1.5, b"near")
    far = checkpoints.save(results, "b-train-1", 10, ["y", "z"], 2.5, b"far")
    assert checkpoints.furthest_by_trial(results) == {"x": near, "y": far, "z": far}
    assert (far.step, far.trial_ids, far.train_seconds) == (10, ("y", "z"), 2.5)
    assert results.store.read(far.state_file) == b"far"


def test_an_attempts_checkpoint_is_its_own_and_its_last(results: Results) -> None:
    checkpoints.save(results, "a-train-1", 9, ["x"], 1.0, b"")
    last = checkpoints.save(results, "a-train-1", 10, ["x"], 2.0, b"")
    checkpoints.save(results, "a-train-11", 300, ["x"], 3.0, b"")
    assert checkpoints.furthest_of_attempt(results, "a-train-1") == last
    assert checkpoints.furthest_of_attempt(results, "b-train-1") is None


def test_what_an_attempt_went_on_from_is_kept_while_others_need_it(results: Results) -> None:
    origin = checkpoints.save(results, "a-train-1", 9, ["x", "y"], 1.0, b"")
    checkpoints.save(results, "b-train-2", 20, ["x"], 1.0, b"")
    checkpoints.forget(results, "b-train-2", origin, ["x"])
    assert checkpoints.furthest_by_trial(results) == {"x": origin, "y": origin}
    checkpoints.forget(results, "c-train-2", origin, ["x", "y"])
    assert results.store.files("checkpoints") == []


def test_a_checkpoint_of_schema_version_1_is_found(results: Results) -> None:
    index = {"step": 5, "trial_ids": ["x"], "train_seconds": 1.0}
    results.store.write("checkpoints/old-train-1-5.safetensors", b"state")
    results.store.write("checkpoints/old-train-1-5.json", json.dumps(index).encode())
    found = checkpoints.furthest_by_trial(results)["x"]
    assert (found.step, results.store.read(found.state_file)) == (5, b"state")
    checkpoints.remove(results, found)
    assert results.store.files("checkpoints") == []
