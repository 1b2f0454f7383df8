"""Whole runs in this process: real trainings, real scores, a real results folder."""

import asyncio
import errno
import os
import shutil
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from teasel.errors import ConfigError, UnknownNameError
from teasel.metrics import METRICS, irs
from teasel.models import Pack, Trainer
from teasel.sweep.commands.checks import verify
from teasel.sweep.commands.rescore import rescore
from teasel.sweep.commands.run import run
from teasel.sweep.grid.grid import load_grid
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store import checkpoints
from teasel.sweep.store.results import Results, ResultsError
from teasel.sweep.store.store import MissingFileError, StoreError
from teasel.sweep.study.freeze import freeze
from teasel.sweep.work import train as worker
from teasel.sweep.work.control import Control
from teasel.sweep.work.representations import stored_model
from teasel.sweep.work.tasks import Demand, TrainPack
from teasel.tests.support.commands import call

NUMBERS = ["loss", "reconstruction", "kl", "elbo", "kl_per_latent"]


def numbers_of(results: Results) -> dict[str, list]:
    table = results.table("trials").to_pylist()
    return {row["trial_id"]: [row[name] for name in NUMBERS] for row in table}


def test_every_trial_has_its_row_its_curve_its_pictures_and_its_codes(finished: Results) -> None:
    rows = finished.table("trials").to_pylist()
    assert {(row["beta"], row["seed"]) for row in rows} == {(1, 0), (1, 1), (4, 0), (4, 1)}
    for row in rows:
        assert row["status"] == "done"
        assert row["elbo"] == pytest.approx(-(row["reconstruction"] + row["kl"]))
        assert sum(row["kl_per_latent"]) == pytest.approx(row["kl"], rel=1e-5)
        mean, log_variance, factors = finished.representation(row["trial_id"])
        assert mean.shape == log_variance.shape == (15_000, 3)
        assert factors.shape == (15_000, 3)
    curves = finished.table("curves").to_pandas()
    assert set(curves.groupby("trial_id")["step"].apply(tuple)) == {(1, 2, 3, 4, 5, 6)}
    pictures = finished.table("pictures").to_pylist()
    assert len(pictures) == 12
    assert all(picture["png"].startswith(b"\x89PNG") for picture in pictures)


def test_a_trials_row_has_every_column_but_those_that_do_not_apply(finished: Results) -> None:
    table = finished.table("trials")
    empty = {name for name in table.column_names if table[name].null_count}
    assert empty == {"model_num", "error"}  # it is no model of the paper, and has not failed


def test_every_wanted_score_is_there_with_what_determines_it(finished: Results) -> None:
    rows = finished.table("scores").to_pylist()
    assert len(rows) == 4 * 2 * 2
    for row in rows:
        assert row["error"] is None
        assert np.isfinite(row["value"])
        assert row["num_points"] == 60
        assert row["metric_seed"] > 0
        assert row["parameters"] == '{"num_bins": 4, "num_train": 60}'


def test_no_code_table_or_checkpoint_is_left(finished: Results) -> None:
    assert finished.store.files("codes") == []
    assert finished.store.files("checkpoints") == []
    assert finished.store.files("running") == []


def test_a_second_run_does_nothing_and_says_so(
    finished: Results, grid_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = sorted(Path(finished.uri).rglob("*"))
    with caplog.at_level("INFO", "teasel"):
        summary = run([str(grid_file)], results=finished.uri, executor=InProcess())
    assert summary.done == 4
    assert caplog.messages == ["Nothing to do: 4 of 4 trials are done"]
    assert sorted(Path(finished.uri).rglob("*")) == before


@pytest.mark.parametrize("where", ["thread", "event loop"])
def test_a_run_from_a_dict_works_in_a_thread_and_under_an_event_loop(
    finished: Results, grid_file: Path, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = yaml.safe_load(grid_file.read_text().replace("1e-3", "0.001"))
    grid["datasets"][0]["npz"] = str(grid_file.with_name("squares.npz"))
    folder = f"{finished.uri}-{where.replace(' ', '-')}"
    shutil.copytree(finished.uri, folder)
    shutil.rmtree(Path(folder, "tables", "scores"))
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    summaries = []

    def work() -> None:
        summaries.append(run(grid, results=folder, executor=InProcess(), progress=sys.stdout))

    if where == "thread":
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    else:

        async def cell() -> None:
            work()

        asyncio.run(cell())
    assert summaries == [(4, 0, 0, False)]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert "tiny: 4/4 done" in capsys.readouterr().out


def test_more_seeds_of_the_same_study_are_added(
    finished: Results, grid_file: Path, results_copy: Results
) -> None:
    more = grid_file.with_name("more.yaml")
    more.write_text(grid_file.read_text().replace("seeds: 2", "seeds: {from: 2, count: 1}"))
    summary = run([str(more)], results=results_copy.uri, executor=InProcess())
    assert summary.done == 2
    together = numbers_of(results_copy)
    assert len(together) == 6
    assert numbers_of(finished).items() <= together.items()


def test_a_new_metric_is_an_addition_and_no_new_training(
    finished: Results, grid_file: Path, results_copy: Results
) -> None:
    more = grid_file.with_name("metric.yaml")
    metric = "metrics:\n  sap: {num_train: 60, num_test: 30}\n"
    more.write_text(grid_file.read_text().replace("metrics:\n", metric))
    run([str(more)], results=results_copy.uri, executor=InProcess())
    num_files = len(finished.store.files("tables/trials"))
    assert len(results_copy.store.files("tables/trials")) == num_files
    assert len(results_copy.table("scores")) == 4 * 2 * 3


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ("study: tiny", "study: other", "study: the study has 'tiny', the grid 'other'"),
        ("steps: 6", "steps: 7", "beta_vae, steps: the study has 6, the grid 7"),
    ],
)
def test_another_study_is_refused_with_the_difference_and_nothing_is_written(
    finished: Results, grid_file: Path, old: str, new: str, difference: str
) -> None:
    other = grid_file.with_name("other.yaml")
    other.write_text(grid_file.read_text().replace(old, new))
    before = {path: path.stat().st_mtime_ns for path in Path(finished.uri).rglob("*.*")}
    with pytest.raises(ResultsError, match=difference):
        run([str(other)], results=finished.uri, executor=InProcess())
    assert before == {path: path.stat().st_mtime_ns for path in Path(finished.uri).rglob("*.*")}


def test_a_folder_that_cannot_be_written_is_one_clear_line(grid_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot make .*/file: File exists"):
        run([str(grid_file)], results=str(tmp_path / "file"), executor=InProcess())


def test_an_interrupted_training_goes_on_to_the_same_bits(
    finished: Results, grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = tuple(load_grid(grid_file)[0].trials())
    results = Results(tmp_path)
    task = TrainPack(results.uri, "tiny", "run", trials[:2], 1, Demand())
    looks = iter([False, False, True])
    monkeypatch.setattr(worker, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(Control, "draining", property(lambda self: next(looks)))
    assert worker.train(task)["interrupted"]
    assert results.table("trials").num_rows == 0
    saved = checkpoints.furthest_of_attempt(results, task.attempt_id)
    assert saved is not None
    assert results.store.files("checkpoints") == sorted([saved.index_file, saved.state_file])
    monkeypatch.setattr(Control, "draining", property(lambda self: False))
    again = TrainPack(results.uri, "tiny", "run", trials[:2], 2, Demand(), checkpoint=saved)
    assert worker.train(again) == {"interrupted": False, "failed": []}
    expected = numbers_of(finished)
    assert numbers_of(results) == {key: expected[key] for key in numbers_of(results)}
    rows = results.table("trials").to_pylist()
    (seconds,) = {row["pack_train_seconds"] for row in rows}
    assert seconds > saved.train_seconds > 0
    assert [row["train_seconds"] for row in rows] == [seconds / 2] * 2
    assert [row["encode_seconds"] for row in rows] == [rows[0]["pack_encode_seconds"] / 2] * 2
    assert results.store.files("checkpoints") == []
    assert results.table("curves").num_rows == 2 * 6


def test_a_model_that_goes_on_in_a_smaller_pack_has_its_share_of_the_larger_packs_seconds(
    grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = tuple(load_grid(grid_file)[0].trials())
    results = Results(tmp_path)
    task = TrainPack(results.uri, "tiny", "run", trials[:2], 1, Demand())
    monkeypatch.setattr(worker, "_LOOK_SECONDS", 0.0)
    with monkeypatch.context() as draining:
        draining.setattr(Control, "draining", property(lambda self: True))
        assert worker.train(task)["interrupted"]
    saved = checkpoints.furthest_of_attempt(results, task.attempt_id)
    assert saved is not None
    saved = saved._replace(train_seconds=8000.0)
    alone = TrainPack(results.uri, "tiny", "run", trials[:1], 2, Demand(), checkpoint=saved)
    worker.train(alone)
    (row,) = results.table("trials").to_pylist()
    assert 4000 < row["train_seconds"] == row["pack_train_seconds"] < 4600


def test_a_machine_that_will_soon_be_gone_saves_often_and_its_driver_stops(
    grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "leaving").touch()
    (tmp_path / "a").mkdir()
    monkeypatch.setenv("TEASEL_LEAVING", str(tmp_path / "leaving"))
    monkeypatch.setattr(worker, "_SECONDS_WHILE_LEAVING", 0.0)
    saved: list[int] = []
    monkeypatch.setattr(worker.checkpoints, "save", lambda *facts: saved.append(facts[2]))
    trials = tuple(load_grid(grid_file)[0].trials())
    worker.train(TrainPack(str(tmp_path / "a"), "tiny", "run", trials[:1], 1, Demand()))
    assert saved == [1, 2, 3, 4, 5, 6]
    summary = run([str(grid_file)], results=str(tmp_path / "b"), executor=InProcess())
    assert summary.interrupted
    assert summary.missing == 4


@pytest.fixture
def diverging(
    grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, list[int]]:
    """The grid as one pack, whose models of beta 4 break in their second step; and a list.

    The list gets the size of the pack at every chunk.
    """
    grid = grid_file.with_name("one_pack.yaml")
    grid.write_text(grid_file.read_text().replace("pack: 2", "pack: 4"))
    sizes: list[int] = []
    advance = Trainer.advance

    def advance_and_break(self: Trainer, pack: Pack, num_steps: int, data: object = None):
        sizes.append(len(pack.replicas))
        for place, replica in enumerate(pack.replicas):
            if pack.step == 1 and replica.hyperparameters["beta"] == 4:
                bias = pack.states[place].parameters["decoder"]["dense_1"]
                bias["bias"] = bias["bias"] * np.nan
        return advance(self, pack, num_steps, data)

    monkeypatch.setattr(Trainer, "advance", advance_and_break)
    return grid, sizes


def assert_only_sound_models_trained(results: Results, alone: Results) -> None:
    rows = results.table("trials").to_pylist()
    failed = {row["trial_id"]: row for row in rows if row["status"] == "failed"}
    sound = [row["trial_id"] for row in rows if row["status"] == "done"]
    assert [row["beta"] for row in failed.values()] == [4, 4]
    assert len(sound) == 2
    for row in failed.values():
        assert row["error"] == "the model turned to NaN in step 2 of 6"
        assert all(row[name] is None for name in NUMBERS)
    curves = results.table("curves").to_pandas().groupby("trial_id")["step"].apply(sorted)
    for trial_id, steps in curves.items():
        assert steps == ([1, 2] if trial_id in failed else [1, 2, 3, 4, 5, 6])
    expected = numbers_of(alone)
    for trial_id in sound:
        assert numbers_of(results)[trial_id] == expected[trial_id]
        codes = zip(results.representation(trial_id), alone.representation(trial_id), strict=True)
        assert all(np.array_equal(found, wanted) for found, wanted in codes)
    assert not any(verify(results).lines.values())


@pytest.mark.parametrize("shrinks", [True, False])
def test_a_model_that_diverges_gets_its_row_at_once_and_its_packmates_do_not_notice(
    diverging: tuple[Path, list[int]],
    finished: Results,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    shrinks: bool,
) -> None:
    grid, sizes = diverging
    failed, report = [], Control.report

    def note(self: Control, attempt_id: str, **facts: object) -> None:
        failed.append(list(Results(tmp_path).statuses().values()).count("failed"))
        report(self, attempt_id, **facts)

    monkeypatch.setattr(worker, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(Control, "report", note)
    if not shrinks:  # as on an accelerator, where three of four would stay four
        monkeypatch.setattr(Trainer, "shrink", lambda self, pack, places: pack)
    summary = run([str(grid)], results=str(tmp_path), executor=InProcess())
    assert (summary.done, summary.failed, summary.missing) == (2, 2, 0)
    assert sizes == [4, 4, *[2 if shrinks else 4] * 4]
    assert failed[:3] == [0, 2, 2]
    assert_only_sound_models_trained(Results(tmp_path), finished)
    rows = Results(tmp_path).table("trials").to_pylist()
    whole = max(row["pack_train_seconds"] for row in rows)
    assert sum(row["train_seconds"] for row in rows) == pytest.approx(whole)  # each second once
    shares = {row["status"]: row["train_seconds"] for row in rows}
    assert 0 < shares["failed"] < shares["done"]


@pytest.mark.parametrize("ends", ["drained", "lost"])
def test_a_pack_that_goes_on_after_a_model_has_diverged_gives_the_same_bits(
    diverging: tuple[Path, list[int]],
    finished: Results,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    ends: str,
) -> None:
    grid, sizes = diverging
    save = checkpoints.save
    monkeypatch.setattr(worker, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(worker, "is_leaving", lambda: True)
    monkeypatch.setattr(worker, "_SECONDS_WHILE_LEAVING", 0.0)

    def save_and_end(results: Results, attempt_id: str, step: int, *facts):
        save(results, attempt_id, step, *facts)
        if step == 3 and ends == "lost":
            raise MissingFileError("gone")
        if step == 3:
            signal.raise_signal(signal.SIGTERM)
            Control(results.store, attempt_id.split("-")[1]).drain()

    monkeypatch.setattr(checkpoints, "save", save_and_end)
    with caplog.at_level("INFO", "teasel"):
        summary = run([str(grid)], results=str(tmp_path), executor=InProcess())
    if ends == "drained":
        assert summary == (0, 2, 2, True)
        assert "2 models saved at step 4 of 6. Interrupted: the same" in caplog.messages[-1]
        summary = run([str(grid)], results=str(tmp_path), executor=InProcess())
    assert summary == (2, 2, 0, False)
    assert sum(sizes) == 4 + 4 + 4 * 2  # no step was made again
    assert_only_sound_models_trained(Results(tmp_path), finished)


def test_a_pack_of_which_no_model_is_left_ends_at_once(
    diverging: tuple[Path, list[int]], tmp_path: Path
) -> None:
    grid, sizes = diverging
    summary = run([str(grid)], str(tmp_path), select="beta>1", executor=InProcess())
    assert summary == (0, 2, 0, False)
    assert sizes == [2, 2]
    assert Results(tmp_path).store.files("models") == []


def test_status_says_what_an_interrupted_run_has_saved(
    grid_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load_grid(grid_file)
    results = Results(tmp_path)
    freeze(results, [loaded])
    first, second, *_ = (trial.trial_id for trial in loaded[0].trials())
    checkpoints.save(results, "a-b-train-1", 2, [first], 1.0, b"")
    checkpoints.save(results, "c-b-train-1", 4, [second], 1.0, b"")
    call("status", results.uri)
    assert "  2 models saved at steps 2 and 4 of 6\n" in capsys.readouterr().out


def test_a_loss_that_overflows_fails_its_model_alone(grid_file: Path, tmp_path: Path) -> None:
    grid = grid_file.with_name("nan.yaml")
    overflows = "annealed_vae: {c_max: [5, 3e38], gamma: 1e5, iteration_threshold: 1}"
    text = grid_file.read_text().replace("beta_vae: {beta: [1, 4]}", overflows)
    grid.write_text(text.replace("seeds: 2", "seeds: 1"))
    summary = run([str(grid)], results=str(tmp_path), executor=InProcess())
    assert (summary.done, summary.failed) == (1, 1)
    rows = {row["c_max"]: row for row in Results(tmp_path).table("trials").to_pylist()}
    assert rows[5.0]["status"] == "done"
    assert rows[3e38]["status"] == "failed"
    assert "final loss" in rows[3e38]["error"]


def test_a_metric_that_is_not_defined_leaves_an_error_row_beside_the_others(
    grid_file: Path, tmp_path: Path
) -> None:
    grid = grid_file.with_name("undefined.yaml")
    undefined = "metrics:\n  beta_vae_score: {num_train: 1, num_test: 1}\n"
    text = grid_file.read_text().replace("metrics:\n", undefined)
    grid.write_text(text.replace("beta: [1, 4]", "beta: 1").replace("seeds: 2", "seeds: 1"))
    summary = run([str(grid)], results=str(tmp_path), executor=InProcess())
    assert summary.done == 1
    errors = {row["metric"]: row["error"] for row in Results(tmp_path).table("scores").to_pylist()}
    assert "1 training points" in errors["beta_vae_score"]
    assert errors["mig"] is None


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda *_, **__: [].nothing, "raised AttributeError: 'list' object has no attribute"),
        (lambda *_, **__: {}, "returned {}; expected a dict of finite numbers"),
    ],
)
def test_a_metric_with_a_bug_fails_beside_the_others_and_is_computed_once_mended(
    results_copy: Results, monkeypatch: pytest.MonkeyPatch, broken, message: str
) -> None:
    results = results_copy
    shutil.rmtree(Path(results.uri, "tables", "scores"))
    with monkeypatch.context() as patch:
        patch.setitem(METRICS.own, "mig", replace(METRICS["mig"], function=broken))
        summary = rescore(results.uri, ["mig", "modularity"], executor=InProcess())
        assert (summary.done, summary.failed) == (0, 4)
    before = results.table("scores").to_pylist()
    assert {row["metric"] for row in before} == {"modularity"}
    failures = results.table("failures").to_pylist()
    assert {(row["cause"], row["exception_type"]) for row in failures} == {
        ("exception", "MetricError"),
        ("stopped", None),
    }
    assert all(message in row["message"] for row in failures)
    summary = rescore(results.uri, ["mig", "modularity"], executor=InProcess())
    assert (summary.done, summary.failed) == (4, 0)
    rows = results.table("scores").to_pylist()
    assert len(rows) == len({(r["trial_id"], r["representation"], r["metric"]) for r in rows}) == 16
    assert all(row in rows for row in before)


@pytest.mark.slow
def test_references_are_scored_beside_the_methods(grid_file: Path, tmp_path: Path) -> None:
    grid = grid_file.with_name("references.yaml")
    names = ["ground_truth", "raw_pixels", "pca", "ica", "random_codes"]
    text = grid_file.read_text().replace("seeds: 2", "seeds: 1")
    text = text.replace("beta_vae: {beta: [1, 4]}", "\n  ".join(f"{name}: {{}}" for name in names))
    metric = "metrics:\n  factor_vae_score: {num_train: 60, num_test: 60, num_variance: 60}\n"
    grid.write_text(text.replace("metrics:\n", metric))
    summary = run([str(grid)], results=str(tmp_path), executor=InProcess())
    assert (summary.done, summary.failed, summary.missing) == (5, 0, 0)
    results = Results(tmp_path)
    method = {row["trial_id"]: row["method"] for row in results.table("trials").to_pylist()}
    value = {
        (method[row["trial_id"]], row["score"]): row["value"]
        for row in results.table("scores").to_pylist()
    }
    assert value["ground_truth", "factor_vae_score"] == 1.0
    assert value["random_codes", "factor_vae_score"] < 0.7
    assert value["ground_truth", "mig"] > 0.9
    assert ("raw_pixels", "mig") not in value
    assert ("raw_pixels", "factor_vae_score") in value
    ids = {name: trial_id for trial_id, name in method.items()}
    mean, log_variance, factors = results.representation(ids["ground_truth"])
    spread = (factors - 1.5) / np.sqrt(15 / 12)  # four values each: mean 1.5, variance 15 / 12
    np.testing.assert_allclose(mean, spread, rtol=1e-6)
    assert np.isneginf(log_variance).all()


def test_rescoring_adds_a_metric_to_every_model_without_training(
    finished: Results, results_copy: Results
) -> None:
    results = results_copy
    summary = rescore(results.uri, ["unsupervised"], executor=InProcess())
    assert (summary.done, summary.failed, summary.missing) == (4, 0, 0)
    added = [row for row in results.table("scores").to_pylist() if row["metric"] == "unsupervised"]
    assert len({(row["trial_id"], row["representation"]) for row in added}) == 8
    assert len(results.store.files("tables/trials")) == len(finished.store.files("tables/trials"))


def test_a_metric_that_draws_no_points_needs_the_kept_codes_alone(
    results_copy: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = results_copy
    shutil.rmtree(Path(results.uri, "models"))
    for name in ("irs", "factor_vae_score"):
        monkeypatch.setitem(METRICS.own, name, replace(METRICS[name], samples_points=False))
    summary = rescore(results.uri, ["irs"], executor=InProcess())
    assert (summary.done, summary.missing) == (4, 0)
    summary = rescore(results.uri, ["factor_vae_score"], executor=InProcess())
    assert (summary.failed, summary.missing) == (4, 0)
    rows = results.table("scores").to_pylist()
    for row in rows:
        if (row["representation"], row["score"]) == ("mean", "irs"):
            mean, _, factors = results.representation(row["trial_id"])
            assert row["value"] == pytest.approx(irs(mean[:10_000], factors[:10_000]))
    assert len({row["value"] for row in rows if row["score"] == "irs"}) == 8
    messages = {row["message"] for row in results.table("failures").to_pylist()}
    assert any("requests its own images, but its catalogue entry says" in each for each in messages)


def test_scoring_reads_a_packs_parameters_once(
    finished: Results, grid_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = load_grid(grid_file)[0].trials()
    results = Results(finished.uri)
    read = []
    of_store = results.store.read
    monkeypatch.setattr(results.store, "read", lambda name: read.append(name) or of_store(name))
    packs = {results.attempt_id_of(trial.trial_id) for trial in trials}
    for trial in sorted(trials, key=lambda trial: results.attempt_id_of(trial.trial_id)):
        stored_model(results, trial, (64, 64, 1))
    assert sum(name.startswith("models/") for name in read) == len(packs) < len(trials)


@pytest.mark.parametrize(
    ("old", "new"), [("pack: 2", "pack: 3"), ("resources:", "save_models: false\nresources:")]
)
def test_grids_that_want_to_be_run_differently_are_not_run_together(
    grid_file: Path, tmp_path: Path, old: str, new: str
) -> None:
    other = grid_file.with_name("differently.yaml")
    text = grid_file.read_text().replace("seeds: 2", "seeds: {from: 2, count: 1}")
    other.write_text(text.replace(old, new))
    with pytest.raises(
        ConfigError, match=r"`resources` or `save_models` differs from .*tiny\.yaml's"
    ):
        run([str(grid_file), str(other)], results=str(tmp_path / "new"), executor=InProcess())
    assert not (tmp_path / "new").exists()


def test_rescoring_by_an_unknown_metric_is_refused(finished: Results) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown metric 'migg' \(did you mean 'mig'\?\)"):
        rescore(finished.uri, ["migg"], executor=InProcess())


@pytest.mark.slow
def test_a_data_set_fed_from_the_host_gives_the_same_numbers(
    finished: Results, grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teasel.sweep.work.batches.fits", lambda dataset, device: False)
    run([str(grid_file)], results=str(tmp_path), executor=InProcess())
    fed, whole = numbers_of(Results(tmp_path)), numbers_of(finished)
    assert fed.keys() == whole.keys()
    for trial_id, numbers in fed.items():
        np.testing.assert_allclose(np.hstack(numbers), np.hstack(whole[trial_id]), rtol=1e-6)
    scores = ["trial_id", "representation", "metric", "value"]
    sorted_scores = [
        sorted(map(tuple, results.table("scores").to_pandas()[scores].to_numpy()))
        for results in (Results(tmp_path), finished)
    ]
    assert sorted_scores[0] == sorted_scores[1]


def refuse_a_model(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the first writing of parameters fail with this error of the system."""
    fsync, refused = os.fsync, []

    def refuse(descriptor: int) -> None:
        if "/models/" in os.readlink(f"/proc/self/fd/{descriptor}") and not refused:
            refused.append(True)
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)


def test_a_store_that_fails_once_costs_an_attempt_and_no_run(
    grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_a_model(errno.EIO, monkeypatch)
    assert run([str(grid_file)], str(tmp_path), select="seed<1", executor=InProcess()).done == 2
    (failure,) = Results(tmp_path).table("failures").to_pylist()
    assert failure["cause"] == "store"
    assert failure["exception_type"] == "StoreError"
    assert failure["message"].endswith("Input/output error")


def test_a_disk_that_fills_up_ends_the_run_in_one_line_and_the_next_run_goes_on(
    finished: Results, grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_a_model(errno.ENOSPC, monkeypatch)
    with pytest.raises(StoreError, match=r"cannot write .*/models/.*: No space left on device"):
        run([str(grid_file)], str(tmp_path), select="seed<1", executor=InProcess())
    assert not list(tmp_path.rglob(".*"))
    assert run([str(grid_file)], str(tmp_path), select="seed<1", executor=InProcess()).done == 2
    expected = numbers_of(finished)
    found = numbers_of(Results(tmp_path))
    assert found == {trial_id: expected[trial_id] for trial_id in found}
