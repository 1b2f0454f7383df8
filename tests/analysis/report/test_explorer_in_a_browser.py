"""The explorer as a reader uses it."""

import csv
import html
import io
import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from teasel.analysis import scores
from teasel.analysis.report.explorer import write_explorer
from teasel.analysis.report.page import read_report
from teasel.tests.support.browser import attribute, look
from teasel.tests.support.synthetic import SyntheticResults

pytestmark = pytest.mark.slow

HOSTILE = "</script><img src=x onerror=\"document.body.dataset.broken='yes'\"><b>study</b>"
LONG = "A_name_of_a_score_that_goes_on_for_78_letters_as_nobody_would_ever_say_it_out_"

PROBE = """
<script>
addEventListener("securitypolicyviolation", event => say("violation", event.blockedURI));
addEventListener("error", event => say("error", event.message), true);
addEventListener("unhandledrejection", event => say("error", String(event.reason)));
const say = (name, value) => {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  document.body.setAttribute("data-" + name, text);
  if (parent !== window) parent.postMessage([name, text], "*");
};
const at = id => document.getElementById(id);
const soon = () => new Promise(done => setTimeout(done, 400));
const change = (element, value) => {
  if (typeof value === "boolean") element.checked = value; else element.value = value;
  element.dispatchEvent(new Event("change"));
};
const column = name => {
  const heads = [...at("table").querySelectorAll("th")].map(head => head.title);
  const place = heads.indexOf(name);
  const cells = row => place < 0 ? "" : row.children[place].textContent;
  return [...at("table").querySelectorAll("tbody tr")].map(cells);
};
const look = name => say(name, {
  count: at("count").textContent, mig: column("MIG"), method: column("Method"),
  address: location.hash,
  dots: at("dots").data[0].selectedpoints?.length ?? null, rings: at("dots").data[1].x.length,
  brushes: at("axes").data[0].dimensions.filter(one => one.constraintrange).map(one => one.name),
  chosen: [...at("chosen").querySelectorAll("code")].map(code => code.textContent),
  pictures: [...at("chosen").querySelectorAll("img")].map(image => image.naturalWidth > 0),
  curves: [...at("curves").children].map(each => each.data?.length ?? each.textContent),
  filters: at("filters").children.length, notice: at("notice").textContent,
  sort: at("table").querySelector("[aria-sort]")?.title,
});
explorerReady.then(async () => {
  await soon();
  await (ACTIONS)();
  await soon();
  look("end");
  say("wide", document.documentElement.scrollWidth > innerWidth);
  const unnamed = one => !one.labels?.length && !one.textContent && !one.ariaLabel;
  say("names", [...document.querySelectorAll("select, input, button")].filter(unnamed).length);
  say("buttons", [...document.querySelectorAll(".modebar-btn")].map(one => one.dataset.title));
});
</script>
"""


class Odd(SyntheticResults):
    """A made study with names that mean something to a browser."""

    def __init__(self) -> None:
        super().__init__(np.random.default_rng(0), num_seeds=5)
        catalogue = self.study["catalogue"]
        self.study["study"] = HOSTILE
        methods = catalogue["methods"]
        methods["beta_vae"] = methods["beta_vae"] | {"label": HOSTILE}
        catalogue["metrics"]["sap"] = catalogue["metrics"]["sap"] | {"labels": {"sap": LONG}}


@pytest.fixture(scope="module")
def made() -> Odd:
    return Odd()


@pytest.fixture(scope="module")
def page(made: Odd, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explorer")
    (folder / "report_files").mkdir()
    write_explorer(read_report(made), folder / "explorer.html", folder / "report_files")
    return folder / "explorer.html"


def act(browser: str, page: Path, folder: Path, actions: str = "", address: str = "") -> Any:
    """What a page leaves once some actions are done on it."""
    probed = page.with_name("probed.html")
    probe = PROBE.replace("ACTIONS", f"async () => {{ {actions} }}")
    probed.write_text(page.read_text().replace("</body>", probe + "</body>"))
    seen = look(browser, probed.as_uri() + address, folder, "--dump-dom", budget=20_000)
    console = [line for line in seen.stderr.splitlines() if "CONSOLE" in line]
    assert [line for line in console if "GL Driver Message" not in line] == []
    for trouble in ("error", "violation", "broken"):
        assert f"data-{trouble}=" not in seen.stdout, seen.stdout[:500]
    return seen


def told(seen: subprocess.CompletedProcess, name: str = "end") -> Any:
    return json.loads(html.unescape(attribute(seen, name)))


def test_a_filter_acts_on_every_view_and_the_address_keeps_it(
    browser: str, page: Path, made: Odd, tmp_path: Path
) -> None:
    seen = act(
        *(browser, page, tmp_path),
        """
        look("start");
        at("filter-column").value = "mig"; at("filter-add").click();
        const [from, to] = at("filters").querySelectorAll("input");
        change(from, "0.3"); change(to, "0.6"); await soon(); look("range");
        at("filter-column").value = "method"; at("filter-add").click();
        const boxes = at("filters").lastElementChild.querySelectorAll("input");
        boxes.forEach((box, number) => { if (number !== 1) change(box, false); });
        await soon(); look("method");
        at("table").querySelector("tbody tr").click();
        """,
    )
    table = scores(made, wide=True)
    inside = table[table["mig"].round(4).between(0.3, 0.6)]
    both = inside[inside["method"] == "factor_vae"]
    assert 0 < len(both) < len(inside) < len(table) == 180
    start, narrowed, narrower, end = (
        told(seen, name) for name in ("start", "range", "method", "end")
    )
    assert start["count"].startswith("180 models")
    assert len(start["mig"]) == 100
    assert start["dots"] is None
    assert start["brushes"] == []
    assert narrowed["count"] == f"{len(inside)} of 180 models selected."
    assert narrowed["dots"] == len(inside)
    assert narrowed["brushes"] == ["mig"]
    assert all(0.3 <= float(value) <= 0.6 for value in narrowed["mig"])
    assert narrower["dots"] == len(narrower["mig"]) == len(both)
    assert set(narrower["method"]) == {"FactorVAE"}
    assert set(narrower["brushes"]) == {"mig", "method"}
    best = both.sort_values("mig").iloc[-1]
    assert end["chosen"] == [best["trial_id"]]
    assert end["pictures"] == [True] * 3
    assert end["curves"] == [1] * 4
    assert end["rings"] == 1
    again = told(act(browser, page, tmp_path, address=end["address"]))
    assert again == end


def test_a_brush_on_an_axis_and_a_box_over_dots_are_filters(
    browser: str, page: Path, tmp_path: Path
) -> None:
    seen = act(
        *(browser, page, tmp_path),
        """
        const place = at("axes").data[0].dimensions.findIndex(one => one.name === "mig");
        const bar = at("axes").querySelectorAll(".axis-brush .background")[place];
        bar.scrollIntoView({block: "center"});
        const box = bar.getBoundingClientRect(), x = box.x + box.width / 2;
        const press = (type, share, target) => target.dispatchEvent(new MouseEvent(type, {
          view: window, bubbles: true, cancelable: true, button: 0, buttons: 1,
          clientX: x, clientY: box.y + share * box.height,
        }));
        press("mousemove", .3, bar); press("mousedown", .3, bar);
        press("mousemove", .6, document); press("mouseup", .6, document);
        await soon(); look("brush");
        at("filter-clear").click(); await soon(); look("cleared");
        at("dots").emit("plotly_selected", {points: [], range: {x: [0.2, 0.5], y: [0.6, 0.4]}});
        """,
    )
    brush, cleared, box = (told(seen, name) for name in ("brush", "cleared", "end"))
    assert brush["brushes"] == ["mig"]
    assert brush["filters"] == 1
    assert 0 < brush["dots"] < 180
    assert len(brush["mig"]) == min(100, brush["dots"])
    assert cleared["count"].startswith("180 models")
    assert cleared["brushes"] == []
    assert cleared["address"] == ""
    assert box["filters"] == 2
    assert all(0.4 <= float(value) <= 0.6 for value in box["mig"])


def test_a_sort_a_click_on_a_dot_and_a_csv(
    browser: str, page: Path, made: Odd, tmp_path: Path
) -> None:
    seen = act(
        *(browser, page, tmp_path),
        """
        look("start");
        at("table").querySelector("th[aria-sort] button").click();
        at("dots").emit("plotly_click", {points: [{curveNumber: 0, pointNumber: 3}]});
        const make = URL.createObjectURL;
        URL.createObjectURL = blob => {
          blob.text().then(text => say("csv", text));
          return make(blob);
        };
        at("csv").click();
        change(at("kind"), "sampled");
        """,
    )
    start, end = told(seen, "start"), told(seen)
    down = [float(value) for value in start["mig"]]
    assert down == sorted(down, reverse=True)
    table = scores(made, wide=True)
    assert end["chosen"] == [table["trial_id"].iloc[3]]
    rows = list(csv.DictReader(io.StringIO(html.unescape(attribute(seen, "csv")))))
    assert [row["trial_id"] for row in rows] == list(table["trial_id"])
    np.testing.assert_allclose([float(row["mig"]) for row in rows], table["mig"], rtol=5e-4)
    assert rows[0]["beta"] == "1"
    sampled = scores(made, "sampled", wide=True)["gaussian_total_correlation"]
    assert not np.allclose(sampled, table["gaussian_total_correlation"])
    assert [float(value) for value in end["mig"]] == sorted(float(value) for value in end["mig"])


def test_names_stay_names_and_every_control_is_named(
    browser: str, page: Path, tmp_path: Path
) -> None:
    seen = act(browser, page, tmp_path, "at('table').querySelector('tbody tr').click();")
    assert HOSTILE in told(seen)["method"]
    assert told(seen, "names") == 0


def test_no_request_leaves_the_page(browser: str, page: Path, tmp_path: Path) -> None:
    """The page's policy lets none leave, and says so where something tries; a button is no try."""
    seen = act(browser, page, tmp_path, "at('table').querySelector('tbody tr').click();")
    assert told(seen, "buttons") == ["Box Select", "Zoom", "Pan", "Reset axes"]
    tried = "new Image().src = 'https://example.invalid/x.png';"
    with pytest.raises(AssertionError, match=r"example\.invalid/x\.png\W+ violates"):
        act(browser, page, tmp_path, tried)


@pytest.mark.parametrize("width", [1300, 420])
def test_the_page_is_no_wider_than_its_window(
    browser: str, page: Path, tmp_path: Path, width: int
) -> None:
    act(browser, page, tmp_path, "at('table').querySelector('tbody tr').click();")
    frame = page.with_name("frame.html")
    frame.write_text(
        f"<body><iframe src='probed.html' style='width: {width}px; height: 900px'></iframe>"
        "<script>addEventListener('message', ({data: [name, text]}) =>"
        " document.body.setAttribute('data-' + name, text));</script></body>"
    )
    seen = look(browser, frame.as_uri(), tmp_path, "--dump-dom", width=1400, budget=20_000)
    assert attribute(seen, "wide") == "false"


@pytest.mark.parametrize(
    "address",
    [
        "nonsense",
        "%7B%22x%22%3A%22gone%22%7D",
        quote(json.dumps({"filters": {"gone": {}, "mig": 3}})),
    ],
)
def test_an_address_of_another_study_is_left_aside(
    browser: str, page: Path, tmp_path: Path, address: str
) -> None:
    end = told(act(browser, page, tmp_path, address=f"#{address}"))
    assert end["count"].startswith("180 models")


def test_one_model_without_scores_has_a_page_that_says_so(browser: str, tmp_path: Path) -> None:
    made = SyntheticResults(np.random.default_rng(2), num_seeds=1, pictures=False)
    tables = {name: made.table(name) for name in ("trials", "scores", "curves", "pictures")}
    tables["trials"] = tables["trials"][:1]
    tables["scores"], tables["curves"] = tables["scores"][:0], tables["curves"][:0]
    made.table = lambda name, columns=None: tables[name]
    (tmp_path / "report_files").mkdir()
    page = tmp_path / "explorer.html"
    write_explorer(read_report(made), page, tmp_path / "report_files")
    end = told(act(browser, page, tmp_path, "at('table').querySelector('tbody tr').click();"))
    assert end["notice"] == "No model has a score yet."
    assert end["count"].startswith("1 model;")
    assert end["curves"] == ["No training curves are stored."]
    assert len(end["chosen"]) == 1
