"""docs/columns.md has every column of every table, as it is declared."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from teasel.analysis import scores
from teasel.docs.render_columns import OTHERS, RECORDS, attributes, render
from teasel.models import METHODS
from teasel.settings import Settings
from teasel.sweep.store.results import Results
from teasel.sweep.store.tables import COLUMNS
from teasel.tests.support.synthetic import SyntheticResults

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "columns.md").read_text()
SECTIONS = dict(re.findall(r"^## ([\w ]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def rows(section: str) -> dict[str, list[str]]:
    """The cells behind each name of a section."""
    found = {}
    for line in re.findall(r"^\| (`.*) \|$", SECTIONS[section], re.MULTILINE):
        names, *cells = [cell.strip() for cell in line.split("|")]
        found |= dict.fromkeys(re.findall(r"`([^`]+)`", names), cells)
    return found


def test_the_page_is_what_the_declarations_say() -> None:
    assert render() == PAGE, "make docs"


@pytest.mark.parametrize("name", RECORDS)
def test_every_column_of_a_table_has_a_type_and_a_meaning(name: str) -> None:
    found = rows(name)
    if name in COLUMNS:
        assert [column for column in found if column not in ("beta", "gamma", "...")] == [
            *COLUMNS[name]
        ]
    for column, (kind, _, meaning, _) in found.items():
        assert kind, column
        assert meaning.endswith("."), column


@pytest.mark.parametrize("record", [*(record for record, _ in RECORDS.values()), Settings])
def test_a_docstring_describes_its_fields_in_order_and_no_other(record: Any) -> None:
    elsewhere = {*Settings._fields} if record is RECORDS["trials"][0] else set()
    fields = [name for name in record._fields if name not in elsewhere]
    assert [*attributes(record)] == fields


def test_codes_and_points_are_kept_in_the_columns_told(tmp_path: Path) -> None:
    results, codes = Results(tmp_path), np.zeros((3, 2), np.float32)
    results.add_codes("dsprites", "a-1", [("0", codes, codes)])
    results.add_points("dsprites", np.arange(3), np.zeros((3, 2), int))
    for name, file in (("codes", "a-1"), ("points", "factors")):
        kept = pq.read_schema(tmp_path / "representations" / "dsprites" / f"{file}.parquet")
        assert kept.names == [*rows(name)]


@pytest.mark.parametrize("file", ["scores", "later/baselines", "later/elbo_surgery"])
def test_every_column_of_committed_wide_scores_is_on_the_page(file: str) -> None:
    _check_wide([*pq.read_schema(ROOT / "docs" / "results" / f"{file}.parquet").names])


def test_every_column_of_made_wide_scores_is_on_the_page() -> None:
    results = SyntheticResults(np.random.default_rng(0), num_seeds=1)
    _check_wide([*scores(results, wide=True).columns])


def _check_wide(columns: list[str]) -> None:
    known = {*rows("trials"), *rows("Wide scores")}
    patterns = [
        re.sub(r"[A-Z]{2,}", r"\\w+", name) for names in OTHERS for name in names.split(", ")
    ]
    told = {*known, *(name for method in METHODS.own.values() for name in method.parameters)}
    missing = [
        name
        for name in columns
        if name not in told and not any(re.fullmatch(each, name) for each in patterns)
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("column", "unit", "better"),
    [
        ("mig", "", "more"),
        ("unfairness_mean", "", "less"),
        ("gaussian_total_correlation", "nats", "less"),
        ("elbo_surgery_marginal_kl", "nats", "less"),
    ],
)
def test_a_score_has_its_unit_and_direction(column: str, unit: str, better: str) -> None:
    _, told, _, way = rows("Wide scores")[column]
    assert (told, way) == (unit, better)
