"""A results folder from a stranger, from a damaged disk or from another version does no harm."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from teasel.__main__ import main
from teasel.sweep.commands.run import run
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store.results import Results
from teasel.sweep.store.store import Store, StoreError

GARBAGE = [b"", b"garbage", b"[]", b"{}", b"[" * 100_000, b'{"files": [1]}']


def say(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[int, str]:
    """The exit code of a command and what it said."""
    code = main(list(command))
    shown = capsys.readouterr()
    return code, shown.out + shown.err


NAMES = ["../x", "a/../../x", "/etc/x", "a//x", "a/./x", "..", ".", "a\\..\\x", "a\0x", "a/"]


@pytest.mark.parametrize("uri", ["folder", "mock:///bucket/study"])
@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_out_of_a_folder(uri: str, name: str, tmp_path: Path) -> None:
    store = Store(uri if ":" in uri else tmp_path / uri)
    for use in (
        store.read,
        store.exists,
        store.remove,
        store.files,
        store.folders,
        lambda name: store.write(name, b""),
        lambda name: store.move(name, "quarantine/x"),
        lambda name: store.move("x", name),
        store.parquet,
    ):
        with pytest.raises(StoreError, match="is no name of a file in it"):
            use(name)


def test_nothing_is_written_or_removed_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.parquet").write_bytes(b"mine")
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "tables").symlink_to(tmp_path / "mine")
    store = Store(tmp_path / "given")
    for change in (
        lambda: store.remove("tables/a.parquet"),
        lambda: store.write("tables/a.parquet", b"theirs"),
        lambda: store.write("tables/new/a.parquet", b"theirs"),
        lambda: store.move("tables/a.parquet", "quarantine/a.parquet"),
    ):
        with pytest.raises(StoreError, match="a link leads from"):
            change()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["a.parquet"]
    assert (tmp_path / "mine" / "a.parquet").read_bytes() == b"mine"
    (tmp_path / "linked").symlink_to(tmp_path / "given")  # the folder itself may be a link
    Store(tmp_path / "linked").write("x", b"")


def test_a_manifest_makes_compact_and_verify_touch_no_file_outside(
    results_copy: Results, finished: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = Path(shutil.copytree(finished.uri, tmp_path / "victim"))
    (tmp_path / "id_rsa").write_bytes(b"secret")
    before = {path: path.read_bytes() for path in sorted(victim.rglob("*")) if path.is_file()}
    score = next((victim / "tables" / "scores").iterdir()).name
    scores = Path(results_copy.uri, "tables", "scores")
    for name in (f"../../../victim/tables/scores/{score}", "../../../id_rsa", "x/../y.parquet"):
        (scores / "_manifest.json").write_text(json.dumps({"files": {name: []}}))
        for command in (["compact"], ["status"], ["verify"], ["report"]):
            code, said = say(capsys, *command, results_copy.uri)
            assert code == (1 if command == ["verify"] else 2)
            assert "it names" in said
        say(capsys, "verify", results_copy.uri, "--quarantine")
    assert say(capsys, "verify", results_copy.uri)[0] == 0
    assert (tmp_path / "id_rsa").read_bytes() == b"secret"
    assert {p: p.read_bytes() for p in sorted(victim.rglob("*")) if p.is_file()} == before


def rewrite(file: Path, **columns: Any) -> None:
    """Puts one value into all rows of some columns."""
    table = pq.read_table(file)
    for name, value in columns.items():
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array([value] * len(table)))
    pq.write_table(table, file)


def test_attempts_and_data_sets_of_stored_rows_name_no_file_outside(
    results_copy: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secret.safetensors").write_bytes(b"secret")
    for file in Path(results_copy.uri, "tables", "trials").iterdir():
        rewrite(file, attempt_id="../../secret", dataset="../../x")
    (trial_id, *_) = results_copy.statuses()
    with pytest.raises(StoreError, match="is no name of a file in it"):
        Results(results_copy.uri).representation(trial_id)
    assert say(capsys, "verify", results_copy.uri)[0] == 1
    say(capsys, "verify", results_copy.uri, "--quarantine")
    assert (tmp_path / "secret.safetensors").read_bytes() == b"secret"


def test_a_checkpoint_names_no_file_to_be_removed(results_copy: Results, grid_file: Path) -> None:
    (trial_id, *_) = results_copy.statuses()
    (score, *_) = results_copy.store.files("tables/scores")
    index = {"step": 1, "trial_ids": [trial_id], "train_seconds": 1.0, "state_file": score}
    results_copy.store.write("checkpoints/x-1.json", json.dumps(index).encode())
    run([str(grid_file)], results=results_copy.uri, executor=InProcess())
    assert results_copy.store.files("checkpoints") == []
    assert results_copy.store.exists(score)


def test_reading_a_folder_opens_no_data_set_that_it_names(
    results_copy: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = tmp_path / "pipe.npz"
    os.mkfifo(pipe)  # whoever opens it waits for ever
    study = results_copy.study
    study["grids"][0]["datasets"][0]["npz"] = str(pipe)
    results_copy.write_study(study)
    for command in ("status", "verify", "compact", "failures", "report"):
        assert say(capsys, command, results_copy.uri)[0] == 0


ODD = "\x1b]0;title\x07\x1b[31m<script>alert(1)</script>|`"


def test_what_a_strangers_text_holds_is_shown_as_text(
    results_copy: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = results_copy.study
    study["study"] = study["grids"][0]["description"] = ODD
    study["catalogue"]["methods"]["beta_vae"]["label"] = ODD
    results_copy.write_study(study)
    for file in Path(results_copy.uri, "tables", "trials").iterdir():
        rewrite(file, device=ODD, data_source=ODD)
    failure = {"pack_id": "p", "kind": "train", "trial_ids": [ODD], "attempt": 1, "message": ODD}
    failure |= {"attempt_id": "a", "cause": ODD, "traceback": ODD, "log": ODD, "at": ODD}
    results_copy.add("failures", "x", [failure])
    for command in ("status", "failures", "verify"):
        code, said = say(capsys, command, results_copy.uri)
        assert code == 0
        assert "\x1b" not in said
        assert "\x07" not in said
    assert "\\x1b]0;title\\x07" in say(capsys, "failures", results_copy.uri)[1]
    assert say(capsys, "report", results_copy.uri, "--export", str(tmp_path / "out"))[0] == 0
    page = (tmp_path / "out" / "README.md").read_text()
    assert "script" in page
    assert "<script" not in page


def test_a_column_may_have_any_name(results_copy: Results, capsys: Any) -> None:
    for file in Path(results_copy.uri, "tables", "trials").iterdir():
        table = pq.read_table(file)
        rows = np.arange(len(table), dtype=float)
        pq.write_table(table.append_column("a=b, c=, d", pa.array(rows)), file)
    assert say(capsys, "report", results_copy.uri)[0] == 0


def number_ids(file: Path) -> None:
    table = pq.read_table(file)
    ids = pa.array([float("nan")] * len(table))
    pq.write_table(table.set_column(table.column_names.index("trial_id"), "trial_id", ids), file)


def foreign(file: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), file)


def text_value(file: Path) -> None:
    rewrite(file, attempt="many")


def change(**changes: Any) -> Callable[[Path], None]:
    """Changes keys of a JSON file that carries no digest."""

    def make(file: Path) -> None:
        study = json.loads(file.read_text())
        study.pop("digest", None)
        for place, value in changes.items():
            *above, last = place.split("__")
            inner = study
            for key in above:
                inner = inner[int(key) if key.isdigit() else key]
            if value is None:
                inner.pop(last, None)
            else:
                inner[last] = value
        file.write_text(json.dumps(study))

    return make


def contain(content: bytes) -> Callable[[Path], None]:
    return lambda file: None if not file.write_bytes(content) else None


STUDIES = {
    "version text": change(schema_version="two"),
    "version gone": change(schema_version=None),
    "grids a text": change(grids="all"),
    "grids gone": change(grids=None),
    "grids empty": change(grids=[]),
    "a grid without methods": change(grids__0__methods=None),
    "a grid without yaml": change(grids__0__yaml=None),
    "steps a text": change(grids__0__training="x", grids__0__seeds=["one"]),
    "latest too high": change(latest=7),
    "requests of no score": change(grids__0__requests_of={"beta_vae": [99]}),
    "requests gone": change(grids__0__requests_of=None),
    "catalogue a list": change(catalogue=[]),
    "a metric with more": change(grids__0__metrics=[{"metric": "mig", "new": 1}]),
}
FILES: dict[str, dict[str, Callable[[Path], None]]] = {
    "study.json": STUDIES,
    "tables/scores/foreign.parquet": {"foreign": foreign},
    "tables/trials/*.parquet": {"ids are numbers": number_ids, "numbers are texts": text_value},
    "tables/scores/*.parquet": {"ids are numbers": number_ids},
    "tables/scores/_manifest.json": {"a list": contain(b'{"files": ["x"]}')},
    "tables/_columns.json": {"numbers": contain(b'{"trials": 1}')},
    "representations/squares/*.parquet": {"foreign": foreign},
    "representations/squares/factors.parquet": {"foreign": foreign},
    "checkpoints/x-1.json": {"half": contain(b'{"step": 1}')},
    "running/drivers/x.json": {"half": contain(b'{"host": 1}')},
    "running/x.json": {"half": contain(b'{"at": "noon"}')},
    "codes/x.npy": {},
}
for _file, _kinds in FILES.items():
    if _file.endswith((".json", ".npy")):
        _kinds |= {repr(content[:8]): contain(content) for content in GARBAGE}


@pytest.mark.parametrize(
    ("file", "kind"), [(file, kind) for file, kinds in FILES.items() for kind in kinds]
)
def test_no_file_ends_a_command_in_a_traceback(
    file: str,
    kind: str,
    results_copy: Results,
    grid_file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = Path(results_copy.uri)
    found = sorted(folder.glob(file)) if "*" in file else [folder / file]
    found[0].parent.mkdir(parents=True, exist_ok=True)
    FILES[file][kind](found[0])
    grid, uri = str(grid_file), results_copy.uri
    code, said = say(capsys, "verify", uri)
    assert code in (0, 1)
    told = found[0].name in said
    for command in (["status", uri], ["plan", grid, "--results", uri], ["failures", uri]):
        code, said = say(capsys, *command)
        assert code in (0, 2)
        if code == 2:
            assert told
            assert said.count("\n") == 1
            assert found[0].name in said
    if told:
        say(capsys, "verify", uri, "--quarantine")
    run([grid], results=uri, executor=InProcess())
    assert say(capsys, "verify", uri)[0] == 0
    assert say(capsys, "compact", uri)[0] == 0
