"""The wheel: built, installed elsewhere and used from another folder."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _tracked() -> list[str]:
    """The files that git knows and that are there."""
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def _packages() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return project["tool"]["setuptools"]["packages"]


def test_it_takes_no_name_but_its_own(wheel: Path) -> None:
    assert wheel.name.startswith("teasel_sweep-")
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"teasel"}


def test_it_holds_every_file_of_the_product_and_no_other(wheel: Path) -> None:
    folders = {name.split(".")[1] for name in _packages() if "." in name}
    product = {
        f"teasel/{name}"
        for name in _tracked()
        if name.split("/")[0] in folders
        or ("/" not in name and (name.endswith(".py") or name == "py.typed"))
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("teasel/")}
    assert held == product
    assert {Path(name).suffix for name in held} >= {".py", ".yaml", ".json", ".html", ".css", ".sh"}


def test_nothing_says_to_install_somebody_else_s_distribution() -> None:
    """The name `teasel` is taken: what is installed is a checkout, a wheel or `teasel-sweep`."""
    wrong = re.compile(r"teasel\[|(pip|uv)\b[^\n]*\binstall\s[^\n`]*\bteasel\b(?!-sweep|\.)")
    kinds = (".py", ".md", ".yaml", ".sh", ".toml", "Makefile", "Dockerfile")
    for name in _tracked():
        if name.endswith(kinds) and ROOT / name != Path(__file__):
            found = wrong.search((ROOT / name).read_text())
            assert not found, f"{name}: {found and found.group()}"


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
        "from teasel.analysis.paper.published import published_numbers\n"
        "assert len(published_numbers('table_1')) == 4\n"
        "for name in ('report.html', 'report.css'):\n"
        "    assert (files('teasel.analysis.report') / name).read_text()\n"
        "from teasel.__main__ import main\n"
        "main(['submit', 'slurm', '--example'])\n"
        "assert (files('teasel.cluster') / 'slurm.sh').is_file()\n"
        "main(['plan', 'quickstart'])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "partition:" in run.stdout
    assert "6 trials" in run.stdout
