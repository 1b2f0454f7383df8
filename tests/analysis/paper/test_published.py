import json
import re

import numpy as np
import pytest

from teasel import TeaselError
from teasel.analysis import differences_from_paper, published_numbers
from teasel.analysis.paper_grid import paper_grid
from teasel.analysis.tables import trials
from teasel.tests.support.synthetic import SyntheticResults


def test_published_matrices_are_symmetric_where_they_should_be() -> None:
    for figure in ("figure_2", "figure_4_datasets"):
        matrix = published_numbers(figure).pivot(index="row", columns="column", values="published")
        np.testing.assert_array_equal(matrix, matrix.T)
        np.testing.assert_array_equal(np.diag(matrix), 1.0)


def test_every_published_number_has_a_source() -> None:
    for figure in ("figure_2", "figure_3", "figure_4_datasets", "figure_5", "table_1"):
        assert published_numbers(figure)["source"].str.len().min() > 10


def test_a_figure_without_published_numbers_is_an_empty_table() -> None:
    assert published_numbers("figure_1").empty


def test_an_unknown_figure_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown figure 'figure_9' \(did you mean 'figure_"):
        published_numbers("figure_9")


def test_numbers_of_a_users_own_file_replace_packaged_ones(tmp_path) -> None:
    own = {
        "figure": "table_1",
        "rows": ["same_metric"],
        "columns": ["same_dataset"],
        "percent": [[79]],
        "source": "mine",
    }
    (tmp_path / "own.json").write_text(json.dumps({"tables": [own]}))
    table = published_numbers("table_1", more=tmp_path / "own.json").set_index(["row", "column"])
    assert table.loc[("same_metric", "same_dataset"), "published"] == pytest.approx(0.79)
    assert table.loc[("same_metric", "other_dataset"), "published"] == pytest.approx(0.593)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "own.json: expected JSON"),
        ("{", "own.json: expected JSON"),
        ("{}", "own.json: expected JSON"),
        ({"figure": "table_1"}, "own.json, table 1: it lacks 'percent'"),
        ({"percent": [[1], [2, 3]]}, "own.json, table 1: percent must be rows"),
        (
            {"percent": [[1, 2]], "rows": ["a"], "columns": ["b"], "figure": "f", "source": "s"},
            r"own.json, table 1: percent is \(1, 2\), its rows and columns are \(1, 1\)",
        ),
    ],
)
def test_a_faulty_file_of_ones_own_is_named_with_its_entry(text, words: str, tmp_path) -> None:
    path = tmp_path / "own.json"
    if text is not None:
        path.write_text(text if isinstance(text, str) else json.dumps({"tables": [text]}))
    with pytest.raises(TeaselError, match=words):
        published_numbers("table_1", more=path)


def test_the_grid_has_12600_models() -> None:
    grid = paper_grid()
    cells = sum(len(values) for swept in grid["methods"].values() for values in swept.values())
    assert len(grid["datasets"]) * cells * grid["seeds"] == 12_600


def test_the_studys_own_settings_differ_in_nothing(made_results: SyntheticResults) -> None:
    assert differences_from_paper(trials(made_results).assign(data_source="published file")) == []


@pytest.mark.parametrize(
    ("changed", "phrase"),
    [
        ({"dataset": "dsprites_mini"}, "dsprites_mini: not a data set of the paper"),
        ({"data_source": "my files"}, r"data from other sources \(my files\)"),
        ({"data_source": None}, "data source unknown"),
        ({"method": "mine"}, "mine: not a method of the paper"),
        ({"steps": 600}, r"600 steps of .*dip_vae_ii \(the paper: 300,000\)"),
        ({"beta": 3}, "beta=3 of beta_vae: not a setting of the paper"),
        ({"lambda_d_factor": 1}, "lambda_d_factor=1 of dip_vae_i: not a setting of the paper"),
        ({"gamma": 5}, "gamma=5 of annealed_vae: not a setting of the paper"),
        ({"batch_size": 32}, "batch size other than 64"),
    ],
)
def test_each_difference_from_the_study_is_said(
    changed: dict, phrase: str, made_results: SyntheticResults
) -> None:
    table = trials(made_results).assign(data_source="drawn").assign(**changed)
    assert re.search(phrase, "; ".join(differences_from_paper(table)))
