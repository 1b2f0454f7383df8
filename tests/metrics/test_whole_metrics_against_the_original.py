"""Whole metrics, drawing included: the same seeds give the original's scores."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teasel.metrics import METRICS, dci

# our metric: (the original's metric, {our score: the original's}, tolerance)
EXACT = {
    "mig": ("mig", {"mig": "discrete_mig"}, 1e-9),
    "irs": ("irs", {"irs": "IRS"}, 1e-9),
    "unsupervised": (
        "unsupervised",
        {
            "gaussian_wasserstein_correlation": "gaussian_wasserstein_correlation",
            "mutual_info_score": "mutual_info_score",
        },
        1e-6,  # square roots of eigenvalues that are zero but for rounding
    ),
    "modularity": ("modularity_explicitness", {"modularity": "modularity_score"}, 1e-9),
    "factor_vae_score": (
        "factor_vae_metric",
        {"factor_vae_score": "eval_accuracy", "train_accuracy": "train_accuracy"},
        1e-9,
    ),
    "beta_vae_score": (
        "beta_vae_sklearn",
        {"beta_vae_score": "eval_accuracy", "train_accuracy": "train_accuracy"},
        1e-3,  # the solver's tolerance
    ),
    "explicitness": (
        "modularity_explicitness",
        {"train": "explicitness_score_train", "test": "explicitness_score_test"},
        1e-3,  # the solver's tolerance
    ),
    "sap": ("sap_score", {"sap": "SAP_score"}, 1e-3),  # the solver's tolerance
}
TREES = {
    "dci": (
        "dci_reduced",
        {"num_train": 1_000, "num_test": 500},
        {
            "disentanglement": "disentanglement",
            "completeness": "completeness",
            "informativeness_train": "informativeness_train",
            "informativeness_test": "informativeness_test",
        },
    ),
    "downstream_gbt": (
        "downstream_task_boosted_trees_10_100",
        {"num_train": (10, 100)},
        {
            "10": "10:mean_test_accuracy",
            "100": "100:mean_test_accuracy",
            "100_train": "100:mean_train_accuracy",
            "100_min_test": "100:min_test_accuracy",
            "100_test_factor_1": "100:test_accuracy_factor_1",
        },
    ),
}
# The large layouts cost seconds a row: a case of each kind there, every case on the small one.
SMALL_CASES = ["mixed", "noisy", "dead", "constant", "duplicated", "noisy10"]
MORE_SMALL_CASES = ["identity", "identity_raw", "permuted", "rot45"]
CASES = [("small", case) for case in SMALL_CASES + MORE_SMALL_CASES]
CASES += [("dsprites", "noisy"), ("dsprites", "duplicated"), ("cars3d", "mixed")]
SAMPLING = {"beta_vae_score", "factor_vae_score"}  # a million codes each


def costs_little(metric: str, layout: str, case: str) -> bool:
    return metric not in SAMPLING or (layout == "small" and case in SMALL_CASES[:4])


def rows_of(
    scores: list[dict[str, Any]], metric: str, layout: str, case: str
) -> list[dict[str, Any]]:
    return [
        row
        for row in scores
        if (row["metric"], row["layout"], row["case"]) == (metric, layout, case)
        and not row["error"]
    ]


@pytest.mark.parametrize(
    ("metric", "layout", "case"),
    [
        pytest.param(metric, *case, marks=[] if costs_little(metric, *case) else [pytest.mark.slow])
        for metric in EXACT
        for case in CASES
    ],
)
def test_the_same_seed_gives_the_score_of_the_original(
    metric: str,
    layout: str,
    case: str,
    reference_scores: list[dict[str, Any]],
    reference_representation: Callable[..., Any],
) -> None:
    original, names, tolerance = EXACT[metric]
    rows = rows_of(reference_scores, original, layout, case)
    if not rows:
        pytest.skip("the original has no score here")
    for row in rows[:1]:
        representation = reference_representation(row["sizes"], case)
        scores = METRICS[metric](representation, np.random.RandomState(row["seed"]))
        for ours, theirs in names.items():
            assert scores[ours] == pytest.approx(row["scores"][theirs], abs=tolerance)


@pytest.mark.parametrize("case", ["mixed", "noisy", "duplicated", "identity"])
@pytest.mark.parametrize("metric", TREES)
def test_trees_agree_with_the_original_within_four_deviations(
    metric: str,
    case: str,
    reference_scores: list[dict[str, Any]],
    reference_representation: Callable[..., Any],
) -> None:
    original, parameters, names = TREES[metric]
    rows = rows_of(reference_scores, original, "small", case)
    if not rows:
        pytest.skip("the original has no score here")
    ours = [
        METRICS[metric](
            reference_representation(row["sizes"], case),
            np.random.RandomState(row["seed"]),
            **parameters,
        )
        for row in rows
    ]
    for own, name in names.items():
        theirs = np.array([row["scores"][name] for row in rows])
        values = np.array([scores[own] for scores in ours])
        # The completeness of a copied latent has a long tail, which five values may lack.
        spread = np.hypot(theirs.std(ddof=1), values.std(ddof=1))
        assert np.abs(values - theirs.mean()).max() <= 4 * spread + 1e-9, own


@pytest.mark.parametrize("case", ["mixed", "noisy", "identity"])
def test_cross_validated_regressions_agree_with_the_original(
    case: str, reference_scores: list[dict[str, Any]], reference_representation: Callable[..., Any]
) -> None:
    for row in rows_of(reference_scores, "downstream_task_logistic_regression", "small", case)[:2]:
        scores = METRICS["downstream_lr"](
            reference_representation(row["sizes"], case), np.random.RandomState(row["seed"])
        )
        for size in (10, 100, 1_000, 10_000):
            pairs = {
                f"{size}": f"{size}:mean_test_accuracy",
                f"{size}_train": f"{size}:mean_train_accuracy",
                f"{size}_min_test": f"{size}:min_test_accuracy",
                f"{size}_train_factor_2": f"{size}:train_accuracy_factor_2",
            }
            for own, theirs in pairs.items():
                assert scores[own] == pytest.approx(row["scores"][theirs], abs=1e-4), own


def test_a_hard_regression_is_within_a_hundredth_of_the_original(
    reference_dir: Path, reference_representation: Callable[..., Any]
) -> None:
    rows = json.loads((reference_dir / "downstream_lr_dsprites_noisy10_seed0.json").read_text())
    for row in (rows[0], rows[2]):  # 10 and 1,000 points, each run alone
        size = row["train_size"]
        scores = METRICS["downstream_lr"](
            reference_representation([3, 6, 40, 32, 32], "noisy10"),
            np.random.RandomState(0),
            num_train=(size,),
        )
        assert scores[f"{size}"] == pytest.approx(
            row["scores"][f"{size}:mean_test_accuracy"], abs=1e-2
        )
        train = row["scores"][f"{size}:mean_train_accuracy"]
        # Of ten points and five factors one answer is .02, and on ties of the cross-validation it
        # depends on the processor's rounding.
        assert scores[f"{size}_train"] == pytest.approx(train, abs=0.05 if size == 10 else 1e-2)


def test_dci_at_the_size_of_the_study_agrees_with_the_original(
    reference_arrays: Callable[[str], dict[str, np.ndarray]],
) -> None:
    arrays = reference_arrays("dci_study_size_dsprites_mixed")
    scores = dci(*(arrays[key] for key in ("mus_train", "ys_train", "mus_test", "ys_test")))
    # Discrete codes of rank five: many equal splits, so the original's own runs differ by .02.
    assert scores.disentanglement == pytest.approx(float(arrays["dci_disentanglement"]), abs=0.02)
    assert scores.completeness == pytest.approx(float(arrays["dci_completeness"]), abs=0.02)
    train, test = arrays["gbt_train_acc"].mean(), arrays["gbt_test_acc"].mean()
    assert scores.informativeness_train == pytest.approx(train, abs=0.02)
    assert scores.informativeness_test == pytest.approx(test, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "train", "test"), [("noisy10", 0.8989, 0.8890), ("mixed", 0.9457, 0.9407)]
)
def test_one_against_the_rest_gives_the_explicitness_of_the_paper_s_time(
    case: str, train: float, test: float, reference_representation: Callable[..., Any]
) -> None:
    # Measured with the original's code and liblinear, scikit-learn's default before 0.22.
    scores = METRICS["explicitness"](
        reference_representation([3, 6, 40, 32, 32], case),
        np.random.RandomState(0),
        one_vs_rest=True,
    )
    assert scores == {
        "train": pytest.approx(train, abs=1e-3),
        "test": pytest.approx(test, abs=1e-3),
    }
