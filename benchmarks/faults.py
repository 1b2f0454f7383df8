"""The cost of faults to a study: `python -m teasel.benchmarks.faults`, for docs/reliability.md.

Each fault happens to the real command line on a real Ray, once training (or the metric) has begun,
`--tries` times; bad metrics take minutes, and happen once. What is harmed next is a run that the
fault has ended, if it has. At last the same command ends the study, and its tables are compared
with those of an undisturbed run.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..sweep.store.results import Results

TEASEL = "import sys; from teasel.__main__ import main; sys.exit(main())"
GRID = """\
study: faults
datasets: [{name: squares, npz: squares.npz}]
seeds: 2
methods: {beta_vae: {beta: [1]}}
training: {steps: 600, batch_size: 4, num_latents: 3, learning_rate: 1e-3, evaluation_batches: 2}
metrics: {mig: {num_train: 60, num_bins: 4}, modularity: {num_train: 60, num_bins: 4}}
resources: {pack: 2, task_minutes: 1}
"""
METRICS = """\
import os, signal, time
from teasel.metrics import Metric

def segfaults(representation, rng):
    os.kill(os.getpid(), signal.SIGSEGV)

def exits(representation, rng):
    os._exit(0)

def hangs(representation, rng):
    time.sleep(1e6)

SEGFAULTS, EXITS, HANGS = (
    Metric(f, "nobody", samples_points=False) for f in (segfaults, exits, hangs)
)
"""
ENTRY_POINTS = """\
[teasel.metrics]
segfaults = bad_metrics:SEGFAULTS
exits = bad_metrics:EXITS
hangs = bad_metrics:HANGS
"""


class Fault(NamedTuple):
    """Something that goes wrong.

    Attributes:
        name: What it is.
        harm: What is done to the driver, given its process, once something runs.
        output: Where the driver's output goes, as a shell has it.
        metric: What the grid asks for besides, of the metrics above.
    """

    name: str
    harm: Callable[[int], None] | None = None
    output: str = ""
    metric: str = ""


def kill(command: str) -> Callable[[int], None]:
    """Kills what the driver, or its Ray, has started as `command`."""
    return lambda driver: os.kill(descendant(driver, command), signal.SIGKILL)


def send(number: signal.Signals) -> Callable[[int], None]:
    """Sends the driver a signal."""
    return lambda driver: os.kill(driver, number)


FAULTS = (
    Fault("`kill -9` of a worker", kill("ray::train")),
    Fault("`kill -9` of the raylet", kill("/raylet")),
    Fault("`kill -9` of the GCS", kill("/gcs_server")),
    Fault("`kill -9` of the driver", send(signal.SIGKILL)),
    Fault("SIGHUP, as by a lost terminal", lambda driver: os.killpg(driver, signal.SIGHUP)),
    Fault("SIGTERM", send(signal.SIGTERM)),
    Fault("standard output on a full disk", output="> /dev/full"),
    Fault("standard output closed", output=">&-"),
    Fault("`| head -1`", output="| head -1"),
    Fault("a metric that segfaults", metric="segfaults"),
    Fault("a metric that calls `os._exit`", metric="exits"),
    Fault("a metric that hangs, 1 minute of patience", metric="hangs"),
)


def descendant(driver: int, command: str) -> int:
    """The process that `driver` has started as `command`, or had Ray start."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    parents = {int(pid): int(parent) for pid, parent, _ in rows}
    for pid, _, words in rows:
        ancestor = int(pid)
        while words.split()[0].endswith(command) and ancestor in parents:
            if ancestor == driver:
                return int(pid)
            ancestor = parents[ancestor]
    raise RuntimeError(f"process {driver} has no {command}")


def start(grid: Path, results: Path, output: str = "") -> subprocess.Popen[str]:
    """The driver, in a session of its own."""
    command = f'exec "$0" -c "{TEASEL}" run "$1" --results "$2" {output}'
    if output.startswith("|"):
        command = "set -o pipefail; " + command.replace("exec ", "", 1)
    return subprocess.Popen(
        ["bash", "-c", command, sys.executable, str(grid), str(results)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {"RAY_ADDRESS": "", "PYTHONPATH": str(grid.parent)},
    )


def rows_of(results: Results) -> list[tuple[object, ...]]:
    """The losses and the scores, but for those of the metrics above."""
    trials = results.table("trials", ["trial_id", "elbo", "status"]).to_pylist()
    names = ["trial_id", "representation", "metric", "score", "value"]
    scores = results.table("scores", names).to_pylist()
    return sorted(map(repr, [*trials, *scores]))  # type: ignore[arg-type]


def try_out(fault: Fault, folder: Path, sound: Path, tries: int) -> str:
    """A row of the table, with the longest time; a run that ended early is what the next harms."""
    grid, pattern = folder / f"{fault.metric or 'sound'}.yaml", "running/*-1.json"
    codes: set[int] = set()
    longest, kept, last = 0.0, True, ""
    results: Path | None = None
    for number in range(tries):
        results = results or folder / f"{time.time_ns()}"
        before = set(results.glob(pattern))
        driver, began = start(grid, results, fault.output), time.monotonic()
        if fault.harm:
            while not set(results.glob(pattern)) - before and driver.poll() is None:
                time.sleep(0.2)
            began = time.monotonic()
            fault.harm(driver.pid)
        said = [line for line in driver.communicate(timeout=900)[0].splitlines() if line.strip()]
        longest = max(longest, time.monotonic() - began)
        codes.add(driver.returncode)
        last = said[-1].replace(str(results), "DIR").replace("|", "\\|") if said else last
        if driver.returncode and number + 1 < tries:
            continue
        if not fault.metric:
            assert start(sound, results).communicate(timeout=900)[0] is not None
        kept = kept and rows_of(Results(results)) == rows_of(Results(folder / "undisturbed"))
        results = None
    lost = "nothing: tables equal bit for bit" if kept else "**tables differ**"
    ends = ", ".join(map(str, sorted(codes)))
    return f"| {fault.name} | {tries} | {ends} | {longest:.0f} s | {lost} | {last} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="faults with this in their name")
    parser.add_argument("--tries", type=int, default=3, help="of each but bad metrics")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        factors = np.stack(np.unravel_index(np.arange(64), (4, 4, 4)), axis=1)
        images = np.zeros((64, 64, 64), np.uint8)
        for image, (row, column, brightness) in zip(images, factors, strict=True):
            image[16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = 60 * brightness + 70
        np.savez(folder / "squares.npz", images=images, factors=factors)
        (folder / "bad_metrics.py").write_text(METRICS)
        (folder / "bad_metrics-0.dist-info").mkdir()
        (folder / "bad_metrics-0.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
        about = "Metadata-Version: 2.1\nName: bad_metrics\nVersion: 0\n"
        (folder / "bad_metrics-0.dist-info" / "METADATA").write_text(about)
        sound = folder / "sound.yaml"
        sound.write_text(GRID)
        for metric in ("segfaults", "exits", "hangs"):
            text = GRID.replace("metrics: {", f"metrics: {{{metric}: {{}}, ")
            (folder / f"{metric}.yaml").write_text(text)
        undisturbed = start(sound, folder / "undisturbed")
        said = undisturbed.communicate(timeout=900)[0]
        assert undisturbed.returncode == 0, said
        print("| Fault | tried | exit code | ended after | lost in the end | said last |")
        print("|---|---|---|---|---|---|")
        for fault in FAULTS:
            if arguments.only in fault.name:
                tries = 1 if fault.metric else arguments.tries
                print(try_out(fault, folder, sound, tries), flush=True)


if __name__ == "__main__":
    main()
