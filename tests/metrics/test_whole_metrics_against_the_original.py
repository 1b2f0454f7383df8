"""Whole metrics, drawing included: the same seeds give the original's scores."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from teasel.metrics import METRICS

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
# The large layouts cost seconds a row: a case of each kind there, every case on the small one.
CASES = [
    ("small", case)
    for case in (
        *("identity", "identity_raw", "permuted", "mixed", "duplicated", "dead", "constant"),
        *("noisy", "rot45", "noisy10"),
    )
] + [("dsprites", "noisy"), ("dsprites", "duplicated"), ("cars3d", "mixed")]


def rows_of(
    scores: list[dict[str, Any]], metric: str, layout: str, case: str
) -> list[dict[str, Any]]:
    return [
        row
        for row in scores
        if (row["metric"], row["layout"], row["case"]) == (metric, layout, case)
        and not row["error"]
    ]


@pytest.mark.parametrize(("layout", "case"), CASES)
@pytest.mark.parametrize("metric", EXACT)
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
