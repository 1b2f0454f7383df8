"""Failed, waiting and undefined mean the same to every command, and can be tried again."""

import errno
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from teasel.__main__ import main
from teasel.datasets import DataError
from teasel.metrics import METRICS, UndefinedScoreError
from teasel.sweep.commands.rescore import rescore
from teasel.sweep.commands.run import exit_code, run
from teasel.sweep.schedule.drivers import DriverError
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store.results import Results
from teasel.sweep.store.store import Store, StoreError
from teasel.sweep.study.remaining import failure_reasons, remaining, undefined_scores
from teasel.sweep.study.shards import Shard
from teasel.sweep.study.study import read_study
from teasel.sweep.work import train as worker
from teasel.sweep.work.attempt import Failure, Outcome
from teasel.sweep.work.control import Control
from teasel.sweep.work.machine import ClusterError


def mean_only(representation, rng, **parameters):
    """Defined on the means of some models."""
    raise UndefinedScoreError("nothing varies")


def broadcast(representation, rng, **parameters):
    """A slip: three latents, two factors."""
    codes, factors = representation.sample(rng, 10)
    return {"x": float((codes.std(axis=0) / factors.std(axis=0)[:2]).mean())}


def shown(command: str, results: Results, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    main([*command.split(), results.uri])
    return capsys.readouterr().out


@pytest.mark.slow
def test_every_command_counts_a_trial_that_was_given_up_as_failed(
    grid_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(*arguments: object) -> None:
        raise TypeError("the pack cannot be trained, says line 12")

    with monkeypatch.context() as patch, caplog.at_level("INFO", "teasel"):
        patch.setattr(worker, "_train", broken)
        summary = run(grid_file, results=tmp_path, executor=InProcess())
    assert (summary.done, summary.failed, summary.missing) == (0, 4, 0)
    warned = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warned == [
        "training beta_vae failed (exception): TypeError: the pack cannot be trained, says line "
        f"12; see `teasel failures {tmp_path}`"
    ]
    results = Results(tmp_path)
    for command, words in (
        ("status", ["0 to train", "4 failed"]),
        ("verify", ["0 trials done, 4 failed; not done yet: 0 to train, 0 to score"]),
        (f"plan {grid_file} --results", ["4 failed, 0 to train"]),
    ):
        said = shown(command, results, capsys)
        assert all(word in said for word in words), said
    everything = read_study(results).wanted_trials()
    reasons = failure_reasons(results)
    assert {t.trial_id for t, _ in everything} == reasons.keys()
    assert all("the pack cannot be trained" in reason for reason in reasons.values())
    caplog.clear()
    with caplog.at_level("INFO", "teasel"):
        again = run(grid_file, results=tmp_path, select="seed=0", executor=InProcess())
    assert again.done == 2
    assert "Trying 2 failed trials again" in caplog.messages
    tally = remaining(results, everything).tally
    assert (tally.done, tally.failed, tally.untrained) == (2, 2, 0)


def test_a_trial_that_is_tried_again_has_not_failed_meanwhile(
    grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise TypeError("no")

    with monkeypatch.context() as patch:
        patch.setattr(worker, "_train", broken)
        run(grid_file, results=tmp_path, executor=InProcess())
    (tmp_path / "leaving").touch()
    monkeypatch.setenv("TEASEL_LEAVING", str(tmp_path / "leaving"))
    assert run(grid_file, results=tmp_path, executor=InProcess()).missing == 4
    results = Results(tmp_path)
    tally = remaining(results, read_study(results).wanted_trials()).tally
    assert (tally.failed, tally.untrained) == (0, 4)


def test_a_slip_in_a_metric_is_a_failure_that_is_mended_by_the_same_command(
    results_copy: Results,
    grid_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.rmtree(Path(results_copy.uri, "tables", "scores"))
    with monkeypatch.context() as patch:
        patch.setitem(METRICS.own, "mig", replace(METRICS["mig"], function=broadcast))
        summary = run(grid_file, results=results_copy.uri, executor=InProcess())
    assert exit_code(summary) == 1
    assert summary.failed == 4
    assert "could not be broadcast together" in shown("failures", results_copy, capsys)
    assert "4 failed" in shown("status", results_copy, capsys)
    assert run(grid_file, results=results_copy.uri, executor=InProcess()).done == 4


def test_undefined_scores_are_counted_with_their_reason_and_made_again_when_asked(
    results_copy: Results,
    grid_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = results_copy
    shutil.rmtree(Path(results.uri, "tables", "scores"))
    with monkeypatch.context() as patch:
        patch.setitem(METRICS.own, "mig", replace(METRICS["mig"], function=mean_only))
        summary = run(grid_file, results=results.uri, executor=InProcess())
        assert (exit_code(summary), summary.done) == (0, 4)
    everything = read_study(results).wanted_trials()
    assert undefined_scores(results, everything) == [
        ("mig", "mean", "nothing varies", 4),
        ("mig", "sampled", "nothing varies", 4),
    ]
    for command in ("status", "failures"):
        said = shown(command, results, capsys)
        assert "8 scores are not defined" in said
        assert "mig (mean) of 4 models: nothing varies" in said
    assert "8 scores are not defined" in shown("verify", results, capsys)
    assert run(grid_file, results=results.uri, executor=InProcess()).done == 4
    assert len(undefined_scores(results, everything)) == 2  # a plain run leaves them
    run(grid_file, results=results.uri, executor=InProcess(), retry_failed=True)
    assert undefined_scores(results, everything) == []
    assert results.table("scores")["error"].null_count == len(results.table("scores")) == 16


def test_a_model_that_diverged_is_trained_again_when_asked(
    grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_worker = worker._evaluate

    def faulty(*arguments):
        return [{**row, "loss": float("nan")} for row in of_worker(*arguments)]

    with monkeypatch.context() as patch:
        patch.setattr(worker, "_evaluate", faulty)
        summary = run(grid_file, results=tmp_path, select="seed=0", executor=InProcess())
    assert summary.failed == 2
    assert run(grid_file, results=tmp_path, select="seed=0", executor=InProcess()).failed == 2
    again = run(
        grid_file, results=tmp_path, select="seed=0", executor=InProcess(), retry_failed=True
    )
    assert (again.done, again.failed) == (2, 0)
    assert Results(tmp_path).table("trials")["status"].to_pylist() == ["done", "done"]


def test_a_shard_rewrites_nothing_of_others(grid_file: Path, results_copy: Results) -> None:
    with pytest.raises(DriverError, match="run it once without --shard"):
        run(grid_file, results=results_copy.uri, shard=Shard(1, 2), retry_failed=True)


def test_a_folder_without_a_trained_trial_takes_any_grid_of_its_study(
    grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "results"
    other = grid_file.with_name("longer.yaml")
    other.write_text(grid_file.read_text().replace("steps: 6", "steps: 60"))
    monkeypatch.setenv("TEASEL_LEAVING", str(grid_file))
    assert run(other, results=results, executor=InProcess()).missing == 4
    monkeypatch.delenv("TEASEL_LEAVING")
    assert run(grid_file, results=results, executor=InProcess()).done == 4
    assert len(read_study(Results(results)).grids) == 1


def test_a_users_file_is_found_by_its_content_where_it_is_now(
    results_copy: Results, grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = results_copy.study
    here = grid_file.with_name("squares.npz")
    for places in (["/gone.npz", str(here)], [str(here), "/gone.npz"]):
        grids = [
            study["grids"][0] | {"datasets": [study["grids"][0]["datasets"][0] | {"npz": place}]}
            for place in places
        ]
        results_copy.write_study(study | {"grids": grids})
        (trial, *_) = (trial for trial, _ in read_study(results_copy).wanted_trials())
        assert trial.file is not None
        assert (trial.file.npz, *trial.file.earlier) == tuple(reversed(places))


def test_a_folder_that_was_moved_is_scored_from_the_prepared_data_set(
    results_copy: Results, grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = results_copy.study
    (data,) = study["grids"][0]["datasets"]
    moved = study["grids"][0] | {"datasets": [data | {"npz": "/elsewhere/squares.npz"}]}
    results_copy.write_study(study | {"grids": [moved]})
    summary = rescore(results_copy.uri, ["irs"], executor=InProcess())
    assert (summary.done, summary.failed) == (4, 0)
    monkeypatch.setenv("TEASEL_CACHE_DIR", str(tmp_path / "empty"))
    from teasel.sweep.trials import data as data_of_trials

    data_of_trials._open_file.cache_clear()
    with pytest.raises(Exception, match=r"/elsewhere/squares\.npz cannot be read; and it is not"):
        rescore(results_copy.uri, ["unsupervised"], executor=InProcess())


def test_a_rescoring_counts_what_it_is_to_score(
    results_copy: Results, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "teasel"):
        rescore(results_copy.uri, ["irs"], executor=InProcess())
    assert caplog.messages[0] == f"tiny, irs: 4 models to score in {results_copy.uri}"
    assert caplog.messages[-1].startswith("4 of 4 trained models are scored after ")
    assert np.isfinite(results_copy.table("scores")["value"].to_numpy()).all()


class Dies(BaseException):
    """Stands for what ends a process."""


class Mortal(InProcess):
    """Carries tasks out in this process, and takes `Dies` for the end of one."""

    def wait(self, seconds: float) -> list[Outcome]:
        task = self._queue[0]
        try:
            return super().wait(seconds)
        except Dies:
            (report,) = Control(Store(task.results_uri), task.run_id).reports().values()
            at = report["trials"][0], report["step"]
            return [Outcome(task, failure=Failure("lost", "it died"), at=at)]


def test_a_metric_that_ends_the_process_costs_its_own_score_and_no_other(
    grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Counter[str]()

    def die(representation, rng, **parameters):
        calls["mig"] += 1
        raise Dies

    def live(representation, rng, **parameters):
        calls["modularity"] += 1
        return {"modularity_score": 0.5}

    for name, function in (("mig", die), ("modularity", live)):
        monkeypatch.setitem(METRICS.own, name, replace(METRICS[name], function=function))
    summary = run(grid_file, results=tmp_path, select="seed=0,beta=1", executor=Mortal())
    assert (summary.done, summary.failed) == (0, 1)
    scores = Results(tmp_path).table("scores").to_pylist()
    assert {(row["metric"], row["representation"]) for row in scores} == {
        ("modularity", "mean"),
        ("modularity", "sampled"),
    }
    assert calls == {"mig": 5, "modularity": 2}


def test_more_scores_than_anybody_reads_are_refused_with_their_number(
    grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def talk(representation, rng, **parameters):
        return {f"s{number}": 0.0 for number in range(300_000)}

    monkeypatch.setitem(METRICS.own, "mig", replace(METRICS["mig"], function=talk))
    run(grid_file, results=tmp_path, select="seed=0,beta=1", executor=InProcess())
    (row, *_) = Results(tmp_path).table("failures").to_pylist()
    assert row["message"] == "mig returned 300,000 scores; expected at most 10,000"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "no space left"),
        pytest.param(PermissionError(13, "cache"), marks=pytest.mark.slow),
        pytest.param(DataError("it is gone"), marks=pytest.mark.slow),
    ],
)
def test_what_the_machine_lacks_is_no_trials_failure_and_ends_the_run(
    error: Exception, grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(worker, "_train", refuse)
        with pytest.raises(ClusterError, match=re.escape(str(error))):
            run(grid_file, results=tmp_path, executor=InProcess())
    left = remaining(Results(tmp_path), read_study(Results(tmp_path)).wanted_trials())
    assert (left.tally.failed, left.given_up) == (0, set())
    assert run(grid_file, results=tmp_path, executor=InProcess()).done == 4


def test_a_folder_that_is_moved_away_under_the_run_is_not_made_again(
    grid_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = worker._train

    def move(*arguments):
        (tmp_path / "here").rename(tmp_path / "there")
        return train(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(worker, "_train", move)
        with pytest.raises(StoreError, match="here is gone: it was moved or removed"):
            run(grid_file, results=tmp_path / "here", executor=InProcess())
    assert not (tmp_path / "here").exists()
    assert run(grid_file, results=tmp_path / "there", executor=InProcess()).done == 4
