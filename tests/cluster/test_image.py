"""The Dockerfile, as far as it can be checked without Docker: what it copies is what it needs."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def _copies() -> list[tuple[list[str], str]]:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    words = [line.split()[1:] for line in lines if line.startswith("COPY ")]
    return [(sources, target) for *sources, target in words]


def test_a_package_installed_from_what_is_copied_works(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for names, target in _copies():
        for name in names:
            if (ROOT / name).is_dir():
                assert target == name
                shutil.copytree(ROOT / name, source / target)
            for file in ROOT.glob(name):
                if file.is_file():
                    shutil.copy(file, source / target)
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    install += ["--no-build-isolation", "--disable-pip-version-check", "--target", str(site)]
    subprocess.run([*install, str(source)], check=True, cwd=tmp_path)
    # What it depends on is that of this environment: a download has no place in a test.
    path = os.pathsep.join([str(site), sysconfig.get_path("purelib")])
    run = subprocess.run(
        [sys.executable, str(site / "bin" / "teasel"), "submit", "kuberay", "--example"],
        env=os.environ | {"PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "namespace: default" in run.stdout


def test_it_copies_every_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["setuptools"]["packages"]
    copied = {target for _, target in _copies()} - {"./"}
    assert copied == {name.split(".")[1] for name in packages if "." in name}


def test_the_extras_it_installs_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    (asked,) = re.findall(r'"\.\[\$\{EXTRA\},(\w+)\]"', dockerfile)
    built = yaml.safe_load((ROOT / ".github/workflows/image.yaml").read_text())
    assert {asked, *built["jobs"]["build"]["strategy"]["matrix"]["extra"]} <= set(
        project["optional-dependencies"]
    )
