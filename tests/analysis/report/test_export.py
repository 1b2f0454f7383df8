"""Results made small enough to commit."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from teasel.analysis import export, figure_2, scores, variance_explained
from teasel.analysis.formats import MINUS
from teasel.tests.support.synthetic import SyntheticResults

COMMITTED = Path(__file__).parents[3] / "docs" / "results"


@pytest.fixture(scope="module")
def made_results() -> SyntheticResults:
    """One data set, all 36 settings, three seeds: half as many figures as of two."""
    return SyntheticResults(np.random.default_rng(0), num_datasets=1, num_seeds=3)


@pytest.fixture(scope="module")
def folder(made_results: SyntheticResults, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    assert export(made_results, folder) == folder / "README.md"
    return folder


def test_exported_scores_are_the_scores(folder: Path, made_results: SyntheticResults) -> None:
    table = pd.read_parquet(folder / "scores.parquet")
    wide = scores(made_results, representation=None, wide=True)
    wide = wide.drop(columns=["host", "pack_id"])
    pd.testing.assert_frame_equal(table, wide, check_dtype=False)
    assert len(pd.read_parquet(folder / "trials.parquet")) == 108


def test_the_page_shows_figures_that_are_there_and_no_section_of_pictures(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    shown = re.findall(r"\]\((\S+\.svg)\)", text)
    assert {path.name for path in folder.glob("*.svg")} == set(shown)
    assert len(shown) > 12
    assert "## Are better scores more useful?" in text
    assert "| not comparable |" in text
    assert "Images from the models" not in text
    assert "Click a heading" not in text


def test_what_the_report_folds_away_is_on_the_page_too(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    assert "(figure_3-setting-dsprites.svg)" in text
    # Figure 5 has 6 rows of 10 numbers, beside the published ones.
    paper = text.split("## Comparison with the paper's numbers")[1].split("\n## ")[0]
    usefulness = paper.split("### Are better scores more useful?")[1].split("\n### ")[0]
    assert usefulness.count("| not comparable |") == 60


def test_figure_3_is_compared_by_the_share_that_its_interval_is_of(
    folder: Path, made_results: SyntheticResults
) -> None:
    explained = variance_explained(scores(made_results, wide=True))
    ours = explained.query("dataset == 'average' and row == 'method'").iloc[0]
    line = re.search(r"\| [Mm]ethod \|.*not comparable.*", (folder / "README.md").read_text())
    assert line
    assert f"| {100 * ours['corrected']:.1f} |".replace("-", MINUS) in line[0]


def test_the_pages_own_example_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    example = re.search(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    assert example
    *lines, last = example[1].strip().splitlines()
    names: dict = {}
    exec("\n".join(lines), names)
    assert len(eval(last, names)) == 6 * 6  # pairs of scores


def test_the_committed_results_are_read_by_the_documented_call() -> None:
    table = pd.read_parquet(COMMITTED / "scores.parquet")
    mean = table[table["representation"] == "mean"]
    found = figure_2(mean)
    assert np.isfinite(found["correlation"]).any()
    assert set(mean["trial_id"]) <= set(pd.read_parquet(COMMITTED / "trials.parquet")["trial_id"])
