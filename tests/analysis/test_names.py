"""A folder tells what its methods, data sets and scores are called, installed or not."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from teasel.analysis import exemplars, scores, study_names, table_1, trials
from teasel.analysis.names import PAPER_NAMES, Names
from teasel.analysis.report.page import make_sections, raise_failed, read_report, render
from teasel.analysis.tables import drop_references
from teasel.analysis.top import top
from teasel.datasets import DATASETS
from teasel.metrics import METRICS
from teasel.models import METHODS
from teasel.sweep.store.results import Results
from teasel.tests.support.synthetic import SyntheticResults

COLOUR = "#123456"
GONE = {
    "methods": {
        "gone_vae": {"label": "Gone-VAE", "colour": COLOUR, "reference": "", "trained": True},
        "gone_codes": {"label": "Gone codes", "colour": "", "reference": "", "trained": False},
    },
    "metrics": {
        "gone": {
            "label": "Gone",
            "reference": "",
            "version": "3",
            "defaults": {"num_train": 5},
            "labels": {"gone_error": "Error of Gone"},
            "lower_is_better": ["gone_error"],
        }
    },
    "datasets": {"gone_data": {"label": "Gone data"}},
}
RENAMED = {"beta_vae": "gone_vae", "factor_vae": "gone_codes", "dsprites": "gone_data"}


@pytest.fixture
def gone(write_folder: Callable[..., Results]) -> Results:
    """A results folder that names methods, a data set and a metric that are not installed."""
    made = SyntheticResults(np.random.default_rng(0), num_seeds=2)
    made.study["catalogue"] = {
        kind: entries | GONE[kind] for kind, entries in made.study["catalogue"].items()
    }
    models = made.table("trials").to_pylist()
    models = [
        row | {name: RENAMED.get(row[name], row[name]) for name in ("method", "dataset")}
        for row in models
    ]
    rows = made.table("scores").to_pylist()
    rows += [
        row | {"metric": "gone", "score": "error", "parameters": '{"num_train": 7}'}
        for row in rows
        if row["metric"] == "mig"
    ]
    return write_folder(made, trials=models, scores=rows)


def test_none_of_the_gone_is_installed() -> None:
    assert not {"gone_vae", "gone_codes"} & {*METHODS}
    assert "gone" not in METRICS
    assert "gone_data" not in DATASETS


def test_names_are_those_that_the_folder_tells(gone: Results) -> None:
    names = study_names(gone)
    labels = [names.label(name) for name in ("gone_vae", "gone_error", "gone_data", "mig", "other")]
    assert labels == ["Gone-VAE", "Error of Gone", "Gone data", "MIG", "other"]
    assert names.colour("gone_vae", "black") == COLOUR
    assert names.colour("gone_codes", "black") == "black"
    assert (names.sign("gone_error"), names.sign("mig"), names.sign("kl")) == (-1, 1, -1)
    assert names.references == (*PAPER_NAMES.references, "gone_codes")


def test_a_study_that_tells_no_names_has_the_papers() -> None:
    assert Names.of_study({"study": "by hand"}) == PAPER_NAMES
    bare = Names.of_study({"catalogue": {"methods": {"mine": {}}, "metrics": {"mine": {}}}})
    assert bare.label("mine") == "mine"
    assert bare.references == PAPER_NAMES.references


def test_less_is_better_where_the_folder_says_so(gone: Results) -> None:
    wide = scores(gone, wide=True)
    least = wide[wide["method"] != "gone_codes"]["gone_error"].min()
    assert top(gone, "gone_error", num_models=1)["gone_error"].item() == least
    found = exemplars(wide, "gone_error", names=study_names(gone)).set_index("which")
    assert found.loc["best", "gone_error"] == least
    other = table_1(wide.assign(gone_error=-wide["gone_error"]), ["gone_error"])
    ours = table_1(wide, ["gone_error"], study_names(gone))
    np.testing.assert_array_equal(ours["success"], other["success"])


def test_a_reference_of_the_folders_is_no_trained_model(gone: Results) -> None:
    kept = drop_references(trials(gone), study_names(gone))
    assert len(trials(gone)) == 72
    assert "gone_codes" not in set(kept["method"])
    assert len(kept) == 60
    assert "gone_codes" not in set(top(gone, "mig", num_models=72)["method"])


def test_parameters_are_held_against_the_defaults_that_the_folder_tells(gone: Results) -> None:
    others = scores(gone, wide=True)["other_parameters"].iloc[0].split(", ")
    assert "gone" in others
    assert "mig" not in others


def test_the_page_and_its_figures_call_things_as_the_folder_does(gone: Results) -> None:
    report = read_report(gone)
    # A few models and scores, which are quickly drawn.
    others = ["beta_vae_score", "factor_vae_score", "modularity", "sap", "dci_completeness"]
    few = {
        name: rows[rows["setting"].isin(["beta=1", "beta=4", "gamma=10"])]
        .drop(columns=others, errors="ignore")
        .loc[lambda rows: rows["method"] != "beta_tc_vae"]
        for name, rows in report._asdict().items()
        if name in ("trials", "mean", "sampled")
    }
    report = report._replace(**few)
    sections = make_sections(report)
    raise_failed(sections, "nowhere")
    text = render(report, sections)
    for label in ("Gone-VAE", "Gone data", "Error of Gone", "Gone codes"):
        assert label in text
    assert "Less is better for Error of Gone*." in text
    for raw in ("gone vae", "gone codes", "gone data", "gone error"):
        assert raw not in text
    violins = re.search(r'<figure id="figure_3-method-gone_data">.*?</figure>', text, re.DOTALL)
    assert violins
    assert f"fill: {COLOUR}" in violins[0]
    assert "Gone-VAE" in violins[0]
    reference = text[text.index('<tbody class="references">') :]
    assert reference.index("Gone codes") < reference.index("</tbody>")
