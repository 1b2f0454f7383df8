"""What the page says of models and scores that are not there."""

import shutil
from pathlib import Path

import pytest

from teasel.analysis.report import elements
from teasel.analysis.report.absent import name_absent
from teasel.analysis.report.page import read_report, render
from teasel.sweep.store.results import Results
from teasel.sweep.study.study import read_study

FOLDER = Path(__file__).parents[2] / "data" / "results_version_1"


@pytest.fixture
def half(tmp_path: Path) -> Results:
    """An earlier quick start, whose models with beta = 4 are not there: of seed 1 one knows why.

    The untrained network of seed 0 lacks all scores, and that of seed 1 has no MIG.
    """
    folder = Results(shutil.copytree(FOLDER, tmp_path / "results"))
    trial_of = {
        (trial.method, trial.hyperparameters.get("beta"), trial.seed): trial.trial_id
        for trial, _ in read_study(folder).wanted_trials()
    }
    gone = [trial_of["beta_vae", 4.0, seed] for seed in (0, 1)]
    rows = folder.table("trials").to_pylist()
    shutil.rmtree(tmp_path / "results" / "tables" / "trials")
    folder = Results(tmp_path / "results")
    folder.add("trials", "part", [row for row in rows if row["trial_id"] not in gone])
    failure = {"trial_ids": [gone[1]], "attempt_id": "a", "kind": "train", "cause": "exception"}
    said = {"exception_type": "TypeError", "message": "in line 12\nand more", "at": "2026-01-01"}
    folder.add("failures", "part", [failure | said])
    scores = folder.table("scores").to_pylist()
    shutil.rmtree(tmp_path / "results" / "tables" / "scores")
    kept = [row for row in scores if row["trial_id"] != trial_of["untrained", None, 0]]
    for row in kept:
        if (row["trial_id"], row["metric"]) == (trial_of["untrained", None, 1], "mig"):
            row |= {"value": None, "error": "nothing varies"}
    folder = Results(tmp_path / "results")
    folder.add("scores", "part", kept)
    return folder


def test_what_is_not_there_is_named_with_the_reason(half: Results) -> None:
    report = read_report(half)
    shown = name_absent(half, report.left, report.names)
    tables = {table["name"]: table for table in shown if table["kind"] == "table"}
    absent, undefined = (
        [[cell["text"] for cell in row] for row in tables[name]["bodies"][0]["rows"]]
        for name in ("absent", "undefined")
    )
    one = ["dSprites (mini)", "β-VAE", "β = 4", "1", "training"]
    assert absent[:2] == [[*one, "not tried yet"], [*one, "TypeError: in line 12"]]
    assert absent[2][3:] == ["1", "scores", "not tried yet"]
    assert ["MIG", "mean", "1", "nothing varies"] in undefined
    page = render(report, [elements.section("progress", "Progress")])
    assert "of 6 planned are done" in page
    assert "50 %" in page  # both models of beta = 1, and an untrained network


def test_of_a_whole_study_nothing_is_absent() -> None:
    report = read_report(Results(FOLDER))
    assert name_absent(report.folder, report.left, report.names) == []


def test_a_data_set_that_nothing_has_touched_is_one_row(half: Results) -> None:
    report = read_report(half)
    assert report.left is not None
    trials = [*report.left.done, *(trial for trial, _ in report.left.unscored)]
    untouched = report.left._replace(untrained=[(t, ()) for t in trials], unscored=[], done=[])
    shutil.rmtree(half.store.uri.removeprefix("file://") + "/tables/failures")
    table = next(
        each
        for each in name_absent(half, untouched, report.names)
        if each["kind"] == "table" and each["name"] == "absent"
    )
    (row,) = [[cell["text"] for cell in row] for row in table["bodies"][0]["rows"]]
    assert row == ["dSprites (mini)", "all", "all", str(len(trials)), "training", "not tried yet"]
