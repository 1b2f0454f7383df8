import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from teasel.analysis import write_report
from teasel.analysis.report import render
from teasel.analysis.synthetic import SyntheticResults
from teasel.sweep.results import Results


class Page(HTMLParser):
    """What a page refers to, and the ids in it."""

    def __init__(self, text: str):
        super().__init__()
        self.ids: list[str] = []
        self.sources: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        given = dict(attrs)
        if "id" in given:
            self.ids.append(given["id"])
        self.sources += [given[name] for name in ("src", "href", "xlink:href") if name in given]


@pytest.fixture(scope="module")
def page(made_results: SyntheticResults) -> str:
    return render(made_results)


def test_the_page_needs_nothing_but_itself(page: str) -> None:
    sources = Page(page).sources
    assert sources
    assert all(source.startswith(("#", "data:")) for source in sources)
    assert not re.search(r"@import|url\((?!#)", page)


def test_no_id_stands_twice_and_every_reference_is_there(page: str) -> None:
    ids = Page(page).ids
    assert len(ids) == len(set(ids))
    assert {source[1:] for source in Page(page).sources if source.startswith("#")} <= set(ids)


def test_the_same_results_give_the_same_page(page: str) -> None:
    again = SyntheticResults(np.random.default_rng(0), num_datasets=2, num_seeds=3)
    assert render(again) == page


def test_made_results_are_said_to_be_no_study(page: str) -> None:
    assert "This is not the study of Locatello et al. (2019): stand-in data (synthetic)" in page


def test_every_question_has_its_section(page: str) -> None:
    sections = re.findall(r'<section id="(\w+)"', page)
    assert sections == ["scores", "agreement", "curves", "pictures", "provenance"]


def test_published_numbers_stand_only_beside_their_own_data_set(page: str) -> None:
    # The published matrix is Noisy-dSprites'; these results hold dSprites and Color-dSprites.
    assert 'id="published-' not in page
    third = SyntheticResults(np.random.default_rng(0), num_datasets=3, num_seeds=1)
    assert 'id="published-noisy_dsprites"' in render(third)


def test_pictures_are_those_of_the_best_and_the_median_model(page: str) -> None:
    captions = re.findall(r"<figcaption>(\w+, \w+ model)", page)
    kinds = ["Reconstructions, best", "Reconstructions, median"]
    kinds += ["Traversals, best", "Traversals, median"]
    assert captions == [f"{kind} model" for kind in kinds] * 2


def test_a_report_is_written_into_its_results_folder(tmp_path: Path) -> None:
    made = SyntheticResults(np.random.default_rng(1), num_seeds=1)
    folder = Results(tmp_path)
    folder.write_study(made.study, "study: synthetic\n")
    for name in ("trials", "scores", "curves", "pictures"):
        folder.add(name, "part", made.table(name).to_pylist())
    assert write_report(str(tmp_path)) == tmp_path / "report.html"
    assert "36 trained models" in (tmp_path / "report.html").read_text()


def test_a_report_on_results_elsewhere_needs_a_path() -> None:
    with pytest.raises(ValueError, match="say where the report should be written"):
        write_report("s3://bucket/results")


def test_a_folder_without_a_finished_model_has_no_report(tmp_path: Path) -> None:
    folder = Results(tmp_path)
    folder.write_study({"study": "new"}, "study: new\n")
    with pytest.raises(ValueError, match="no model is done yet"):
        write_report(tmp_path)


def test_models_without_scores_curves_or_pictures_still_make_a_report(tmp_path: Path) -> None:
    made = SyntheticResults(np.random.default_rng(2), num_seeds=1)
    folder = Results(tmp_path)
    folder.write_study(made.study, "study: synthetic\n")
    folder.add("trials", "part", made.table("trials").to_pylist())
    page = render(folder)
    assert re.findall(r'<section id="(\w+)"', page) == ["scores", "agreement", "provenance"]
    assert "dSprites: no correlation over 0 models." in page
