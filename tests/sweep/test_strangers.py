"""A results folder from a stranger, from a damaged disk or from another version does no harm."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from teasel.__main__ import main
from teasel.models.checkpoint import to_bytes
from teasel.storage import is_sound
from teasel.sweep.commands.run import run
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store import checkpoints, code_tables
from teasel.sweep.store.compact import compact
from teasel.sweep.store.results import Results, ResultsError
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
        lambda name: store.parquet(name, str),
    ):
        with pytest.raises(StoreError, match="is not a valid file name in it"):
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
    with pytest.raises(StoreError, match="is not a valid file name in it"):
        Results(results_copy.uri).representation(trial_id)
    assert say(capsys, "verify", results_copy.uri)[0] == 1
    say(capsys, "verify", results_copy.uri, "--quarantine")
    assert (tmp_path / "secret.safetensors").read_bytes() == b"secret"


def test_a_checkpoint_names_no_file_to_be_removed(results_copy: Results) -> None:
    (trial_id, *_) = results_copy.statuses()
    (score, *_) = results_copy.store.files("tables/scores")
    index = {"step": 1, "trial_ids": [trial_id], "train_seconds": 1.0, "state_file": score}
    results_copy.store.write("checkpoints/x-1.json", json.dumps(index).encode())
    checkpoints.forget_trained(results_copy, {trial_id})
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
    for command in ("status", "verify", "compact", "failures"):
        assert say(capsys, command, results_copy.uri)[0] == 0


ODD = "\x1b]0;title\x07\x1b[31m<script>alert(1)</script>|`"


@pytest.mark.slow
def test_what_a_strangers_text_holds_is_shown_as_text(
    results_copy: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = results_copy.study
    study["study"] = study["grids"][0]["description"] = ODD
    study["catalogue"]["methods"]["beta_vae"]["label"] = ODD[13:]
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


def test_an_odd_text_in_a_grid_is_shown_as_text_by_plan_and_merge(
    results_copy: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = tmp_path / "odd.yaml"
    text = "study: s\ndatasets: dsprites\nseeds: 1\nmethods: {pca: {}}\nmetrics: [mig]\n"
    grid.write_text(f"{text}description: {json.dumps(ODD)}\n")
    folder = tmp_path / "\x1b[31mhere"
    for _, said in (
        say(capsys, "plan", str(grid)),
        say(capsys, "plan", str(folder)),
        say(capsys, "merge", results_copy.uri, "--into", str(folder)),
    ):
        assert "\\x1b[31m" in said
        assert "\x1b" not in said
        assert "\x07" not in said


@pytest.mark.slow
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


def contain(content: bytes) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(content)


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
    "requests of no score on a data set": change(grids__0__requests_on={"squares": [99]}),
    "an option of another kind": change(
        grids__0__datasets=[{"name": "squares", "npz": "a.npz", "sha256": "0", "resize": "x"}]
    ),
    "requests gone": change(grids__0__requests_of=None),
    "catalogue a list": change(catalogue=[]),
    "a metric with more": change(grids__0__metrics=[{"metric": "mig", "new": 1}]),
}
FILES: dict[str, dict[str, Callable[[Path], object]]] = {
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
    "running/aside-x": {"escapes": contain(b"\xff\x00\x1b[31m")},
    "codes/x.npy": {},
}
for _file, _kinds in FILES.items():
    if _file.endswith((".json", ".npy")):
        _kinds |= {repr(content[:8]): contain(content) for content in GARBAGE}


HARMS = [(file, kind) for file, kinds in FILES.items() for kind in kinds]
MOST_HARMS = [  # the others slow
    pytest.param(file, kind, marks=pytest.mark.slow)
    if file != "study.json" and kind.startswith("b'")
    else (file, kind)
    for file, kind in HARMS
]


def harm(results: Results, file: str, kind: str) -> str:
    """Harms a file of a folder; returns its name."""
    folder = Path(results.uri)
    found = sorted(folder.glob(file))[0] if "*" in file else folder / file
    found.parent.mkdir(parents=True, exist_ok=True)
    FILES[file][kind](found)
    return found.name


@pytest.mark.parametrize(("file", "kind"), MOST_HARMS)
def test_no_file_ends_a_command_in_a_traceback(
    file: str, kind: str, results_copy: Results, grid_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, uri = harm(results_copy, file, kind), results_copy.uri
    code, said = say(capsys, "verify", uri)
    assert code in (0, 1)
    told = name in said
    by_hand = kind == "grids gone"  # such a study can be read, and nothing be added
    for command in (["status", uri], ["plan", str(grid_file), "--results", uri], ["compact", uri]):
        code, said = say(capsys, *command)
        assert code in (0, 2)
        if code == 2:
            assert told or by_hand
            assert name in said.splitlines()[-1]
            assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize(("file", "kind"), HARMS)
def test_what_verify_puts_aside_the_same_run_makes_again(
    file: str, kind: str, finished: Results, results_copy: Results, grid_file: Path
) -> None:
    harm(results_copy, file, kind)
    uri = results_copy.uri
    if kind == "grids gone":
        return
    assert main(["verify", uri, "--quarantine"]) in (0, 1)
    run([str(grid_file)], results=uri, executor=InProcess())
    assert main(["compact", uri]) == 0  # trained again, a curve stands twice
    assert main(["verify", uri]) == 0
    assert numbers_of(results_copy) == numbers_of(finished)


def numbers_of(results: Results) -> dict[str, list[str]]:
    """What must not change, whatever befalls a folder: the numbers of all tables."""
    columns = {
        "trials": ["trial_id", "loss", "reconstruction", "kl", "elbo", "status"],
        "scores": ["trial_id", "representation", "metric", "score", "value", "error"],
        "curves": ["trial_id", "step", "loss", "reconstruction", "kl", "regularizer"],
        "pictures": ["trial_id", "kind", "png"],
    }
    return {
        name: sorted(map(str, results.table(name).select(names).to_pylist()))
        for name, names in columns.items()
    }


def read_all(results: Results) -> dict[str, Any]:
    """All that a folder holds, as its readers give it."""
    found: dict[str, Any] = dict(numbers_of(results))
    found["study"] = {name: value for name, value in results.study.items() if name != "digest"}
    for trial_id in results.statuses():
        found[trial_id] = [array.tobytes() for array in results.representation(trial_id)]
    for folder in ("models", "checkpoints", "codes"):
        for file in results.store.files(folder):
            found[file] = results.store.read(file)
    return found


@pytest.fixture
def whole(results_copy: Results) -> Results:
    """A finished folder with a file of every kind, of which one folder is folded."""
    results = results_copy
    trial_ids = list(results.statuses())
    mean = np.arange(12, dtype=np.float32).reshape(4, 3)
    code_tables.save(results, trial_ids[0], mean, mean + 1)
    state = to_bytes({"method": "m"}, [{"seed": 0}], 3, [{"w": mean}])
    checkpoints.save(results, "x-train-1", 3, trial_ids, 1.0, state)
    compact(results, "tables/scores")
    compact(results, "tables/pictures")
    return results


def flip(results: Results, name: str, rng: np.random.Generator) -> tuple[bytes, bytes]:
    """Flips a bit of a file, wherever the folder lies; returns what was there and what is now."""
    filesystem, root = fs.FileSystem.from_uri(results.store.uri_with_secrets)
    with filesystem.open_input_file(f"{root}/{name}") as stream:
        content = stream.read()
    harmed = bytearray(content)
    harmed[rng.integers(len(content))] ^= 1 << rng.integers(8)
    put(results, name, bytes(harmed))
    return content, bytes(harmed)


def put(results: Results, name: str, content: bytes) -> None:
    """Writes a file past Teasel, which would seal it."""
    filesystem, root = fs.FileSystem.from_uri(results.store.uri_with_secrets)
    with filesystem.open_output_stream(f"{root}/{name}") as stream:
        stream.write(content)


def files_of(results: Results) -> list[PurePosixPath]:
    """The files of a folder whose damage must be noticed."""
    filesystem, root = fs.FileSystem.from_uri(results.store.uri_with_secrets)
    found = filesystem.get_file_info(fs.FileSelector(root, recursive=True))
    names = [PurePosixPath(each.path).relative_to(root) for each in found if each.is_file]
    return sorted(n for n in names if n.parent.name != "logs" and n.suffix not in (".yaml", ""))


def copy_to(results: Results, uri: str) -> Results:
    """The same files in another place, which must be empty."""
    target = fs.FileSystem.from_uri(uri)
    fs.copy_files(results.uri, target[1], fs.LocalFileSystem(), target[0])
    return Results(uri)


def flip_and_read(results: Results, num: int, seed: int) -> dict[str, int]:
    """How many of some flipped bits were noticed, by folder; an unnoticed one changes nothing."""
    expected = read_all(Results(results.store.uri_with_secrets))
    files, rng = files_of(results), np.random.default_rng(seed)
    noticed = dict.fromkeys((file.suffix for file in files), 0)
    for number in range(num):
        file = files[number % len(files)]
        content, harmed = flip(results, str(file), rng)
        said, found = "", dict[str, Any]()
        try:
            fresh = Results(results.store.uri_with_secrets)
            if file.suffix == ".json":
                fresh.store.read_json(str(file))
            found = read_all(fresh)
        except (StoreError, ResultsError) as error:
            said = str(error)
        if said:
            assert file.name in said
            noticed[file.suffix] += 1
        else:
            itself = {str(file): expected.get(str(file))}
            assert found | itself == expected | itself, (file, number)
            assert is_sound(harmed) is None  # the digest's own mark is what was hit
        put(results, str(file), content)
    return noticed


def test_a_flipped_bit_is_an_error_that_names_the_file_or_changes_nothing(whole: Results) -> None:
    noticed = flip_and_read(whole, 60, seed=0)
    assert min(noticed.values()) >= 2
    assert sum(noticed.values()) >= 57


@pytest.mark.slow
def test_a_flipped_bit_on_an_object_store_is_noticed(whole: Results, query: str) -> None:
    results = copy_to(whole, f"s3://studies/flips?{query}")
    noticed = flip_and_read(results, 60, seed=4)
    assert sum(noticed.values()) >= 57


@pytest.mark.slow
def test_thousands_of_flipped_bits_are_noticed(whole: Results) -> None:
    noticed = flip_and_read(whole, 5_000, seed=1)
    assert sum(noticed.values()) >= 4_800  # the digest's mark is a fortieth of these small files


@pytest.mark.slow
def test_verify_names_the_file_of_every_flipped_bit(
    results_copy: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    files, rng = files_of(results_copy), np.random.default_rng(3)
    for number in range(200):
        file = files[number % len(files)]
        content, harmed = flip(results_copy, str(file), rng)
        code, said = say(capsys, "verify", results_copy.uri)
        assert (code == 1 and file.name in said) or is_sound(harmed) is None
        put(results_copy, str(file), content)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["disk", "object store"])
def test_flipped_bits_are_found_put_aside_and_made_good(
    finished: Results, grid_file: Path, tmp_path: Path, place: str, request: pytest.FixtureRequest
) -> None:
    rng, expected = np.random.default_rng(2), numbers_of(finished)
    for number, file in enumerate(files_of(finished)):
        if file.parent.name in ("curves", "pictures"):  # `forget` makes these again
            continue
        if place == "disk":
            uri = str(shutil.copytree(finished.uri, tmp_path / str(number)))
        else:
            uri = f"s3://studies/mend{number}?{request.getfixturevalue('query')}"
            copy_to(finished, uri)
        flip(Results(uri), str(file), rng)
        assert main(["verify", uri]) == 1
        assert main(["verify", uri, "--quarantine"]) in (0, 1)
        run([str(grid_file)], results=uri, executor=InProcess())
        assert main(["compact", uri]) == 0
        assert main(["verify", uri]) == 0
        assert numbers_of(Results(uri)) == expected


def test_scores_name_the_attempt_of_their_model_and_go_aside_with_it(
    finished: Results, results_copy: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = results_copy.table("scores", ["model_attempt_id"]).to_pylist()
    attempts = {trial_id: attempt for trial_id, (_, attempt) in finished.attempts().items()}
    assert all(row["model_attempt_id"] == attempts[row["trial_id"]] for row in scores)
    gone = attempts[scores[0]["trial_id"]]
    model = Path(results_copy.uri, "models", f"{gone}.safetensors")
    content = bytearray(model.read_bytes())
    content[-3] ^= 64  # an exponent
    model.write_bytes(content)
    code, said = say(capsys, "verify", results_copy.uri, "--quarantine")
    assert f"models/{gone}.safetensors: its content does not match its digest" in said
    assert code == 0
    left = results_copy.table("scores", ["model_attempt_id"])["model_attempt_id"].to_pylist()
    assert left
    assert set(left) == set(attempts.values()) - {gone}


def test_a_damaged_cache_of_codes_is_none(whole: Results) -> None:
    (file,) = whole.store.files("codes")
    trial_id = Path(file).stem
    assert code_tables.load(whole, trial_id) is not None
    content = whole.store.read(file)
    for harmed in (b"", content[:-40], b"PK" + content, content.replace(b"\0", b"\1", 1)):
        Path(whole.uri, file).write_bytes(harmed)
        assert code_tables.load(whole, trial_id) is None


def test_a_folder_without_digests_is_read_and_said_to_have_none(
    results_copy: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in Path(results_copy.uri).rglob("*.*"):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(b"teasel-digest", b"teasel-digesx"))
    code, said = say(capsys, "verify", results_copy.uri)
    assert code == 0
    assert "files have no digest" in said
    assert "clean; 4 trials done" in said


def test_a_folder_that_may_only_be_read_is_read_and_is_not_written(
    results_copy: Results, grid_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(results_copy.uri)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    was_root = os.geteuid() == 0
    for above in list(folder.parents)[:3] if was_root else ():
        above.chmod(0o755)  # pytest's folders are their maker's alone
    if was_root:
        os.seteuid(65534)
    try:
        for command in (["status"], ["verify"], ["failures"]):
            assert say(capsys, *command, str(folder))[0] == 0
        code, said = say(capsys, "compact", str(folder))
    finally:
        if was_root:
            os.seteuid(0)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
    assert code == 2
    assert said.splitlines()[-1].endswith("Permission denied")


def test_a_folder_copied_while_it_was_written_is_made_whole_by_the_same_run(
    finished: Results, results_copy: Results, grid_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The models were copied before the attempt wrote them, its rows after that."""
    folder = Path(results_copy.uri)
    shutil.rmtree(folder / "models")
    compact(results_copy, "tables/scores")
    shutil.copytree(
        Path(finished.uri, "tables", "scores"), folder / "tables" / "scores", dirs_exist_ok=True
    )
    code, said = say(capsys, "verify", results_copy.uri)
    assert code == 1
    assert "gone: 4" in said
    assert say(capsys, "status", results_copy.uri)[0] == 0
    say(capsys, "verify", results_copy.uri, "--quarantine")
    assert results_copy.statuses() == {}
    assert len(results_copy.table("scores")) == 0


def test_codes_of_two_widths_are_folded_into_two_files(tmp_path: Path) -> None:
    results, rng = Results(tmp_path), np.random.default_rng(0)
    rows, codes = [], {}
    for number in range(6):
        trial_id, attempt_id = f"{number:016x}", f"{number}-train-1"
        codes[trial_id] = rng.normal(size=(2, 5, 3 + number % 2)).astype(np.float32)
        results.add_codes("squares", attempt_id, [(trial_id, *codes[trial_id])])
        rows.append({"trial_id": trial_id, "dataset": "squares", "attempt_id": attempt_id})
    results.add_points("squares", np.arange(5), np.zeros((5, 2), np.int64))
    results.add("trials", "x", rows)
    compact(results, "representations/squares")
    assert len(results.store.files("representations/squares", ".parquet")) == 3  # and the points
    for trial_id, (mean, log_variance) in codes.items():
        found = Results(tmp_path).representation(trial_id)
        np.testing.assert_array_equal(found[0], mean)
        np.testing.assert_array_equal(found[1], log_variance)


def test_every_test_that_the_page_names_is_there() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "reliability.md").read_text()
    tests = {path.name: path.read_text() for path in (root / "tests").rglob("test_*.py")}
    named = re.findall(r"`(test_\w+\.py)?::(test_\w+)`", page)
    assert len(named) > 10
    for file, test in named:
        assert f"def {test}(" in tests[file or "test_strangers.py"]
