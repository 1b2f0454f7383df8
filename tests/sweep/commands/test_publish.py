"""A results folder is published, passed on and taken in again; each fault has a name."""

import functools
import hashlib
import http.server
import io
import json
import os
import re
import shutil
import socketserver
import stat
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from pyarrow import fs

from teasel.__main__ import main
from teasel.analysis import publish, scores, trials
from teasel.analysis.formats import count_decimals
from teasel.errors import UnknownNameError
from teasel.sweep.commands.checks import verify
from teasel.sweep.commands.rescore import rescore
from teasel.sweep.schedule.drivers import DriverError, at_work
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store.checksums import CHECKSUMS, PublicationError
from teasel.sweep.store.fetch import fetch
from teasel.sweep.store.forget import forget
from teasel.sweep.store.results import Results, ResultsError
from teasel.sweep.store.store import DamagedFileError, Store, StoreError
from teasel.sweep.store.tables import COLUMNS, FailureRow

TOLD = ("node-17", "/home/ann", "Ann Lee")


@pytest.fixture(scope="module")
def published(finished: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "tiny"
    publish(finished.uri, folder, licence="CC-BY-4.0", cite="Ann: tiny, 2026")
    return folder


@pytest.fixture
def copy(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "copy"))


def sign(folder: Path) -> None:
    """Writes the checksums of what is there now."""
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != CHECKSUMS
    )
    lines = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (folder / CHECKSUMS).write_text("".join(lines))


def same(one: Results, other: Results) -> bool:
    tables = [(scores(each, None), trials(each).drop(columns=["host"])) for each in (one, other)]
    return all(a.equals(b) for a, b in zip(*tables, strict=True))


# What is published


def test_a_published_folder_is_the_study_in_few_files(published: Path, finished: Results) -> None:
    ours = Results(published)
    assert verify(ours).lines == {}
    assert same(ours, finished)
    for trial_id in finished.statuses():
        pairs = zip(ours.representation(trial_id), finished.representation(trial_id), strict=True)
        assert all((a == b).all() for a, b in pairs)
        assert ours.parameters(trial_id)[1] == finished.parameters(trial_id)[1]
    for table in ("trials", "scores", "curves", "pictures"):
        assert len(list((published / "tables" / table).glob("*.parquet"))) == 1
        assert len(pd.read_parquet(published / "tables" / table)) == len(finished.table(table))
    left_out = {"checkpoints", "logs", "running", "codes", "report.html"}
    assert not left_out & {path.name for path in published.iterdir()}


def test_publishing_again_gives_the_same_bytes(
    published: Path, finished: Results, tmp_path: Path
) -> None:
    publish(finished, tmp_path / "again", licence="CC-BY-4.0", cite="Ann: tiny, 2026")
    assert (tmp_path / "again" / CHECKSUMS).read_text() == (published / CHECKSUMS).read_text()


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs sha256sum")
def test_sha256sum_agrees(published: Path) -> None:
    run = subprocess.run(
        ["sha256sum", "-c", "--strict", "--quiet", CHECKSUMS], cwd=published, capture_output=True
    )
    assert (run.returncode, run.stdout) == (0, b"")
    listed = {line[66:] for line in (published / CHECKSUMS).read_text().splitlines()}
    there = {p.relative_to(published).as_posix() for p in published.rglob("*") if p.is_file()}
    assert listed == there - {CHECKSUMS}


def test_the_readme_tells_what_is_in_the_folder(
    published: Path, finished: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (published / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["license"] == "CC-BY-4.0"
    assert "holds 4 models. Of 4 planned trials 4 are done" in body
    mig = scores(finished, wide=True).groupby("setting")["mig"]
    for mean, spread in zip(mig.mean(), mig.std(), strict=True):
        digits = count_decimals(spread)
        assert f"{mean:.{digits}f} ± {spread:.{digits}f}" in body
    assert "Ann: tiny, 2026" in body
    assert "SHA-256" in body  # of the user's file of images
    columns = {*COLUMNS["trials"], *COLUMNS["scores"], *COLUMNS["curves"], "beta"}
    assert [name for name in columns if f"`{name}`" not in body] == []
    (code,) = [part.split("```")[0] for part in body.split("```python\n")[1:]]
    assert len(list(filter(None, code.splitlines()))) == 3
    monkeypatch.chdir(published)
    shown: list[pd.Series] = []
    exec(code, {"print": shown.append})
    assert shown[0]["squares", "beta_vae", "mean", "mig", "mig"] == pytest.approx(
        scores(finished, wide=True)["mig"].mean()
    )


def test_nothing_tells_of_people_and_machines(results_copy: Results, tmp_path: Path) -> None:
    study = results_copy.study
    (grid,) = study["grids"]
    grid["datasets"][0]["npz"] = "/home/ann/Ann Lee/squares.npz"
    grid["yaml"] = grid["yaml"].replace("npz: s", "npz: /home/ann/Ann Lee/s")
    grid |= {"name": "/home/ann/tiny.yaml", "description": "see /home/ann/x/notes.txt on C_max"}
    results_copy.write_study(study, grid["yaml"])
    (file,) = results_copy.store.files("tables/trials")[:1]
    table = pq.read_table(f"{results_copy.uri}/{file}").to_pylist()
    told = "node-17.lan ran out of '/home/ann/Ann Lee/x.npz', see https://a.org/b/c"
    rows = [row | {"host": "node-17.lan", "error": told} for row in table]
    results_copy.store.remove(file)
    results_copy.add("trials", "again", rows)
    failure = FailureRow("p", "train", ["t"], 0, "a", "exception", "OSError", *["/home/ann/x"] * 3)
    results_copy.add("failures", "a", [failure])
    publish(results_copy, tmp_path / "out")
    out = Results(tmp_path / "out")
    texts = [
        *(
            path.read_bytes().decode(errors="replace")
            for path in (tmp_path / "out").rglob("*.*")
            if path.is_file()
        ),
        *(str(out.table(name).to_pylist()) for name in COLUMNS if name != "pictures"),
    ]
    assert [text for text in texts for word in (*TOLD, str(tmp_path)) if word in text] == []
    assert out.study["grids"][0]["datasets"][0]["npz"] == "squares.npz"
    assert "HOST ran out of 'x.npz', see https://a.org/b/c" in str(out.table("trials").to_pylist())
    assert yaml.safe_load(out.study["grids"][0]["yaml"])["datasets"][0]["npz"] == "squares.npz"
    (kept,) = out.table("failures").to_pylist()
    assert (kept["exception_type"], kept["message"], kept["log"]) == ("OSError", None, None)


@pytest.mark.parametrize("without", [["models"], ["codes"], ["models", "codes"]])
def test_what_is_left_out_is_not_taken_for_lost(
    without: list[str], finished: Results, tmp_path: Path
) -> None:
    made = publish(finished, tmp_path / "out", without=without)
    assert made.findings == {}
    assert verify(Results(tmp_path / "out")).lines == {}
    assert (tmp_path / "out" / "models").exists() == ("models" not in without)
    assert (tmp_path / "out" / "representations").exists() == ("codes" not in without)
    assert f"The {without[0]} were left out" in (tmp_path / "out" / "README.md").read_text()


def test_an_unfinished_study_is_published_and_says_what_it_lacks(
    results_copy: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forget(results_copy, list(results_copy.statuses())[:1])
    assert main(["publish", results_copy.uri, "--to", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "Incomplete study: 3 of 4 trials are done; not done yet: 1 to train, 0 to score" in said
    text = (tmp_path / "out" / "README.md").read_text()
    assert "Of 4 planned trials 3 are done,\n0 failed; still to train: 1" in text
    assert "What is missing" in text
    assert main(["fetch", str(tmp_path / "out"), str(tmp_path / "in"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trials"]["done"] == 3


def test_a_folder_of_an_earlier_version_becomes_one_of_today(tmp_path: Path) -> None:
    old = Path(__file__).parents[2] / "data" / "results_version_1"
    made = publish(old, tmp_path / "out")
    assert set(made.findings) == {"gone", "pictures or curves gone", "points gone"} & set(
        made.findings
    )
    fetch(tmp_path / "out", tmp_path / "in")
    assert Results(tmp_path / "in").study["schema_version"] == 2
    assert scores(tmp_path / "in").equals(scores(old))


def test_what_cannot_be_published_is_refused_and_leaves_nothing(
    results_copy: Results, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(ResultsError, match="no results here"):
        publish(tmp_path / "nothing", out)
    with pytest.raises(UnknownNameError, match="did you mean 'models'"):
        publish(results_copy, out, without=["model"])
    with pytest.raises(PublicationError, match="expected a local folder"):
        publish(results_copy, "s3://bucket/out")
    with pytest.raises(PublicationError, match=r"already exists: expected a new or empty"):
        publish(results_copy, results_copy.uri)
    with pytest.raises(PublicationError, match="cannot write"):
        publish(results_copy, Path(results_copy.uri, "study.json", "out"))
    with at_work(results_copy, "run"):
        driver = results_copy.store.read("running/drivers/run.json").decode()
    driver = driver.replace(f'"pid": {os.getpid()}', f'"pid": {os.getppid()}')
    results_copy.store.write("running/drivers/run.json", driver.encode())
    with pytest.raises(DriverError, match="at work here"):
        publish(results_copy, out)
    results_copy.store.remove("running/drivers/run.json")
    (file, *_) = Path(results_copy.uri, "models").glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedFileError, match=file.name):
        publish(results_copy, out)
    for file in results_copy.store.files("tables/trials"):
        results_copy.store.remove(file)
    with pytest.raises(PublicationError, match="no model is done yet"):
        publish(results_copy, out)
    assert not out.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"results"}


# What is taken in


def pack_zip(folder: Path, file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder.parent))


def pack_tar(folder: Path, file: Path) -> None:
    with tarfile.open(file, "w:gz") as archive:
        archive.add(folder, ".")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and fails the first time that it is asked for a file of `unsteady`."""

    unsteady: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        if self.path in self.unsteady:
            self.unsteady.remove(self.path)
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], str]]:
    """Serves folders on this machine, and gives their addresses."""
    monkeypatch.setattr("teasel.sweep.store.fetch._PAUSE", 0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    servers: list[socketserver.BaseServer] = []

    def start(folder: Path) -> str:
        handler = functools.partial(Quiet, directory=str(folder))
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_folder_comes_from_wherever_it_lies(
    published: Path, finished: Results, tmp_path: Path, serve: Callable[[Path], str]
) -> None:
    pack_zip(published, tmp_path / "tiny.zip")
    pack_tar(published, tmp_path / "tiny.tar.gz")
    Quiet.unsteady = {f"/{CHECKSUMS}", "/study.json"}
    served, archives = serve(published), serve(tmp_path)
    places = [
        published,
        f"file://{published}",
        tmp_path / "tiny.zip",
        f"file://{tmp_path}/tiny.zip",
        tmp_path / "tiny.tar.gz",
        served,
        f"{served}/?token=secret",
        f"{archives}/tiny.zip?download=1",
    ]
    wanted = hashlib.sha256((published / CHECKSUMS).read_bytes()).hexdigest()
    for number, place in enumerate(places):
        fetched = fetch(place, tmp_path / str(number), wanted.upper())
        there = [path for path in (tmp_path / str(number)).rglob("*") if path.is_file()]
        assert fetched == (len(there), sum(path.stat().st_size for path in there), wanted)
    assert Quiet.unsteady == set()
    assert same(Results(tmp_path / "0"), finished)
    assert verify(Results(tmp_path / "0")).lines == {}


def test_a_folder_or_an_archive_comes_from_an_object_store(
    published: Path, finished: Results, tmp_path: Path, query: str
) -> None:
    pack_zip(published, tmp_path / "tiny.zip")
    store = Store(f"s3://studies/published?{query}")
    filesystem, root = fs.FileSystem.from_uri(store.uri_with_secrets)
    with filesystem.open_output_stream(f"{root}/tiny.zip") as stream:
        stream.write((tmp_path / "tiny.zip").read_bytes())
    for path in published.rglob("*.*"):
        store.write(f"tiny/{path.relative_to(published).as_posix()}", path.read_bytes())
    for name in ("tiny", "tiny.zip"):
        fetch(f"s3://studies/published/{name}?{query}", tmp_path / "of" / name)
        assert same(Results(tmp_path / "of" / name), finished)
    refused(f"s3://nowhere/x?{query}", "so this is not a published folder", tmp_path / "in")


def test_the_json_of_both_commands_has_the_keys_of_the_page(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
    out, back = str(tmp_path / "out"), str(tmp_path / "in")
    for command, words in (
        ("publish", [str(published), "--to", out, "--without", "models"]),
        ("fetch", [out, back]),
    ):
        assert main([command, *words, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        section = page.split(f"\n## {command}\n")[1].split("\n## ")[0]
        rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        assert set(found) == {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def test_a_fetched_study_is_scored_by_more_metrics_and_published_again(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", str(published), str(tmp_path / "in")]) == 0
    assert "tiny: 4 of 4 trials are done; " in capsys.readouterr().out
    for command in ("status", "verify"):
        assert main([command, str(tmp_path / "in")]) == 0
    summary = rescore(tmp_path / "in", ["mcc"], executor=InProcess())
    assert (summary.failed, summary.missing) == (0, 0)
    assert any(name.startswith("mcc_") for name in scores(tmp_path / "in", wide=True))
    publish(tmp_path / "in", tmp_path / "again")
    fetch(tmp_path / "again", tmp_path / "there")
    assert same(Results(tmp_path / "there"), Results(tmp_path / "in"))


def refused(uri: str | Path, message: str, folder: Path, **options: Any) -> None:
    """Nothing appears, and one line says why."""
    root = next(each for each in folder.parents if each.is_dir())
    before = {path.name for path in root.iterdir()}
    with pytest.raises(PublicationError, match=message) as caught:
        fetch(uri, folder, **options)
    assert "\n" not in str(caught.value)
    assert {path.name for path in root.iterdir()} == before


def change(copy: Path) -> str:
    file = next(copy.glob("tables/scores/*.parquet"))
    content = bytearray(file.read_bytes())
    content[40] ^= 1
    file.write_bytes(content)
    return rf"{file.name} was changed"


def lose(copy: Path) -> str:
    next(copy.glob("models/*")).unlink()
    return r"there is no models/.*\.safetensors, which checksums\.txt lists"


def add(copy: Path) -> str:
    (copy / "models" / "extra.safetensors").write_bytes(b"x")
    return "models/extra.safetensors has no checksum"


def lead_out(copy: Path) -> str:
    (copy.parent / "outside.txt").write_text("x")
    digest = hashlib.sha256(b"x").hexdigest()
    with (copy / CHECKSUMS).open("a") as file:
        file.write(f"{digest}  ../outside.txt\n")
    return r"line \d+: '../outside.txt' is outside the folder"


def name_root(copy: Path) -> str:
    with (copy / CHECKSUMS).open("a") as file:
        file.write(f"{'0' * 64}  /etc/hostname\n")
    return "'/etc/hostname' is outside the folder"


def repeat(copy: Path) -> str:
    text = (copy / CHECKSUMS).read_text()
    (copy / CHECKSUMS).write_text(text + text.splitlines()[0])
    return r"README\.md is reserved or listed twice"


def garble(copy: Path) -> str:
    (copy / CHECKSUMS).write_text("<html>not found</html>\n")
    return r"checksums\.txt, line 1: expected a SHA-256 and a file name"


def unlist(copy: Path) -> str:
    (copy / CHECKSUMS).unlink()
    return r"there is no checksums\.txt, so this is not a published folder"


def be_no_results(copy: Path) -> str:
    (copy / "study.json").unlink()
    sign(copy)
    return r"no study\.json, so this is not a results folder"


FAULTS = [change, lose, add, lead_out, name_root, repeat, garble, unlist, be_no_results]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_nothing_appears(
    fault: Callable[[Path], str], copy: Path, tmp_path: Path, serve: Callable[[Path], str]
) -> None:
    message = fault(copy)
    pack_zip(copy, tmp_path / "copy.zip")
    refused(copy, message, tmp_path / "in")
    refused(tmp_path / "copy.zip", message, tmp_path / "in")
    if fault is not add:  # a server does not say what else it has
        refused(serve(copy), message, tmp_path / "in")


def test_a_link_is_refused(copy: Path, tmp_path: Path) -> None:
    study = copy / "study.json"
    (tmp_path / "outside.json").write_bytes(study.read_bytes())
    study.unlink()
    study.symlink_to(tmp_path / "outside.json")
    refused(copy, "study.json is a link to outside the folder", tmp_path / "in")
    pack_tar(copy, tmp_path / "link.tar")
    refused(tmp_path / "link.tar", "study.json is not a plain file", tmp_path / "in")
    link = zipfile.ZipInfo("tiny/study.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "../outside.json")
    refused(tmp_path / "link.zip", "study.json is not a plain file", tmp_path / "in")


@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", "tiny/../../out.txt"])
def test_a_member_that_leads_out_is_refused(name: str, published: Path, tmp_path: Path) -> None:
    pack_zip(published, tmp_path / "tiny.zip")
    with zipfile.ZipFile(tmp_path / "tiny.zip", "a") as archive:
        archive.writestr(name, "x")
    with tarfile.open(tmp_path / "tiny.tar", "w") as archive:
        archive.add(published, "tiny")
        member = tarfile.TarInfo(name)
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    for file in ("tiny.zip", "tiny.tar"):
        refused(tmp_path / file, "is outside the folder", tmp_path / "in")


def test_what_no_archive_can_be_read_from_is_refused(
    published: Path, tmp_path: Path, serve: Callable[[Path], str]
) -> None:
    (tmp_path / "no.zip").write_text("none")
    refused(tmp_path / "no.zip", r"is not a readable \.zip or \.tar", tmp_path / "in")
    pack_zip(published, tmp_path / "half.zip")
    content = (tmp_path / "half.zip").read_bytes()
    (tmp_path / "half.zip").write_bytes(content[: len(content) // 2])
    refused(tmp_path / "half.zip", r"is not a readable \.zip or \.tar", tmp_path / "in")
    refused(f"{serve(tmp_path)}/none.zip", "there is no archive there", tmp_path / "in")
    refused("http://127.0.0.1:9/x", "cannot read checksums.txt: .*refused", tmp_path / "in")


def test_the_expected_checksum_and_a_new_target_are_asked_for(
    published: Path, tmp_path: Path
) -> None:
    refused(published, "expected 12ab", tmp_path / "in", sha256="12ab")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    refused(published, "already exists: expected a new or empty folder", tmp_path / "full")
    (tmp_path / "file").write_text("x")
    refused(published, "cannot write", tmp_path / "file" / "in")
    (tmp_path / "empty").mkdir()
    fetch(published, tmp_path / "empty")


def test_a_study_of_a_newer_version_says_so(copy: Path, tmp_path: Path) -> None:
    study = Results(copy).study | {"schema_version": 99}
    Results(copy).store.write_json("study.json", study)
    sign(copy)
    with pytest.raises(StoreError, match="newer version of Teasel") as caught:
        fetch(copy, tmp_path / "in")
    assert str(caught.value).startswith(f"{copy}/study.json")
    assert not (tmp_path / "in").exists()
