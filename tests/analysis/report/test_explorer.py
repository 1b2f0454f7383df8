"""What the explorer's page loads, and how it is packed."""

import base64
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from teasel.analysis import scores
from teasel.analysis.report import explorer
from teasel.analysis.report.explorer import (
    explorer_path,
    pack,
    read_curves,
    read_models,
    render_explorer,
    write_explorer,
)
from teasel.analysis.report.page import read_report
from teasel.sweep.store.results import Results
from teasel.tests.support.synthetic import SyntheticResults

WriteFolder = Callable[..., Results]
HOSTILE = "</script><img src=x onerror=\"document.title='broken'\">"


def unpack(text: str) -> dict:
    return json.loads(gzip.decompress(base64.b64decode(re.search(r'"(.*)"', text)[1])))  # type: ignore[index]


def by_name(data: dict) -> dict[str, dict]:
    return {column["name"]: column for column in data["columns"]}


@pytest.fixture(scope="module")
def made() -> SyntheticResults:
    return SyntheticResults(np.random.default_rng(0), num_datasets=2, num_seeds=2)


@pytest.fixture(scope="module")
def data(made: SyntheticResults) -> dict:
    return read_models(read_report(made))


def test_scores_are_those_of_the_table_to_four_digits(data: dict, made: SyntheticResults) -> None:
    for kind in ("mean", "sampled"):
        table = scores(made, kind, wide=True).set_index("trial_id")
        given = by_name(data)["mig"]["values"][kind]
        np.testing.assert_allclose(given, table.loc[data["models"], "mig"], rtol=5e-4)
        assert all(len(f"{value:.10g}") <= 7 for value in given)


def test_hyperparameters_have_levels_and_a_method_lacks_those_of_others(data: dict) -> None:
    columns = by_name(data)
    beta = columns["beta"]
    assert beta["levels"] == ["1", "2", "4", "6", "8", "10", "16", ""]
    assert beta["labels"][-1] == "none"
    methods = columns["method"]
    for code, method in zip(beta["values"][""], methods["values"][""], strict=True):
        has = methods["levels"][method] in ("beta_vae", "beta_tc_vae")
        assert (beta["levels"][code] != "") == has
    assert methods["labels"][0] == "β-VAE"
    assert "batch_size" not in columns  # the same of all


def test_many_values_of_a_number_are_an_axis_without_levels(write_folder: WriteFolder) -> None:
    made = SyntheticResults(np.random.default_rng(0), num_seeds=1, pictures=False)
    rates = np.random.default_rng(0).uniform(1e-5, 1e-3, 36)
    models = made.table("trials").to_pylist()
    models = [row | {"learning_rate": rate} for row, rate in zip(models, rates, strict=True)]
    column = by_name(read_models(read_report(write_folder(made, trials=models))))["learning_rate"]
    assert "levels" not in column
    assert sorted(column["values"][""]) == sorted(rates)


def test_a_score_that_is_missing_or_infinite_is_none(write_folder: WriteFolder) -> None:
    made = SyntheticResults(np.random.default_rng(0), num_seeds=1, pictures=False)
    rows = [row for row in made.table("scores").to_pylist() if row["metric"] in ("mig", "sap")]
    first, second = list(dict.fromkeys(row["trial_id"] for row in rows))[:2]
    rows = [row for row in rows if (row["trial_id"], row["metric"]) != (first, "mig")]
    rows = [
        row | ({"value": np.inf} if (row["trial_id"], row["metric"]) == (second, "mig") else {})
        for row in rows
    ]
    data = read_models(read_report(write_folder(made, scores=rows, curves=[])))
    values = dict(zip(data["models"], by_name(data)["mig"]["values"]["mean"], strict=True))
    assert values[first] is None
    assert values[second] is None
    assert sum(value is None for value in values.values()) == 2
    assert "NaN" not in json.dumps(data, allow_nan=False)


def test_curves_keep_their_ends_and_at_most_so_many_points(
    made: SyntheticResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explorer, "MOST_POINTS", 7)
    report = read_report(made)
    curves = read_curves(report)
    assert curves["terms"] == ["Loss", "Reconstruction", "KL", "regularizer"]
    stored = made.table("curves").to_pandas()
    for place in (0, 100):
        own = stored[stored["trial_id"] == report.trials["trial_id"].iloc[place]]
        steps, loss, *_ = curves["models"][place]
        assert len(loss) == 7
        assert curves["steps"][steps][0] == own["step"].min()
        assert curves["steps"][steps][-1] == own["step"].max()
        np.testing.assert_allclose(loss[-1], own["loss"].iloc[-1], rtol=1e-5)


def test_packed_text_has_no_letter_that_means_anything_to_html() -> None:
    packed = pack({"study": HOSTILE})
    assert re.fullmatch(r"[\w+/=]+", packed)
    assert unpack(f'"{packed}"') == {"study": HOSTILE}
    assert packed == pack({"study": HOSTILE})


def test_a_name_with_html_stays_a_name() -> None:
    page = render_explorer(HOSTILE, "a</script>_files")
    assert "<img src=x" not in page
    assert page.count("</script>") == page.count("<script") == 3


def test_each_report_has_an_explorer_of_its_own() -> None:
    assert explorer_path(Path("a/report.html")) == Path("a/explorer.html")
    assert explorer_path(Path("a/mine.html")) == Path("a/mine_explorer.html")


def test_pictures_lie_beside_the_page_as_far_as_there_is_room(
    made: SyntheticResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(made.table("pictures")["png"][0].as_py())
    monkeypatch.setattr(explorer, "MOST_PICTURES", 200 * size)
    write_explorer(read_report(made), tmp_path / "explorer.html", tmp_path)
    data = unpack((tmp_path / "explorer-data.js").read_text())
    shown = [address for found in data["pictures"].values() for _, address in found]
    assert 0 < len(shown) < 3 * len(data["models"])
    assert all((tmp_path.parent / address).read_bytes()[:4] == b"\x89PNG" for address in shown)
    assert data["curves"]
    assert len(unpack((tmp_path / "explorer-curves.js").read_text())["models"]) == 144


def test_models_without_scores_curves_or_pictures_still_have_a_page(
    write_folder: WriteFolder, tmp_path: Path
) -> None:
    made = SyntheticResults(np.random.default_rng(2), num_seeds=1)
    one = made.table("trials").to_pylist()[:1]
    folder = write_folder(made, trials=one, scores=[], curves=[], pictures=[])
    write_explorer(read_report(folder), tmp_path / "explorer.html", tmp_path)
    data = unpack((tmp_path / "explorer-data.js").read_text())
    assert data["kinds"] == []
    assert data["pictures"] == {}
    assert not data["curves"]
    assert {column["group"] for column in data["columns"]} == {"Model", "Training"}


def test_the_data_of_a_study_take_fewer_than_four_bytes_a_score() -> None:
    made = SyntheticResults(np.random.default_rng(0), num_datasets=2, num_seeds=10, pictures=False)
    data = read_models(read_report(made))
    numbers = sum(
        len(values)
        for column in data["columns"]
        if column["group"] == "Scores"
        for values in column["values"].values()
    )
    assert len(pack(data)) < 4 * numbers
    assert pd.Series(data["models"]).is_unique
