"""A results folder on an object store: moto's server, on this machine, stands for S3."""

import pandas as pd
import pytest
from pyarrow import fs

from teasel.__main__ import main
from teasel.analysis import scores
from teasel.sweep.commands.run import run
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store import compact as compaction
from teasel.sweep.store.compact import fold_small
from teasel.sweep.store.results import Results
from teasel.sweep.store.store import MissingFileError, Store, StoreError

SECRETS = ("a-key", "a-secret")


def test_files_are_written_read_listed_and_removed(query: str) -> None:
    store = Store(f"s3://studies/files?{query}")
    store.write("a/b.txt", b"one")
    store.write("a/b.txt", b"two")
    assert store.read("a/b.txt") == b"two"
    assert store.read("a/b.txt", 1) == b"t"
    assert store.sizes("a") == {"a/b.txt": 3}
    assert store.folders() == ["a"]
    assert store.files("nowhere") == []
    store.remove("a/b.txt")
    store.remove("a/b.txt")
    assert not store.exists("a/b.txt")
    with pytest.raises(MissingFileError, match=r"cannot read studies/files/a/b\.txt"):
        store.read("a/b.txt")


def test_a_sweep_runs_resumes_and_is_read_there(
    query: str,
    grid_file: pytest.TempPathFactory,
    finished: Results,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uri = f"s3://studies/tiny?{query}"
    assert run([str(grid_file)], uri, select="seed<1", executor=InProcess()).done == 2
    assert main(["status", uri]) == 0
    assert "2 of 4 trials done" in capsys.readouterr().out
    monkeypatch.setattr(compaction, "FEWEST", 2)
    fold_small(Results(uri), "run", lambda file: True)  # as a driver on its way
    assert len(Results(uri).store.files("tables/scores", ".parquet")) == 1
    assert main(["verify", uri]) == 0
    assert "clean; 2 trials done" in capsys.readouterr().out
    assert run([str(grid_file)], uri, executor=InProcess()).done == 4
    assert len(Results(uri).store.files("tables/scores", ".parquet")) == 1
    folded = scores(uri, wide=True).sort_values("trial_id", ignore_index=True)
    assert main(["compact", uri]) == 0
    assert main(["verify", uri]) == 0
    assert "clean; 4 trials done" in capsys.readouterr().out
    wide = scores(uri, wide=True).sort_values("trial_id", ignore_index=True)
    here = scores(finished, wide=True).sort_values("trial_id", ignore_index=True)
    numbers = ["trial_id", "loss", "kl", "mig", "modularity"]
    assert wide[numbers].equals(here[numbers])
    assert folded[numbers].equals(here[numbers])
    store, root = fs.FileSystem.from_uri(uri)  # as docs/queries.md says
    assert len(pd.read_parquet(f"{root}/tables/scores", filesystem=store)) == 4 * 2 * 2
    codes = Results(uri).representation(wide["trial_id"][0])[0]
    assert (codes == finished.representation(wide["trial_id"][0])[0]).all()


def test_a_bucket_that_is_not_there_is_one_clear_line(
    query: str, grid_file: pytest.TempPathFactory, capsys: pytest.CaptureFixture
) -> None:
    uri = f"s3://nowhere/tiny?{query}"
    assert main(["run", str(grid_file), "--results", uri]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "cannot write nowhere/tiny/" in said
    assert "bucket does not exist" in said
    assert main(["status", uri]) == 2
    assert "no results here" in capsys.readouterr().err


def test_an_endpoint_that_is_not_there_is_one_clear_line(
    query: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(["status", "s3://studies/tiny?endpoint_override=127.0.0.1:9&scheme=http"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "cannot look for studies/tiny/study.json: " in said


def test_secrets_of_a_uri_are_used_but_neither_shown_nor_kept(
    endpoint: str, finished: Results, capsys: pytest.CaptureFixture
) -> None:
    query = f"endpoint_override={endpoint}&scheme=http"
    uri = f"s3://{':'.join(SECRETS)}@studies/secret?{query}"
    results = Results(uri)
    study = finished.study
    results.write_study(study, "")
    assert main(["status", uri]) == 0
    assert main(["failures", uri]) == 0
    assert main(["verify", uri]) == 0
    shown = capsys.readouterr()
    assert f"s3://studies/secret?{query}" in shown.out
    assert SECRETS[1] not in shown.out + shown.err
    kept = b"".join(results.store.read(name) for name in results.store.files())
    assert SECRETS[1].encode() not in kept
    with pytest.raises(StoreError) as caught:
        Store(f"s3://{':'.join(SECRETS)}@studies/x?nonsense=1")
    assert SECRETS[1] not in str(caught.value)
