"""The script for Slurm: what stands in it, and what it does in a Slurm that is played."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from teasel.__main__ import main
from teasel.cluster import TARGETS, example

AWKWARD = """the lab's "new" $HOME `results`"""

SRUN = """\
echo $$ > srun.pid
env > srun.environment
exec {python} -c '
import os, socket, time
with socket.create_server((os.environ["head"], int(os.environ["port"]))):
    time.sleep({seconds})
'
"""


@pytest.fixture
def rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """The script for the packaged example with some changes to it."""
    monkeypatch.chdir(tmp_path)

    def script(**changes: object) -> str:
        settings = yaml.safe_load(example("slurm")) | changes
        Path("cluster.yaml").write_text(yaml.safe_dump(settings))
        options = ["--cluster", "cluster.yaml", "--results", AWKWARD, "--print"]
        assert main(["submit", "slurm", "quickstart", *options]) == 0
        return capsys.readouterr().out

    return script


@pytest.fixture
def play(rendered: Callable[..., str], tmp_path: Path) -> Callable[..., tuple[int, list[str]]]:
    """Runs the script in a job whose commands are played: its exit code, and the calls it made."""

    def played(
        teasel: str,
        state: str = "RUNNING",
        ray_seconds: int = 60,
        setup: str = "",
        **changes: object,
    ) -> tuple[int, list[str]]:
        stubs = tmp_path / "stubs"
        stubs.mkdir()
        played = {
            "srun": SRUN.format(python=sys.executable, seconds=ray_seconds),
            "teasel": f'printf "%s|" teasel "$@" >> calls; echo >> calls\n{teasel}',
            "scontrol": 'echo scontrol "$@" >> calls; echo "NodeName=x NodeAddr=127.0.0.1 Port=1"',
            "squeue": f"echo {state}",
            "scancel": "kill $(cat srun.pid)",
        }
        for name, body in played.items():
            (stubs / name).write_text(f"#!/bin/bash\n{body}\n")
            (stubs / name).chmod(0o755)
        script = rendered(setup=[f"PATH={stubs}:$PATH", setup or ": none"], **changes)
        job = {"SLURM_JOB_ID": str(os.getpid()), "SLURMD_NODENAME": "n1"}
        job |= {"SLURM_JOB_NUM_NODES": "1", "SLURM_CPUS_PER_TASK": "1"}
        if "array" in changes:
            job |= {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}
            job |= {"SLURM_ARRAY_TASK_COUNT": "4"}
        run = subprocess.run(
            ["timeout", "60", "bash"], input=script, text=True, env=os.environ | job, cwd=tmp_path
        )
        return run.returncode, (tmp_path / "calls").read_text().splitlines()

    return played


def test_the_script_asks_for_what_the_file_says(rendered: Callable[..., str]) -> None:
    script = rendered(hours=1.5, account="a b", options=["--qos=high", "--exclusive"])
    assert script.startswith("#!/bin/bash\n")
    options = [line[8:] for line in script.splitlines() if line.startswith("#SBATCH ")]
    assert options == [
        "--job-name=teasel-quickstart",
        "--partition=gpu",
        "--account='a b'",
        "--nodes=2",
        "--ntasks-per-node=1",
        "--cpus-per-task=32",
        "--gpus-per-node=4",
        "--time=90",
        "--signal=B:TERM@300",
        "--output=teasel-quickstart-%j.out",
        "--open-mode=append",
        "--requeue",
        "--qos=high",
        "--exclusive",
    ]


@pytest.mark.parametrize("changes", [{}, {"nodes": 1, "array": 4}, {"container": "a b.sif"}])
def test_shellcheck_finds_nothing(changes: dict[str, object], rendered: Callable[..., str]) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck: install the package of that name")
    script = rendered(**changes)
    command = ["shellcheck", "--severity=warning", "-"]
    run = subprocess.run(command, input=script, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


def test_a_finished_study_ends_the_job_and_awkward_names_arrive_whole(
    play: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    code, calls = play("exit 0")
    assert code == 0
    assert calls[0] == "scontrol show --oneliner node n1"
    results, address = calls[1].split("|")[4], calls[1].split("|")[8]
    assert calls[1].split("|")[:4] == ["teasel", "run", "quickstart", "--results"]
    assert results == str(tmp_path / AWKWARD)
    assert re.fullmatch(r"127\.0\.0\.1:[23]\d{4}", address)
    assert len(calls) == 2
    environment = (tmp_path / "srun.environment").read_text()
    assert "RAY_AUTH_MODE=token" in environment
    assert "RAY_AUTH_TOKEN=" in environment


@pytest.mark.parametrize("code", [1, 2, 137])
def test_a_study_that_failed_fails_the_job(
    code: int, play: Callable[..., tuple[int, list[str]]]
) -> None:
    assert play(f"exit {code}")[0] == code


def test_an_interrupted_study_goes_back_into_the_queue(
    play: Callable[..., tuple[int, list[str]]],
) -> None:
    code, calls = play("exit 3")
    assert code == 3
    assert calls[-1] == f"scontrol requeue {os.getpid()}"


def test_a_cancelled_job_stays_away(play: Callable[..., tuple[int, list[str]]]) -> None:
    code, calls = play("exit 3", state="COMPLETING")
    assert code == 3
    assert not any("requeue" in call for call in calls)


def test_a_job_of_an_array_does_its_share_and_goes_back_alone(
    play: Callable[..., tuple[int, list[str]]],
) -> None:
    _, calls = play("exit 3", nodes=1, array=4)
    assert "|--shard|2/4|" in calls[1]
    assert calls[-1] == "scontrol requeue 7_2"


def test_a_warning_reaches_the_driver_and_the_job_waits_for_it(
    play: Callable[..., tuple[int, list[str]]],
) -> None:
    code, calls = play(
        "trap 'echo warned >> calls' TERM\n"
        "for i in 1 2; do kill -TERM $PPID; sleep 1; done\necho saved >> calls; exit 3"
    )
    assert code == 3
    assert calls[-3:] == ["warned", "saved", f"scontrol requeue {os.getpid()}"]


def test_a_warning_that_comes_too_early_puts_the_job_back_too(
    play: Callable[..., tuple[int, list[str]]],
) -> None:
    code, calls = play("sleep 10 & wait", setup="kill -TERM $$")
    assert code == 143
    assert calls[-1] == f"scontrol requeue {os.getpid()}"


@pytest.mark.parametrize(
    "driver", ["sleep 30", "kill $(cat srun.pid); exit 1", "kill $(cat srun.pid); exit 3"]
)
@pytest.mark.parametrize("seconds", [0, 600])
def test_a_ray_that_is_lost_puts_the_job_back_unless_it_would_only_circle(
    driver: str, seconds: int, play: Callable[..., tuple[int, list[str]]]
) -> None:
    code, calls = play(driver, ray_seconds=3, setup=f"SECONDS={seconds}")
    assert code == (3 if seconds else 1)
    assert any("requeue" in call for call in calls) == (seconds > 0)


def test_a_line_of_the_setup_that_fails_stops_the_job(
    play: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    line = "exec 2> said; touch calls; false # the lab's"
    code, calls = play("exit 0", setup=line)
    assert code == 1
    assert not calls
    message = f"teasel: this line of the setup fails: {line}\n"
    assert (tmp_path / "said").read_text() == message


def test_a_port_in_use_is_left_alone(play: Callable[..., tuple[int, list[str]]]) -> None:
    port = 20000 + os.getpid() % 4000 * 3
    with socket.create_server(("127.0.0.1", port)):
        code, calls = play("exit 0")
    assert code == 0
    assert f"|127.0.0.1:{port + 3}|" in calls[1]


def test_results_go_where_the_file_says_unless_the_command_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(example("slurm") + "results: s3://bucket/folder\n")
    command = ["submit", "slurm", "quickstart", "--cluster", str(file), "--print"]
    assert main(command) == 0
    assert " --results s3://bucket/folder --grace" in capsys.readouterr().out
    assert main([*command, "--results", "/elsewhere"]) == 0
    assert " --results /elsewhere --grace" in capsys.readouterr().out
    assert main([*command, "--set", "seeds=[4, 7]", "--set", "training.steps=5"]) == 0
    changes = "--set 'seeds=[4, 7]' --set training.steps=5"
    assert f" {changes} --grace" in capsys.readouterr().out
    assert main([*command, "--set", "sedes=4"]) == 2
    assert "unknown key 'sedes' (did you mean 'seeds'?)" in capsys.readouterr().err


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_has_an_example_that_is_valid(
    target: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["submit", target, "--example"]) == 0
    text = capsys.readouterr().out
    # What stands commented out must be right too, but for the alternatives.
    whole = re.sub(r"(?m)^# (?!array|tpus)(\w+: )", r"\1", text)
    assert whole.count("#") < text.count("#")
    for example_text in (text, whole):
        file = tmp_path / "cluster.yaml"
        file.write_text(example_text)
        results = ["--results", "s3://bucket/folder", "--print"]
        assert main(["submit", target, "quickstart", "--cluster", str(file), *results]) == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("partitoin: gpu", "cluster.yaml:4:1: unknown key 'partitoin' (did you mean 'partition'?)"),
        ("nodes: 2\narray: 4", "cluster.yaml:5:8: array: each job of an array has one node"),
        (
            "warning_seconds: 3600",
            "cluster.yaml:4:18: warning_seconds: the warning must come five minutes after",
        ),
        ("hours: .inf", "cluster.yaml:4:8: hours: input should be a finite number, got inf"),
        (
            "setup: [export API_TOKEN=abc]",
            "cluster.yaml:4:9: setup: others could read this secret: set it in the shell that",
        ),
        ('options: ["--export=ALL,PASSWORD=abc"]', "options: others could read this secret"),
        ("results: here", "cluster.yaml:4:10: results: string should match pattern"),
        ("results: s3://a:abc@b", "cluster.yaml:4:10: results: others could read this secret"),
        ("options: [qos=high]", "cluster.yaml:4:11: options: string should match pattern '^--"),
    ],
)
def test_faults_of_the_file_are_pointed_at(
    line: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    hours = "" if line.startswith("hours") else "hours: 1"
    Path("cluster.yaml").write_text(f"partition: gpu\n{hours}\ncpus_per_node: 1\n{line}\n")
    assert main(["submit", "slurm", "quickstart", "--cluster", "cluster.yaml"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "abc" not in error


def test_without_sbatch_or_with_an_unknown_partition_nothing_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text("partition: gpus\nhours: 1\ncpus_per_node: 1\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    command = ["submit", "slurm", "quickstart", "--cluster", str(file)]
    assert main(command) == 2
    assert "no sbatch on the path" in capsys.readouterr().err
    for name in ("sbatch", "sinfo"):
        script = """#!/bin/sh\necho cpu 30:00\ncase "$*" in *--all*) echo gpu 1-12:30:00; esac\n"""
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    assert main(command) == 2
    assert "Slurm has no partition 'gpus' (did you mean 'gpu'?)" in capsys.readouterr().err
    for partition, hours, longest in (("cpu", 1, "0.5"), ("cpu,gpu", 40, "36.5")):
        file.write_text(f"partition: '{partition}'\nhours: {hours}\ncpus_per_node: 1\n")
        assert main(command) == 2
        said = f"hours: {hours}, but partition {partition} allows {longest} at most"
        assert said in capsys.readouterr().err
    file.write_text("partition: cpu,gpu\nhours: 36\ncpus_per_node: 1\n")
    assert main(command) == 0


def test_a_grid_is_needed_and_grids_of_two_studies_are_refused(
    grid_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["submit", "slurm"])
    assert caught.value.code == 2
    file = grid_file.with_name("cluster.yaml")
    file.write_text(example("slurm"))
    assert main(["submit", "slurm", "quickstart", str(grid_file), "--cluster", str(file)]) == 2
    assert "of several studies: quickstart, tiny" in capsys.readouterr().err
