"""A plan says what fits where, and what is done already."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from teasel.sweep.commands import plan
from teasel.sweep.commands.plan import Cluster
from teasel.sweep.store.results import Results, ResultsError
from teasel.sweep.work.tasks import Demand
from teasel.tests.support.bad_grids import BAD
from teasel.tests.support.commands import call


@pytest.mark.parametrize(
    ("machines", "line"),
    [
        (
            [Demand(cpus=16, gpus=4), Demand(cpus=8)],
            "a pack needs 1 CPU and 1 accelerator: 4 at a time, on 2 machines with 24 CPUs and "
            "4 accelerators",
        ),
        ([Demand(cpus=3)], "a pack needs 1 CPU: 3 at a time, on 1 machine with 3 CPUs"),
        (
            [Demand(cpus=0, gpus=8)],
            "a pack needs 1 CPU and 1 accelerator: no machine can place one, on 1 machine with "
            "0 CPUs and 8 accelerators",
        ),
    ],
)
def test_it_says_how_many_packs_a_cluster_can_place(
    machines: list[Demand],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(plan, "_cluster", lambda *_: Cluster(machines, 80 * 2**30))
    call("plan", "quickstart", "--address", "auto")
    assert f"  {line}\n" in capsys.readouterr().out


def test_accelerators_share_the_training_and_cores_the_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machines = [Demand(cpus=10_000, gpus=4)]
    monkeypatch.setattr(plan, "_cluster", lambda *_: Cluster(machines, 80 * 2**30))
    call("plan", "quickstart", "--address", "auto")
    assert "core-hours to score; training time is unknown until" in capsys.readouterr().out
    # Four models of 2,000 steps (quickstart.yaml), an hour a step: 8,000 hours on 4 accelerators.
    measured = {("dsprites_mini", "beta_tc_vae", 64, "mlp", 0.1): 3600.0}
    monkeypatch.setattr(plan, "measured_seconds", lambda results, on_cpu: measured)
    call("plan", "quickstart", "--results", str(tmp_path), "--address", "auto")
    shown = capsys.readouterr().out
    assert "about 8,000 pack-hours to train" in shown
    assert "83 d 8 h on accelerators, 4 packs at a time, and 10000 cores" in shown


def test_it_counts_what_a_folder_has_and_takes_its_medians(
    finished: Results, grid_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call("plan", str(grid_file), "--results", finished.uri)
    shown = capsys.readouterr().out
    assert "4 done, 0 trained but not scored, 0 failed, 0 to train" in shown
    assert "0 packs, 0 programs to compile" in shown
    assert "medians of this results folder" in shown


def test_it_refuses_grids_that_cannot_stand_in_one_folder() -> None:
    differing = (
        "mini.yaml belongs to a different study than smoke.yaml:\n  study: the study has 'mini'"
    )
    with pytest.raises(ResultsError, match=differing):
        call("plan", "mini", "smoke")


def test_it_says_what_training_takes_of_a_device_that_is_not_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    call("plan", "quickstart", "--select", "method=beta_tc_vae", "--device", "h200")
    shown = capsys.readouterr().out
    assert "on one h200: packs of up to" in shown
    assert "hours to train at its bandwidth of 4.8 TB/s; 0.0 at the speed measured" in shown
    call("plan", "quickstart", "--select", "method=beta_tc_vae", "--device", "v5e")
    assert "0.82 TB/s; no speed was measured on this device" in capsys.readouterr().out


MEASURED = """
import json, os, subprocess, sys
command = "import sys; from teasel.__main__ import main; sys.exit(main())"
for grid in sys.argv[1:]:  # from a small process: a child's peak is never below its parent's
    child = subprocess.Popen([sys.executable, "-c", command, "plan", grid], stdout=-3, stderr=-3)
    _, status, used = os.wait4(child.pid, 0)
    seconds = used.ru_utime + used.ru_stime
    print(json.dumps([os.waitstatus_to_exitcode(status), seconds, 1024 * used.ru_maxrss]))
"""


@pytest.mark.slow
def test_a_bad_grid_takes_little_time_and_memory(tmp_path: Path) -> None:
    files = []
    for name, text in BAD.items():
        files.append(str(tmp_path / f"{name}.yaml"))
        Path(files[-1]).write_text(text)
    run = [sys.executable, "-c", MEASURED, "smoke", *files]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    (code, seconds, num_bytes), *others = map(json.loads, said.splitlines())
    assert code == 0
    for name, (its_code, its_seconds, its_bytes) in zip(BAD, others, strict=True):
        more = f"{name}: {its_seconds - seconds:+.1f} s, {(its_bytes - num_bytes) / 1e6:+.0f} MB"
        print(more)
        assert its_code == 2, more
        assert its_seconds < seconds + 5, more
        assert its_bytes < num_bytes + 100e6, more
