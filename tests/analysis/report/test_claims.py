"""What the page says by itself."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from pandas import DataFrame

from teasel.analysis.names import PAPER_NAMES
from teasel.analysis.paper.figures import figure_1_changes
from teasel.analysis.paper_grid import DISENTANGLEMENT
from teasel.analysis.report import correlations, model_selection, power, regularisation, variation
from teasel.analysis.report.claims import claim, name_best_setting, tell_changes, tell_distance
from teasel.analysis.report.elements import Element, walk
from teasel.analysis.report.parts import Report, tally_verdicts
from teasel.analysis.statistics.contest import Contest, hold_contest
from teasel.analysis.statistics.standing import compare_settings, distance_from_untrained
from teasel.analysis.statistics.transfer import unsupervised_selection
from teasel.tests.support.synthetic import SyntheticResults, synthetic_scores

DOWNSTREAM = ["downstream_lr_100", "downstream_gbt_100"]
UNSUPERVISED = ["reconstruction", "kl", "elbo", "gaussian_total_correlation"]
COLUMNS = [*DISENTANGLEMENT, *DOWNSTREAM, *UNSUPERVISED]
NAMES_NONE = ("too few seeds to say", "none of the", "falls in 0 and rises in 0 of")


def list_claims(table: DataFrame) -> list[str]:
    """All that the page says by itself of a study of these wide scores."""
    folder = SyntheticResults(np.random.default_rng(0), num_seeds=1)
    report = Report(folder, PAPER_NAMES, table, table, table)
    chosen = unsupervised_selection(table)
    found: list[Element | None] = [
        *correlations._name_extremes(report),
        *correlations._name_most_useful(report, DOWNSTREAM),
        *variation._name_most_settled(report),
        model_selection._summarise_choices(report, table, chosen)[0],
        tell_changes("Changes", figure_1_changes(table, table)),
        name_best_setting(compare_settings(table, "mig"), "Best setting", 1, str),
    ]
    return [element["text"] for element in found if element]


def names_something(words: str) -> bool:
    kinds = words.split("; ") if "falls in" in words else [words]
    return not all(any(none in kind for none in NAMES_NONE) for kind in kinds)


def make_noise(seed: int, num_seeds: int) -> DataFrame:
    rng = np.random.default_rng(seed)
    means = np.zeros((1, 36, len(COLUMNS)))
    return synthetic_scores(rng, means, num_seeds, COLUMNS, noise_share=1.0)


@pytest.mark.parametrize(
    "kind",
    ["gaussian", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("skewed", "collapsed"))],
)
def test_of_pure_noise_under_one_sentence_in_twenty_names_a_winner(kind: str) -> None:
    said = []
    for seed in range(8):
        table = make_noise(seed, num_seeds=20)
        if kind == "skewed":
            table[COLUMNS] = np.exp(table[COLUMNS])
        if kind == "collapsed":
            table.loc[np.random.default_rng(seed).random(len(table)) < 0.15, COLUMNS] = 0.0
        said += list_claims(table)
    assert len(said) == 8 * 9
    assert sum(map(names_something, said)) / len(said) < 0.05


def test_of_few_seeds_no_sentence_names_a_winner() -> None:
    said = list_claims(make_noise(0, num_seeds=4).assign(mig=lambda table: table["kl"]))
    assert len(said) == 6
    assert all("too few seeds to say (4 seeds here, " in words for words in said)


def test_what_is_so_is_said_with_its_interval() -> None:
    table = make_noise(1, num_seeds=20)
    table["sap"] = table["mig"] + 0.01 * table["kl"]
    table["elbo"] = table[list(DISENTANGLEMENT)].sum(axis=1)
    table[DOWNSTREAM] += table[["modularity"]].to_numpy()
    alike, _, useful, *_, choice, _, _ = list_claims(table)
    number = r"\(\d+(\.\d)?, 95 % interval \d+(\.\d)? to \d+(\.\d)?\), of"
    assert re.search(f"Strongest agreement: MIG and SAP {number} 15 pairs of scores", alike)
    assert re.search(f"Highest .*averaged .*: Modularity {number} 6 scores", useful)
    assert re.search(f"and scores: ELBO {number} 4 choices", choice)


def contest(*values: float, spread: float = 0.016, num_seeds: int = 12) -> Contest:
    drawn = np.random.default_rng(2).normal(scale=spread, size=(len(values), num_seeds))
    drawn += np.array(values)[:, None] - drawn.mean(axis=1, keepdims=True)
    names = [name for name, _ in zip("abcdef", values, strict=False)]
    return hold_contest(names, lambda counts: drawn @ counts / counts.sum(), num_seeds, num_seeds)


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        ((0.5, 0.1, 0.1), {}, "Best: A (50, 95 % interval 49 to 51), of 3 things."),
        (
            (0.502, 0.5, 0.1),
            {},
            "Best: A (50, 95 % interval 49 to 51) and B (50, 95 % interval 49 to 51), "
            "which cannot be distinguished, of 3 things.",
        ),
        ((0.5, 0.5, 0.5), {}, "Best: none of the 3 things can be distinguished from the others."),
        (
            (0.5, 0.1, 0.5),
            {"rival": "c"},
            "Best: none of the 2 things can be distinguished from luck.",
        ),
        ((0.5, 0.1, 0.2), {"lowest": True}, "Best: B (10, 95 % interval 9 to 11), of 3 things."),
    ],
)
def test_a_winner_a_tie_and_nothing_are_said(values: tuple, options: dict, said: str) -> None:
    given = contest(*values)
    element = claim(given, "Best", "things", str.upper, against="luck", **options)
    assert element is not None
    assert element["text"] == said


def test_a_narrow_interval_has_its_decimals_and_one_number_is_no_contest() -> None:
    element = claim(contest(0.5, 0.1, spread=0.001), "Best", "things", str.upper)
    assert element is not None
    assert element["text"] == "Best: A (50.0, 95 % interval 49.9 to 50.1), of 2 things."
    assert claim(contest(0.5), "Best", "things", str.upper) is None
    assert claim(contest(0.5, 0.1), "Best", "things", str.upper, rival="b") is None


@pytest.mark.parametrize(
    ("lifts", "said"),
    [
        (
            {"beta=4": 9.0},
            r"beta_vae: beta=4 with 9\.\d+ \(95 % .*\), distinguished from all 35 others\.$",
        ),
        (
            {"beta=4": 9.0, "beta=6": 9.0},
            r"beta=[46] with .*, not distinguished from 1 of 35 others\.$",
        ),
        ({}, r"none of the 36 settings can be distinguished from the others; the best mean is "),
    ],
)
def test_the_best_setting_is_named_with_those_it_is_not_told_from(lifts: dict, said: str) -> None:
    table = make_noise(7, num_seeds=20)
    beta_vae = table["method"] == "beta_vae"
    table["mig"] += table["setting"].map(lifts).fillna(0).where(beta_vae, 0)
    element = name_best_setting(compare_settings(table, "mig"), "Best", 1, str)
    assert element
    assert re.search(said, element["text"])


def test_of_a_score_of_which_less_is_better_the_lowest_is_best() -> None:
    table = make_noise(8, num_seeds=12)
    lower = (table["method"] == "beta_vae") & (table["setting"] == "beta=4")
    table["kl"] = 100 + 0.01 * table["kl"] - 10 * lower
    element = name_best_setting(compare_settings(table, "kl"), "Best", -1, str)
    assert element
    assert element["text"].startswith("Best: beta_vae: beta=4 with 90.0")
    low, high = map(float, re.findall(r"interval (\S+) to (\S+)\)", element["text"])[0])
    assert 89.98 < low < high < 90.02


def test_how_far_training_leads_is_said_with_its_interval() -> None:
    table = make_noise(9, num_seeds=12)
    untrained = table["setting"] == "lambda_od=1"
    table.loc[untrained, "method"] = "untrained"
    table["mig"] += np.where(untrained, 0.0, 5.0)
    table = table.drop_duplicates(["method", "setting", "seed"])
    distance = distance_from_untrained(table, "mig")
    assert distance
    assert distance.low < 5 < distance.high
    assert re.search(
        r"Mean: \S+ for trained .* more after training", tell_distance(distance, "Mean")["text"]
    )
    few = distance_from_untrained(table[table["seed"] < 3], "mig")
    assert few
    assert "too few seeds to say (3 seeds" in tell_distance(few, "Mean")["text"]
    assert distance_from_untrained(table[table["method"] != "untrained"], "mig") is None


def test_changes_are_counted_where_the_same_seeds_tell_them() -> None:
    table = make_noise(3, num_seeds=12)
    score = "gaussian_total_correlation"
    strength = table["hyperparameter_value"].rank()
    sampled = table.assign(**{score: 0.01 * table[score] - strength})
    element = tell_changes("Changes", figure_1_changes(table, sampled))
    assert element is not None
    # C_max is the strength of AnnealedVAE backwards: what falls along it rises with strength.
    assert element["text"] == (
        "Changes: for samples it falls in 5 and rises in 1 of 6; for means it falls in 0 and "
        "rises in 0 of 6. For the rest, the seeds do not tell."
    )
    own = table[table["method"] == "beta_vae"].assign(method="mine")
    assert tell_changes("Changes", figure_1_changes(own, own)) is None


def test_two_swept_hyper_parameters_are_compared_along_one_of_them() -> None:
    table = make_noise(4, num_seeds=12)
    table = table[table["method"] == "beta_vae"]
    both = [
        table.assign(
            setting=table["setting"] + f", width={width}", trial_id=table["trial_id"] + str(width)
        )
        for width in (16, 4)
    ]
    found = figure_1_changes(*itertools.repeat(pd.concat(both), 2))
    assert found["rest"].tolist() == ["width=16", "width=4"] * 2
    assert found["num_seeds"].tolist() == [12] * 4


def test_two_methods_that_share_the_name_of_a_setting_are_two_settings() -> None:
    table = make_noise(5, num_seeds=3)
    named = zip(table["method"], table["setting"], strict=True)
    two = [pair in {("beta_vae", "beta=4"), ("beta_tc_vae", "beta=4")} for pair in named]
    folder = SyntheticResults(np.random.default_rng(0), num_seeds=1)
    for rows, is_empty in ((table[two], False), (table[two][:3], True)):
        report = Report(folder, PAPER_NAMES, rows, rows, rows)
        for make in (variation.make_importance, model_selection.make_section):
            assert ("All models have one setting" in str(make(report)["elements"])) == is_empty


def test_a_tally_of_the_verdicts_says_what_chance_alone_would_do() -> None:
    verdicts = ["agrees"] * 27 + ["differs"] * 3 + ["not comparable", ""]
    assert tally_verdicts(verdicts) == [
        "Of 30 numbers compared 27 agree and 3 differ; up to 1.5 would differ by chance alone."
    ]
    assert tally_verdicts(["not comparable"]) == []


def make_odd(kind: str) -> DataFrame:
    """Scores of which little can be said."""
    table = make_noise(6, num_seeds=12 if kind == "one method wins" else 2)
    table = table[table["method"].isin(["beta_vae", "dip_vae_i"])].reset_index(drop=True)
    if kind == "all alike":
        table[COLUMNS] = 1.0
    if kind == "none":
        table[COLUMNS] = np.nan
    if kind == "half of them":
        table.loc[table.index % 2 == 0, COLUMNS] = np.nan
    if kind == "one method wins":
        table[COLUMNS] = np.outer(table["method"] == "beta_vae", np.ones(len(COLUMNS)))
    return table


@pytest.mark.parametrize("kind", ["all alike", "none", "half of them", "one method wins"])
def test_no_sentence_has_a_nan_or_a_span_without_width(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "one method wins":  # nothing is odd about its figures, which are the dearest
        monkeypatch.setattr(Report, "plot", lambda *given, **layout: Figure())
    table = make_odd(kind)
    folder = SyntheticResults(np.random.default_rng(0), num_seeds=1)
    report = Report(folder, PAPER_NAMES, table, table, table.assign(representation="sampled"))
    for make in (
        *(correlations.make_agreement, variation.make_importance, model_selection.make_section),
        *(correlations.make_usefulness, regularisation.make_section, power.make_section),
    ):
        shown = list(walk(make(report)))
        words = " ".join(
            element.get("text", "") + " " + element.get("caption", "") for element in shown
        )
        assert not re.search(r"\bnan\b|\binf\b|; \.|None", words)
        spans = re.findall(r"(?:between|interval) (\S+) %? ?(?:and|to) (\S+)", words)
        assert all(low != high for low, high in spans)
