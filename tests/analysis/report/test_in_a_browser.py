"""The page as a reader's browser shows it."""

import subprocess
from pathlib import Path

import pytest

from teasel.tests.support.browser import attribute, look

# Sorts the first table by its fourth column, twice, and leaves what a reader would then see.
PROBE = """
<script>
addEventListener("load", () => {
  const head = document.querySelector("table.sortable th:nth-child(4)");
  const column = () => [...document.querySelectorAll("table.sortable")[0].tBodies[0].rows]
    .map(row => row.children[3].firstChild.textContent.trim()).join(" ");
  const say = (name, value) => document.body.setAttribute("data-" + name, value);
  head.firstElementChild.click(); say("down", column());
  head.firstElementChild.click(); say("up", column());
  say("sort", head.getAttribute("aria-sort"));
  const figures = [...document.querySelectorAll("figure svg, figure img")];
  for (const image of document.images) image.loading = "eager";
  say("figures", figures.length);
  say("empty", figures.filter(figure => figure.getBoundingClientRect().height < 40).length);
  say("wide", document.documentElement.scrollWidth > innerWidth);
});
</script>
"""


@pytest.fixture(scope="module")
def seen(
    browser: str, report: Path, tmp_path_factory: pytest.TempPathFactory
) -> subprocess.CompletedProcess:
    folder = tmp_path_factory.mktemp("browser")
    page = folder / "report.html"
    page.write_text(report.read_text().replace("</body>", PROBE + "</body>"))
    return look(browser, page.as_uri(), folder, "--dump-dom")


def test_the_console_stays_silent(seen: subprocess.CompletedProcess) -> None:
    assert seen.returncode == 0
    assert "CONSOLE" not in seen.stderr


def test_every_figure_is_there_and_none_is_empty(seen: subprocess.CompletedProcess) -> None:
    # Two data sets: in each six matrices or more, figures 1, 3 and 4, curves and four pictures.
    assert int(attribute(seen, "figures")) >= 30
    assert attribute(seen, "empty") == "0"


def test_a_click_on_a_heading_sorts_and_another_turns_it_round(
    seen: subprocess.CompletedProcess,
) -> None:
    down = [float(value) for value in attribute(seen, "down").split()]
    assert len(down) == 36
    assert down == sorted(down, reverse=True)
    assert [float(value) for value in attribute(seen, "up").split()] == sorted(down)
    assert attribute(seen, "sort") == "ascending"


def test_the_page_is_no_wider_than_its_window(seen: subprocess.CompletedProcess) -> None:
    assert attribute(seen, "wide") == "false"


def test_it_prints(browser: str, report: Path, tmp_path: Path) -> None:
    look(browser, report.as_uri(), tmp_path, f"--print-to-pdf={tmp_path / 'page.pdf'}")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
