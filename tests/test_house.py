"""The shape of the house: which folder may import which, and what stays unimported."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {"datasets": 1, "models": 1, "metrics": 1, "sweep": 2, "analysis": 3, "cluster": 3}
HEAVY = {"ray", "tensorflow_datasets", "pydantic", "pandas", "sklearn"}


def _modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _imports(path: Path) -> list[tuple[int, str, int]]:
    """(relative level, dotted module, line) of every import statement of a file.

    `from teasel import models` counts as `teasel.models`.
    """
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(0, alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.module == "teasel":
                found += [(0, f"teasel.{alias.name}", node.lineno) for alias in node.names]
            elif node.module:
                found.append((node.level, node.module, node.lineno))
            else:
                found += [(node.level, alias.name, node.lineno) for alias in node.names]
    return found


@pytest.mark.parametrize("folder", FLOORS)
def test_imports_between_folders_point_down(folder: str) -> None:
    for path in _modules(folder):
        depth = len(path.relative_to(ROOT).parts)  # datasets/x.py -> 2: `..` is the root
        for level, module, line in _imports(path):
            target = module.split(".")[0]
            if module.startswith("teasel."):
                target = module.split(".")[1]
            elif level != depth:
                continue
            if target in FLOORS and target != folder:
                assert FLOORS[target] < FLOORS[folder], f"{path}:{line} imports {target}"


def test_only_sweep_and_cluster_import_ray() -> None:
    for folder in ("datasets", "models", "metrics", "analysis"):
        for path in _modules(folder):
            for level, module, line in _imports(path):
                assert level or module.split(".")[0] != "ray", f"{path}:{line}"


def test_packages_are_the_folders() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {
        ".".join(("teasel", *init.parent.relative_to(ROOT).parts))
        for folder in FLOORS
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert sorted(listed) == sorted({"teasel", *folders})


def _imported_by(statement: str) -> set[str]:
    """Top-level modules that are loaded after `statement` in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.splitlines()[-1].split())


def test_the_sciences_import_without_ray_tfds_pydantic_pandas_or_scikit_learn() -> None:
    loaded = _imported_by("import teasel.datasets, teasel.models, teasel.metrics")
    assert not loaded & HEAVY


def test_help_imports_nothing_heavy() -> None:
    loaded = _imported_by(
        "from teasel.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    )
    assert not loaded & (HEAVY | {"jax", "numpy", "pyarrow"})
