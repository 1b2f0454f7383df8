"""Hundreds of real trainings on a real Ray, while workers, drivers and nodes are taken away."""

import os
import platform
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from teasel.sweep.store.results import Results

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Exception ignored in. <function _at_fork"),  # of JAX, here
]

TEASEL = [sys.executable, "-c", "import sys; from teasel.__main__ import main; sys.exit(main())"]

GRID = """\
study: endurance
datasets: [{name: squares, npz: squares.npz}]
seeds: SEEDS
methods:
  beta_vae:     {beta: [1, 2, 4, 8]}
  beta_tc_vae:  {beta: [1, 2, 4, 8]}
  annealed_vae: {c_max: [5, 10, 25, 50], gamma: 1000, iteration_threshold: 10}
training: {steps: 40, batch_size: 4, num_latents: 3, learning_rate: 1e-3, evaluation_batches: 2}
representations: mean
metrics:
  mig: {num_train: 60, num_bins: 4}
save_models: false
resources: {pack: PACK, checkpoint_minutes: 0.1}
"""

ASIDE = """\
study: aside
datasets: dsprites_mini
seeds: 4
methods: {beta_vae: {beta: 1}}
training: {steps: 10, batch_size: 4, evaluation_batches: 2}
representations: mean
metrics: {mig: {num_train: 60}}
save_models: false
resources: {pack: 1}
"""

FRAGILE = """\
import os

from teasel.models import MethodEntry
from teasel.models.beta_vae import Weight, beta_vae


def fragile(beta: Weight):
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "1":
        raise RuntimeError("uncorrectable ECC error")
    return beta_vae(beta)


FRAGILE = MethodEntry(fragile, label="Fragile", reference="none", example={"beta": 1.0})
"""

TRIAL = ["trial_id", "dataset", "method", "seed", "steps", "batch_size", "learning_rate"]
TRIAL += ["num_latents", "beta", "c_max", "gamma", "iteration_threshold", "status", "error"]
TRIAL += ["loss", "reconstruction", "kl", "elbo", "kl_per_latent", "data_fingerprint"]
TABLES = {
    "trials": TRIAL,
    "scores": ["trial_id", "representation", "metric", "score", "value", "error", "num_points"],
    "curves": ["trial_id", "step", "loss", "reconstruction", "kl", "regularizer"],
    "pictures": ["trial_id", "kind", "png"],
}
"""What must be equal: all but times, hosts and attempts."""


def study_of(grid_file: Path, folder: Path, num_seeds: int, pack: int) -> Path:
    """A grid of twelve settings on the pictures beside `grid_file`."""
    text = GRID.replace("SEEDS", str(num_seeds)).replace("PACK", str(pack))
    path = folder / "endurance.yaml"
    path.write_text(text.replace("squares.npz", str(grid_file.with_name("squares.npz"))))
    return path


def teasel(*arguments: str) -> subprocess.Popen[str]:
    """The command in a process of its own, with the environment of a user."""
    return subprocess.Popen(
        [*TEASEL, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"RAY_ADDRESS": ""},
    )


def run(*arguments: str) -> None:
    """Runs the command to its good end."""
    command = teasel("run", *arguments)
    output = command.communicate()[0]
    assert command.returncode == 0, output


def workers_of(driver: int) -> list[int]:
    """The processes of the attempts that `driver` has under way, and of nobody else's."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True)
    parents, workers = {}, []
    for line in listed.stdout.splitlines():
        pid, parent, command = line.split(None, 2)
        parents[int(pid)] = int(parent)
        if command.startswith(("ray::train", "ray::score")):
            workers.append(int(pid))

    def is_ours(process: int) -> bool:
        while process in parents and process != driver:
            process = parents[process]
        return process == driver

    return [worker for worker in workers if is_ours(worker)]


def num_trained(results: Results) -> int:
    """Trained trials, those counted twice that two attempts have committed."""
    return sum(
        results.store.parquet(file, lambda parquet: parquet.metadata.num_rows)
        for file in results.store.files("tables/trials", ".parquet")
    )


def disturb(
    command: subprocess.Popen[str],
    results: Results,
    until: int,
    number: int,
    lot: random.Random,
    apart: tuple[int, int] = (20, 60),
) -> int:
    """Kills a worker now and then until so many trials are trained; then signals the driver.

    It is progress that is waited for, not time: on a slow machine the study goes on all the same.
    Between two kills there are so many trained or scored trials as `apart` says.

    Returns:
        How many workers were killed.
    """
    killed, kill_at = 0, progress(results) + apart[0] // 2
    while command.poll() is None and num_trained(results) < until:
        if progress(results) >= kill_at and (workers := workers_of(command.pid)):
            os.kill(lot.choice(workers), signal.SIGKILL)
            killed += 1
            kill_at = progress(results) + lot.randint(*apart)
        time.sleep(0.5)
    command.send_signal(number)
    command.communicate()
    return killed


def progress(results: Results) -> int:
    """Trained and scored trials together."""
    return num_trained(results) + len(results.store.files("tables/scores", ".parquet"))


def assert_equal(first: Results, second: Results) -> None:
    """The tables of two results folders are the same, row for row and bit for bit."""
    for name, columns in TABLES.items():
        tables = [
            results.table(name, columns).select(columns).sort_by([(c, "ascending") for c in keys])
            for results in (first, second)
            for keys in [[c for c in columns if c in ("trial_id", "step", "kind", "score")]]
        ]
        assert tables[0].num_rows > 0
        assert tables[0].equals(tables[1]), name
    for trial_id in first.statuses():
        for one, other in zip(
            first.representation(trial_id), second.representation(trial_id), strict=True
        ):
            assert (one == other).all()


def test_600_trainings_end_the_same_whatever_is_killed_on_the_way(
    grid_file: Path, tmp_path: Path
) -> None:
    grid = str(study_of(grid_file, tmp_path, num_seeds=50, pack=25))
    undisturbed, disturbed = Results(tmp_path / "undisturbed"), Results(tmp_path / "disturbed")
    run(grid, "--results", undisturbed.uri)
    assert len(undisturbed.statuses()) == 600
    lot = random.Random(0)
    killed = 0
    for until, number in ((120, signal.SIGKILL), (240, signal.SIGKILL), (360, signal.SIGTERM)):
        command = teasel("run", grid, "--results", disturbed.uri)
        killed += disturb(command, disturbed, until, number, lot)
        assert command.returncode == (3 if number == signal.SIGTERM else -signal.SIGKILL)
    command = teasel("run", grid, "--results", disturbed.uri)
    killed += disturb(command, disturbed, 590, 0, lot)
    if command.returncode:
        run(grid, "--results", disturbed.uri)
    assert killed > 3
    assert_equal(undisturbed, disturbed)


def test_kills_change_no_number_on_an_object_store(
    grid_file: Path, tmp_path: Path, query: str
) -> None:
    grid = str(study_of(grid_file, tmp_path, num_seeds=1, pack=2))
    undisturbed, disturbed = (
        Results(tmp_path / "undisturbed"),
        Results(f"s3://studies/kills?{query}"),
    )
    run(grid, "--results", undisturbed.uri)
    lot = random.Random(0)
    killed = 0
    for until in (4, 8):
        command = teasel("run", grid, "--results", disturbed.uri)
        killed += disturb(command, disturbed, until, signal.SIGKILL, lot, apart=(2, 3))
        assert command.returncode == -signal.SIGKILL
    run(grid, "--results", disturbed.uri)
    assert killed > 0
    assert_equal(undisturbed, disturbed)


def test_a_node_that_goes_and_one_that_comes_change_no_number(
    grid_file: Path, tmp_path: Path
) -> None:
    from ray.cluster_utils import Cluster

    grid = str(study_of(grid_file, tmp_path, num_seeds=3, pack=3))
    undisturbed, disturbed = Results(tmp_path / "undisturbed"), Results(tmp_path / "disturbed")
    run(grid, "--results", undisturbed.uri)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        leaves = cluster.add_node(num_cpus=1)
        address = ["--address", cluster.address]
        command = teasel("run", grid, "--results", disturbed.uri, *address)
        while num_trained(disturbed) < 9:
            assert command.poll() is None, command.communicate()[0]
            time.sleep(0.5)
        cluster.remove_node(leaves, allow_graceful=False)
        cluster.add_node(num_cpus=1)
        output = command.communicate()[0]
        assert command.returncode == 0, output
    finally:
        cluster.shutdown()
    assert_equal(undisturbed, disturbed)


def test_a_node_with_a_fault_of_its_own_is_set_aside_and_the_study_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.cluster_utils import Cluster

    grid, results = tmp_path / "aside.yaml", Results(tmp_path / "results")
    grid.write_text(ASIDE)
    (tmp_path / "file").write_text("in which no cache can be")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        bad = {"TEASEL_CACHE_DIR": str(tmp_path / "file" / "cache")}
        cluster.add_node(num_cpus=1, env_vars=bad)
        cluster.wait_for_nodes()
        monkeypatch.delenv("TEASEL_CACHE_DIR")  # the driver's would be that of all nodes
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        run(str(grid), "--results", results.uri, "--address", cluster.address)
    finally:
        cluster.shutdown()
    failures = results.table("failures").to_pylist()
    assert [(row["cause"], row["given_up"]) for row in failures] == [("machine", [])]
    assert "can't make the cache folder" in failures[0]["message"]
    assert list(results.statuses().values()) == 4 * ["done"]


def test_an_accelerator_with_a_fault_of_its_own_is_set_aside_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.cluster_utils import Cluster

    grid, results = tmp_path / "aside.yaml", Results(tmp_path / "results")
    grid.write_text(ASIDE.replace("beta_vae", "fragile"))
    (tmp_path / "fragile.py").write_text(FRAGILE)
    about = tmp_path / "fragile-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: fragile\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[teasel.methods]\nfragile = fragile:FRAGILE\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")  # the accelerators are Ray's alone
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 4, "num_gpus": 2})
    try:
        command = teasel("run", str(grid), "--results", results.uri, "--address", cluster.address)
        output = command.communicate()[0]
        assert command.returncode == 0, output
    finally:
        cluster.shutdown()
    assert list(results.statuses().values()) == 4 * ["done"], output
    failures = results.table("failures").to_pylist()
    place = f"{platform.node()}, GPU 1"
    assert [(row["place"], row["given_up"]) for row in failures] == 2 * [(place, [])]
    assert f"{place} gets no more work: 2 attempts in a row failed there" in output
    assert f"set aside: {place}" in output
