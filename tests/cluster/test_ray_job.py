"""A study as a job of a real Ray cluster, with its token, from a wheel."""

import json
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from teasel.__main__ import main
from teasel.sweep.store.results import Results

TOKEN = "0123456789abcdef" * 4
RAY = str(Path(sys.executable).parent / "ray")
HOST = "127.0.0.9"
SECRETS = ("a-key", "a-secret")  # of the object store; the cluster has them, the job does not


@pytest.fixture(scope="module")
def dashboard() -> Iterator[str]:
    """A Ray of two CPUs that wants a token: the address of its dashboard."""
    pytest.importorskip("ray.job_submission", reason="needs ray[default]")
    pytest.importorskip("aiohttp_cors", reason="needs ray[default]")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_AUTH_MODE", "token")
        environment.setenv("RAY_AUTH_TOKEN", TOKEN)
        environment.setenv("PATH", f"{Path(RAY).parent}:{os.environ['PATH']}")
        environment.setenv("AWS_ACCESS_KEY_ID", SECRETS[0])
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRETS[1])
        environment.delenv("RAY_ADDRESS", raising=False)
        with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:
            options = ["--head", "--node-ip-address", HOST, "--port", "20871", "--block"]
            options += ["--dashboard-host", HOST, "--dashboard-port", "20872", "--num-cpus", "2"]
            options += ["--ray-client-server-port", "20873", "--temp-dir", folder]
            options += ["--dashboard-agent-listen-port", "20874", "--disable-usage-stats"]
            log = Path(folder, "start.log")
            with log.open("wb") as stream:
                ray = subprocess.Popen([RAY, "start", *options], stdout=stream, stderr=stream)
            try:
                deadline = time.monotonic() + 90
                while "Ray runtime started" not in log.read_text():
                    assert ray.poll() is None, log.read_text()
                    assert time.monotonic() < deadline, log.read_text()
                    time.sleep(0.5)
                yield f"http://{HOST}:20872"
            finally:
                ray.send_signal(signal.SIGTERM)
                ray.wait(60)


@pytest.fixture
def bucket() -> Iterator[str]:
    """A URI in an object store: moto's server, on this machine, stands for S3."""
    boto3 = pytest.importorskip("boto3")
    moto = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    keys = dict(zip(("aws_access_key_id", "aws_secret_access_key"), SECRETS, strict=True))
    endpoint = f"http://127.0.0.1:{port}"
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="studies")
    yield f"s3://studies/tiny?endpoint_override=127.0.0.1:{port}&scheme=http"
    server.stop()


# In processes of their own: Ray reads its token once.
def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(RAY).with_name("teasel")), "submit", "ray-job", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def submit(
    dashboard: str, wheel: Path, grid_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Submits the study, and says what the command printed."""
    monkeypatch.chdir(grid_file.parent)
    data = grid_file.with_name("noise.npz")
    grid_file.write_text(grid_file.read_text().replace("noise.npz", str(data)))
    settings = {"address": dashboard, "wheel": str(wheel), "environment": {"TEASEL_SAID": "yes"}}
    Path("cluster.yaml").write_text(yaml.safe_dump(settings))

    def submitted(*options: str) -> str:
        run = command("tiny.yaml", "--cluster", "cluster.yaml", *options)
        assert run.returncode == 0, run.stderr
        return run.stdout

    return submitted


def job(verb: str, address: str, number: str) -> str:
    """What Ray's own command says."""
    run = subprocess.run(
        [RAY, "job", verb, "--address", address, number], capture_output=True, text=True
    )
    return run.stdout + run.stderr


def wait_for(condition: Callable[[], Any], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(1)


@pytest.mark.slow
def test_a_stopped_job_saves_itself_and_the_next_one_goes_on(
    submit: Callable[..., str], dashboard: str, tmp_path: Path, assert_whole: Callable[[Path], None]
) -> None:
    results = tmp_path / "results" / "tiny"
    assert "answers" in submit("--dry-run")
    (first,) = re.findall(r"Submitted (\w+)", submit())
    wait_for(lambda: list((results / "running").glob("*-train-*.json")))
    job("stop", dashboard, first)
    assert "the same command resumes from here" in job("logs", dashboard, first)
    assert list((results / "checkpoints").glob("*.safetensors"))

    (second,) = re.findall(r"Submitted (\w+)", submit())
    wait_for(lambda: "succeeded" in job("status", dashboard, second))
    assert_whole(results)
    assert "4 of 4 trials are done" in job("logs", dashboard, second)
    for file in results.rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes(), file


@pytest.mark.slow
def test_results_go_to_an_object_store(
    submit: Callable[..., str], dashboard: str, bucket: str, grid_file: Path
) -> None:
    grid_file.write_text(grid_file.read_text().replace("steps: 1500", "steps: 25"))
    (number,) = re.findall(r"Submitted (\w+)", submit("--results", bucket))
    wait_for(lambda: "succeeded" in job("status", dashboard, number))
    assert list(Results(bucket).statuses().values()) == ["done"] * 4
    assert len(Results(bucket).table("scores")) == 4


@pytest.mark.slow
def test_the_job_runs_the_wheel_that_it_brought(submit: Callable[..., str], dashboard: str) -> None:
    words = shlex.split(submit("--print"))
    environment = words[words.index("--runtime-env-json") + 1]
    say = "import os, teasel; print(teasel.__file__, os.environ['TEASEL_SAID'])"
    options = ["--address", dashboard, "--runtime-env-json", environment]
    run = subprocess.run(
        [RAY, "job", "submit", *options, "--", "python", "-c", say], capture_output=True, text=True
    )
    assert re.search(r"py_modules_files/\S*/teasel/__init__.py yes", run.stdout), run.stderr


@pytest.mark.slow
def test_a_wrong_token_is_refused_before_anything_is_sent(submit: Callable[..., str]) -> None:
    run = command("tiny.yaml", "--cluster", "cluster.yaml", RAY_AUTH_TOKEN=TOKEN[::-1])
    assert run.returncode == 2, run.stdout + run.stderr
    assert "no Ray cluster at http://127.0.0.9:20872" in run.stderr
    assert not run.stdout


def test_an_address_where_nothing_answers_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("aiohttp_cors", reason="needs ray[default]")
    cluster = tmp_path / "cluster.yaml"
    cluster.write_text("address: http://127.0.0.1:1\n")
    assert main(["submit", "ray-job", "quickstart", "--cluster", str(cluster)]) == 2
    assert "no Ray cluster at http://127.0.0.1:1" in capsys.readouterr().err


def test_what_is_printed_can_be_pasted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid_file = tmp_path / "my $grid.yaml"
    grid_file.write_text(
        "study: mine  # it's $mine\ndatasets: [dsprites_mini]\nseeds: 1\n"
        "methods: {beta_vae: {beta: [1]}}\nmetrics: [mig]\n"
    )
    cluster, fake, seen = tmp_path / "cluster.yaml", tmp_path / "ray", tmp_path / "seen"
    cluster.write_text("address: http://127.0.0.1:8265\nenvironment: {SAID: it's 5 $}\n")
    options = ["--cluster", str(cluster), "--results", "/r/a b", "--print"]
    assert main(["submit", "ray-job", str(grid_file), *options]) == 0
    script = capsys.readouterr().out
    fake.write_text(
        f"#!{sys.executable}\nimport json, sys, pathlib\nargs = sys.argv[1:]\n"
        'folder = args[args.index("--working-dir") + 1]\n'
        "files = {file.name: file.read_text() for file in pathlib.Path(folder).iterdir()}\n"
        f"json.dump([args, files], open({str(seen)!r}, 'w'))\n"
    )
    fake.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["bash", "-euc", script], env={"PATH": path}, check=True)
    words, files = json.loads(seen.read_text())
    assert words[:4] == ["job", "submit", "--no-wait", "--address"]
    assert files == {grid_file.name: grid_file.read_text()}
    environment = json.loads(words[words.index("--runtime-env-json") + 1])
    assert environment["env_vars"]["SAID"] == "it's 5 $"
    command = words[words.index("--") + 1 :]
    assert command[:4] == ["python", "-m", "teasel", "run"]
    assert command[4:7] == [f"./{grid_file.name}", "--results", "/r/a b"]


def test_a_secret_in_the_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = tmp_path / "cluster.yaml"
    cluster.write_text("address: http://127.0.0.1:1\nenvironment: {RAY_AUTH_TOKEN: abc}\n")
    assert main(["submit", "ray-job", "quickstart", "--cluster", str(cluster)]) == 2
    error = capsys.readouterr().err
    assert "others could read this secret (RAY_AUTH_TOKEN): set it in the environment" in error
    assert "abc" not in error
