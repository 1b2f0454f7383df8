"""Size and speed of the explorer for a synthetic study of 12,600 models, with 30 scores of each.

python benchmarks/explorer.py     # needs a Chromium, as tests/support/browser.py finds one
"""

import functools
import json
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from teasel.analysis.report.explorer import write_explorer
from teasel.analysis.report.page import read_report
from teasel.tests.support.browser import find_browser
from teasel.tests.support.synthetic import SyntheticResults

BRUSHES, SCORES, LIMIT = 20, 30, 600

# Brushes an axis with the mouse, and waits until two frames are drawn.
PROBE = """
<script>
const tell = words => fetch("/times", {method: "POST", body: JSON.stringify(words)});
const frame = () => new Promise(done => requestAnimationFrame(done));
const idle = () => new Promise(done => setTimeout(done, 1500));
explorerReady.then(async () => {
  await idle();
  const shown = document.getElementById("axes"), dimensions = shown.data[0].dimensions;
  const place = dimensions.findIndex(one => one.name === "mig");
  const bar = shown.querySelectorAll(".axis-brush .background")[place], times = [];
  bar.scrollIntoView({block: "center"});
  await idle();
  const box = bar.getBoundingClientRect();
  const press = (type, share, target) => target.dispatchEvent(new MouseEvent(type, {
    view: window, bubbles: true, cancelable: true, button: 0, buttons: 1,
    clientX: box.x + box.width / 2, clientY: box.y + share * box.height,
  }));
  for (let number = 0; number < BRUSHES; number++) {
    const from = 0.2 + 0.02 * number, began = performance.now();
    press("mousemove", from, bar); press("mousedown", from, bar);
    press("mousemove", from + 0.3, document); press("mouseup", from + 0.3, document);
    await frame(); await frame();
    times.push(performance.now() - began);
    await idle();
  }
  tell({times, count: document.getElementById("count").textContent});
}).catch(error => tell({error: String(error)}));
</script>
"""


class MadeResults(SyntheticResults):
    """A made study with as many scores as wanted, of only the first `models` models."""

    models: int | None = None

    def table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """One of the tables, with the further scores and of the wanted models."""
        table = super().table(name)
        if name == "scores":
            have = len(table.group_by(["metric", "score"]).aggregate([]))
            base = table.filter(pc.field("metric") == "mig")
            rng, more = np.random.default_rng(1), []
            for number in range(SCORES - 2 - have):  # two are derived
                values = pa.array(rng.uniform(size=len(base)))
                words = pa.array([f"score_{number}"] * len(base))
                for column, given in (("metric", words), ("score", words), ("value", values)):
                    base = base.set_column(base.column_names.index(column), column, given)
                more.append(base)
            table = pa.concat_tables([table, *more])
        if self.models is not None:
            kept = super().table("trials")["trial_id"][: self.models]
            table = table.filter(pc.field("trial_id").isin(kept))
        return table if columns is None else table.select(columns)


def write_page(folder: Path, models: int | None) -> dict[str, float]:
    results = MadeResults(np.random.default_rng(0), num_datasets=7, num_seeds=50, pictures=False)
    results.models = models
    report = read_report(results)
    beside = folder / "report_files"
    beside.mkdir(parents=True)
    began = time.process_time()
    write_explorer(report, folder / "explorer.html", beside)
    spent = time.process_time() - began
    page = (folder / "explorer.html").read_text()
    (folder / "index.html").write_text(page.replace("</body>", PROBE + "</body>"))
    sizes = {path.name: path.stat().st_size / 1e6 for path in beside.glob("*.js")}
    return sizes | {"explorer.html": len(page) / 1e6, "CPU-seconds": spent}


class _Handler(SimpleHTTPRequestHandler):
    told: dict = {}  # noqa: RUF012
    done = threading.Event()

    def do_POST(self) -> None:
        _Handler.told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        self.done.set()

    def log_message(self, *given: object) -> None:
        pass


def time_brushes(browser: str, folder: Path, profile: Path) -> list[float]:
    _Handler.done.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    options += ["--enable-unsafe-swiftshader", "--use-angle=swiftshader"]
    options += ["--window-size=1300,900", f"--user-data-dir={profile}", "--remote-debugging-port=0"]
    address = f"http://127.0.0.1:{server.server_port}/"
    shown = subprocess.Popen([browser, *options, address], stderr=subprocess.DEVNULL)
    try:
        if not _Handler.done.wait(LIMIT):
            raise TimeoutError(f"the page told nothing within {LIMIT} s")
    finally:
        shown.terminate()
        shown.wait()
        server.shutdown()
    if "error" in _Handler.told:
        raise RuntimeError(_Handler.told["error"])
    print(f"  after the last brush: {_Handler.told['count']}")
    return _Handler.told["times"]


def main() -> None:
    browser = find_browser()
    if browser is None:
        raise SystemExit("no browser: install chromium, or name one in TEASEL_BROWSER")
    with tempfile.TemporaryDirectory() as name:
        medians = {}
        for models in (1, None):
            folder = Path(name) / str(models or "all")
            sizes = write_page(folder, models)
            print(f"{models or 'all'}: " + ", ".join(f"{k} {v:.3g}" for k, v in sizes.items()))
            times = time_brushes(browser, folder, Path(name) / f"profile-{models}")
            medians[models] = statistics.median(times)
            print(
                f"  {len(times)} brushes, ms: median {medians[models]:.0f}, most {max(times):.0f}"
            )
    print(f"ratio of the medians: {medians[None] / medians[1]:.1f}")
    shown = subprocess.run([browser, "--version"], capture_output=True, text=True, check=True)
    print(f"plotly {version('plotly')}, {shown.stdout.strip()}, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    PROBE = re.sub("BRUSHES", str(BRUSHES), PROBE)
    main()
