"""What a study says of its tables: their order, which scores are shown, what goes together."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teasel.__main__ import main
from teasel.analysis import scores, trials
from teasel.analysis.report.page import read_report
from teasel.analysis.top import top
from teasel.metrics import PAPER_SEEDS
from teasel.sweep.grid.grid import check_grid
from teasel.sweep.grid.source import read_yaml
from teasel.sweep.store.results import Results, ResultsError
from teasel.sweep.store.tables import ScoreRow, TrialRow
from teasel.sweep.study.freeze import freeze
from teasel.sweep.study.study import read_study, wanted_trials

GRID = """\
study: {study}
datasets: {datasets}
seeds: {seeds}
methods: {methods}
training: {{steps: {steps}}}
metrics: {metrics}
metric_seed: {metric_seed}
"""
DEFAULT: dict[str, Any] = {
    "study": "tiny",
    "datasets": "[dsprites_mini]",
    "seeds": "2",
    "methods": "{beta_vae: {beta: [1, 4]}}",
    "steps": "10",
    "metrics": "{mig: {num_bins: 4}}",
    "metric_seed": "null",
}


class Made:
    """A folder in which nothing is trained, but rows are written as if it had been."""

    def __init__(self, folder: Path) -> None:
        self.results = Results(folder)

    def run(self, value: float | None = None, **changes: Any) -> "Made":
        """Asks for a grid, and does what is missing: its scores are `value`, or drawn."""
        source = read_yaml(GRID.format(**DEFAULT | changes), "grid.yaml")
        grid = check_grid(source)
        freeze(self.results, [(grid, source)])
        trained, scored = self.results.statuses(), self.results.scored_requests()
        for trial, requests in reversed(wanted_trials([grid])):  # the last one finishes first
            name = f"{trial.trial_id}-{len(self.results.store.files('tables/scores'))}"
            if trial.trial_id not in trained:
                facts: dict[str, Any] = {"study": grid.study, "status": "done"}
                facts["attempt_id"] = f"{self.results.store.uri.rpartition('/')[2]}-{name}"
                facts |= {"data_fingerprint": trial.dataset}
                self.results.add("trials", name, [TrialRow.of(trial, **facts)])
            rows = [
                ScoreRow.of(trial, request, score, value=trial.seed if value is None else value)
                for request in requests
                if request.key_on(trial.dataset) not in scored.get(trial.trial_id, ())
                for score in SCORES.get(request.metric, (request.metric,))
            ]
            self.results.add("scores", name, rows)
        return self


SCORES = {"downstream_lr": ("100", "100_test_factor_0", "100_test_factor_1")}


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "made")


# Order


def test_models_stand_as_the_study_lists_them_whoever_finished_first(made: Made) -> None:
    methods = "{factor_vae: {gamma: [40, 10]}, beta_vae: {beta: [16, 1, 4]}, pca: {}}"
    made.run(methods=methods, datasets="[shapes3d, dsprites_mini]", seeds="[7, 2]")
    expected = [each.trial.trial_id for each in read_study(made.results).wanted_trials()]
    assert trials(made.results)["trial_id"].tolist() == expected
    assert scores(made.results, wide=True)["trial_id"].tolist() == expected
    tidy = scores(made.results)
    assert tidy["trial_id"].tolist() == expected
    shapes = tidy[tidy["dataset"] == "shapes3d"]
    assert shapes["setting"].unique().tolist() == [
        "beta=16",
        "beta=1",
        "beta=4",
        "gamma=40",
        "gamma=10",
        "",
    ]
    assert shapes["seed"].tolist() == [7, 2] * 6


def test_what_a_later_grid_adds_stands_within_its_setting(made: Made) -> None:
    made.run(seeds="[5]").run(methods="{beta_vae: {beta: [1, 2]}}", seeds="[3, 5]")
    table = trials(made.results)
    assert list(zip(table["setting"], table["seed"], strict=True)) == [
        *(("beta=1", 5), ("beta=1", 3), ("beta=4", 5), ("beta=2", 5), ("beta=2", 3))
    ]


def test_scores_of_a_model_stand_by_metric_whichever_was_made_first(made: Made) -> None:
    made.run(metrics="[sap]").run(
        metrics="[mig, dci, sap]", methods="{beta_vae: {beta: [1, 4, 6]}}"
    )
    tidy = scores(made.results, representation=None)
    for _, rows in tidy.groupby("trial_id"):
        assert rows["representation"].tolist() == ["mean"] * 3 + ["sampled"] * 3
        assert rows["metric"].tolist() == ["sap", "mig", "dci"] * 2  # as the study names them
    assert list(scores(made.results, wide=True).columns[8:11]) == ["sap", "mig", "dci"]


def test_the_tidy_table_tells_settings_of_several_hyper_parameters_apart(made: Made) -> None:
    made.run(
        methods="{dip_vae_i: {lambda_od: [1, 2], lambda_d_factor: [5, 10]}, beta_vae: {beta: 1}}"
    )
    tidy = scores(made.results)
    assert (
        tidy.groupby(["dataset", "method", "setting"])["seed"].apply(list).tolist() == [[0, 1]] * 5
    )
    assert set(tidy["lambda_d_factor"].dropna()) == {5.0, 10.0}
    assert tidy[tidy["method"] == "beta_vae"]["beta"].tolist() == [1.0, 1.0]


def test_a_score_of_one_factor_has_the_factors_name(made: Made) -> None:
    made.run(metrics="[downstream_lr]", datasets="[cars3d, dsprites_mini]", seeds="1")
    tidy = scores(made.results).query("hyperparameter_value == 1")
    assert tidy["score"].tolist() == [
        *("100", "100_test_elevation", "100_test_azimuth"),
        *("100", "100_test_shape", "100_test_scale"),
    ]
    assert tidy["factor"].fillna("").tolist() == ["", "elevation", "azimuth", "", "shape", "scale"]
    wide = scores(made.results, wide=True).set_index(["dataset", "setting"])
    assert wide["downstream_lr_100_test_shape"].notna()["dsprites_mini"].all()
    assert wide["downstream_lr_100_test_shape"].isna()["cars3d"].all()


def test_a_factor_whose_name_is_not_known_keeps_its_place(made: Made) -> None:
    made.run(metrics="[downstream_lr]")
    study = made.results.study
    del study["catalogue"]["datasets"]["dsprites_mini"]["factors"]
    made.results.write_study(study)
    assert scores(made.results)["score"].tolist()[:2] == ["100", "100_test_factor_0"]


def test_a_study_of_which_nothing_is_done_has_empty_tables(made: Made) -> None:
    source = read_yaml(GRID.format(**DEFAULT), "grid.yaml")
    freeze(made.results, [(check_grid(source), source)])
    assert len(trials(made.results)) == len(scores(made.results, None)) == 0
    assert len(scores(made.results, wide=True)) == 0
    assert "beta" in trials(made.results)


# Which scores are shown


def test_after_a_change_of_parameters_the_new_scores_are_shown_everywhere(made: Made) -> None:
    made.run(value=0.25).run(value=0.75, metrics="{mig: {num_bins: 8}}")
    assert set(scores(made.results)["value"]) == {0.75}
    assert set(scores(made.results, wide=True)["mig"]) == {0.75}
    assert set(top(made.results, "mig")["mig"]) == {0.75}


def test_a_grid_that_is_run_again_is_the_latest_again(made: Made) -> None:
    made.run(value=0.25).run(value=0.75, metrics="{mig: {num_bins: 8}}").run()
    assert set(scores(made.results)["value"]) == {0.25}


def test_other_scores_are_chosen_by_parameters_or_seed(made: Made) -> None:
    made.run(value=0.25).run(value=0.75, metrics="{mig: {num_bins: 8}}").run(
        value=0.5, metric_seed=9
    )

    def shown(**choice: Any) -> set[float]:
        (value,) = {
            tuple(set(table))
            for table in (
                scores(made.results, **choice)["value"],
                scores(made.results, wide=True, **choice)["mig"],
                top(made.results, "mig", **choice)["mig"],
            )
        }
        return set(value)

    assert shown() == {0.5}
    assert shown(parameters={"mig": {"num_bins": 8}}) == {0.75}
    assert shown(parameters={"num_bins": 8}) == {0.75}
    seed = 3638918503  # the paper's
    assert shown(parameters={"mig": {"num_bins": 4}}, metric_seed=seed) == {0.25}
    assert shown(parameters={"num_bins": 4}, metric_seed={"mig": seed}) == {0.25}


def test_the_report_and_the_command_line_show_and_choose_the_same(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    made.run(value=0.25).run(value=0.75, metrics="{mig: {num_bins: 8}}")
    assert set(read_report(made.results).mean["mig"]) == {0.75}
    report = read_report(made.results, parameters={"num_bins": 4}, metric_seed=3638918503)
    assert set(report.mean["mig"]) == {0.25}
    assert "mig" not in report.sampled  # that seed is the mean's
    for more, shown in ([], "0.7500"), (["--parameters", "mig: {num_bins: 4}"], "0.2500"):
        assert main(["top", made.results.uri, "--metric", "mig", *more]) == 0
        assert capsys.readouterr().out.count(shown) == 4


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (
            {"parameters": {"mig": {"num_bins": 5}}},
            r"of mig were made with num_bins=5; there are .*num_bins=4",
        ),
        ({"parameters": {"bins": 4}}, "no scores were made with bins=4"),
        ({"parameters": {"sap": {"num_train": 4}}}, "no scores of sap .* none at all"),
        ({"parameters": {"migg": {"num_bins": 4}}}, r"of migg \(did you mean 'mig'\?\) were"),
        ({"metric_seed": 5}, "metric seed 5; there are 3638918503, 4138900056"),
    ],
)
def test_a_choice_that_nothing_was_made_with_is_refused(
    made: Made, choice: dict, message: str
) -> None:
    made.run()
    with pytest.raises(ResultsError, match=message):
        scores(made.results, **choice)


def test_a_warning_names_scores_without_a_successor(made: Made) -> None:
    made.run(value=0.25).run(value=0.75, metrics="{mig: {num_bins: 8}}", seeds="1")
    with pytest.warns(
        UserWarning, match=r"without 4 scores of .*num_bins=4.* 2 models have no other: the latest"
    ):
        table = scores(made.results)
    assert table["value"].tolist() == [0.75, 0.75]


def test_the_papers_parameters_are_taken_where_there_are_scores_of_them(made: Made) -> None:
    made.run(value=0.25, metrics="[mig, sap]").run(value=0.75, metrics="{mig: {num_bins: 8}}")
    wide = scores(made.results, wide=True, parameters="paper")
    assert set(wide["mig"]) == {0.25}
    assert set(wide["other_parameters"]) == {""}
    latest = scores(made.results, wide=True)
    assert set(latest["mig"]) == {0.75}
    assert set(latest["other_parameters"]) == {"mig"}
    made.run(value=0.5, metrics="{dci: {num_train: 100}}")
    assert set(scores(made.results, wide=True, parameters="paper")["dci"]) == {0.5}  # has no others


# Numbers that are none


def test_an_infinite_score_or_loss_is_missing_from_a_wide_table(made: Made) -> None:
    made.run(value=np.inf)
    (trial, *_) = read_study(made.results).wanted_trials()
    row = TrialRow.of(trial.trial, status="done", loss=-np.inf, elbo=1.0)
    made.results.store.remove(made.results.store.files("tables/trials")[-1])
    for file in made.results.store.files("tables/trials"):
        made.results.store.remove(file)
    made.results.add("trials", "again", [row])
    wide = scores(made.results, wide=True)
    assert wide[["mig", "loss"]].isna().all(axis=None)
    assert wide["elbo"].tolist() == [1.0]
    assert scores(made.results)["value"].tolist() == [np.inf]  # as it is stored


def test_an_accuracy_of_nothing_has_no_efficiency(made: Made) -> None:
    made.run(metrics="[sap]")
    trial = read_study(made.results).wanted_trials()[0].trial
    rows = [
        ScoreRow(trial.trial_id, "mean", "downstream_lr", score, value, metric_version="1")
        for score, value in (("100", 0.5), ("10000", 0.0))
    ]
    made.results.add("scores", "more", rows)
    assert scores(made.results, wide=True)["efficiency_lr"].isna().all()


# Several studies


def test_several_studies_are_read_as_one_with_a_column_study(tmp_path: Path) -> None:
    one = Made(tmp_path / "one").run(study="one")
    two = Made(tmp_path / "two").run(study="two", steps=20, methods="{factor_vae: {gamma: 10}}")
    three = Made(tmp_path / "three").run(study="three", steps=20)
    given = [one.results.uri, two.results, tmp_path / "three"]
    tidy = scores(given)
    assert tidy.groupby("study", sort=False).size().to_dict() == {"one": 4, "two": 2, "three": 4}
    assert list(tidy.columns[:2]) == ["trial_id", "study"]
    assert tidy["trial_id"].tolist() == [
        *(each for made in (one, two, three) for each in scores(made.results)["trial_id"])
    ]
    # What differs between the studies tells their settings apart.
    assert tidy[tidy["study"] == "three"]["setting"].unique().tolist() == [
        "beta=1, steps=20",
        "beta=4, steps=20",
    ]
    wide = scores(given, wide=True)
    assert len(wide) == len(trials(given)) == 10
    assert wide.groupby("study", sort=False).size().to_dict() == {"one": 4, "two": 2, "three": 4}
    assert len(scores([one.results])) == 4


def test_studies_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for name, steps in (("a", 10), ("b", 20)):
        Made(tmp_path / name).run(steps=steps)
    names = [str(tmp_path / name) for name in ("a", "b")]
    assert scores(names, wide=True)["study"].unique().tolist() == names
    with pytest.raises(ResultsError, match="was given twice"):
        scores([names[0], names[0]])
    with pytest.raises(ResultsError, match="hold the same models"):
        scores([names[0], tmp_path / "b" / ".." / "a"])


def test_studies_that_share_a_model_keep_both_rows(tmp_path: Path) -> None:
    given = [Made(tmp_path / name).run(study=name, value=len(name)).results for name in ("a", "bc")]
    wide = scores(given, wide=True)
    assert wide["mig"].tolist() == [1.0] * 4 + [2.0] * 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": "{mig: {num_bins: 8}}"}, "mig, `parameters`: num_bins is 4 and 8"),
        ({"metric_seed": 3}, "mig, `metric_seed` is 3638918503 and 3"),
    ],
)
def test_studies_that_cannot_be_joined_are_refused_by_the_column_that_differs(
    tmp_path: Path, changes: dict, message: str
) -> None:
    one = Made(tmp_path / "one").run(study="one").results
    two = Made(tmp_path / "two").run(study="two", **changes).results
    with pytest.raises(ResultsError, match=f"one and two cannot be read as one: {message}"):
        scores([one, two])
    assert len(trials([one, two])) == 8  # their models can


def test_studies_of_other_images_by_one_name_are_refused(tmp_path: Path) -> None:
    one, two = (Made(tmp_path / name).run(study=name).results for name in ("one", "two"))
    trial = read_study(two).wanted_trials()[0].trial
    for file in two.store.files("tables/trials"):
        two.store.remove(file)
    two.add("trials", "other", [TrialRow.of(trial, status="done", data_fingerprint="others")])
    with pytest.raises(
        ResultsError, match="`data_fingerprint` of dsprites_mini is dsprites_mini and others"
    ):
        scores([one, two])


# Several metric seeds


def test_a_score_of_several_seeds_is_their_mean_with_its_deviation(made: Made) -> None:
    made.run(metrics="{mig: {}, sap: {}}")
    before = scores(made.results, wide=True)
    assert not [name for name in before if name.endswith("_sd")]
    first = PAPER_SEEDS["mean"]["mig"]
    made.run(metrics="{mig: {}, sap: {}}", metric_seed="null\nmetric_seeds: 3", value=7)
    tidy = scores(made.results).query("metric == 'mig'")
    assert sorted(tidy["metric_seed"].unique()) == [first, first + 1, first + 2]
    assert len(tidy) == 3 * len(before)
    wide = scores(made.results, wide=True)
    expected = [(seed + 14) / 3 for seed in before["mig"]]  # the first was not made again
    assert wide["mig"].tolist() == pytest.approx(expected)
    deviations = [np.std([seed, 7, 7], ddof=1) for seed in before["mig"]]
    assert wide["mig_sd"].tolist() == pytest.approx(deviations)
    assert [name for name in wide if name.endswith("_sd")] == ["mig_sd", "sap_sd"]
    alone = scores(made.results, wide=True, metric_seed={"mig": first, "sap": 2678185683})
    assert alone["mig"].tolist() == before["mig"].tolist()
    assert "mig_sd" not in alone
    assert top(made.results, "mig")["mig"].tolist() == sorted(wide["mig"], reverse=True)
    made.run(metrics="{mig: {}, sap: {}}", metric_seed="null\nmetric_seeds: 1")
    assert scores(made.results, wide=True)["mig"].tolist() == before["mig"].tolist()
