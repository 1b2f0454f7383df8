"""A task's CPU and threads: its own, and the same number everywhere."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system cannot pin a process"
)


def python(code: str, folder: Path, **environment: str) -> str:
    """What a fresh process prints, with its temporary files in `folder`."""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)} | environment,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@needs_affinity
def test_a_claimed_cpu_is_nobody_elses_until_it_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from teasel.sweep.work import machine

    before = os.sched_getaffinity(0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    try:
        mine = machine.claim_cpus(len(before), patience=0)
        assert set(mine) == before
        assert (tmp_path / f"teasel-cpus-{os.getuid()}").stat().st_mode & 0o777 == 0o700
        claim = "from teasel.sweep.work.machine import claim_cpus; print(claim_cpus(1, patience=0))"
        assert python(claim, tmp_path) == "[]"
        machine.release_cpus()
        assert python(claim, tmp_path) == f"[{min(before)}]"
    finally:
        machine.release_cpus()
        os.sched_setaffinity(0, before)


@needs_affinity
@pytest.mark.parametrize(
    "trick", ["a link for the folder", "a link for a lock", "another's folder"]
)
def test_cpus_are_not_claimed_in_a_folder_that_somebody_else_has_laid_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trick: str
) -> None:
    from teasel.sweep.work import machine

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = os.sched_getaffinity(0)
    folder, mine = tmp_path / f"teasel-cpus-{os.getuid()}", tmp_path / "mine"
    mine.mkdir()
    (mine / "precious").write_text("kept")
    if trick == "a link for the folder":
        folder.symlink_to(mine)
    else:
        folder.mkdir(mode=0o777)
    if trick == "a link for a lock":
        for cpu in before:
            (folder / str(cpu)).symlink_to(mine / "precious")
    elif trick == "another's folder":
        if os.getuid():
            pytest.skip("only root can give a folder away")
        os.chown(folder, 12345, -1)
    assert machine.claim_cpus(1, patience=60) == []
    assert os.sched_getaffinity(0) == before
    assert (mine / "precious").read_text() == "kept"
    assert [path.name for path in mine.iterdir()] == ["precious"]


@pytest.mark.slow
def test_a_training_has_the_same_bits_however_many_cpus_there_are(tmp_path: Path) -> None:
    code = (
        "from teasel.sweep.work.machine import prepare, release_cpus\n"
        "prepare(cpus=1, gpus=0)\n"
        "import os\n"
        "if hasattr(os, 'sched_setaffinity'):\n"
        "    os.sched_setaffinity(0, range(os.cpu_count()) if {wide} else [0])\n"
        "import jax\n"
        "from teasel.models import METHODS, Replica, Settings, Trainer\n"
        "draw = lambda data, key, size: jax.random.uniform(key, (size, 64, 64, 1))\n"
        "trainer = Trainer(METHODS['beta_vae'], Settings(5), (64, 64, 1), draw, ())\n"
        "pack, _ = trainer.advance(trainer.start([Replica({{'beta': 1.0}}, 1)]), 5)\n"
        "leaves = jax.tree.leaves(trainer.parameters(pack))\n"
        "import hashlib\n"
        "print(hashlib.sha256(b''.join(leaf.tobytes() for leaf in leaves)).hexdigest())\n"
    )
    one, all_of_them = (python(code.format(wide=wide), tmp_path) for wide in (False, True))
    assert one == all_of_them


NEW, OLD = "XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION"


def prepared(
    monkeypatch: pytest.MonkeyPatch, gpus: float, deterministic: bool = False, **given: str
) -> dict[str, str]:
    """What a task with these variables and this share of an accelerator has JAX read."""
    from teasel.sweep.work import machine

    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", dict(given))
        machine.prepare(1, gpus, deterministic)
        return os.environ  # type: ignore[return-value]


@pytest.mark.parametrize("own", ["", "--xla_dump_to=/x"])
def test_a_deterministic_pack_has_xlas_flag_beside_the_users(
    monkeypatch: pytest.MonkeyPatch, own: str
) -> None:
    flags = prepared(monkeypatch, 1, deterministic=True, XLA_FLAGS=own)["XLA_FLAGS"]
    assert flags.split() == [*own.split(), "--xla_gpu_deterministic_ops=true"]
    assert prepared(monkeypatch, 1, XLA_FLAGS=own) == {"XLA_FLAGS": own}


def test_a_task_without_an_accelerator_sees_none(tmp_path: Path) -> None:
    code = (
        "import os\n"
        "from teasel.sweep.work.machine import prepare\n"
        "prepare(cpus=1, gpus=0)\n"
        "print(os.environ['JAX_PLATFORMS'])\n"
    )
    assert python(code, tmp_path, JAX_PLATFORMS="") == "cpu"


@pytest.mark.parametrize(
    ("gpus", "given", "expected"),
    [
        (0.5, {}, {NEW: "0.450"}),
        (1, {}, {}),
        (0.5, {NEW: "0.4"}, {NEW: "0.4"}),
        (0.5, {OLD: "0.4"}, {NEW: "0.4"}),
        (0.5, {NEW: "0.4", OLD: "0.4"}, {NEW: "0.4"}),
        (0.5, {NEW: "", OLD: ""}, {NEW: "0.450"}),
        (1, {OLD: "0.9"}, {NEW: "0.9"}),
    ],
)
def test_the_users_share_of_the_memory_wins_and_has_one_name(
    monkeypatch: pytest.MonkeyPatch, gpus: float, given: dict[str, str], expected: dict[str, str]
) -> None:
    assert prepared(monkeypatch, gpus, JAX_PLATFORMS="cuda", **given) == {
        "JAX_PLATFORMS": "cuda",
        **expected,
    }


@pytest.mark.parametrize(
    ("gpus", "given", "said"),
    [
        (1, {NEW: "0.4", OLD: "0.5"}, f"{NEW}=0.4 and {OLD}=0.5, but both set the same thing"),
        (0.5, {NEW: "0.9"}, f"{NEW}=0.9, but a pack gets 0.5 of an accelerator (gpus_per_pack)"),
        (0.5, {OLD: "half"}, f"{OLD}=half, but a pack gets 0.5 of an accelerator"),
    ],
)
def test_a_share_of_the_memory_that_cannot_be_is_refused_aloud(
    monkeypatch: pytest.MonkeyPatch, gpus: float, given: dict[str, str], said: str
) -> None:
    from teasel.sweep.work.machine import ClusterError

    with pytest.raises(ClusterError, match=re.escape(said)):
        prepared(monkeypatch, gpus, **given)


def test_what_changes_numbers_or_memory_reaches_the_workers_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from teasel.sweep.work.machine import shared_environment

    names = (
        *("TEASEL_DATA_DIR", "JAX_ENABLE_X64", "JAX_DEFAULT_MATMUL_PRECISION", "XLA_FLAGS"),
        *(NEW, OLD, "LIBTPU_INIT_ARGS", "TF_GPU_ALLOCATOR", "NCCL_DEBUG"),
        *("NVIDIA_TF32_OVERRIDE", "NPY_DISABLE_CPU_FEATURES"),
    )
    travels = dict.fromkeys(names, "1")
    stays = ("HOME", "PATH", "AWS_SECRET_ACCESS_KEY", "CUDA_VISIBLE_DEVICES", "TPU_VISIBLE_CHIPS")
    monkeypatch.setattr(os, "environ", travels | dict.fromkeys(stays, "1"))
    assert shared_environment() == travels


CHECK = """
from teasel.sweep.work.machine import ClusterError, check_accelerator
try:
    check_accelerator()
    print("fine")
except ClusterError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("platforms", "answer"),
    [
        ("", "node NODE has an accelerator, but its JAX uses only the CPU: install"),
        ("cpu", "fine"),
        ("tpu", "node NODE, JAX_PLATFORMS=tpu: Unable to initialize backend 'tpu'"),
    ],
)
def test_a_pack_does_not_train_on_the_cpu_beside_its_accelerator_unless_told_to(
    tmp_path: Path, platforms: str, answer: str
) -> None:
    plugin = tmp_path / "jax_plugins" / "broken"
    plugin.mkdir(parents=True)
    (plugin / "__init__.py").write_text(
        "def initialize():\n    raise RuntimeError('the driver is\\ntoo old')\n"
    )
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    said = python(CHECK, tmp_path, JAX_PLATFORMS=platforms, PYTHONPATH=path)
    assert said.startswith(answer.replace("NODE", os.uname().nodename))
    assert ("JAX says: " in said and "the driver is too old" in said) == (platforms == "")
    assert "\n" not in said


def test_where_files_cannot_be_locked_as_on_windows_one_sentence_says_so(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['fcntl'] = None\n"
        "from teasel.datasets import DataError, load\n"
        "from teasel.sweep.commands import plan, run, status\n"
        "from teasel.sweep.work.machine import claim_cpus, ClusterError\n"
        "try:\n"
        "    load('dsprites_mini')\n"
        "except DataError as error:\n"
        "    print(error)\n"
        "from teasel.sweep.schedule.ray import RayExecutor\n"
        "sys.platform = 'win32'\n"
        "try:\n"
        "    RayExecutor()\n"
        "except ClusterError as error:\n"
        "    print(error)\n"
    )
    said = python(code, tmp_path, TEASEL_CACHE_DIR=str(tmp_path / "cache"))
    assert said.splitlines() == [
        "data sets need Linux or macOS: on Windows, use WSL 2",
        "Teasel runs studies on Linux and macOS: on Windows, use WSL 2",
    ]
