"""A trial's identity, and the order of trials."""

from dataclasses import replace

import pytest

from teasel.models import Settings
from teasel.sweep.trials.trial import Trial, canonical_json, seeds_first

TRIAL = Trial("dsprites", "beta_vae", {"beta": 4.0}, 0, Settings())


def test_the_identity_does_not_depend_on_how_a_number_is_written() -> None:
    assert replace(TRIAL, hyperparameters={"beta": 4}).trial_id == TRIAL.trial_id


@pytest.mark.parametrize(
    "other",
    [
        replace(TRIAL, seed=1),
        replace(TRIAL, dataset="cars3d"),
        replace(TRIAL, hyperparameters={"beta": 4.5}),
        replace(TRIAL, training=Settings(steps=1)),
        replace(TRIAL, method_version=2),
    ],
)
def test_whatever_changes_a_number_changes_the_identity(other: Trial) -> None:
    assert other.trial_id != TRIAL.trial_id


def test_the_identity_stays_what_it_was() -> None:
    # sha256 of the canonical JSON below, first 16 digits; results of older versions depend on it.
    import hashlib

    text = (
        '{"dataset":"dsprites","hyperparameters":{"beta":4},"method":"beta_vae","protocol":1,'
        '"seed":0,"training":{"batch_size":64,"evaluation_batches":1000,"learning_rate":0.0001,'
        '"num_latents":10,"steps":300000}}'
    )
    assert TRIAL.trial_id == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_canonical_json_sorts_keys_at_every_depth() -> None:
    assert canonical_json({"b": {"d": 1.0, "c": 2}, "a": []}) == '{"a":[],"b":{"c":2,"d":1}}'


def test_one_seed_of_every_setting_comes_first() -> None:
    trials = [
        replace(TRIAL, seed=seed, hyperparameters={"beta": beta})
        for beta in (1.0, 2.0, 4.0)
        for seed in (5, 6)
    ]
    ordered = [(trial.seed, trial.hyperparameters["beta"]) for trial in seeds_first(trials)]
    assert ordered == [(5, 1), (5, 2), (5, 4), (6, 1), (6, 2), (6, 4)]


def test_a_precision_names_a_trial_only_where_it_is_not_full() -> None:
    full = replace(TRIAL, training=Settings(precision="float32"))
    reduced = replace(TRIAL, training=Settings(precision="tensorfloat32"))
    assert full.trial_id == TRIAL.trial_id
    assert reduced.trial_id != TRIAL.trial_id
    assert reduced.program != TRIAL.program
