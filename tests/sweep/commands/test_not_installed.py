"""A finished folder is read where its method, its metric and its data set are not installed."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from teasel.__main__ import main
from teasel.analysis import representation, scores, trials
from teasel.errors import UnknownNameError
from teasel.sweep.commands.rescore import rescore
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store.results import Results
from teasel.sweep.study.study import read_study

RENAMED = {"beta_vae": "gone_method", "modularity": "lost_measure", "squares": "gone_set"}
READING = [
    "status {}",
    "failures {}",
    "verify {}",
    "compact {}",
    "top {} --metric mig",
    "report {} --output {}/page.html",
]


def rename(value: object) -> object:
    """A JSON value in which these names are the others'."""
    if isinstance(value, dict):
        return {RENAMED.get(key, key): rename(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rename(inner) for inner in value]
    return RENAMED.get(value, value) if isinstance(value, str) else value


def rename_rows(file: Path, names: dict[str, str]) -> None:
    """Writes a Parquet file anew, with other names in it."""
    table = pq.read_table(file)
    for name in ("trial_id", "dataset", "method", "metric", "score"):
        if name in table.column_names:
            texts = [names.get(text, text) for text in table[name].to_pylist()]
            place = table.column_names.index(name)
            table = table.set_column(place, name, pa.array(texts, pa.string()))
    groups = {"row_group_size": 15_000} if "mean" in table.column_names else {}
    pq.write_table(table, file, write_page_checksum=True, **groups)


@pytest.fixture(scope="module")
def folders(finished: Results, tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Results]:
    """A finished folder, and one in which a plug-in that is gone made the same.

    A data set of the catalogue has no file. As trial ids are made of names, they are others.
    """
    folder = tmp_path_factory.mktemp("gone")
    here = Results(shutil.copytree(finished.uri, folder / "here"))
    gone = Results(shutil.copytree(finished.uri, folder / "gone"))
    study = json.loads(gone.store.read("study.json"))
    for grid in study["grids"]:
        grid["yaml"] = grid["yaml"].replace("beta_vae", "gone_method")
        for data in grid["datasets"]:
            del data["npz"], data["sha256"]
    gone.store.write("study.json", json.dumps(rename(study)).encode())
    ids = dict(zip(ids_of(here), ids_of(gone), strict=True))
    Path(gone.uri, "representations/squares").rename(Path(gone.uri, "representations/gone_set"))
    for file in Path(gone.uri).rglob("*.parquet"):
        rename_rows(file, RENAMED | ids)
    for file in Path(here.uri).rglob("*.parquet"):
        rename_rows(file, {})  # so that neither folder has digests
    shutil.rmtree(Path(gone.uri, "models"))
    shutil.rmtree(Path(here.uri, "models"))
    for results in (here, gone):
        kept = json.loads(results.store.read("study.json"))
        kept["grids"][0]["save_models"] = False
        results.store.write("study.json", json.dumps(kept).encode())
    return here, gone


def ids_of(results: Results) -> list[str]:
    return [wanted.trial.trial_id for wanted in read_study(results).wanted_trials()]


@pytest.mark.parametrize(
    "command",
    [pytest.param(it, marks=pytest.mark.slow) if it.startswith("report") else it for it in READING],
)
def test_every_reading_command_says_the_same(
    folders: tuple[Results, Results], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = map(ids_of, folders)
    said = []
    for results in folders:
        assert main(command.replace("{}", results.uri).split()) == 0
        said.append(capsys.readouterr().out.replace(results.uri, "DIR"))
    for old, new in (RENAMED | dict(zip(*ids, strict=True))).items():
        said[0] = said[0].replace(old, new)
    assert said[0].split() == said[1].split()


def test_its_numbers_are_the_same(folders: tuple[Results, Results]) -> None:
    here, gone = (scores(results, wide=True) for results in folders)
    pairs = {name: name for name in ("mig", "kl", "elbo", "beta", "seed")}
    for old, new in (pairs | {"modularity": "lost_measure"}).items():
        assert here[old].tolist() == gone[new].tolist()
    assert set(gone["method"]) == {"gone_method"}
    for results in folders:
        (first, *_) = trials(results)["trial_id"]
        assert representation(results, first).means.shape == (15_000, 3)


def test_a_new_score_needs_the_data_set(folders: tuple[Results, Results]) -> None:
    message = "unknown data set 'gone_set' of this study: install the package that adds it"
    with pytest.raises(UnknownNameError, match=message):
        rescore(folders[1].uri, ["sap"], executor=InProcess())
    assert "sap" not in folders[1].study["catalogue"]["metrics"]


def test_a_run_names_all_that_is_missing(
    folders: tuple[Results, Results], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = tmp_path / "gone.yaml"
    grid.write_text(
        "study: tiny\ndatasets: gone_set\nseeds: 1\n"
        "methods: {gone_method: {}}\nmetrics: [lost_measure]\n"
    )
    assert main(["run", str(grid), "--results", folders[1].uri]) == 2
    lines = capsys.readouterr().err.splitlines()
    missing = {"data set": "gone_set", "method": "gone_method", "metric": "lost_measure"}
    for (kind, name), line in zip(missing.items(), lines, strict=True):
        assert f"unknown {kind} '{name}'" in line
        assert "one of your own must be installed" in line
