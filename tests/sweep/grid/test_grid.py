"""Grids: what they stand for, and what is said of a bad one."""

import contextlib
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teasel import TeaselError
from teasel.analysis.choice import uses_papers_parameters
from teasel.analysis.names import Names
from teasel.errors import ConfigError
from teasel.metrics import METRICS, PAPER_SEEDS
from teasel.models import MethodEntry
from teasel.sweep.commands.rescore import _requests_of
from teasel.sweep.commands.run import _choose_options
from teasel.sweep.grid import schema
from teasel.sweep.grid.grid import check_grid, load_grid, packaged_grids, resolve
from teasel.sweep.grid.source import read_dict, read_yaml
from teasel.sweep.store.results import Results
from teasel.sweep.study.catalogue import describe_grid
from teasel.sweep.study.freeze import freeze
from teasel.sweep.study.study import read_study
from teasel.sweep.trials.request import MetricRequest
from teasel.sweep.work.preflight import MissingFilesError
from teasel.tests.support.bad_grids import LAUGHS, MERGED, NESTED, ONE, UNKNOWN
from teasel.tests.support.commands import call

GOOD = """\
study: mine
datasets: [dsprites, dsprites_mini]
seeds: 3
methods:
  beta_vae: {beta: [1, 4], steps: 10}
  untrained: {}
training: {steps: 20}
"""


def grid_of(text: str):
    return check_grid(read_yaml(text, "study.yaml"))


def faults_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        grid_of(text)
    return str(caught.value).splitlines()


def test_trials_are_the_product_of_data_sets_methods_settings_and_seeds() -> None:
    trials = grid_of(GOOD).trials()
    assert len(trials) == 2 * (2 + 1) * 3
    assert [trial.seed for trial in trials[:4]] == [0, 1, 2, 0]
    assert [trial.hyperparameters for trial in trials[2:4]] == [{"beta": 1.0}, {"beta": 4.0}]
    assert len({trial.trial_id for trial in trials}) == len(trials)


def test_a_methods_own_steps_stand_above_the_studys() -> None:
    steps = {trial.method: trial.training.steps for trial in grid_of(GOOD).trials()}
    assert steps["beta_vae"] == 10


def test_untrained_networks_take_no_steps() -> None:
    steps = {trial.method: trial.training.steps for trial in grid_of(GOOD).trials()}
    assert steps["untrained"] == 0


@pytest.mark.parametrize(
    ("seeds", "expected"), [("2", [0, 1]), ("[7, 3]", [7, 3]), ("{from: 50, count: 2}", [50, 51])]
)
def test_seeds_are_a_count_a_list_or_a_range(seeds: str, expected: list[int]) -> None:
    grid = grid_of(GOOD.replace("seeds: 3", f"seeds: {seeds}"))
    assert grid.seeds == expected


def test_exclusions_match_partly() -> None:
    excluded = "exclude: [{dataset: dsprites, beta: 4}, {seed: [1, 2], method: untrained}]\n"
    kept = {
        (trial.dataset, trial.method, trial.hyperparameters.get("beta"), trial.seed)
        for trial in grid_of(GOOD + excluded).trials()
    }
    assert len(kept) == 18 - 3 - 4
    assert ("dsprites", "beta_vae", 4.0, 0) not in kept
    assert ("dsprites_mini", "beta_vae", 4.0, 0) in kept
    assert ("dsprites", "untrained", None, 2) not in kept


def test_metrics_are_all_a_list_or_a_mapping() -> None:
    every = grid_of(GOOD + "metrics: all\n").requests()
    assert grid_of(GOOD).requests() == every
    names = (
        *("beta_vae_score", "factor_vae_score", "mig", "dci", "modularity", "explicitness", "sap"),
        *("unsupervised", "downstream_lr", "downstream_gbt", "irs"),
    )
    assert [r.metric for r in every] == [*names, *names]
    assert all(r.parameters == METRICS[r.metric].defaults for r in every)
    listed = grid_of(GOOD + "metrics: [mig, sap]\n").requests()
    assert [(r.representation, r.metric) for r in listed] == [
        ("mean", "mig"), ("mean", "sap"), ("sampled", "mig"), ("sampled", "sap"),
    ]  # fmt: skip
    sized = grid_of(GOOD + "metrics: {mig: {num_train: 50}, sap: }\n").requests()
    assert sized[0].parameters == {"num_train": 50, "num_bins": 20}


def test_the_papers_metrics_have_the_papers_parameters() -> None:
    requests = grid_of(GOOD + "metrics: paper\n").requests()
    # The nine configurations of the paper; one held both modularity and explicitness.
    assert {r.metric for r in requests} == set(PAPER_SEEDS["mean"])
    assert {r.metric for r in requests if r.parameters.get("one_vs_rest")} == {
        *("beta_vae_score", "downstream_lr", "explicitness")
    }
    others = {r.metric: r.parameters | {"one_vs_rest": False} for r in requests}
    assert all(METRICS[m].defaults | {"one_vs_rest": False} == others[m] for m in others)


@pytest.mark.parametrize("name", ["locatello2019", "locatello2019_offline", "mini"])
def test_a_packaged_grid_of_the_paper_asks_for_no_other_parameters(name: str) -> None:
    stored = json.dumps({"catalogue": describe_grid(resolve(load_grid(name)[0]))})
    for request in load_grid(name)[0].requests():
        way = {"metric": request.metric, "parameters": json.dumps(request.parameters)}
        assert uses_papers_parameters(way, Names.of_study(json.loads(stored))), request
        assert request.metric_seed == PAPER_SEEDS[request.representation][request.metric]


def test_the_metric_seeds_are_the_studys_unless_given() -> None:
    # Read off RandomState(0).randint(2**32, ...) in the original's order; spec of the study.
    assert grid_of(GOOD + "metrics: [mig]\n").requests()[0].metric_seed == 3638918503
    assert grid_of(GOOD + "metrics: [mig]\nmetric_seed: 5\n").requests()[0].metric_seed == 5


def test_several_metric_seeds_follow_the_first_of_each_score() -> None:
    once = grid_of(GOOD + "metrics: [mig, sap]\n")
    asked = grid_of(GOOD + "metrics: [mig, sap]\nmetric_seeds: 3\n")
    assert [r for request in once.requests() for r in request.repeat(3)] == asked.requests()
    assert [r.metric_seed - 3638918503 for r in asked.requests()[:3]] == [0, 1, 2]
    last = MetricRequest.of("mean", "mig", {}, 2**32 - 1)
    assert [request.metric_seed for request in last.repeat(2)] == [2**32 - 1, 0]
    assert "metric_seeds" not in resolve(once)
    cell = ("dsprites_mini", "beta_vae")
    rescored = _requests_of(resolve(asked), ["sap"])[cell]
    assert rescored == [r for r in asked.requests_by_cell()[cell] if r.metric == "sap"]
    for bad in ("0", "1.5", "true"):
        assert faults_of(GOOD + f"metric_seeds: {bad}\n")


def test_a_score_that_compares_models_comes_after_the_run() -> None:
    (fault,) = faults_of(GOOD + "metrics: [mig, udr]\n")
    assert "unknown metric 'udr'" in fault
    assert "once models are trained, `teasel rescore DIR --metrics udr` compares" in fault


def test_all_faults_come_at_once_each_with_its_place_and_a_suggestion() -> None:
    faults = faults_of(
        "study: mine\n"
        "datasets: [dsprites_ful]\n"
        "seeds: 2\n"
        "methods:\n"
        "  beta_vae: {betta: 4, beta: ten}\n"
        "  betavae: {beta: 1}\n"
        "training: {steps: [], batch_size: 1.5}\n"
        "metrics: {mig: {num_trian: 10}}\n"
    )
    assert faults == [
        "study.yaml:2:12: datasets: unknown data set 'dsprites_ful' (did you mean 'dsprites'?)",
        "study.yaml:5:14: unknown hyper-parameter or setting of beta_vae 'betta' "
        "(did you mean 'beta'?)",
        "study.yaml:5:30: methods.beta_vae.beta: input should be a valid number, got 'ten'",
        "study.yaml:6:3: unknown method 'betavae' (did you mean 'beta_vae'?)",
        "study.yaml:7:19: training.steps: list should have at least 1 item after "
        "validation, not 0, got []",
        "study.yaml:7:35: training.batch_size: input should be a valid integer, got 1.5",
        "study.yaml:8:17: unknown parameter of mig 'num_trian' (did you mean 'num_train'?)",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("beta: []", "list should have at least 1 item"),
        ("beta: -1", "input should be greater than or equal to 0"),
        ("beta: .nan", "input should be a finite number"),
        ("beta: [1, 1]", "1.0 is listed twice"),
        ("steps: 3", "'beta' of beta_vae is missing"),
        ("beta: '4'", "input should be a valid number, got '4'"),
        ("beta: true", "input should be a valid number, got True"),
    ],
)
def test_a_bad_axis_is_a_fault(text: str, fault: str) -> None:
    (line,) = faults_of(GOOD.replace("beta: [1, 4], steps: 10", text))
    assert line.startswith("study.yaml:5:")
    assert fault in line


def test_a_deterministic_grid_has_the_same_trials_and_other_options() -> None:
    text = GOOD + "resources: {deterministic: true}\n"
    found, plain = grid_of(text), grid_of(GOOD)
    assert found.trials() == plain.trials()
    options = [_choose_options([(g, read_yaml(text, "g"))], False, 1.0) for g in (found, plain)]
    assert [each.deterministic for each in options] == [True, False]


@pytest.mark.parametrize("share", [1, 0.5, 0.333, 0.33, 0.16, 0.1])
def test_packs_share_an_accelerator_between_them(share: float) -> None:
    grid = grid_of(GOOD + f"resources: {{gpus_per_pack: {share}}}\n")
    assert grid.resources.gpus_per_pack == share


@pytest.mark.parametrize(("share", "unused"), [(0.6, "0.4"), (0.34, "0.32")])
def test_a_share_that_leaves_much_of_an_accelerator_unused_is_a_fault(
    share: float, unused: str
) -> None:
    (line,) = faults_of(GOOD + f"resources: {{gpus_per_pack: {share}}}\n")
    assert f"resources.gpus_per_pack: leaves {unused} of an accelerator unused; expected 1" in line


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "[dsprites, dsprites_mini]",
            "{a: b}",
            "2:12: unknown key 'a' (one of: name, file, npz, sha256, ",
        ),
        (
            "[dsprites, dsprites_mini]",
            "[{name: dsprites, foo: 1}]",
            "2:29: unknown key 'foo' (one of: name, file, npz, sha256, ",
        ),
        ("3", "100000000000000", "3:8: seeds: expected at most 200,000 seeds"),
        ("3", "'\x07'", "3:9: not YAML: character"),
        ("3", '!!int ""', "3:8: not YAML: no int"),
        ("3", "!!timestamp x", "3:8: not YAML: no timestamp"),
    ],
)
def test_what_is_not_expected_is_a_fault_with_its_place(old: str, new: str, fault: str) -> None:
    lines = faults_of(GOOD.replace(f": {old}\n", f": {new}\n"))
    assert any(line.startswith(f"study.yaml:{fault}") for line in lines), lines


def test_a_duplicate_key_is_a_fault_that_names_both_lines() -> None:
    text = GOOD + "seeds: 4\n"
    assert faults_of(text) == ["study.yaml:8:1: duplicate key 'seeds', first on line 3"]


def test_a_number_may_be_written_1e_4() -> None:
    grid = grid_of(GOOD.replace("steps: 20", "learning_rate: 1e-4"))
    assert grid.training.learning_rate == [1e-4]


@pytest.mark.parametrize(
    "text", ["", "[1, 2", "- a\n- b\n", "just words", "a: &x [*x]\n", "a: !!python/tuple [1]\n"]
)
def test_what_is_no_mapping_is_refused_with_a_place(text: str) -> None:
    assert faults_of(text)[0].startswith("study.yaml:1:")


def test_an_exclusion_that_excludes_nothing_possible_or_everything_is_a_fault() -> None:
    assert "did you mean 'dataset'?" in faults_of(GOOD + "exclude: [{datset: dsprites}]\n")[0]
    everything = GOOD + "exclude: [{method: [beta_vae, untrained]}]\n"
    assert "leave no trial" in faults_of(everything)[0]


def test_a_grid_without_methods_is_a_fault() -> None:
    text = GOOD.replace("  beta_vae: {beta: [1, 4], steps: 10}\n  untrained: {}\n", "  {}\n")
    assert "no method is named" in faults_of(text)[0]


def test_a_name_that_is_neither_packaged_nor_a_file_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="did you mean 'quickstart'"):
        load_grid("quickstrat")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot read the file"):
        load_grid("nowhere.yaml")


@pytest.mark.parametrize("name", packaged_grids())
def test_packaged_grids_are_valid(name: str) -> None:
    grid, source = load_grid(name)
    assert grid.trials()
    assert source.text.startswith("#"), "a packaged grid says what it costs and what to expect"


def test_the_study_has_its_12600_trials_in_the_originals_order() -> None:
    trials = load_grid("locatello2019")[0].trials()
    assert len(trials) == 12_600
    # Closed form of the original's numbering: d = n // 1800, r = n % 1800, m = r // 300,
    # h = r % 300 // 50, seed = n % 50; method 1 is factor_vae, 5 annealed_vae (spec of the study).
    assert trials[0].dataset == "dsprites"
    assert trials[0].method == "beta_vae"
    n = 3 * 1800 + 1 * 300 + 4 * 50 + 17
    assert (trials[n].dataset, trials[n].method, trials[n].seed) == (
        "scream_dsprites", "factor_vae", 17,
    )  # fmt: skip
    assert trials[n].hyperparameters == {"gamma": 50.0}
    assert trials[n].training.steps == 150_000
    assert trials[-1].dataset == "shapes3d"
    assert trials[-1].method == "annealed_vae"
    assert trials[-1].hyperparameters["c_max"] == 100


def test_a_users_own_file_counts_by_its_content(grid_file: Path, tmp_path: Path) -> None:
    here = load_grid(grid_file)[0].trials()
    (tmp_path / "elsewhere.npz").write_bytes((grid_file.parent / "squares.npz").read_bytes())
    moved = grid_file.read_text().replace("squares.npz", "elsewhere.npz")
    (tmp_path / "tiny.yaml").write_text(moved)
    there = load_grid(tmp_path / "tiny.yaml")[0].trials()
    assert [trial.trial_id for trial in here] == [trial.trial_id for trial in there]


def test_a_users_missing_file_is_a_fault() -> None:
    text = GOOD.replace("[dsprites, dsprites_mini]", "[{name: mine, npz: nowhere.npz}]")
    assert "nowhere.npz: No such file" in faults_of(text)[0]


@pytest.mark.parametrize("name", packaged_grids())
def test_every_packaged_grid_loads_plans_and_states_its_cost(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    grid, source = load_grid(name)
    with contextlib.suppress(MissingFilesError):  # a plan is also made where the files are not
        call("plan", name)
    assert f"{len(grid.trials()):,} trials" in capsys.readouterr().out
    comment = [line for line in source.text.splitlines() if line.startswith("#")]
    assert re.search(r"[Ee]xpect|[Cc]ost|hours", " ".join(comment))


def test_the_part_of_the_study_that_can_be_drawn_is_part_of_the_study() -> None:
    whole, part = (
        {trial.trial_id for trial in load_grid(name)[0].trials()}
        for name in ("locatello2019", "locatello2019_offline")
    )
    assert len(part) == 7200  # four data sets of 6 methods x 6 settings x 50 seeds
    assert part < whole


def test_what_has_another_shape_is_said_in_the_words_of_yaml() -> None:
    text = """\
study: my study
datasets: [{npz: mine.npz}]
seeds: 1
methods: [beta_vae]
metrics: mig
"""
    with pytest.raises(ConfigError) as error:
        grid_of(text)
    lines = [line.partition(": ")[2] for line in str(error.value).splitlines()]
    assert lines == [
        "study: expected letters, digits, '_', '.' and '-', starting with a letter or a digit, "
        "got 'my study'",
        "'name' of datasets is missing",
        "methods: expected a mapping of keys to values, got ['beta_vae']",
        "metrics: expected 'all', 'paper', a list of names, or a mapping from names to "
        "parameters, got 'mig'",
    ]


def of_kl(kl: float) -> None: ...
def of_seed(seed: float) -> None: ...
def of_mig(mig: float) -> None: ...


@pytest.mark.parametrize(
    ("name", "factory", "message"),
    [
        ("mine", of_kl, "the method mine: a hyper-parameter cannot be called kl"),
        ("mine", of_seed, "the method mine: a hyper-parameter cannot be called seed"),
        ("mine", of_mig, "the method mine: a hyper-parameter cannot be called mig"),
        ("pca", lambda: None, "the method pca: this is the name of a reference"),
    ],
)
def test_a_method_takes_no_name_that_the_results_need(name, factory, message) -> None:
    with pytest.raises(TeaselError, match=message):
        schema._method_entry(name, MethodEntry(factory))


def as_dict(grid_file: Path) -> dict[str, Any]:
    """The tiny grid as a program would write it: with NumPy's numbers, tuples, ranges and paths."""
    return {
        "study": "tiny",
        "datasets": ({"name": "squares", "npz": grid_file.with_name("squares.npz")},),
        "seeds": range(2),
        "methods": {"beta_vae": {"beta": np.array([1, 4])}},
        "training": {
            "steps": np.int64(6),
            "batch_size": 4,
            "num_latents": 3,
            "learning_rate": 1e-3,
            "evaluation_batches": 2,
        },
        "metrics": {name: {"num_train": 60, "num_bins": 4} for name in ("mig", "modularity")},
        "resources": {"pack": 2},
    }


def test_a_dict_is_the_grid_that_the_same_yaml_is(grid_file: Path, tmp_path: Path) -> None:
    expected, _ = load_grid(grid_file)
    grid, source = load_grid(as_dict(grid_file))
    assert grid.trials() == expected.trials()
    assert grid.requests() == expected.requests()
    (tmp_path / "written.yaml").write_text(source.text)
    assert load_grid(tmp_path / "written.yaml")[0] == grid


def test_texts_that_look_like_numbers_stay_texts_in_a_dicts_yaml() -> None:
    given = {"a": "1e-3", "b": 1e-5, "c": "yes", "d": "null", "e": None, "f": [True, "true"]}
    assert read_yaml(read_dict(given, "the grid").text, "again").value == given


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": {1, 2}}, "the grid: seeds: expected a value that YAML can express, got {1, 2}"),
        ({"study": 1}, "the grid: study: expected a text, got 1"),
        (
            {"methods": {"beta_va": {}}},
            "the grid: methods.beta_va: unknown method 'beta_va' (did you mean 'beta_vae'?)",
        ),
        (
            {"methods": {"beta_vae": {"beta": [1, "x"]}}},
            "the grid: methods.beta_vae.beta[1]: input should be a valid number, got 'x'",
        ),
        (
            {"exclude": [{"sed": 3}]},
            "the grid: exclude[0].sed: unknown key 'sed' (did you mean 'seed'?)",
        ),
    ],
)
def test_a_dicts_faults_are_told_with_the_keys_that_lead_there(
    grid_file: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as told:
        load_grid(as_dict(grid_file) | change)
    assert str(told.value) == message


def test_a_results_folder_keeps_the_grid_as_it_was_changed(grid_file: Path, tmp_path: Path) -> None:
    changes = ["seeds=[4, 7]", "training.learning_rate=1e-5", "datasets.0.name=others"]
    grid, source = loaded = load_grid(grid_file, changes)
    assert (grid.seeds, grid.training.learning_rate, grid.datasets[0].name) == (  # type: ignore[attr-defined]
        [4, 7],
        [1e-5],
        "others",
    )
    results = Results(tmp_path / "results")
    freeze(results, [loaded])
    kept = (tmp_path / "results" / "study.yaml").read_text()
    assert kept == source.text == read_study(results).grids[0]["yaml"]
    again = grid_file.with_name("again.yaml")
    again.write_text(kept)
    assert load_grid(again)[0] == grid
    assert load_grid(again, changes)[1].text == kept


def test_faults_of_a_file_and_of_its_changes_are_told_together(grid_file: Path) -> None:
    wrong = grid_file.with_name("wrong.yaml")  # that file is of all tests
    wrong.write_text(grid_file.read_text() + "sedes: 3\n")
    with pytest.raises(ConfigError) as told:
        load_grid(wrong, ["training.stps=5", "methods.dip_vae_i.lambda_od=x"])
    *changes, last = str(told.value).splitlines()
    what = "methods.dip_vae_i.lambda_od: input should be a valid number, got 'x'"
    assert f"--set methods.dip_vae_i.lambda_od=x: {what}" in changes
    assert "--set training.stps=5: unknown key 'stps' (did you mean 'steps'?)" in changes
    assert last.startswith(f"{wrong}:")
    assert "unknown key 'sedes'" in last


def test_a_dict_without_keys_says_all_that_is_missing() -> None:
    with pytest.raises(ConfigError, match=r"the grid: 'study' is missing\nthe grid: 'datasets' is"):
        load_grid({})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LAUGHS, "more than 100,000 values after expanding aliases"),
        (MERGED, "more than 100,000 values after expanding aliases"),
        (ONE.format(1, 1) + NESTED, "nested too deeply"),
        (ONE.format(1, 1) + "exclude: &a [*a]\n", "inside its own anchor"),
        (ONE.format(1, 1) + "#" * 100_000, "more than 100,000 characters"),
        (ONE.format(20_000, list(range(2_000))), "40,000,000 trials, beta_vae 2,000 settings"),
        (ONE.format(100_000, [1, 2, 3]), "300,000 trials"),
        (ONE.format([0, *range(9_999)], 1), "0 is listed twice"),
        (ONE.format(1, f"0x{'f' * 50_000}"), "no int: int too large to convert to float"),
        (ONE.format(1, f"1{':59' * 20_000}"), "no int: int too large to convert to float"),
        (
            ONE.format(100, list(range(100))) + f"exclude: [{{seed: {[*range(999)]}}}]",
            "9,990,000 values",
        ),
    ],
)
def test_a_grid_without_bounds_is_refused_in_seconds(text: str, expected: str) -> None:
    began = time.process_time()
    (fault,) = faults_of(text)
    assert expected in fault
    assert time.process_time() - began < 5


def test_a_hundred_faults_are_listed_and_no_more() -> None:
    lines = faults_of(ONE.format(1, 1) + UNKNOWN)
    assert len(lines) == 101
    assert lines[-1] == "study.yaml: and more"


def test_as_many_seeds_as_a_grid_may_have_are_checked_in_a_moment() -> None:
    began = time.process_time()
    grid = grid_of(ONE.format("{from: 1, count: 100000}", 1))
    assert (len(grid.seeds), grid.seeds[-1]) == (100_000, 100_000)
    assert time.process_time() - began < 2
