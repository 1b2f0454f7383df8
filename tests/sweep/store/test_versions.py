"""Folders of earlier versions give the values that stand in their files.

`tests/data/results_version_1` holds the tables of the quick start as commit 98cc14a made them, and
its grid.
"""

import json
import shutil
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from teasel.analysis import scores, trials
from teasel.datasets import DATASETS
from teasel.metrics import METRICS
from teasel.sweep.commands.checks import verify
from teasel.sweep.commands.run import run
from teasel.sweep.grid.grid import load_grid
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store import versions
from teasel.sweep.store.compact import compact
from teasel.sweep.store.results import Results
from teasel.sweep.store.store import NewerVersionError, StoreError
from teasel.sweep.study.remaining import remaining
from teasel.sweep.study.study import read_study, wanted_trials
from teasel.tests.support.commands import call

FOLDER = Path(__file__).parents[2] / "data" / "results_version_1"
GRID = FOLDER / "study.yaml"

VERSION_1_FAILURES = {
    "pack_id": "0860ac05b0ea",
    "kind": "train",
    "trial_ids": ["ea118f887e38b8e9"],
    "attempt": 1,
    "cause": "exception",
    "exception": "ValueError: a: b",
    "traceback": "",
    "log": None,
    "at": "2026-01-01T00:00:00+00:00",
}


@pytest.fixture
def old(tmp_path: Path) -> Results:
    """A copy of the folder of version 1."""
    return Results(shutil.copytree(FOLDER, tmp_path / "old"))


def stored(table: str) -> list[dict]:
    """The rows of a table as they stand in its files."""
    files = sorted(FOLDER.glob(f"tables/{table}/*"))
    return pa.concat_tables(map(pq.read_table, files), promote_options="default").to_pylist()


def rows_of(results: Results, table: str) -> list[dict]:
    rows = results.table(table).to_pylist()
    return sorted(rows, key=lambda row: [str(row.get(key)) for key in ("trial_id", "metric")])


def test_every_trial_has_the_values_of_its_row() -> None:
    found = {row["trial_id"]: row for row in trials(FOLDER).to_dict("records")}
    rows = stored("trials")
    assert len(found) == len(rows) == 6
    for row in rows:
        seen = found[row["trial_id"]]
        assert seen["attempt_id"] == row["part"]
        assert "part" not in seen
        assert list(seen["kl_per_latent"]) == row["kl_per_latent"]
        for name in ("dataset", "method", "seed", "loss", "kl", "elbo", "pack_size", "status"):
            assert seen[name] == row[name]
        for name in ("train_seconds", "encode_seconds"):  # were the pack's
            assert seen[f"pack_{name}"] == row[name]
            assert seen[name] == row[name] / row["pack_size"]


@pytest.mark.parametrize("column", ["train_seconds", "pack_encode_seconds"])
def test_seconds_of_version_1_are_a_models_own_by_whatever_columns_they_are_read(
    column: str,
) -> None:
    whole = Results(FOLDER).table("trials")
    assert Results(FOLDER).table("trials", [column])[column] == whole[column]
    assert None not in whole[column].to_pylist()


def test_every_score_has_the_value_of_its_row() -> None:
    rows = stored("scores")
    tidy = scores(FOLDER, representation=None)
    key = ["trial_id", "representation", "metric", "score", "value", "metric_seed", "num_points"]
    assert sorted(map(tuple, tidy[key].astype(object).to_numpy())) == sorted(
        tuple(row[name] for name in key) for row in rows
    )
    wide = scores(FOLDER, wide=True).set_index("trial_id")
    assert len(wide) == 6
    columns = {("mig", "mig"): "mig", ("dci", "disentanglement"): "dci_disentanglement"}
    for row in rows:
        column = columns.get((row["metric"], row["score"]))
        if column and row["representation"] == "mean":
            assert wide.loc[row["trial_id"], column] == row["value"]


def test_version_1_tells_the_precision_of_a_cpu_and_draws_points_as_it_did() -> None:
    assert set(Results(FOLDER).table("trials", ["precision"])["precision"].to_pylist()) == {
        "float32"
    }
    assert set(Results(FOLDER).table("scores", ["points"])["points"].to_pylist()) == {1}


def test_it_is_as_far_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    call("status", str(FOLDER))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(": 6 of 6 trials done")
    assert "  dsprites_mini, beta_vae: 4 of 4" in lines
    left = remaining(Results(FOLDER), wanted_trials([load_grid(str(GRID))[0]]))
    assert len(left.unscored) == 6  # by metrics that have a newer version
    lacking = {request.metric for each in left.unscored for request in each.requests}
    assert lacking == {"beta_vae_score", "dci"}


def test_its_study_is_read_as_one_of_today() -> None:
    study = read_study(Results(FOLDER))
    today = wanted_trials([load_grid(str(GRID))[0]])
    for then, now in zip(study.wanted_trials(), today, strict=True):
        assert then.trial == now.trial
        gone = {request.metric for request in set(then.requests) - set(now.requests)}
        assert gone == {"beta_vae_score", "dci"}  # they have a newer version
    assert study.grids[0]["representations"] == ["mean", "sampled"]
    assert study.grids[0]["metric_seed"] is None
    methods = study.catalogue["methods"]
    assert methods["beta_vae"]["label"] == "β-VAE"
    assert [methods[name]["trained"] for name in ("beta_vae", "untrained")] == [True, False]
    assert study.catalogue["datasets"] == {
        "dsprites_mini": {
            "label": "dSprites (mini)",
            "factors": ["shape", "scale", "orientation", "position_x", "position_y"],
        }
    }


def test_what_version_1_left_in_its_yaml_is_read_there() -> None:
    study = json.loads((FOLDER / "study.json").read_text())
    study["grids"][0]["yaml"] += "representations: mean\nmetric_seed: 7\n"
    study["grids"][0]["methods"] |= {"raw_pixels": [], "pca": []}
    (grid,) = versions.upgrade_study(study)["grids"]
    assert (grid["representations"], grid["metric_seed"]) == (["mean"], 7)
    # Of fourteen requests the first seven are of the mean, and two are pairwise.
    assert grid["requests_of"] == {"raw_pixels": [0, 1], "pca": list(range(7))}


def test_a_name_that_version_1_did_not_know_is_its_own_label() -> None:
    study = json.loads((FOLDER / "study.json").read_text())
    grid = study["grids"][0]
    grid["datasets"] = [{"name": "my_shapes"}]
    grid["methods"]["my_vae"] = grid["methods"].pop("beta_vae")
    grid["metrics"] = [grid["metrics"][0] | {"metric": "my_score", "parameters": {"a": 1}}]
    names = versions.upgrade_study(study)["catalogue"]
    assert names["datasets"] == {"my_shapes": {"label": "my shapes", "factors": []}}
    assert names["methods"]["my_vae"]["label"] == "my vae"
    assert names["methods"]["my_vae"]["trained"]
    assert names["metrics"]["my_score"]["label"] == "my score"
    assert names["metrics"]["my_score"]["defaults"] == {"a": 1}


def test_the_factors_of_version_1_have_the_names_that_the_catalogue_knows() -> None:
    for name, factors in versions.FACTORS.items():
        grid = DATASETS[name].grid
        assert factors == [factor.name for factor in grid if not factor.hidden]
    assert set(versions.FACTORS) == set(versions.DATASET_LABELS)


def test_what_version_1_knew_of_a_metric_is_what_it_was_until_its_version_is_raised() -> None:
    assert versions.METRICS.keys() <= METRICS.own.keys()
    for name, facts in versions.METRICS.items():
        metric = METRICS[name]
        if str(metric.version) == facts["version"]:
            defaults = {key: parameter.default for key, parameter in metric.parameters.items()}
            assert facts["defaults"] == json.loads(json.dumps(defaults))
            assert facts["reference"] == metric.reference


@pytest.mark.parametrize(
    ("exception", "log", "expected"),
    [
        (
            "ValueError: a: b",
            "logs/0860ac05b0ea-1a-train-1.log",
            ("ValueError", "a: b", "0860ac05b0ea-1a-train-1"),
        ),
        ("its program raised too often", None, (None, "its program raised too often", "file")),
    ],
)
def test_a_failure_of_version_1_is_split_into_its_facts(
    old: Results, exception: str, log: str | None, expected: tuple[str | None, ...]
) -> None:
    row = VERSION_1_FAILURES | {"exception": exception, "log": log}
    table = pa.Table.from_pylist([row]).replace_schema_metadata({"schema_version": "1"})
    old.store.write_table("tables/failures/file.parquet", table)
    (found,) = old.table("failures").to_pylist()
    assert (found["exception_type"], found["message"], found["attempt_id"]) == expected
    assert "exception" not in found
    assert found["cause"] == "exception"
    (narrow,) = old.table("failures", ["message"]).to_pylist()
    assert narrow["message"] == expected[1]


def test_a_run_that_goes_on_makes_it_a_folder_of_today_and_keeps_its_rows(old: Results) -> None:
    before = {table: rows_of(old, table) for table in ("trials", "scores", "curves")}
    assert old.study["schema_version"] == 1
    grid = yaml.safe_load(GRID.read_text().replace("1e-3", "0.001"))
    for newer in ("beta_vae_score", "dci"):
        del grid["metrics"][newer]
    summary = run(grid, results=old.uri, executor=InProcess())
    assert (summary.done, summary.missing) == (6, 0)
    assert json.loads(old.store.read("study.json"))["schema_version"] == 2
    assert len(old.study["grids"]) == 2
    row = before["trials"][0] | {"trial_id": "0" * 16, "attempt_id": "new"}
    old.add("trials", "new", [row])
    assert {row["attempt_id"] for row in old.table("trials").to_pylist()} > {"new"}
    assert len(old.table("trials")) == 7
    for table in before:
        compact(old, f"tables/{table}")
    after = {table: rows_of(old, table) for table in before}
    assert after == before | {"trials": [row, *before["trials"]]}
    assert verify(old).damaged == []


def test_a_driver_of_version_1_that_was_killed_is_named(
    old: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = {"host": "h", "pid": 9, "since": "noon", "share": [2, 3], "beat": 1, "at": time.time()}
    driver |= {"pids": "elsewhere", "begun": True}
    old.store.write("running/drivers/x.json", json.dumps(driver).encode())
    call("status", old.uri)
    assert "  a driver is at work: shard 2/3, process 9 on h, since noon" in capsys.readouterr().out


def test_a_newer_folder_is_refused_with_what_to_do(old: Results) -> None:
    old.store.write("study.json", json.dumps({"study": "s", "schema_version": 99}).encode())
    with pytest.raises(
        NewerVersionError, match=r"newer version of Teasel \(tables of version 99, .*up"
    ):
        _ = old.study
    table = pa.table({"trial_id": ["x"]}).replace_schema_metadata({"schema_version": "99"})
    old.store.write_table("tables/trials/new.parquet", table)
    with pytest.raises(StoreError, match=r"new\.parquet: written by a newer version of Teasel"):
        old.table("trials")
