"""Folders of one study, made on several machines, become one."""

import contextlib
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from teasel.__main__ import main
from teasel.analysis import scores, trials
from teasel.sweep.commands.checks import verify
from teasel.sweep.commands.merge import merge
from teasel.sweep.grid.grid import check_grid
from teasel.sweep.grid.source import read_yaml
from teasel.sweep.schedule.drivers import DriverError, at_work
from teasel.sweep.store.compact import compact
from teasel.sweep.store.forget import forget
from teasel.sweep.store.results import Results, ResultsError
from teasel.sweep.store.store import Store, StoreError
from teasel.sweep.store.tables import TrialRow
from teasel.sweep.study.freeze import freeze
from teasel.sweep.study.remaining import remaining
from teasel.sweep.study.study import read_study


@pytest.fixture(scope="module")
def folders(finished: Results, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Results]:
    """The tiny grid's folder, and what two machines would have left that did a seed each."""
    folder = tmp_path_factory.mktemp("machines")
    made = {"both": finished}
    for name, seed in (("a", 0), ("b", 1)):
        results = Results(shutil.copytree(finished.uri, folder / name))
        rows = results.table("trials", ["seed"]).to_pylist()
        forget(results, [row["trial_id"] for row in rows if row["seed"] != seed])
        study = results.study
        study["grids"][0]["seeds"] = [seed]
        results.write_study(study)
        made[name] = results
    return made


def numbers_of(results: Results) -> list[list]:
    tables = scores(results, representation=None), trials(results)[["trial_id", "loss", "kl"]]
    return [table.astype(object).where(table.notna(), None).to_numpy().tolist() for table in tables]


def tables_on_disk(results: Results) -> dict[str, int]:
    """What any reader finds."""
    folders = sorted(Path(results.uri, "tables").iterdir())
    return {each.name: len(pd.read_parquet(each)) for each in folders if each.is_dir()}


def test_two_folders_become_what_one_would_have_been(folders: dict, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in Path(folders["a"].uri).rglob("*.*")}
    assert merge([folders["a"].uri, folders["b"].uri], tmp_path / "c") == 4
    assert before == {path: path.stat().st_mtime_ns for path in Path(folders["a"].uri).rglob("*.*")}
    merged, both = Results(tmp_path / "c"), folders["both"]
    assert numbers_of(merged) == numbers_of(both)
    assert verify(merged).lines == {}
    left = remaining(merged, read_study(merged).wanted_trials())
    assert (len(left.done), left.is_empty) == (4, True)
    for trial_id in merged.statuses():
        for ours, theirs in zip(
            merged.representation(trial_id), both.representation(trial_id), strict=True
        ):
            assert (ours == theirs).all()
    assert tables_on_disk(merged) == tables_on_disk(both)


def test_each_row_has_the_hyper_parameters_of_both(tmp_path: Path) -> None:
    for name, method in (("a", "beta_vae: {beta: 1}"), ("b", "factor_vae: {gamma: 10}")):
        text = f"study: s\ndatasets: [dsprites_mini]\nseeds: 1\nmethods: {{{method}}}\n"
        source = read_yaml(text, "grid.yaml")
        results = Results(tmp_path / name)
        freeze(results, [(check_grid(source), source)])
        for trial, _ in read_study(results).wanted_trials():
            results.add("trials", trial.trial_id, [TrialRow.of(trial, status="done")])
    assert merge([tmp_path / "a", tmp_path / "b"], tmp_path / "c") == 2
    table = pd.read_parquet(tmp_path / "c" / "tables" / "trials").set_index("method")
    assert table.loc["beta_vae", ["beta", "gamma"]].fillna(0).tolist() == [1, 0]
    assert table.loc["factor_vae", ["beta", "gamma"]].fillna(0).tolist() == [0, 10]


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a"), ("a", "both", "b"), ("both", "a")])
def test_what_several_folders_have_stands_once(
    order: tuple[str, ...], folders: dict, tmp_path: Path
) -> None:
    for _ in range(2):  # a second time changes nothing
        merge([folders[name].uri for name in order], tmp_path / "c")
        merged = Results(tmp_path / "c")
        assert tables_on_disk(merged)["trials"] == 4
        assert tables_on_disk(merged)["scores"] == len(scores(merged, representation=None))
        assert not verify(merged).lines


def test_a_folder_is_added_to_another(folders: dict, tmp_path: Path) -> None:
    into = shutil.copytree(folders["a"].uri, tmp_path / "a")
    assert main(["merge", str(into), folders["b"].uri, "--into", str(into)]) == 0
    assert numbers_of(Results(into)) == numbers_of(folders["both"])


def test_a_merge_that_is_killed_anywhere_goes_on(
    folders: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [folders["a"].uri, folders["b"].uri]
    writes = 0
    whole = Store.write
    for last in itertools.count(step=7):
        left = iter(range(last))

        def write(store: Store, name: str, content: Any, left: Iterator[int] = left) -> None:
            if "running/" not in name and next(left, None) is None:
                raise StoreError("killed")
            whole(store, name, content)

        monkeypatch.setattr(Store, "write", write)
        with contextlib.suppress(StoreError):
            merge(sources, tmp_path / "c")
            writes = last
            break
    monkeypatch.undo()
    assert writes > 20
    assert numbers_of(Results(tmp_path / "c")) == numbers_of(folders["both"])
    assert not verify(Results(tmp_path / "c")).lines


def test_a_folded_folder_is_merged_like_a_loose_one(folders: dict, tmp_path: Path) -> None:
    folded = Results(shutil.copytree(folders["b"].uri, tmp_path / "b"))
    for folder in ("tables/trials", "tables/scores", *folded.code_folders()):
        compact(folded, folder)
    merge([folders["a"].uri, folded.uri], tmp_path / "c")
    assert numbers_of(Results(tmp_path / "c")) == numbers_of(folders["both"])
    assert not verify(Results(tmp_path / "c")).lines


def refused(sources: list[Results], into: Path, message: str) -> None:
    with pytest.raises(ResultsError, match=message):
        merge([source.uri for source in sources], into)
    assert not into.exists()


def test_rows_that_disagree_are_refused(
    folders: dict, results_copy: Results, tmp_path: Path
) -> None:
    rows = [TrialRow(trial_id, loss=5.0) for trial_id in results_copy.statuses()]
    for file in results_copy.store.files("tables/trials"):
        results_copy.store.remove(file)
    results_copy.add("trials", "0", rows[:1])
    message = rf"disagree\. Remove .*:\n  tables/trials: {rows[0].trial_id}: loss is 5 and"
    refused([folders["both"], results_copy], tmp_path / "c", message)


def test_a_file_that_was_changed_since_it_was_copied_is_refused(
    folders: dict, results_copy: Results, tmp_path: Path
) -> None:
    forget(results_copy, list(results_copy.statuses())[:1])
    refused([folders["both"], results_copy], tmp_path / "c", "differs between .*forget")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("study: tiny", "study: other", "study: one has 'tiny', the other 'other'"),
        ("steps: 6", "steps: 7", "beta_vae, steps: one has 6, the other 7"),
    ],
)
def test_folders_of_two_studies_are_refused(
    old: str, new: str, message: str, folders: dict, results_copy: Results, tmp_path: Path
) -> None:
    text = results_copy.store.read("study.json").decode()
    changed = text.replace('"study": "tiny"', '"study": "other"') if "study" in old else text
    changed = changed if "study" in old else changed.replace('"steps": 6', '"steps": 7')
    results_copy.store.write("study.json", changed.encode())
    refused([folders["a"], results_copy], tmp_path / "c", f"hold different studies:\n  {message}")


def test_a_folder_at_which_a_driver_is_at_work_is_refused(
    folders: dict, results_copy: Results, tmp_path: Path
) -> None:
    with at_work(results_copy, "run"):
        driver = results_copy.store.read("running/drivers/run.json").decode()
    driver = driver.replace(f'"pid": {os.getpid()}', f'"pid": {os.getppid()}')
    results_copy.store.write("running/drivers/run.json", driver.encode())
    with pytest.raises(DriverError, match="at work here"):
        merge([folders["a"].uri, results_copy.uri], tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_folder_without_a_study_is_refused(folders: dict, tmp_path: Path) -> None:
    refused([folders["a"], Results(tmp_path / "none")], tmp_path / "c", "no results here")
