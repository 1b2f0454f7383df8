"""The shape of the house: its rooms and their floors, what may import and print, what is packed."""

import ast
import re
import subprocess
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from teasel.docs.render_house import (
    DOORS,
    FLOORS,
    FOLDERS,
    describe,
    floor,
    imports,
    imports_of_ours,
    modules,
    room,
)

ROOT = Path(__file__).parents[1]
ATTEMPT = "teasel.sweep.work.attempt"
HEAVY = {"ray", "tensorflow_datasets", "pydantic", "pandas", "sklearn"}


def calls_of_print(path: Path) -> list[int]:
    """The lines that print, or write to a standard stream."""
    lines = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("print", "pprint", "sys.stdout.write", "sys.stderr.write"):
                lines.append(node.lineno)
    return lines


def test_every_file_lies_in_a_room_of_the_plan() -> None:
    homeless = [name for name in modules() if room(name) not in FLOORS]
    assert homeless == []
    for name, files in DOORS.items():
        inside = {
            module.split(".")[-1] for module in modules() if room(module) == name != module
        } - {"__main__"}
        assert inside <= files, f"{name} has files outside its rooms"


def test_every_room_has_files() -> None:
    assert {room(module) for module in modules()} == set(FLOORS)


@pytest.mark.parametrize("name", FLOORS)
def test_a_room_imports_only_what_lies_lower(name: str) -> None:
    upward = [
        f"{modules()[module]}:{found.line} imports {found.module}"
        for module in modules()
        if room(module) == name
        for found in imports_of_ours(module)
        if room(found.module) != name and floor(found.module) >= floor(module)
    ]
    assert upward == []


def test_nothing_but_tests_imports_the_face_of_the_house() -> None:
    """It names what all the rooms hold, so it lies above them."""
    inward = [module for module in modules() for each in imports(module) if each.module == "teasel"]
    assert inward == []


def test_the_version_is_said_in_one_place() -> None:
    """The distribution's name is not the package's, and a checkout may not be installed at all."""
    asking = [
        str(path.relative_to(ROOT))
        for path in modules().values()
        if re.search(r"""(version|distribution|metadata)\(["']teasel""", path.read_text())
    ]
    assert asking == []


def test_no_circle_of_files() -> None:
    """The one knot is cut in `attempt`: it imports late what trains and scores."""
    graph = {
        module: {
            found.module
            for found in imports_of_ours(module)
            if not (module == ATTEMPT and found.late) and found.module != module
        }
        for module in modules()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_nothing_imports_what_is_for_tests() -> None:
    for module in modules():
        if room(module) != "teasel.testing":
            found = [name for name, *_ in imports(module) if name.startswith("teasel.testing")]
            assert found == [], module


def test_everything_is_printed_by_the_one_function_that_spells_out_escapes() -> None:
    printing = [
        f"{path.relative_to(ROOT)}:{line}"
        for module, path in modules().items()
        if module != "teasel.sweep.commands.command_line"
        for line in calls_of_print(path)
    ]
    assert printing == []


def test_only_sweep_and_cluster_import_ray() -> None:
    for module in modules():
        if not room(module).startswith(("teasel.sweep", "teasel.cluster")):
            for name, line, _ in imports(module):
                assert name.split(".")[0] != "ray", f"{modules()[module]}:{line}"


def test_packages_are_the_folders() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert sorted(tools["setuptools"]["packages"]) == sorted({room(name) for name in modules()})
    assert sorted(tools["pyright"]["include"]) == sorted(["*.py", *FOLDERS, "tests/support"])


def test_every_room_is_a_package() -> None:
    assert [name for name in FLOORS if name not in modules()] == []


def test_the_floors_are_those_of_contributing() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| `([\w/]+)` \| (\d+) \|", text, re.MULTILINE)
    told = {
        "teasel" if name == "teasel" else f"teasel.{name.replace('/', '.')}": int(floor)
        for name, floor in rows
    }
    assert told == FLOORS


def test_the_picture_of_the_house_is_drawn_from_these_imports() -> None:
    assert describe() in (ROOT / "docs" / "pictures" / "house.svg").read_text()


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
