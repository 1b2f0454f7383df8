"""docs/queries.md does what it shows, on the made study that it speaks of."""

import re
from pathlib import Path

import numpy as np
import pytest

from teasel.sweep.store.results import Results
from teasel.tests.support.commands import call
from teasel.tests.support.synthetic import SyntheticResults

PAGE = (Path(__file__).parents[1] / "docs" / "queries.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```\n```\n(.*?)```", PAGE, re.S)


@pytest.fixture(scope="module", params=["loose", "folded"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which ``results/made`` lies, as a run leaves it or folded."""
    folder = tmp_path_factory.mktemp("queries")
    made = SyntheticResults(np.random.default_rng(0), num_datasets=2, num_seeds=5, pictures=False)
    results = Results(folder / "results" / "made")
    results.write_study(made.study, "")
    rows = made.table("trials").to_pylist()
    for row in rows[:2]:
        row["attempt_id"] = attempt_id = f"{row['pack_id']}-train-{row['seed']}"
        means, log_variances, factors = made.representation(row["trial_id"])
        results.add_codes("dsprites", attempt_id, [(row["trial_id"], means, log_variances)])
        results.add_points("dsprites", np.arange(len(factors)), factors)
    for method in {row["method"] for row in rows}:
        results.add("trials", method, [row for row in rows if row["method"] == method])
    results.add("trials", "again", rows[:3])  # written twice
    results.add("scores", "attempt_id", made.table("scores").to_pylist())
    results.add("scores", "again", made.table("scores").slice(0, 500).to_pylist())
    if request.param == "folded":
        call("compact", results.uri)
    return folder


@pytest.mark.parametrize(
    ("code", "shown"), EXAMPLES, ids=["pandas", "duckdb", "codes", "polars", "pyarrow"]
)
def test_an_example_prints_what_the_page_shows(
    code: str,
    shown: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip(re.findall(r"import (\w+)", code)[0])
    monkeypatch.chdir(folder)
    exec(code, {})
    # Words and numbers, not the frames that each version draws in its own way.
    printed, expected = (re.findall(r"[\w.-]+", text) for text in (capsys.readouterr().out, shown))
    assert printed == expected
