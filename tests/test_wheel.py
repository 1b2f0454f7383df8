"""The wheel: built, installed elsewhere and used from another folder."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of a clean copy of the tracked files."""
    source = tmp_path_factory.mktemp("source")
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    run = subprocess.run([*command, str(source)], capture_output=True, text=True, cwd=out)
    assert run.returncode == 0, run.stdout + run.stderr
    (built,) = out.glob("*.whl")
    return built


def test_it_takes_no_name_but_its_own(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"teasel"}


def test_it_works_from_another_folder_with_its_data(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, 'site')\n"
        "import teasel; assert 'site' in teasel.__file__, teasel.__file__\n"
        "from teasel.sweep.grid import load_grid, packaged_grids\n"
        "assert {'quickstart', 'locatello2019'} <= set(packaged_grids())\n"
        "load_grid('quickstart')\n"
        "from importlib.resources import files\n"
        "kinds = {path.name.split('.')[-1] for path in files('teasel.analysis').iterdir()}\n"
        "assert {'html', 'css', 'json'} <= kinds, kinds\n"
        "from teasel.__main__ import main; main(['plan', 'quickstart'])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "6 trials" in run.stdout
