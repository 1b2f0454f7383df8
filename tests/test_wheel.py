"""The wheel: built, installed elsewhere and used from another folder."""

import subprocess
import sys
import zipfile
from pathlib import Path


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
        "from teasel.sweep.grid.grid import load_grid, packaged_grids\n"
        "assert {'quickstart', 'locatello2019'} <= set(packaged_grids())\n"
        "load_grid('quickstart')\n"
        "from importlib.resources import files\n"
        "kinds = {path.name.split('.')[-1] for path in files('teasel.analysis').iterdir()}\n"
        "assert {'html', 'css', 'json'} <= kinds, kinds\n"
        "from teasel.__main__ import main\n"
        "main(['submit', 'slurm', '--example'])\n"
        "assert (files('teasel.cluster') / 'slurm.sh').is_file()\n"
        "main(['plan', 'quickstart'])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "partition:" in run.stdout
    assert "6 trials" in run.stdout
