"""What the README and the pages beside it promise, as far as a test can check it."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import teasel

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("benchmarks/*.md")]
)
QUICK_START = ROOT / "tests" / "data" / "quickstart"
"""The trials and the scores of a real quick start."""


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """What a link may name behind the `#` of a page: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text()
    for target, anchor in re.findall(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)", text):
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in anchors(path.read_text()), f"{name} links to {target}#{anchor}"


def test_the_readme_is_short_and_every_page_is_linked_from_it() -> None:
    assert len(README.split()) < 600
    linked = set(re.findall(r"\]\(([\w./-]+)", README))
    pages = {name for name in PAGES if not name.startswith("docs/results/")} - {"README.md"}
    assert pages <= linked


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md", "docs/decisions.md"])
def test_the_files_that_a_page_names_are_there(name: str) -> None:
    text = (ROOT / name).read_text()
    rooms = r"(?:analysis|cluster|datasets|metrics|models|sweep|testing|tests|benchmarks|docs)"
    for path in re.findall(rf"`({rooms}/[\w./*-]+)`", text):
        if not re.search(r"your_|__pycache__|\.safetensors$", path):
            assert list(ROOT.glob(path)), f"{name} names {path}"


def test_the_modules_that_the_architecture_names_are_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    names = re.findall(r"`((?:sweep|analysis)(?:\.\w+)+)`", text)
    assert len(names) > 20
    for name in names:
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").is_file() or path.is_dir(), name


def test_the_grid_of_the_readme_is_valid() -> None:
    from teasel.sweep.grid.grid import check_grid
    from teasel.sweep.grid.source import read_yaml

    (text,) = blocks(README, "yaml")
    assert len(check_grid(read_yaml(text, "mine.yaml")).trials()) == 2 * (3 + 2 + 1) * 5


def test_the_grid_of_its_picture_is_valid() -> None:
    from teasel.sweep.grid.grid import load_grid

    grid, _ = load_grid(str(ROOT / "docs" / "readme_picture.yaml"))
    assert [trial.method for trial in grid.trials()] == ["beta_vae", "beta_vae", "pca"]


def test_the_packaged_grids_that_the_readme_names_are_all_there_are() -> None:
    from teasel.sweep.grid.grid import packaged_grids

    (sentence,) = re.findall(r"Packaged grids go by name: (.*?)\.\n", README, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) == set(packaged_grids())


def test_the_pandas_of_the_readme_prints_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "quickstart").symlink_to(QUICK_START)
    monkeypatch.chdir(tmp_path)
    ((code, shown),) = re.findall(r"```python\n(.*?)```\n```\n(.*?)```", README, re.DOTALL)
    exec(code, {})
    assert capsys.readouterr().out.split() == shown.split()


@pytest.mark.slow
def test_the_pieces_work_by_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "library.md").read_text()
    (block,) = [code for code in blocks(page, "python") if "Trainer" in code]
    exec(block, {})
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_columns_that_the_library_page_names_are_the_tables() -> None:
    import numpy as np

    from teasel.analysis import scores
    from teasel.tests.support.synthetic import SyntheticResults

    page = (ROOT / "docs" / "library.md").read_text()
    (table,) = re.findall(r"\| column of `scores`.*?\n\n", page, re.DOTALL)
    named = re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.splitlines()[2:-1]))
    made = SyntheticResults(np.random.default_rng(0), num_seeds=1, pictures=False)
    assert set(named) <= set(scores(made).columns)


def test_the_extras_that_the_pages_name_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "docs" / "installation.md").read_text()
    named = re.findall(r"(?:EXTRA=|(?:\.|whl|teasel-sweep)\[)([a-z,]+)", README + page)
    (table,) = re.findall(r"\| extra \| for \|\n.*?\n\n", page, re.DOTALL)
    listed = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row[:20])}
    assert listed == set(project["optional-dependencies"])
    used = {extra for names in named for extra in names.split(",")}
    assert {"cuda", "tpu"} <= used <= listed


def test_make_quickstart_installs_what_the_accelerator_needs() -> None:
    def install(*more: str) -> str:
        command = ["make", "--dry-run", "--always-make", "quickstart", *more]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        (line,) = [line for line in run.stdout.splitlines() if "pip install" in line]
        return line.split(" -e ")[1]

    assert install() == "."
    assert install("EXTRA=cuda") == "'.[cuda]'"


def test_the_citation_has_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == teasel.__version__
    assert [paper["year"] for paper in citation["references"]] == [2019]
