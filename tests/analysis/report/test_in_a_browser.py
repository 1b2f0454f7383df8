"""The page as a reader's browser shows it."""

import re
import subprocess
from importlib.resources import files
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
  const all = wanted => [...document.querySelectorAll(wanted)];
  const scrolls = box => box.scrollWidth > box.clientWidth && box.tabIndex < 0;
  say("unreachable", all(".wide").filter(scrolls).length);
  const titled = table => table.caption?.textContent && all("th").every(head => head.scope);
  say("untitled", all("table").filter(table => !titled(table)).length);
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


def test_what_scrolls_can_be_reached_and_every_table_has_a_title(
    seen: subprocess.CompletedProcess,
) -> None:
    assert attribute(seen, "unreachable") == "0"
    assert attribute(seen, "untitled") == "0"


def test_colours_have_contrast_in_the_light_and_in_the_dark() -> None:
    style = files("teasel.analysis.report").joinpath("report.css").read_text()
    light, dark = (
        dict(re.findall(r"--(\w+(?:-\w+)?): (#\w{6}|white)", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    )
    for colours in (light, light | dark):
        for ink in ("ink", "soft", "accent", "good", "bad"):
            for ground in ("paper", "tint"):
                assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        assert contrast(colours["ink"], colours["warn"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """Of two colours, by the guidelines for accessible web content (WCAG 2)."""

    def luminance(colour: str) -> float:
        code = colour.replace("white", "#ffffff")
        parts = [int(code[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, bright = sorted(map(luminance, (one, other)))
    return (bright + 0.05) / (dark + 0.05)


def test_it_prints(browser: str, report: Path, tmp_path: Path) -> None:
    look(browser, report.as_uri(), tmp_path, f"--print-to-pdf={tmp_path / 'page.pdf'}")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
