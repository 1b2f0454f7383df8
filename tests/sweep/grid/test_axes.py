"""Axes of any setting, spread by their ends, drawn at random, written with anchors."""

from dataclasses import replace

import numpy as np
import pytest

from teasel.datasets import DATASETS, from_function
from teasel.errors import ConfigError
from teasel.models import MethodEntry
from teasel.settings import Settings
from teasel.sweep.grid import grid as module
from teasel.sweep.grid.grid import Grid, check_grid, resolve
from teasel.sweep.grid.source import read_yaml
from teasel.sweep.study.freeze import _list_differences

BASE = "study: mine\ndatasets: dsprites_mini\nseeds: 2\n"


def grid_of(text: str) -> Grid:
    return check_grid(read_yaml(BASE + text, "g.yaml"))


def faults_of(text: str, base: str = BASE) -> str:
    with pytest.raises(ConfigError) as caught:
        check_grid(read_yaml(base + text, "g.yaml"))
    return str(caught.value)


def test_every_setting_of_training_is_an_axis() -> None:
    grid = grid_of(
        "methods: {beta_vae: {beta: [1, 4], num_latents: [2, 3]}, dip_vae_i: {lambda_od: 5}}\n"
        "training: {learning_rate: [1e-4, 1e-3], network: [conv, mlp], steps: 7}\n"
    )
    trials = grid.trials()
    of_beta = [trial for trial in trials if trial.method == "beta_vae"]
    assert len(of_beta) == 2 * 2 * 2 * 2 * 2
    assert len(trials) - len(of_beta) == 2 * 2 * 2
    assert {trial.training.num_latents for trial in of_beta} == {2, 3}
    # The learning rate is an input of the program; the others are compiled into it.
    assert len({trial.program for trial in of_beta}) == 2 * 2
    assert len({trial.setting for trial in of_beta}) == 2 * 2 * 2 * 2


def test_what_is_not_trained_has_no_settings_of_steps() -> None:
    grid = grid_of(
        "methods: {untrained: , pca: }\n"
        "training: {learning_rate: [1e-4, 1e-3], network: [conv, mlp], num_latents: [2, 3]}\n"
    )
    methods = resolve(grid)["methods"]
    assert len(methods["untrained"]) == 4
    assert len(methods["pca"]) == 2


def test_an_axis_is_spread_between_its_ends() -> None:
    grid = grid_of(
        "methods: {beta_vae: {beta: {log: [1, 100], num: 5}}}\n"
        "training: {batch_size: {linear: [8, 24], num: 3}}\n"
    )
    (cells,) = resolve(grid)["methods"].values()
    found = [cell["hyperparameters"]["beta"] for cell in cells[::3]]
    assert found == pytest.approx([10 ** (place / 2) for place in range(5)], rel=1e-5)
    assert [cell["training"]["batch_size"] for cell in cells[:3]] == [8, 16, 24]


@pytest.mark.parametrize(
    "given",
    [
        "{log: [0, 1], num: 3}",
        "{log: [1, 2]}",
        "{linear: [1, 2], num: 1}",
        "{linear: 3, num: 2}",
        "{log: [1, two], num: 2}",
        "{cubic: [1, 2], num: 2}",
        "{linear: [1, 2], num: 999999999}",
        "{}",
    ],
)
def test_a_spread_that_is_none_is_refused_with_its_place(given: str) -> None:
    said = faults_of(f"methods: {{beta_vae: {{beta: {given}}}}}\n")
    assert said.startswith("g.yaml:4:28: methods.beta_vae.beta: expected a value, a list, or a map")


def test_a_sample_takes_settings_and_keeps_data_sets_seeds_and_references() -> None:
    text = (
        "methods: {beta_vae: {beta: {log: [1, 16], num: 9}}, dip_vae_i: {lambda_od: [1, 5]}, pca: }"
        "\ntraining: {learning_rate: [1e-4, 1e-3]}\n"
    )
    few = grid_of(text + "sample: 5\n").trials()
    learned = [trial for trial in few if trial.method != "pca"]
    assert len(learned) == 5 * 2
    assert len(few) - len(learned) == 2
    everything = {trial.trial_id for trial in grid_of(text).trials()}
    assert {trial.trial_id for trial in few} < everything
    assert few == grid_of(text + "sample: {num: 5, seed: 0}\n").trials()
    assert few != grid_of(text + "sample: {num: 5, seed: 1}\n").trials()
    assert len(grid_of(text + "sample: 500\n").trials()) == len(everything)
    assert "g.yaml:6:9: sample: " in faults_of(text + "sample: none\n")


def test_merge_keys_and_anchors_are_filled_in() -> None:
    grid = grid_of(
        "x-short: &short {steps: 5, batch_size: 8}\n"
        "x-wide: &wide {width: 2, steps: 6}\n"
        "methods: {untrained: }\n"
        "training:\n"
        "  <<: [*short, *wide]\n"
        "  batch_size: 4\n"
    )
    training = grid.training.model_dump()
    assert (training["steps"], training["batch_size"], training["width"]) == ([5], [4], [2.0])
    merged = "x-a: &a {stepps: 5}\nmethods: {untrained: }\ntraining:\n  <<: *a\n"
    assert "g.yaml:4:10: unknown key 'stepps'" in faults_of(merged)
    assert "a list of mappings after '<<'" in faults_of("methods: {<<: [1], untrained: }\n")
    assert "unknown key 'y-a'" in faults_of("methods: {untrained: }\ny-a: 1\n")


def test_names_of_networks_and_likelihoods_are_looked_up() -> None:
    said = faults_of("methods: {untrained: }\ntraining: {network: convv, likelihood: normal}\n")
    assert "g.yaml:5:21: training.network: unknown network 'convv' (did you mean 'conv'?" in said
    assert "g.yaml:5:40: training.likelihood: unknown likelihood 'normal'" in said


def test_a_model_that_a_data_set_does_not_fit_is_told_with_the_data_sets_place(monkeypatch) -> None:
    base = "study: mine\ndatasets: [dsprites_mini, {}]\nseeds: 1\n"
    text = "methods: {beta_vae: {beta: 1}}\ntraining: {likelihood: [l2, discretized_logistic]}\n"
    assert faults_of(text, base.format("noisy_dsprites_mini")) == (
        "g.yaml:2:27: noisy_dsprites_mini: its pixels do not have the 256 levels that "
        "discretized_logistic needs"
    )
    odd = from_function("odd", {"level": 4}, lambda f: np.zeros((len(f), 64, 64, 1), np.uint8))
    monkeypatch.setattr(type(odd), "image_shape", (48, 48, 1))
    assert "g.yaml:2:12: dsprites_mini: image_shape is (48, 48, 1); the networks take" in faults_of(
        "methods: {untrained: }\n", base.format("dsprites")
    )


NOBODY = "only {} reads it"


@pytest.mark.parametrize(
    ("methods", "training", "said"),
    [
        ("beta_vae: {beta: 1}", "prior_components: 3", "a mixture or a VampPrior"),
        ("beta_vae: {beta: 1}", "flow_layers: 3", "a prior or a posterior with a flow"),
        ("beta_vae: {beta: 1}", "importance_samples: 3", "the method iwae"),
        ("beta_vae: {beta: 1}", "code_categories: 3", "the method infogan"),
    ],
)
def test_a_setting_that_no_model_reads_is_told(methods: str, training: str, said: str) -> None:
    found = faults_of(f"methods: {{{methods}}}\ntraining: {{{training}}}\n")
    name = training.partition(":")[0]
    assert found == f"g.yaml:5:12: {name}: {NOBODY.format(said)}"


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (
            "beta_tc_vae: {beta: 2, posterior: autoregressive}",
            "posterior: autoregressive; expected",
        ),
        ("iwae: {free_bits: 0.1}", "iwae cannot have free_bits: 0.1; expected 0.0"),
        ("infogan: {prior: vamp}", "infogan cannot have prior: vamp; expected standard"),
        ("infogan: {code_categories: 12}", "code_categories is 12; expected 0, or from 2 to num_l"),
        ("beta_vae: {beta: 1, prior: vampp}", "unknown prior 'vampp' (did you mean 'vamp'?"),
        (
            "beta_vae: {beta: 1, posterior: iaf}",
            "should be 'diagonal' or 'autoregressive', got 'iaf'",
        ),
    ],
)
def test_what_a_method_cannot_have_is_told(methods: str, said: str) -> None:
    assert said in faults_of(f"methods: {{{methods}}}\n")


def test_settings_that_mean_nothing_to_a_model_make_no_models_of_their_own() -> None:
    text = (
        "methods: {beta_vae: {beta: 1, prior: [standard, mixture], prior_components: [2, 5]}, "
        "iwae: {}}\ntraining: {importance_samples: [1, 5]}\n"
    )
    cells = resolve(grid_of(text))["methods"]
    beta = [(c["training"]["prior"], c["training"]["prior_components"]) for c in cells["beta_vae"]]
    assert beta == [("standard", 100), ("mixture", 2), ("mixture", 5)]
    assert [c["training"]["importance_samples"] for c in cells["iwae"]] == [1, 5]


def test_a_method_may_have_several_blocks_each_with_a_product_of_its_own() -> None:
    text = (
        "methods:\n  beta_vae:\n    - {beta: [1, 4]}\n    - {beta: 1, free_bits: [0, 0.5]}\n"
        "    - {beta: 1, prior: vamp, prior_components: 7}\n"
    )
    (cells,) = resolve(grid_of(text))["methods"].values()
    settings = ("free_bits", "prior", "prior_components")
    found = [(c["hyperparameters"]["beta"], *map(c["training"].get, settings)) for c in cells]
    plain = ("standard", 100)
    assert found == [(1, 0, *plain), (4, 0, *plain), (1, 0.5, *plain), (1, 0, "vamp", 7)]
    said = faults_of(text + "    - {beta: -1}\n    - {bta: 1, beta: 1, flow_layers: 3}\n")
    assert "g.yaml:9:14: methods.beta_vae.beta: " in said
    assert "g.yaml:10:8: unknown hyper-parameter or setting of beta_vae 'bta'" in said
    said = faults_of(text + "    - {beta: 1, flow_layers: 3}\n")
    assert said.startswith(
        "g.yaml:9:17: flow_layers: only a prior or a posterior with a flow reads it"
    )


def test_a_score_of_the_bound_needs_the_models_to_be_kept() -> None:
    text = "methods: {untrained: }\nmetrics: [elbo_surgery]\nsave_models: false\n"
    assert "elbo_surgery needs the models' parameters, and save_models is false" in faults_of(text)


def test_a_scale_that_no_likelihood_has_is_told_and_makes_no_models_of_its_own() -> None:
    methods = "methods: {beta_vae: {beta: 1}}\n"
    said = faults_of(methods + "training: {likelihood_scale: [0.1, 1]}\n")
    assert said == "g.yaml:5:12: likelihood_scale: " + NOBODY.format("a likelihood with a scale")
    said = faults_of("methods: {beta_vae: {beta: 1, likelihood: l2, likelihood_scale: 2}}\n")
    assert said == "g.yaml:4:47: likelihood_scale: " + NOBODY.format("a likelihood with a scale")
    both = "training: {likelihood: [bernoulli, gaussian], likelihood_scale: [0.1, 0.5]}\n"
    (cells,) = resolve(grid_of(methods + both))["methods"].values()
    found = [(c["training"]["likelihood"], c["training"]["likelihood_scale"]) for c in cells]
    assert found == [("bernoulli", 1.0), ("gaussian", 0.1), ("gaussian", 0.5)]


def test_labels_of_data_without_factors_are_refused() -> None:
    entry = MethodEntry(lambda: None, batch="labels")  # pyright: ignore
    data = replace(DATASETS["dsprites_mini"], grid=())
    assert module._misfit(data, entry, Settings()) == (
        "it has no factors, and <lambda> needs labels"
    )


def test_grids_join_where_what_they_sweep_differs_and_not_where_it_is_fixed() -> None:
    def entry(training: str) -> dict:
        return resolve(grid_of(f"methods: {{beta_vae: {{beta: 1}}}}\ntraining: {training}\n"))

    def differences(old: str, new: str) -> list[str]:
        study = {"study": "mine", "protocol": 1, "grids": [entry(old)]}
        lines = _list_differences(study, entry(new), 1).splitlines()
        return [line.strip() for line in lines if line]

    assert differences("{steps: 5}", "{steps: 6}") == [
        "beta_vae, steps: the study has 5, the grid 6"
    ]
    assert differences("{steps: [5, 6]}", "{steps: 6}") == []
    assert differences("{learning_rate: [1e-4, 1e-3]}", "{learning_rate: 1e-2}") == []


def test_settings_at_their_defaults_leave_a_trials_name_as_it_was() -> None:
    given = Settings()
    assert list(given.identity()) == list(Settings._fields[:5])
    assert given._replace(network="mlp", warmup_steps=3).identity().keys() - given.identity() == {
        "network",
        "warmup_steps",
    }
