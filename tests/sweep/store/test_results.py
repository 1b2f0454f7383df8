"""The results folder: rows once, codes by trial, and no guessing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teasel.models import parameters_to_bytes
from teasel.sweep.store.results import Results, ResultsError
from teasel.sweep.store.store import DamagedFileError, NewerVersionError, StoreError
from teasel.sweep.store.tables import SCHEMA_VERSION, FailureRow, ScoreRow, TrialRow, to_table
from teasel.sweep.trials.request import RequestKey
from teasel.tests.support.commands import call


def trial_row(trial_id: str, attempt_id: str, **more: Any) -> TrialRow:
    return TrialRow(trial_id, dataset="d", attempt_id=attempt_id, status="done", **more)


def test_rows_of_a_repeated_attempt_are_read_once(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.add("trials", "a-1", [trial_row("x", "a-1", loss=1.0), trial_row("y", "a-1")])
    results.add("trials", "a-2", [trial_row("x", "a-2", loss=2.0)])
    rows = {row["trial_id"]: row for row in results.table("trials").to_pylist()}
    assert rows["x"]["loss"] == 1.0
    assert sorted(rows) == ["x", "y"]
    assert results.statuses() == {"x": "done", "y": "done"}


def test_each_hyper_parameter_is_a_column(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.add("trials", "a", [trial_row("x", "a", hyperparameters={"beta": 4.0})])
    results.add("trials", "b", [trial_row("y", "b", hyperparameters={"gamma": 10.0})])
    rows = {row["trial_id"]: row for row in results.table("trials").to_pylist()}
    assert (rows["x"]["beta"], rows["x"]["gamma"]) == (4.0, None)
    assert (rows["y"]["beta"], rows["y"]["gamma"]) == (None, 10.0)


def test_an_empty_table_has_its_columns(tmp_path: Path) -> None:
    table = Results(tmp_path).table("scores")
    assert len(table) == 0
    assert {"trial_id", "metric", "value"} <= set(table.column_names)


def test_a_column_that_is_newer_than_a_files_rows_is_null_there(tmp_path: Path) -> None:
    results = Results(tmp_path)
    old = to_table("failures", [{"pack_id": "p", "kind": "train", "attempt": 1, "at": "today"}])
    results.store.write_table("tables/failures/a.parquet", old.drop(["attempt_id", "message"]))
    (row,) = results.table("failures").to_pylist()
    assert (row["pack_id"], row["attempt_id"], row["message"]) == ("p", None, None)
    chosen = results.table("failures", ["message"])
    assert chosen.column_names == ["pack_id", "kind", "attempt", "at", "message"]
    assert chosen["message"].to_pylist() == [None]


def test_codes_come_back_by_trial(tmp_path: Path) -> None:
    results = Results(tmp_path)
    rng = np.random.default_rng(0)
    codes = {name: rng.normal(size=(2, 50, 3)).astype(np.float32) for name in ("x", "y", "z")}
    results.add_codes("d", "a", [(name, *both) for name, both in codes.items()])
    factors = rng.integers(5, size=(50, 2))
    results.add_points("d", np.arange(50), factors)
    results.add("trials", "a", [trial_row(name, "a") for name in codes])
    for name, (mean, log_variance) in codes.items():
        found = results.representation(name)
        np.testing.assert_array_equal(found[0], mean)
        np.testing.assert_array_equal(found[1], log_variance)
        np.testing.assert_array_equal(found[2], factors)


def test_an_unknown_trial_has_no_representation(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="no trained trial 'x'"):
        Results(tmp_path).representation("x")


def test_a_folder_without_a_study_says_so(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"no results here \(there is no study.json\)"):
        _ = Results(tmp_path).study


def test_tables_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.write_study({"study": "s"}, "")
    text = results.store.read("study.json").replace(
        f'"schema_version": {SCHEMA_VERSION}'.encode(), b'"schema_version": 99'
    )
    results.store.write("study.json", text)
    with pytest.raises(NewerVersionError, match="newer version of Teasel"):
        _ = results.study


def test_a_part_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    results = Results(tmp_path)
    table = to_table("trials", [trial_row("x", "a")]).replace_schema_metadata(
        {"schema_version": str(SCHEMA_VERSION + 1)}
    )
    results.store.write_table("tables/trials/a.parquet", table)
    with pytest.raises(StoreError, match=r"a\.parquet: written by a newer version of Teasel"):
        results.table("trials")


@pytest.mark.parametrize("text", [b'{"study": ', b"{}", b"[]", b'{"schema_version": 1}'])
def test_a_damaged_study_is_one_clear_line(tmp_path: Path, text: bytes) -> None:
    results = Results(tmp_path)
    results.store.write("study.json", text)
    with pytest.raises(DamagedFileError, match=r"cannot read .*study\.json: it "):
        _ = results.study


def test_the_requests_that_have_rows_are_known_by_trial(tmp_path: Path) -> None:
    results = Results(tmp_path)
    keys = [
        RequestKey("mean", "mig", "h", 1),
        RequestKey("sampled", "mig", "h", 2),
        RequestKey("mean", "sap", "g", 1),
    ]
    wanted = {"x": frozenset(keys), "y": frozenset(keys[:1]), "z": frozenset(keys[1:])}
    for trial_id, of_trial in wanted.items():
        rows = [
            ScoreRow(trial_id, score=score, **key._asdict())
            for key in of_trial
            for score in ("one", "other")
        ]
        results.add("scores", trial_id, rows)
    assert results.scored_requests() == wanted
    assert Results(tmp_path / "empty").scored_requests() == {}


def test_failures_that_differ_in_the_names_of_their_files_alone_are_shown_as_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = Results(tmp_path)
    results.write_study({"study": "s", "protocol": 1}, "")
    for attempt in (1, 2):
        attempt_id = f"0123456789abcdef-89abcdef-score-{attempt}"
        row = FailureRow(
            pack_id="0123456789abcdef",
            kind="score",
            trial_ids=["t"],
            attempt=attempt,
            attempt_id=attempt_id,
            cause="exception",
            exception_type="OSError",
            message=f"{attempt_id} is gone",
            traceback="",
            at=f"2026-01-0{attempt}",
        )
        results.add("failures", attempt_id, [row])
    call("failures", results.uri)
    assert capsys.readouterr().out.splitlines() == [
        "2 x score, exception: OSError: ATTEMPT is gone",
        "  last at 2026-01-02, trials t",
    ]


def test_a_model_that_is_not_there_is_told_why(tmp_path: Path) -> None:
    results = Results(tmp_path)
    rows = [
        TrialRow("a", dataset="dsprites", method="pca", attempt_id="p", num_latents=10),
        TrialRow("b", dataset="dsprites", method="beta_vae", attempt_id="q", num_latents=10),
        TrialRow("c", dataset="dsprites", method="beta_vae", attempt_id="r", num_latents=10),
    ]
    results.add("trials", "all", rows)
    results.store.write(results.parameters_name("r"), parameters_to_bytes({}, (64, 64, 1)))
    for trial_id, why in (
        ("a", "trial a has no model: no method called pca is installed"),
        ("b", r"the parameters of trial b were not saved \(save_models is false\)"),
        ("c", "trial c has failed and has no parameters"),
        ("d", "no trained trial 'd'"),
    ):
        with pytest.raises(ResultsError, match=why):
            results.model(trial_id)
