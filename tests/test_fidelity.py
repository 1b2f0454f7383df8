"""docs/fidelity.md says no more than its tests show, and leaves out no difference of the code."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "fidelity.md").read_text()
HEADER = "| what | the original | here | code and tests |"
COMMENT = "Differs from the original:"


def rows() -> dict[str, list[str]]:
    """What the last cell of each row names, by the row's first cell."""
    tables = [text.strip().partition("\n\n")[0] for text in PAGE.split(HEADER)[1:]]
    lines = [line for table in tables for line in table.split("\n")[1:]]
    cells = [line.strip("| ").split(" | ") for line in lines]
    assert all(len(row) == 4 for row in cells)
    return {row[0]: [path(name) for name in re.findall(r"`([^`]+)`", row[3])] for row in cells}


def path(name: str) -> str:
    """The file of a module that is named with dots; any other name as it is."""
    return name.replace(".", "/") + ".py" if re.fullmatch(r"\w+(\.\w+){2,}", name) else name


ROWS = rows()


def sources() -> dict[str, int]:
    """How many differences each file of the product tells, by its path."""
    files = [*ROOT.glob("*/**/*.py"), *ROOT.glob("sweep/grid/*.yaml")]
    own = [file for file in files if file.relative_to(ROOT).parts[0] in ROOMS]
    return {
        str(file.relative_to(ROOT)): count
        for file in own
        if (count := file.read_text().count(COMMENT))
    }


ROOMS = ("analysis", "cluster", "datasets", "metrics", "models", "sweep")
TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)", file.read_text())
}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_names_code_that_tells_the_difference_and_a_test_that_shows_it(row: str) -> None:
    told = sources()
    code = [name for name in ROWS[row] if not name.startswith("test_")]
    tests = [name for name in ROWS[row] if name.startswith("test_")]
    assert code
    assert not [name for name in code if name not in told]
    assert tests
    assert not [name for name in tests if name not in TESTS]


def test_every_difference_that_the_code_tells_has_a_row() -> None:
    listed = Counter(name for named in ROWS.values() for name in named)
    assert not {file: count for file, count in sources().items() if listed[file] < count}


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(test_\w+)`", PAGE)
    files = re.findall(r"`(tests/[\w/]+\.py)`", PAGE)
    assert not [name for name in named if name not in TESTS]
    assert not [file for file in files if not (ROOT / file).is_file()]
