"""A report of two studies says which of their cells agree."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teasel.__main__ import main
from teasel.analysis import export
from teasel.analysis.report import elements
from teasel.analysis.report.page import SECTIONS, make_sections, read_report
from teasel.sweep.store.results import Results, ResultsError
from teasel.tests.support.synthetic import SyntheticResults


def write(folder: Path, seed: int, **changes: Any) -> Results:
    """A made study in a folder of its own: its seeds are the same, its models are not."""
    made = SyntheticResults(np.random.default_rng(0), num_seeds=10, pictures=False)
    results = Results(folder)
    results.write_study(made.study | {"study": folder.name}, "study: synthetic\n")
    rng = np.random.default_rng(seed)
    for name in ("trials", "scores"):
        rows = made.table(name).to_pylist()
        for row in rows if name == "scores" else ():
            row["value"] += 0.01 * rng.normal() + changes.get(row["metric"], 0.0)
        results.add(name, "part", rows)
    return results


def words_of(section: dict) -> str:
    texts = [each.get("text", "") for each in elements.walk(section)]
    return " ".join(texts)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Results]:
    folder = tmp_path_factory.mktemp("studies")
    return [write(folder / "one", 1), write(folder / "other", 2, sap=0.3)]


def test_the_section_counts_what_agrees_and_names_what_differs(folders: list[Results]) -> None:
    section, *_ = make_sections(read_report(folders[0], beside=folders[1]), ["studies"])
    assert "error" not in section
    words = words_of(section)
    assert "The first is one (360 models), the second other (360 models)." in words
    (agree, differ, chance) = re.findall(
        r"(\d+) agree and (\d+) differ; up to (\d+\.\d) would differ by chance", words
    )[0]
    assert int(agree) + int(differ) == 36 * 10
    assert 36 <= int(differ) < 36 + 0.1 * 36 * 9
    assert float(chance) == 18.0
    assert int(re.findall(r"(\d+) differ when all are tested together", words)[0]) >= 36
    tables = {each["name"]: each for each in elements.walk(section) if each["kind"] == "table"}
    rows = tables["studies-by-score"]["bodies"][0]["rows"]
    (sap,) = [row for row in rows if row[1]["text"] == "SAP"]
    assert [cell["text"] for cell in sap[2:5]] == ["36", "0", "36"]
    first = tables["studies-differences"]["bodies"][0]["rows"][0]
    assert first[3]["text"] == "SAP"
    assert re.fullmatch(r"0\.\d{3} ± 0\.\d{3} \(10\)", first[4]["text"])


def test_without_another_study_there_is_no_such_section(folders: list[Results]) -> None:
    report = read_report(folders[0])
    assert SECTIONS["studies"](report) is None
    assert report.beside is None


def test_studies_without_a_common_cell_say_so(folders: list[Results]) -> None:
    report = read_report(folders[0], beside=folders[1])
    assert report.beside is not None
    table = report.beside
    apart = table[(table["study"] == "one") == (table["method"] == "beta_vae")]
    section, *_ = make_sections(report._replace(beside=apart), ["studies"])
    assert "have no cell of data set, method and setting in common" in words_of(section)
    alone = report._replace(beside=table[table["study"] == "one"])
    assert "Only one (" in words_of(make_sections(alone, ["studies"])[0])


def test_studies_that_cannot_be_read_as_one_are_refused(
    folders: list[Results], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", folders[0].uri, str(tmp_path / "none")]) == 2
    assert "no results here" in capsys.readouterr().err
    with pytest.raises(ResultsError, match="was given twice"):
        read_report(folders[0], beside=folders[0])


@pytest.mark.slow
def test_the_command_line_writes_both(folders: list[Results], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert main(["report", folders[0].uri, folders[1].uri, "--output", str(page)]) == 0
    assert "Do the two studies agree?" in page.read_text()
    assert (tmp_path / "page_files" / "studies.csv").exists()
    export(folders[0], tmp_path / "out", beside=folders[1])
    assert "## Do the two studies agree?" in (tmp_path / "out" / "README.md").read_text()
