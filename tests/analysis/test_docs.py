import doctest
import re
from pathlib import Path

import pandas as pd
import pytest

from teasel.analysis.paper.compare import RULE
from teasel.sweep.grid.grid import load_grid

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("page", "least"),
    [
        pytest.param("analysis.md", 40, marks=pytest.mark.slow),
        ("mini.md", 10),
        ("later_models.md", 8),
    ],
)
def test_every_example_of_the_docs_gives_what_it_shows(
    page: str, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pd.option_context("display.width", 100, "display.max_columns", 12, "display.precision", 3):
        found = doctest.testfile(
            str(ROOT / "docs" / page),
            module_relative=False,
            optionflags=doctest.NORMALIZE_WHITESPACE,
        )
    assert found.attempted > least
    assert found.failed == 0


@pytest.mark.parametrize("grid", ["later_models", "elbo_surgery", "baselines"])
def test_the_scores_of_later_models_are_those_of_the_packaged_grids(grid: str) -> None:
    found = pd.read_parquet(ROOT / "docs" / "results" / "later" / f"{grid}.parquet")
    wanted = [trial.trial_id for trial in load_grid(grid)[0].trials()]
    assert found["trial_id"].is_unique
    assert set(found["trial_id"]) == set(wanted)


def test_the_rule_of_comparisons_is_the_one_the_report_prints() -> None:
    quoted = re.findall(r"^> (.*)$", (ROOT / "docs" / "analysis.md").read_text(), re.MULTILINE)
    assert " ".join(quoted) == RULE


def test_every_public_function_has_an_example() -> None:
    import teasel.analysis

    text = (ROOT / "docs" / "analysis.md").read_text()
    shown = {line for line in text.splitlines() if line.startswith((">>>", "..."))}
    missing = [
        name for name in teasel.analysis.__all__ if not any(f"{name}(" in line for line in shown)
    ]
    assert missing == ["Codes", "Names"]
