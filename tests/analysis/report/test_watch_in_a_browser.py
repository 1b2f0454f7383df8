"""A study that runs, as a reader's browser follows it."""

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from teasel.analysis.report.serve import Answer, Server
from teasel.analysis.report.watch import Content, Watched
from teasel.sweep.store.results import Results
from teasel.sweep.work.control import Control
from teasel.tests.support.browser import look

pytestmark = pytest.mark.slow

RESULTS = Path(__file__).parents[2] / "data" / "quickstart"


class Finishing(Watched):
    """A folder to which a file is added once the models were asked for."""

    def __init__(self, folder: Path, later: Path, aside: Path) -> None:
        super().__init__(folder, 0.0)
        self._later, self._aside = later, aside

    def models(self) -> Content:
        """The models; more of them the next time."""
        content = super().models()
        if self._aside.exists():
            self._aside.rename(self._later)
        return content


class Counting(Server):
    """Keeps what was asked for."""

    asked: tuple[str, ...] = ()

    def find(self, path: str) -> Answer | None:
        """The file at a path."""
        self.asked += (path,)
        return super().find(path)


@contextmanager
def serving(watched: Watched) -> Iterator[Counting]:
    with Counting(watched, 0.5) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def shown(page: str, name: str) -> str:
    found = re.search(rf'<(\w+)[^>]* id="{name}"[^>]*>(.*?)</\1>', page, re.DOTALL)
    assert found, name
    return re.sub("<[^>]*>", " ", found[2])


def check_console(stderr: str) -> None:
    console = [line for line in stderr.splitlines() if "CONSOLE" in line]
    assert [line for line in console if "GL Driver Message" not in line] == []


def test_a_trial_that_finishes_appears_without_a_reload_and_filters_stay(
    browser: str, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(RESULTS, tmp_path / "results"))
    later = sorted((folder / "tables" / "trials").glob("*.parquet"))[0]
    aside = tmp_path / "aside.parquet"
    num_models = len(Results(folder).table("trials"))
    later.rename(aside)
    before = len(Results(folder).table("trials"))
    assert 0 < before < num_models == 6
    Control(Results(folder).store, "run").report(
        "0a-run-train-1", step=1234, steps=2000, trials=["t"], loss=[3.0]
    )
    filters = quote('{"filters":{"mig":{"range":[0,1]}}}')
    with serving(Finishing(folder, later, aside)) as server:
        seen = look(browser, f"{server.url}#{filters}", tmp_path, "--dump-dom", budget=20_000)
    check_console(seen.stderr)
    assert server.asked.count("") == 1  # the page itself
    assert server.asked.count("models.json") == 2
    assert server.asked.count("status.json") > 2
    assert shown(seen.stdout, "count").startswith(f"{num_models} models;")
    assert "quickstart: 6 of 6 trials done" in shown(seen.stdout, "watch-line")
    assert seen.stdout.count('<input type="checkbox" aria-label="Show ') == num_models
    assert "MIG" in shown(seen.stdout, "filters")
    assert "1 trial at 1,234 of 2,000, working" in shown(seen.stdout, "watch-attempts")
    assert "Nothing has failed." in shown(seen.stdout, "watch-failures")


def test_an_empty_folder_says_so_and_fills(browser: str, tmp_path: Path) -> None:
    folder, aside = tmp_path / "results", tmp_path / "aside"
    shutil.copytree(RESULTS, aside)
    with serving(Finishing(folder, folder, aside)) as server:
        seen = look(browser, server.url, tmp_path, "--dump-dom", budget=20_000)
    check_console(seen.stderr)
    assert shown(seen.stdout, "count").startswith("6 models;")
    assert "6 of 6 trials done" in shown(seen.stdout, "watch-line")
