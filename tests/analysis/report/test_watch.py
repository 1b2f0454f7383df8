"""A study as its page follows it: what is read, what is served, and to whom."""

import gzip
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teasel.__main__ import main
from teasel.analysis.report import serve
from teasel.analysis.report.serve import ServeError, Server
from teasel.analysis.report.watch import Watched, thin
from teasel.sweep.store.results import Results
from teasel.sweep.store.store import Store
from teasel.sweep.store.tables import CurveRow
from teasel.sweep.work.control import Control
from teasel.tests.support.synthetic import SyntheticResults

WriteFolder = Callable[..., Results]


def unpack(content: bytes) -> Any:
    return json.loads(gzip.decompress(content))


@pytest.fixture
def made() -> SyntheticResults:
    return SyntheticResults(np.random.default_rng(0), num_seeds=1)


def serving(uri: str | Path, host: str = "127.0.0.1") -> Iterator[Server]:
    with Server(Watched(uri, 0.0), 0.5, host) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def server(made: SyntheticResults, write_folder: WriteFolder) -> Iterator[Server]:
    yield from serving(write_folder(made).uri)


def ask(
    server: Server, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, given)
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


def test_the_page_loads_only_what_the_server_has(server: Server) -> None:
    page = ask(server, "/")
    assert page.status == 200
    assert page.getheader("Content-Type") == "text/html; charset=utf-8"
    for name in ("plotly.min.js", "watch.js", "explorer.js"):
        assert f'<script src="{name}">'.encode() in page.body
        assert ask(server, f"/{name}").status == 200
    assert page.body.count(b"<script") == 3
    assert "'unsafe-inline'" not in serve.POLICY.partition("style-src")[0]
    for name in ("status.json", "models.json", "curves.json"):
        assert json.loads(ask(server, f"/{name}").body)
    packed = ask(server, "/models.json", Accept_Encoding="gzip")
    assert packed.getheader("Content-Encoding") == "gzip"
    assert len(unpack(packed.body)["models"]) == 36


@pytest.mark.parametrize(
    "path",
    [
        *("/study.json", "/tables/trials/part.parquet", "/../study.json", "//etc/passwd"),
        *("/%2e%2e/study.json", "/pictures/../study.json", "/pictures/%2e%2e%2fstudy.json"),
        *("/pictures/none.png", "/explorer.html", "http://evil.example/study.json"),
    ],
)
def test_nothing_else_is_served(server: Server, path: str) -> None:
    ask(server, "/models.json")
    answer = ask(server, path, Host="localhost")
    assert answer.status == 404
    assert b"schema_version" not in answer.body


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("evil.example", 421), ("127.0.0.1.evil.example", 421), ("10.0.0.1", 421), ("", 421)),
        *(("localhost:99", 200), ("127.0.0.1", 200), ("[::1]:8080", 200), ("LOCALHOST", 200)),
    ],
)
def test_a_request_for_another_host_is_refused(server: Server, host: str, status: int) -> None:
    assert ask(server, "/status.json", Host=host).status == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "NONSENSE"])
def test_only_get_and_head_are_answered(server: Server, method: str) -> None:
    answer = ask(server, "/", method, b"GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (answer.status, answer.getheader("Allow")) == (405, "GET, HEAD")
    assert answer.getheader("Connection") == "close"


def test_every_answer_has_the_headers_that_keep_others_out(server: Server) -> None:
    for path in ("/", "/status.json", "/none"):
        answer = ask(server, path)
        for name, value in serve.HEADERS.items():
            assert answer.getheader(name) == value
    head = ask(server, "/", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.getheader("Content-Length") or 0) > 1000


def test_elsewhere_than_on_loopback_the_address_has_a_token(
    made: SyntheticResults, write_folder: WriteFolder
) -> None:
    for server in serving(write_folder(made).uri, "0.0.0.0"):
        token = server.token
        assert len(token) >= 32
        assert server.url.endswith(f"/{token}/")
        for path in ("/", "/status.json", f"/{token[:-1]}/status.json", "/%C3%A9/"):
            assert ask(server, path).status == 403
        assert ask(server, f"/{token}/status.json").status == 200
        assert ask(server, f"/{token}/status.json", Host="10.0.0.7:80").status == 200
        assert ask(server, f"/{token}/status.json", Host="evil.example").status == 421


def test_unchanged_models_are_not_sent_again(
    server: Server, made: SyntheticResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask(server, "/models.json")
    tag = first.getheader("ETag")
    assert tag == json.loads(ask(server, "/status.json").body)["revision"]
    again = ask(server, "/models.json", If_None_Match=tag)
    assert (again.status, again.body) == (304, b"")


def test_a_picture_is_served_under_the_address_that_the_models_give(
    server: Server, made: SyntheticResults
) -> None:
    models = json.loads(ask(server, "/models.json").body)
    kind, address = models["pictures"]["0"][0]
    stored = made.table("pictures").to_pylist()
    (png,) = (
        row["png"]
        for row in stored
        if (row["trial_id"], row["kind"]) == (models["models"][0], kind)
    )
    answer = ask(server, f"/{address}")
    assert (answer.body, answer.getheader("Content-Type")) == (png, "image/png")


def test_a_folder_without_results_says_so_and_fills(
    made: SyntheticResults, tmp_path: Path, write_folder: WriteFolder
) -> None:
    watched = Watched(tmp_path, 0.0, clock=lambda: 0.0)
    assert "There is no study in" in watched.status()["line"]
    assert unpack(watched.models().content) is None
    before = watched.status()["revision"]
    assert list(tmp_path.iterdir()) == []  # nor is anything written
    write_folder(made, scores=[])
    assert watched.status()["revision"] != before
    assert len(unpack(watched.models().content)["models"]) == 36


def test_files_that_have_not_changed_are_not_read_again(
    made: SyntheticResults, write_folder: WriteFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, read = write_folder(made), []
    watched = Watched(folder.uri, 0.0, clock=lambda: 0.0)
    watched.status(), watched.models()
    whole = Store.read
    monkeypatch.setattr(
        Store, "read", lambda self, name, *num: read.append(name) or whole(self, name, *num)
    )
    watched.status(), watched.models()
    assert [name for name in read if name.endswith(".parquet")] == []
    row = made.table("trials").to_pylist()[0] | {"trial_id": "another"}
    folder.add("trials", "new", [row])
    watched.status()
    assert [name for name in read if name.endswith(".parquet")] == ["tables/trials/new.parquet"]


def test_many_models_are_read_for_a_share_of_the_time_only(
    made: SyntheticResults, write_folder: WriteFolder
) -> None:
    folder = write_folder(made)
    times = iter([0.0, 0.0, 6.0])  # to read them takes six seconds
    now = [0.0]
    watched = Watched(folder.uri, 0.0, clock=lambda: next(times, now[0]))
    first = watched.models().revision
    folder.add("trials", "new", [made.table("trials").to_pylist()[0] | {"trial_id": "another"}])
    now[0] = 6 + 59.0
    assert watched.models().revision == first
    now[0] = 6 + 61.0
    assert watched.models().revision != first


def test_what_cannot_be_read_is_said_and_the_rest_stays(
    made: SyntheticResults, write_folder: WriteFolder
) -> None:
    folder = write_folder(made)
    watched = Watched(folder.uri, 0.0, clock=lambda: 0.0)
    models = watched.models()
    for table in ("trials", "scores", "pictures", "curves", "failures"):
        Path(folder.uri, "tables", table).mkdir(exist_ok=True)
        Path(folder.uri, "tables", table, "half.parquet").write_bytes(b"PAR1")
    assert watched.models().content == models.content
    assert "half.parquet" in watched.status()["trouble"]
    Path(folder.uri, "study.json").write_text('{"study": ')
    told = watched.status()
    assert "study.json" in told["trouble"]
    assert told["num_trials"] == watched.status()["num_trials"]


def test_losses_in_training_grow_with_what_the_attempt_says(
    made: SyntheticResults, write_folder: WriteFolder
) -> None:
    folder = write_folder(made)
    watched = Watched(folder.uri, 0.0, clock=lambda: 0.0)
    control = Control(folder.store, "run")
    folder.add("curves", "0a-run-train-1-10", [CurveRow("t", 10, loss=3.0, attempt=1)])
    folder.add("curves", "0b-run-train-1-10", [CurveRow("u", 10, loss=9.0, attempt=1)])
    for step, loss in ((20, 2.0), (30, None)):
        control.report("0a-run-train-1", step=step, steps=40, trials=["t"], loss=[loss])
        (attempt,) = watched.status()["attempts"]
    assert attempt["curves"] == {"t": [(10, 3.0), (20, 2.0), (30, None)]}
    assert attempt["host"]
    assert attempt["state"] == "working"
    control.forget("0a-run-train-1")
    assert watched.status()["attempts"] == []


def test_a_curve_keeps_its_ends_and_few_points() -> None:
    few = thin({step: step / 2 for step in range(1000)})
    assert len(few) <= 51
    assert (few[0], few[-1]) == ((0, 0.0), (999, 499.5))


def test_an_address_that_is_not_there_is_one_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for host, port in (("192.0.2.1", 0), ("no.such.host.invalid", 0), ("127.0.0.1", 70_000)):
        with pytest.raises(ServeError, match=f"cannot serve at {host}, port {port}: "):
            Server(Watched(tmp_path, 1.0), 1.0, host, port)
    assert main(["watch", str(tmp_path), "--host", "192.0.2.1"]) == 2
    assert "cannot serve at 192.0.2.1" in capsys.readouterr().err
