"""Made results whose truth is known."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from teasel.analysis import embedding, write_report
from teasel.analysis.plots.style import STYLE
from teasel.sweep.store.results import Results
from teasel.tests.support.browser import find_browser
from teasel.tests.support.synthetic import SyntheticResults

TABLES = ("trials", "scores", "curves", "pictures")


@pytest.fixture(scope="session")
def browser() -> str:
    """A Chromium; tests that need one are skipped without it."""
    found = find_browser()
    if found is None:
        pytest.skip("no browser: install chromium, or name one in TEASEL_BROWSER")
    return found


@pytest.fixture(scope="session", autouse=True)
def _quick_pdfs() -> Iterator[None]:
    """Fonts go into PDFs as outlines: to pick their letters takes a third of a report's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(STYLE, "pdf.fonttype", 3)
        yield


@pytest.fixture(scope="session", autouse=True)
def _small_maps() -> Iterator[None]:
    """Maps of codes show 100 points instead of 1,000, and so are drawn in a tenth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        few = partial(embedding, num_points=100)
        patch.setattr("teasel.analysis.report.progress.embedding", few)
        yield


@pytest.fixture(scope="session")
def made_results() -> SyntheticResults:
    """Two data sets, all 36 settings, three seeds: 216 models."""
    return SyntheticResults(np.random.default_rng(0), num_datasets=2, num_seeds=3)


@pytest.fixture(scope="session")
def report(made_results: SyntheticResults, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page written about the made results."""
    return write_report(made_results, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture
def write_folder(tmp_path: Path) -> Callable[..., Results]:
    """Writes made results as the results folder `tmp_path`, and opens it.

    Its arguments are the results, and by name the rows of tables that are to be other ones than
    the made; no rows, no table.
    """

    def write(made: SyntheticResults, **rows: list[dict]) -> Results:
        folder = Results(tmp_path)
        folder.write_study(made.study, "study: synthetic\n")
        for name in TABLES:
            folder.add(name, "part", rows[name] if name in rows else made.table(name).to_pylist())
        return folder

    return write
