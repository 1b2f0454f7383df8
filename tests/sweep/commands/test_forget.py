"""Trials that are taken out of a folder leave nothing behind, and are made anew."""

import json
from pathlib import Path

import pytest
from safetensors.numpy import load

from teasel.__main__ import main
from teasel.sweep.commands.run import run
from teasel.sweep.schedule.drivers import at_work
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store import checkpoints, forget
from teasel.sweep.store.compact import compact
from teasel.sweep.store.files import read_file
from teasel.sweep.store.results import Results
from teasel.sweep.store.tables import FailureRow, ScoreRow

TABLES = ("trials", "scores", "curves", "pictures")


def everything_of(results: Results) -> dict[str, list[str]]:
    """The trials that each kind of file still knows."""
    found = {name: results.table(name)["trial_id"].to_pylist() for name in TABLES}
    found["codes"] = [
        trial_id
        for folder in results.code_folders()
        for file in results.store.files(folder, ".parquet")
        if not file.endswith("factors.parquet")
        for trial_id in read_file(results.store, file, ["trial_id"])["trial_id"].to_pylist()
    ]
    found["models"] = [
        name.partition("/")[0]
        for file in results.store.files("models")
        for name in load(results.store.read(file))
    ]
    return {name: sorted(set(ids)) for name, ids in found.items()}


def first_trial(results: Results) -> tuple[str, list[str]]:
    """A trial, and the others."""
    first, *others = sorted(results.table("trials")["trial_id"].to_pylist())
    return first, others


@pytest.mark.parametrize("compacted", [False, True])
def test_a_forgotten_trial_is_nowhere_and_its_packmates_are_as_they_were(
    results_copy: Results, compacted: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    results = results_copy
    gone, others = first_trial(results)
    before = {trial_id: results.representation(trial_id)[0] for trial_id in others}
    folders = ["tables/trials", "tables/scores", "tables/curves", *results.code_folders()]
    for folder in folders if compacted else ():
        compact(results, folder)
    rows = FailureRow("p", "train", [gone, others[0]], 1, "p-train", "lost", given_up=[gone])
    results.add("failures", "p-train", [rows])
    checkpoints.save(results, "p-train", 3, [gone, others[0]], 1.0, b"")
    assert main(["forget", results.uri, "--select", f"trial_id={gone}", "--yes"]) == 0
    assert gone in capsys.readouterr().out
    assert everything_of(results) == dict.fromkeys([*TABLES, "codes", "models"], others)
    (failure,) = results.table("failures").to_pylist()
    assert (failure["trial_ids"], failure["given_up"]) == ([others[0]], [])
    assert set(checkpoints.furthest_by_trial(results)) == {others[0]}
    fresh = Results(results.uri)
    for trial_id, mean in before.items():
        assert (fresh.representation(trial_id)[0] == mean).all()
    assert main(["verify", results.uri]) == 0
    assert "clean" in capsys.readouterr().out


def test_a_damaged_file_of_models_is_neither_written_anew_nor_removed(
    results_copy: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [Path(results_copy.uri, file) for file in results_copy.store.files("models")]
    harmed = {file: file.read_bytes()[:-1] + b"\xff" for file in files}
    for file, content in harmed.items():
        file.write_bytes(content)
    assert main(["forget", results_copy.uri, "--select", "seed<9", "--yes"]) == 2
    assert "its content does not match its digest" in capsys.readouterr().err
    assert {file: file.read_bytes() for file in files} == harmed


def test_what_is_forgotten_is_made_anew_with_the_same_numbers(
    finished: Results, results_copy: Results, grid_file: Path
) -> None:
    gone, _ = first_trial(results_copy)
    forget.forget(results_copy, [gone])
    assert run([str(grid_file)], results=results_copy.uri, executor=InProcess()).done == 4
    values = [
        sorted(
            (row["trial_id"], row["metric"], row["representation"], row["value"])
            for row in results.table("scores").to_pylist()
        )
        for results in (finished, results_copy)
    ]
    assert values[0] == values[1]


def test_who_is_killed_midway_leaves_a_trial_to_train_and_the_same_command_goes_on(
    results_copy: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = results_copy
    gone, others = first_trial(results)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(forget, "_forget_codes", killed)
        with pytest.raises(KeyboardInterrupt):
            forget.forget(results, [gone])
    assert everything_of(results)["trials"] == others
    assert gone in everything_of(results)["codes"]
    assert main(["forget", results.uri, "--select", f"trial_id={gone}", "--yes"]) == 0
    assert everything_of(results)["codes"] == others


def test_it_asks_first_and_refuses_while_a_driver_is_at_work(
    results_copy: Results, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything_of(results_copy)
    assert main(["forget", results_copy.uri, "--select", "beta=4"]) == 2
    assert "Nothing was removed" in capsys.readouterr().out
    monkeypatch.setattr("teasel.sweep.schedule.drivers.BEAT_SECONDS", 0.1)
    with at_work(results_copy, "aaaa"):
        name = "running/drivers/aaaa.json"
        driver = json.loads(results_copy.store.read(name))
        # As another process would be seen; its beats go on in a thread of this one.
        monkeypatch.setattr("teasel.sweep.schedule.drivers.os.getpid", lambda: driver["pid"] + 1)
        assert main(["forget", results_copy.uri, "--select", "beta=4", "--yes"]) == 2
        assert "another driver is at work" in capsys.readouterr().err
    assert everything_of(results_copy) == before


def test_scores_that_are_not_defined_are_forgotten_alone(results_copy: Results) -> None:
    gone, _ = first_trial(results_copy)
    whole = len(results_copy.table("scores"))
    results_copy.add(
        "scores", "x", [ScoreRow(gone, "mean", "dci", "", error="why", parameters_hash="h")]
    )
    forget.forget_undefined(results_copy, ["another"])
    assert len(results_copy.table("scores")) == whole + 1
    forget.forget_undefined(results_copy, [gone])
    assert len(results_copy.table("scores")) == whole
