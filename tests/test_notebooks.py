"""What objects say of themselves in a notebook, and the notebook that is in the docs."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from teasel.catalogue import Catalogue, expect
from teasel.datasets import DATASETS
from teasel.metrics import METRICS, Metric
from teasel.models import METHODS
from teasel.sweep.grid.grid import check_grid, load_grid
from teasel.sweep.grid.source import read_yaml
from teasel.sweep.store.results import Results
from teasel.sweep.study.study import read_study

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
    assert read(Results(tmp_path)).rows == [["no study has been begun here"]]
