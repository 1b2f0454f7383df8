import html
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from teasel.analysis import probability_of_improvement, write_report
from teasel.analysis.formats import DASH
from teasel.analysis.report import elements
from teasel.analysis.report.page import SECTIONS, make_sections, raise_failed, read_report, render
from teasel.analysis.report.parts import NO_SCORES
from teasel.analysis.report.pictures import ranking_score
from teasel.analysis.report.progress import make_codes
from teasel.analysis.tables import ResultsReader
from teasel.sweep.store.results import Results, ResultsError
from teasel.tests.support.synthetic import SyntheticResults

WriteFolder = Callable[..., Results]

ASKED = [name for name in SECTIONS if name not in ("bound", "studies")]
"""The sections that these studies ask for, before the words and the comparison with the paper."""


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


def render_page(results: ResultsReader) -> str:
    report = read_report(results)
    sections = make_sections(report)
    raise_failed(sections, "nowhere")
    return render(report, sections)


@pytest.fixture(scope="module")
def page(report: Path) -> str:
    return report.read_text()


def test_the_page_needs_nothing_but_itself(page: str) -> None:
    sources = Page(page).sources
    beside = ("report_files/", "explorer.html")
    needed = [source for source in sources if not source.startswith(beside)]
    assert needed
    assert all(source.startswith(("#", "data:")) for source in needed)
    assert not re.search(r"@import|url\((?!#)", page)


def test_no_id_stands_twice_and_every_reference_is_there(page: str) -> None:
    ids = Page(page).ids
    assert len(ids) == len(set(ids))
    assert {source[1:] for source in Page(page).sources if source.startswith("#")} <= set(ids)


def test_made_results_are_said_to_be_no_study(page: str) -> None:
    words = (
        "These models are not those of Locatello et al. (2019): data from other sources (synthetic)"
    )
    assert words in section(page, "paper")


def section(page: str, name: str) -> str:
    """What a reader reads in a section."""
    text = page[page.index(f'<section id="{name}"') :]
    return html.unescape(re.sub(r"<[^>]+>", "", text[: text.index("</section>")]))


def test_every_question_has_its_section(page: str) -> None:
    assert re.findall(r'<section id="(\w+)"', page) == [*ASKED, "words", "paper"]


def test_the_paper_is_compared_in_the_last_section_and_in_no_other(page: str) -> None:
    # 3 of 50 seeds in each of the 36 settings.
    assert "6.0 % of the paper's" in section(page, "paper")
    for name in ASKED:
        for words in ("paper's grid", "paper's 3,600", "Published", "not comparable", "Locatello"):
            assert words not in section(page, name), name


def test_published_numbers_stand_only_beside_their_own_data_set(page: str) -> None:
    # These results hold dSprites, whose figure 5 is at hand, but not Noisy-dSprites.
    assert 'id="published-noisy_dsprites"' not in page
    assert 'id="published-5-dsprites"' in page


def test_figure_1_is_said_not_to_be_compared(page: str) -> None:
    assert "Figure 1 is compared with no published numbers" in section(page, "paper")


def test_a_study_that_shares_no_cell_with_the_paper_is_not_compared(
    write_folder: WriteFolder,
) -> None:
    made = SyntheticResults(np.random.default_rng(2), num_seeds=1, pictures=False)
    rows = [row | {"dataset": "mine"} for row in made.table("trials").to_pylist()]
    folder = write_folder(made, trials=rows, scores=[], curves=[], pictures=[])
    page = render_page(folder)
    assert 'id="paper"' not in page
    assert "Locatello" not in page
    assert "published" not in page


def test_the_first_use_of_a_word_has_its_meaning(page: str) -> None:
    told = re.findall(r'<abbr title="([^"]+)">([^<]+)</abbr>', page)
    assert len(told) == len({meaning for meaning, _ in told}) > 10
    words = section(page, "words")
    assert all(html.unescape(meaning) in words for meaning, _ in told)
    assert page.index("<abbr") < page.index('<section id="progress"')


def test_what_the_study_found_comes_first(page: str) -> None:
    words = section(page, "found")
    assert "Best setting by MIG on dSprites: too few seeds to say (3 seeds" in words
    assert "Traversals, best model" in words


def test_made_results_are_not_compared(page: str) -> None:
    assert "not comparable" in page
    assert '"agrees"' not in page
    assert '"differs"' not in page


def test_the_paper_is_compared_with_its_own_parameters_if_there_are_scores_of_them(
    write_folder: WriteFolder,
) -> None:
    made = SyntheticResults(np.random.default_rng(0), num_datasets=3, num_seeds=2, pictures=False)
    own = pc.field("dataset") == "noisy_dsprites"
    rows = made.table("trials").filter(own)
    scores = made.table("scores")
    scores = scores.filter(pc.field("trial_id").isin(rows["trial_id"])).to_pylist()
    other = {"parameters": '{"num_bins": 5}', "parameters_hash": "other"}
    more = [
        row | other | {"value": 1 - row["value"] ** 2} for row in scores if row["metric"] == "mig"
    ]
    folder = write_folder(
        made, trials=rows.to_pylist(), scores=scores + more, curves=[], pictures=[]
    )
    plain = read_report(folder, parameters={"mig": {}})
    assert plain.of_paper is None
    changed = read_report(folder, parameters={"mig": {"num_bins": 5}})
    made_twice = [make_sections(each, ["agreement"]) for each in (plain, changed)]
    papers = [sections[-1] for sections in made_twice]
    found = [[each for each in section["elements"] if each.get("compares")] for section in papers]
    assert str(found[0]) == str(found[1]) != "[]"
    words = "These scores use the paper's parameters"
    assert [words in str(section["elements"]) for section in papers] == [False, True]
    ours, theirs = (
        next(each for each in sections[0]["elements"] if each["kind"] == "data")["tables"][
            "figure_2"
        ]
        for sections in made_twice
    )
    assert not ours["correlation"].equals(theirs["correlation"])


def test_pictures_are_those_of_the_best_and_the_median_model(page: str) -> None:
    shown = re.sub("</?abbr[^>]*>", "", page[page.index('<section id="pictures"') :])
    captions = re.findall(r"<figcaption>(\w+, \w+ model)", shown)
    kinds = ["Reconstructions, best", "Reconstructions, median"]
    kinds += ["Traversals, best", "Traversals, median"]
    kinds += ["Interpolations, best", "Interpolations, median"]
    assert captions == [f"{kind} model" for kind in kinds] * 2


@pytest.mark.slow
def test_a_report_is_written_into_its_results_folder(
    write_folder: WriteFolder, tmp_path: Path
) -> None:
    folder = write_folder(SyntheticResults(np.random.default_rng(1), num_seeds=1))
    assert write_report(str(tmp_path)) == tmp_path / "report.html"
    text = (tmp_path / "report.html").read_text()
    assert "36 trained models" in text
    # The same results give the same page again.
    again = read_report(folder)
    assert (
        render(again, make_sections(again), tmp_path.name, "report_files", "explorer.html") == text
    )


def test_figures_tables_and_pictures_lie_beside_the_page(report: Path) -> None:
    beside = report.parent / "report_files"
    assert (beside / "importance-shares.pdf").read_bytes().startswith(b"%PDF")
    table = pd.read_csv(beside / "figure_2.csv")
    assert {"row", "column", "correlation", "low", "high", "num_models"} <= set(table)
    assert (beside / "dsprites-beta_vae-worst-traversals.png").read_bytes().startswith(b"\x89PNG")
    gallery = Page((beside / "gallery.html").read_text())
    pictures = [source for source in gallery.sources if source.endswith(".png")]
    assert len(pictures) == 108  # two data sets, six methods, three models, three kinds
    assert all((beside / source).is_file() for source in pictures)


def test_a_report_on_results_elsewhere_needs_a_path(tmp_path: Path) -> None:
    Results(tmp_path).write_study({"study": "new"}, "study: new\n")
    with pytest.raises(ResultsError, match="give a path for the report"):
        write_report(tmp_path.as_uri())


@pytest.mark.parametrize("address", [Path, Path.as_uri])
def test_where_there_is_no_study_the_report_says_so_first(address, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="nowhere: no results here"):
        write_report(address(tmp_path / "nowhere"))


def test_a_folder_without_a_finished_model_has_no_report(tmp_path: Path) -> None:
    folder = Results(tmp_path)
    folder.write_study({"study": "new"}, "study: new\n")
    with pytest.raises(ResultsError, match="no model is done yet"):
        write_report(tmp_path)


def test_models_without_scores_curves_or_pictures_still_make_a_report(
    write_folder: WriteFolder,
) -> None:
    made = SyntheticResults(np.random.default_rng(2), num_seeds=1)
    folder = write_folder(made, scores=[], curves=[], pictures=[])
    page = render_page(folder)
    there = [name for name in ASKED if name != "hyperparameters"]
    assert re.findall(r'<section id="(\w+)"', page) == [*there, "words", "paper"]
    assert NO_SCORES in section(page, "scores")
    for name in ("agreement", "importance", "selection"):
        assert NO_SCORES in section(page, name)
    assert "No model has scores of its latents' dependence" in section(page, "strength")
    assert "`metrics: [unsupervised]`" in section(page, "strength")
    assert "`metrics: [downstream_lr, downstream_gbt]`" in section(page, "usefulness")
    assert "This cannot be computed: no model has a disentanglement score yet" in section(
        page, "power"
    )
    assert "No training curves are stored." in section(page, "curves")
    assert "No pictures of these models are stored." in section(page, "pictures")
    assert "are not stored." in section(page, "codes")


@pytest.mark.slow
def test_the_untrained_networks_stand_apart_from_the_scores(write_folder: WriteFolder) -> None:
    made = SyntheticResults(np.random.default_rng(3), num_seeds=1)
    models = made.table("trials").to_pylist()
    models[0] |= {"method": "untrained", "beta": None, "steps": 0}
    page = render_page(write_folder(made, trials=models, curves=[], pictures=[]))
    body = page[page.index('<tbody class="references">') :]
    assert body.index("Untrained networks") < body.index("</tbody>")
    assert (
        "Untrained networks"
        in section(page, "usefulness").split("Accuracies of the classifiers", 1)[1]
    )
    assert "compare methods with: Random codes" in section(page, "scores")
    assert "35 trained models" in page


class WithOtherScores(SyntheticResults):
    """Made results with scores that the paper lacks; with none of the paper's if `alone`.

    Of the score "error" of the metric "mine", which is not installed, less is better.
    """

    alone = False

    def __init__(self, rng: np.random.Generator, num_seeds: int):
        super().__init__(rng, num_seeds=num_seeds)
        self.study["catalogue"]["metrics"]["mine"] = {
            "labels": {"mine_a": "My A"},
            "lower_is_better": ["mine_error"],
        }

    def table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        table = super().table(name)
        if name != "scores":
            return table
        mig = table.filter(pc.field("metric") == "mig")
        given = table.schema.names.index("metric"), table.schema.names.index("score")
        others = []
        for metric, score in (("irs", "irs"), ("mine", "error"), *(("mine", n) for n in "abcdefg")):
            other = mig
            for column, word in zip(given, (metric, score), strict=True):
                words = pa.array([word] * len(mig))
                other = other.set_column(column, table.schema.names[column], words)
            others.append(other)
        return pa.concat_tables([*([] if self.alone else [table]), *others])


def test_scores_that_are_not_the_papers_have_tables_of_their_own() -> None:
    report = read_report(WithOtherScores(np.random.default_rng(9), num_seeds=1))
    shown = list(elements.walk(SECTIONS["scores"](report)))
    words = [element["text"] for element in shown if "text" in element]
    assert "dSprites: scores besides the paper's six" in words
    assert any("Less is better for mine error." in text for text in words)
    tables = {element["name"]: element for element in shown if element["kind"] == "table"}
    winners = tables.pop("winners")
    assert [column["title"] for column in winners["columns"]] == ["Score", "dSprites"]
    assert list(tables) == ["scores-dsprites", "others-dsprites-0", "others-dsprites-8"]
    titles = [[column["title"] for column in table["columns"]][3:] for table in tables.values()]
    assert titles[0][2:4] == ["MIG", "DCI disent."]
    assert titles[1:] == [
        ["DCI compl.", "IRS", "My A", *(f"mine {n}" for n in [*"bcde", "error"])],
        ["mine f", "mine g"],
    ]
    rows = tables["others-dsprites-0"]["bodies"][0]["rows"]
    for column, best in ((4, max), (10, min)):
        top = [row[column]["sort"] for row in rows if row[column]["style"] == "top"]
        assert top == [best(row[column]["sort"] for row in rows)]
    (numbers,) = (element["tables"]["scores"] for element in shown if element["kind"] == "data")
    assert {"mig", "irs", "mine_error", "mine_error_spread"} <= set(numbers)


def test_without_the_papers_scores_the_others_are_shown() -> None:
    made = WithOtherScores(np.random.default_rng(9), num_seeds=1)
    made.alone = True
    report = read_report(made)
    shown = str(SECTIONS["scores"](report))
    assert "others-dsprites-0" in shown
    assert "scores-dsprites" not in shown
    assert ranking_score(report.trained, report.own) == "irs"
    (agreement, _, _) = make_sections(report, ["agreement"])
    assert "* is not one of the paper's six scores." in str(agreement)
    matrix, pairs = (each for each in elements.walk(agreement) if each["kind"] == "figure")
    assert pairs["name"] == "pairs"
    labels = [label.get_text() for label in matrix["figure"].axes[0].get_yticklabels()]
    assert labels == ["IRS*", "My A*", *(f"mine {n}*" for n in [*"bcde", "error", *"fg"])]


def test_a_matrix_of_one_score_is_not_drawn() -> None:
    made = SyntheticResults(np.random.default_rng(9), num_seeds=1, pictures=False)
    report = read_report(made)
    one = report._replace(mean=report.mean.drop(columns=report.scores[1:]))
    shown = SECTIONS["agreement"](one)
    assert "BetaVAE score is the only score here, so" in str(shown)


def test_of_own_scores_less_may_be_better_and_averages_beside_the_papers_lack_them() -> None:
    report = read_report(WithOtherScores(np.random.default_rng(9), num_seeds=2))
    assert report.scores[:6] == report.paper_scores
    assert {"dci_completeness", "irs", "mine_error"} <= set(report.scores[6:])
    negative = report.trained.assign(mine_error=-report.trained["mine_error"])
    better = probability_of_improvement(report.trained, "mine_error", report.names)
    assert better["probability"].equals(
        probability_of_improvement(negative, "mine_error")["probability"]
    )


@pytest.mark.slow
def test_a_half_scored_folder_says_what_is_missing(write_folder: WriteFolder) -> None:
    # Two data sets: of the second no model is scored, of the first no interpolation is stored.
    made = SyntheticResults(np.random.default_rng(6), num_datasets=2, num_seeds=1)
    models = made.table("trials").to_pylist()
    first = {row["trial_id"] for row in models if row["dataset"] == "dsprites"}
    kept: dict[str, list[dict]] = {}
    for name in ("scores", "pictures"):
        rows = [row for row in made.table(name).to_pylist() if row["trial_id"] in first]
        lacking = min(first)
        rows = [row for row in rows if (row["trial_id"], row.get("metric")) != (lacking, "mig")]
        kept[name] = [row for row in rows if row.get("kind") != "interpolations"]
    page = render_page(write_folder(made, curves=[], **kept))
    assert "have every score: MIG 35." in section(page, "scores")
    assert (
        section(page, "scores").count(f"0{DASH}1") == 1
    )  # the models behind the row of that setting
    assert "No model has these scores yet: 36 models" in section(page, "scores")
    assert "BetaVAE score: scored for 0 of 36 models" in section(page, "agreement")
    assert "Mean over data sets" not in section(page, "agreement")
    assert "Color-dSprites: no model has one of these scores yet." in section(page, "importance")
    assert "No interpolations of these models are stored." in section(page, "pictures")
    assert "are not stored." in section(page, "codes")
    assert "UDR is more recent than the paper" in section(page, "selection")
    assert "missing here, because no setting has 5 seeds" in section(page, "selection")


def test_results_without_references_say_so(page: str) -> None:
    words = (
        "lack reference representations to compare methods with: Untrained networks, Random codes"
    )
    assert words in section(page, "scores")
    assert words in section(page, "usefulness")


def test_a_section_that_fails_costs_no_other_and_the_failure_is_raised_once_the_page_is_there(
    made_results: SyntheticResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(report: object) -> dict:
        raise ZeroDivisionError("of odd data")

    for name in list(SECTIONS)[:-2]:
        monkeypatch.setitem(SECTIONS, name, lambda report, name=name: elements.section(name, name))
    monkeypatch.setitem(SECTIONS, "selection", fails)
    with pytest.raises(ZeroDivisionError, match="of odd data"):
        write_report(made_results, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert re.findall(r'<section id="(\w+)"', page) == [*SECTIONS, "words", "paper"]
    assert "could not be made" in section(page, "selection")
    assert "ZeroDivisionError('of odd data')" in section(page, "selection")
    assert "SHA-256" in section(page, "provenance")


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        (np.full((15, 10), np.nan), "a map needs finite codes"),
        (np.ones((9, 10)), "a map needs at least 10 points, got 9"),
    ],
)
def test_codes_that_make_no_map_cost_a_line(codes, reason: str) -> None:
    made = SyntheticResults(np.random.default_rng(8), num_seeds=5, pictures=False)
    made.representation = lambda trial_id: (codes, codes, np.zeros((len(codes), 2), int))
    report = read_report(made)
    assert reason in str(SECTIONS["codes"](report))
    told = str(SECTIONS["selection"](report))
    assert "missing here, but `teasel rescore DIR --metrics udr` computes it." in told


def test_a_map_of_codes_calls_factors_by_their_names() -> None:
    made = SyntheticResults(np.random.default_rng(8), num_seeds=1, pictures=False)
    codes = np.random.default_rng(0).normal(size=(30, 10))
    made.representation = lambda trial_id: (codes, codes, np.arange(60).reshape(30, 2) % 3)
    made.study["catalogue"] = {"datasets": {"dsprites": {"factors": ["x", "floor_hue"]}}}
    (figure,) = (e for e in make_codes(read_report(made))["elements"] if e["kind"] == "figure")
    titles = [panel.get_title(loc="left") for panel in figure["figure"].axes]
    assert titles == ["x", "floor hue"]


def test_references_alone_make_a_report(write_folder: WriteFolder) -> None:
    made = SyntheticResults(np.random.default_rng(7), num_seeds=1)
    rows = made.table("trials").to_pylist()[:2]
    names = ("untrained", "pca")
    models = [row | {"method": name, "beta": None} for row, name in zip(rows, names, strict=True)]
    page = render_page(write_folder(made, trials=models, curves=[], pictures=[]))
    assert "0 trained models (none)" in page
    assert "PCA" in section(page, "scores")
    assert NO_SCORES in section(page, "agreement")


def test_one_model_alone_makes_a_report(write_folder: WriteFolder) -> None:
    made = SyntheticResults(np.random.default_rng(4), num_seeds=1)
    tables = {
        name: made.table(name).to_pylist() for name in ("trials", "scores", "curves", "pictures")
    }
    one = {
        name: [row for row in rows if row["trial_id"] == rows[0]["trial_id"]]
        for name, rows in tables.items()
    }
    page = render_page(write_folder(made, **one))
    assert "1 trained model (" in page
    assert "a ranking needs two models" in page
