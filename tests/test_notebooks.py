"""What objects say of themselves in a notebook, and the notebook that is in the docs."""

import ast
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from teasel.analysis import scores
from teasel.catalogue import Catalogue, expect
from teasel.datasets import DATASETS
from teasel.metrics import METRICS, Metric
from teasel.models import METHODS
from teasel.sweep.grid.grid import check_grid, load_grid
from teasel.sweep.grid.source import read_yaml
from teasel.sweep.store.results import Results
from teasel.sweep.study.study import read_study
from teasel.tests.support.synthetic import SyntheticResults

ROOT = Path(__file__).parents[1]
QUICK_START = ROOT / "tests" / "data" / "quickstart"


class Table(HTMLParser):
    """The cells of a table; fails on any other element, and on one that is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.caption, self.rows, self.open = "", [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        assert tag in ("table", "caption", "tr", "th", "td")
        assert attrs == []
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] == "caption":
            self.caption += data
        else:
            self.rows[-1][-1] += data


def read(shown: object) -> Table:
    return Table(shown._repr_html_())  # type: ignore[attr-defined]


@pytest.mark.parametrize("catalogue", [METHODS, METRICS, DATASETS])
def test_a_catalogue_shows_each_entry(catalogue: Catalogue) -> None:
    table = read(catalogue)
    assert [row[0] for row in table.rows[1:]] == [*catalogue]
    assert [row[1] for row in table.rows[1:]] == [entry.label for entry in catalogue.values()]


def test_a_catalogue_has_no_empty_column() -> None:
    assert "reference" in read(METHODS).rows[0]
    assert read(DATASETS).rows[0] == ["name", "label"]
    assert read(Catalogue("nothing", {}, expect(Metric))).rows == [[]]


def test_what_a_name_holds_is_no_html() -> None:
    evil = Metric(lambda *_: {}, "<script>alert(1)</script> & \x1b[31m", label='"<b>')
    table = read(Catalogue("evil", {"<i>": evil}, expect(Metric)))
    assert table.rows[1] == ["<i>", '"<b>', r"<script>alert(1)</script> & \x1b[31m"]


def test_a_grid_and_its_study_show_the_same_trials() -> None:
    table = read(load_grid("quickstart")[0])
    assert table.caption == "quickstart: 6 trials"
    assert table.rows[0] == ["data set", "method", "hyper-parameters", "seeds", "trials"]
    assert ["dsprites_mini", "beta_tc_vae", "beta = 1, 6", "2", "4"] in table.rows
    assert read(read_study(Results(QUICK_START))).rows == table.rows


def test_a_grid_of_nothing_swept_shows_its_references() -> None:
    text = "{study: s, datasets: [dsprites], seeds: 1, methods: {pca: {}}}"
    assert read(check_grid(read_yaml(text, "s.yaml"))).rows[1] == ["dsprites", "pca", "", "1", "1"]


def test_a_folder_says_what_is_in_it(tmp_path: Path) -> None:
    table = read(Results(QUICK_START))
    assert table.caption == str(Results(QUICK_START).uri)
    assert ["study", "quickstart"] in table.rows
    assert ["done", "6"] in table.rows
    assert read(Results(tmp_path)).rows == [["no study has been started here"]]


NOTEBOOK = json.loads((ROOT / "docs" / "ten_questions.ipynb").read_text())
CODE = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
TEXT = ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "markdown"]


def test_the_notebook_is_of_format_4_and_holds_no_output() -> None:
    assert {*NOTEBOOK} == {"cells", "metadata", "nbformat", "nbformat_minor"}
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in NOTEBOOK["cells"]]
    assert len({*ids}) == len(ids)
    for cell in NOTEBOOK["cells"]:
        keys = {"cell_type", "id", "metadata", "source"}
        if cell["cell_type"] == "code":
            assert (cell["execution_count"], cell["outputs"]) == (None, [])
            keys |= {"execution_count", "outputs"}
        assert {*cell} == keys
        assert all(line.endswith("\n") for line in cell["source"][:-1])


def test_the_notebook_asks_ten_questions_and_quotes_no_number() -> None:
    questions = [line for text in TEXT for line in text.splitlines() if line.startswith("## ")]
    assert [re.match(r"## (\d+)\. .*\?$", line)[1] for line in questions] == [  # type: ignore[index]
        str(number) for number in range(1, 11)
    ]
    assert not re.search(r"\d\.\d", " ".join(TEXT))


def test_the_links_of_the_notebook_lead_somewhere() -> None:
    for target in re.findall(r"\]\((\S+?)\)", " ".join(TEXT)):
        assert (ROOT / "docs" / target).exists(), target


@pytest.mark.parametrize("num_seeds", [None, 2])
def test_the_notebook_answers_them(
    num_seeds: int | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of the scores that come with it, or of a larger study's."""
    monkeypatch.chdir(ROOT / "docs")
    if num_seeds:
        results = SyntheticResults(np.random.default_rng(0), num_datasets=2, num_seeds=num_seeds)
        (tmp_path / "results").mkdir()
        wide = scores(results, representation=None, wide=True)
        wide.to_parquet(tmp_path / "results" / "scores.parquet")
        monkeypatch.chdir(tmp_path)
    names: dict = {}
    figures = 0
    for code in CODE:
        tree = ast.parse(code)
        last = tree.body.pop()
        assert isinstance(last, ast.Expr), "a cell ends with what it shows"
        exec(compile(tree, "a cell", "exec"), names)
        shown = eval(compile(ast.Expression(last.value), "a cell", "eval"), names)
        has_pairs = names["mean"]["dataset"].nunique() > 1  # of data sets, in question 8
        assert isinstance(shown, Figure) or len(shown) or not has_pairs
        figures += isinstance(shown, Figure)
    assert figures == 9
    svg = names["make_figure"](names["plots"].plot_matrix, names["agreement"])._repr_svg_()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
