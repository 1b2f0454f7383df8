"""Tables in LaTeX, read back by a small parser of what they may hold."""

import math
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from pandas import DataFrame

from teasel.__main__ import main
from teasel.analysis import export, figure_3, score_table, table_1, to_latex
from teasel.analysis.latex import escape, format_interval, make_tabular
from teasel.analysis.names import PAPER_NAMES
from teasel.analysis.report import elements
from teasel.analysis.report import export as pages
from teasel.errors import UnknownNameError
from teasel.tests.support.synthetic import synthetic_scores

QUICK_START = Path(__file__).parents[1] / "data" / "quickstart"

WORDS = {
    "textbackslash": "\\",
    "textasciitilde": "~",
    "textasciicircum": "^",
    "textless": "<",
    "textgreater": ">",
    "textbar": "|",
    "textasciigrave": "`",
    "textminus": "\u2212",
    "textendash": "\u2013",
    "textemdash": "—",
    "ldots": "…",
    "textdegree": "°",
    "ss": "ß",
    "texttwosuperior": "²",
    "textthreesuperior": "³",
    "pm": "±",
    "times": "\u00d7",
    "cdot": "·",
    "le": "≤",
    "ge": "≥",
    "infty": "∞",
    "varsigma": "ς",
    "lambda": "λ",
    "Lambda": "Λ",
    "o": "ø",
    "O": "Ø",
    "ae": "æ",
    "AE": "Æ",
    "l": "ł",
    "L": "Ł",
}
PLAIN = {
    "-{}": "-",
    "''": '"',
    r"\`{}": "`",
    r"\ensuremath{-}": "\u2212",
    r"\ensuremath{^2}": "²",
    r"\ensuremath{^3}": "³",
    r"\ensuremath{^\circ}": "°",
}
MARKS = dict(
    zip(
        "`'^~=u.\"rHvc",
        "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327",
        strict=True,
    )
)
TOKEN = re.compile(
    r"\\ensuremath\{\\(?P<maths>\w+)\}|\\(?P<accent>[`'^~=u.\"rHvc])\{(?P<under>\w)\}"
    r"|\\(?P<word>[A-Za-z]+)\{\}|\\(?P<special>[&%$#_{}])|\{(?P<kept>[][*])\}|-\{\}|''|\\`\{\}|\\ensuremath\{(?:-|\^[23]|\^\\circ)\}"
    r"|(?P<plain>[^\\{}$&#_%^~\n\[\]*`\"])"
)


def read(latex: str) -> str:
    """What LaTeX shows; fails on whatever would mean something to it."""
    shown, place = "", 0
    while place < len(latex):
        found = TOKEN.match(latex, place)
        assert found, f"{latex[place:]!r} means something"
        if name := found["maths"] or found["word"]:
            case = "SMALL" if name.islower() else "CAPITAL"
            shown += WORDS.get(name) or unicodedata.lookup(f"GREEK {case} LETTER {name.upper()}")
        elif found["accent"]:
            shown += unicodedata.normalize("NFC", found["under"] + MARKS[found["accent"]])
        else:
            known = found["special"] or found["kept"] or found["plain"]
            shown += known or PLAIN[found[0]]
        place = found.end()
    return shown


NASTY = (
    *("a_b", "100 %", "R&D", "#1", "$x$", r"\input{x}", "{", "}", "~^", "<|>", "`q`", 'say "x"'),
    *("--export", "[1]", "*", "a\\\\b", "%", "\\"),
    *(
        "β-TC-VAE",
        "λ_od = 5",
        "ΓΔΩς",
        "R² ≤ 3 \u00d7 4",
        "café Ångström Čapek",
        "Øre ßŁæ",
        "1 \u2013 2 — …",
        "\u22125 °",
    ),
)


@pytest.mark.parametrize("words", NASTY)
def test_words_mean_nothing_and_read_the_same(words: str) -> None:
    assert read(escape(words)) == words


def test_what_latex_lacks_is_named_by_its_number() -> None:
    assert read(escape("中😀\u0301")) == "U+4E2DU+1F600U+0301"
    assert read(escape("a\nb\tc")) == "a b c"
    assert read(escape("\x1b\u202e")) == r"\x1b\u202e"


def test_no_character_of_any_label_is_unknown_or_means_something() -> None:
    for number in [*range(32, 0x3000), *range(0x1D400, 0x1D7FF)]:
        read(escape(chr(number)))


def rows_of(latex: str) -> list[list[str]]:
    """The cells of a tabular, title first."""
    begin, *lines, end = latex.strip().splitlines()
    assert begin.startswith(r"\begin{tabular}{")
    assert end == r"\end{tabular}"
    assert [line for line in lines if line.endswith("rule")] == [
        r"\toprule",
        r"\midrule",
        r"\bottomrule",
    ]
    cells = [line.removesuffix(r" \\") for line in lines if not line.endswith("rule")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)&", line)] for line in cells]


def test_a_table_of_nasty_words_has_its_cells() -> None:
    titles, rows = list(NASTY[:3]), [[*NASTY[3:6]], [*NASTY[12:15]]]
    latex = make_tabular(
        [escape(title) for title in titles], [list(map(escape, row)) for row in rows], "lll"
    )
    assert [[read(cell) for cell in row] for row in rows_of(latex)] == [titles, *rows]


def test_titles_may_be_the_same() -> None:
    assert rows_of(make_tabular(["", ""], [["a", "b"]], "ll")) == [["", ""], ["a", "b"]]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ((0.51234, 0.48894, 0.53574), r"0.512 $\pm$ 0.023"),
        ((1234.5, 1222.2, 1246.8), r"1,234 $\pm$ 12"),
        ((-0.5, -0.5004, -0.4996), r"$-$0.50000 $\pm$ 0.00040"),
        ((0.98, 0.91, 1.0), "0.980 {[}0.910, 1.000{]}"),
        ((1.0, 0.75, 1.0), "1.00 {[}0.75, 1.00{]}"),
        ((0.5, math.nan, math.nan), "0.500"),
        ((0.5, 0.5, 0.5), r"0.500 $\pm$ 0.000"),
        ((math.nan, math.nan, math.nan), "--"),
        ((math.inf, math.nan, math.nan), "--"),
    ],
)
def test_the_interval_decides_the_digits(given: tuple[float, float, float], shown: str) -> None:
    assert format_interval(*given) == shown


def test_any_table_of_the_analysis_is_one_call() -> None:
    table = synthetic_scores(np.random.default_rng(0), num_seeds=12)
    title, first, *_ = rows_of(to_latex(figure_3(table, ["mig"])))
    assert title[:4] == ["dataset", "method", "score", "value"]
    assert "low" not in title
    assert re.fullmatch(r"(\$-\$)?\d\.\d+ \$\\pm\$ 0\.\d+", first[3])
    assert len(rows_of(to_latex(table_1(table)))) == 5


def test_a_table_without_intervals_or_rows_is_one_too() -> None:
    shown = rows_of(
        to_latex(
            DataFrame({"method": ["beta_vae"], "mig": [-0.25], "seed": [1234], "num_seeds": [7.0]})
        )
    )
    assert shown == [
        ["method", "MIG", "seed", "num seeds"],
        [r"\ensuremath{\beta}-VAE", "$-$0.250", "1,234", "7"],
    ]
    assert rows_of(to_latex(DataFrame({"a": [], "b": []}))) == [["a", "b"]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tex")
    with pytest.MonkeyPatch.context() as patch:  # fewer sections are quicker
        patch.setattr(pages, "SECTIONS", ("progress", "scores", "agreement"))
        assert main(["report", str(QUICK_START), "--export", str(folder), "--format", "tex"]) == 0
    return folder


def test_every_table_and_figure_of_the_document_is_there(folder: Path) -> None:
    text = (folder / "report.tex").read_text()
    tables = re.findall(r"\\input\{(.*?)\}", text)
    figures = re.findall(r"\\includegraphics\{(.*?)\}", text)
    assert {path.name for path in folder.glob("*.tex")} == {*tables, "report.tex"}
    assert {path.name for path in folder.glob("*.pdf")} == set(figures)
    assert len(tables) > 1
    assert figures
    assert not (folder / "README.md").exists()
    for name in tables:
        rows = rows_of((folder / name).read_text())
        assert len({len(row) for row in rows}) == 1
    assert "standard deviation over seeds" not in text
    assert "with its 95 \\% interval where there are 10 seeds or more" in text


def test_the_scores_of_a_setting_have_an_interval_where_they_may() -> None:
    table = synthetic_scores(np.random.default_rng(0), num_seeds=10, columns=["mig"])
    table = table[table["dataset"] == "dsprites"]
    element = elements.score_table("scores", score_table(table, ["mig"]), PAPER_NAMES)
    latex = pages._make_tabular(element)
    means = figure_3(table, ["mig"], by="setting")[["value", "low", "high"]]
    shown = [format_interval(*numbers) for numbers in means.itertuples(index=False)]
    best = means["value"].argmax()
    shown[best] = rf"\textbf{{{shown[best]}}}"
    assert [row[-1] for row in rows_of(latex)[1:]] == shown


@pytest.mark.parametrize(
    ("words", "width"),
    [([], "l"), (["short"], "l"), (["x" * 60], "l"), (["word " * 12, "x"], r"p{.3\linewidth}")],
)
def test_long_words_are_broken_where_they_can_be(words: list[str], width: str) -> None:
    assert pages._choose_width(words) == width


def test_no_interval_stands_beside_few_seeds(folder: Path) -> None:
    tables = [path.read_text() for path in folder.glob("scores-*.tex")]
    assert tables
    assert not any(r"\pm" in table for table in tables)


def test_a_wrong_form_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown form 'latex' \(did you mean 'tex'"):
        export(QUICK_START, tmp_path / "a", form="latex")
    assert main(["report", str(QUICK_START), "--format", "tex"]) != 0
    assert "expected --export FOLDER" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder_to_export_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").write_text("mine")
    assert main(["report", str(QUICK_START), "--export", str(tmp_path / "there")]) == 2
    assert "there is a file: expected a folder" in capsys.readouterr().err
    assert (tmp_path / "there").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
def test_the_document_compiles(folder: Path, tmp_path: Path) -> None:
    nasty = make_tabular(["a"], [[escape(words)] for words in NASTY], "l")
    shutil.copytree(folder, tmp_path / "all")
    text = (tmp_path / "all" / "report.tex").read_text()
    (tmp_path / "all" / "report.tex").write_text(
        text.replace(r"\end{document}", nasty + r"\end{document}")
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    run = subprocess.run(command, cwd=tmp_path / "all", capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-2000:]
