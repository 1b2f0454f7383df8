"""A task's CPU and threads: its own, and the same number everywhere."""

import os
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


def test_a_task_without_an_accelerator_sees_none_and_a_share_of_one_leaves_the_rest(
    tmp_path: Path,
) -> None:
    code = (
        "import os\n"
        "from teasel.sweep.work.machine import prepare\n"
        "prepare(cpus=1, gpus={gpus})\n"
        "names = ('JAX_PLATFORMS', 'XLA_PYTHON_CLIENT_MEM_FRACTION')\n"
        "print(*(os.environ.get(name) for name in names))\n"
    )
    assert python(code.format(gpus=0), tmp_path, JAX_PLATFORMS="") == "cpu None"
    assert python(code.format(gpus=0.5), tmp_path, JAX_PLATFORMS="cuda") == "cuda 0.450"


@pytest.mark.parametrize(
    ("platforms", "answer"),
    [("", "node NODE has an accelerator, but its JAX uses only the CPU: install"), ("cpu", "fine")],
)
def test_a_pack_does_not_train_on_the_cpu_beside_its_accelerator_unless_told_to(
    tmp_path: Path, platforms: str, answer: str
) -> None:
    code = (
        "import jax\n"
        "from teasel.sweep.work.machine import ClusterError\n"
        "from teasel.sweep.work.machine import check_accelerator\n"
        "jax.default_backend = lambda: 'cpu'\n"
        "try:\n"
        "    check_accelerator()\n"
        "    print('fine')\n"
        "except ClusterError as error:\n"
        "    print(error)\n"
    )
    said = python(code, tmp_path, JAX_PLATFORMS=platforms)
    assert said.startswith(answer.replace("NODE", os.uname().nodename))
