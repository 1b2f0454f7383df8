"""Every aggregation of every matrix, to separate their effects (Locatello et al. 2020)."""

import numpy as np

from .arrays import check_split, check_varied
from .dci import completeness, dci, disentanglement
from .metric import Metric, of_points
from .mig import top_two_gap
from .modularity import modularity_of_information
from .mutual_information import entropy, mutual_information_matrix
from .sap import sap_matrix

AGGREGATES = {
    "gap": lambda matrix: float(top_two_gap(matrix).mean()),
    "modularity": modularity_of_information,
    "disentanglement": disentanglement,
    "completeness": completeness,
}
"""Functions from a matrix (D, K) to a score, by name."""


def unified(
    train_codes: np.ndarray,
    train_factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    seed: int = 0,
) -> dict[str, float]:
    """Each of `AGGREGATES` of three matrices of latents and factors, in [0, 1].

    The matrices are the mutual information divided by the factor's entropy, SAP's errors, and DCI's
    importances. For example, `information_gap` is the MIG, `information_modularity` the Modularity
    of such a matrix, `errors_gap` the SAP and `importance_disentanglement` DCI's score. More is
    better.

    Args:
        train_codes: (N, D).
        train_factors: Integers (N, K); a factor with one value is left out.
        test_codes: (M, D).
        test_factors: Integers (M, K).
        seed: As in `dci`.

    Raises:
        UndefinedScoreError: If no factor takes two values, or the codes are not finite.
        ValueError: If the arrays are malformed.
    """
    arrays = check_split(train_codes, train_factors, test_codes, test_factors)
    varied = entropy(arrays[1]) > 0
    check_varied("unified", varied)
    codes, factors, test_codes, test_factors = arrays
    factors, test_factors = factors[:, varied], test_factors[:, varied]
    matrices = {
        "information": mutual_information_matrix(codes, factors) / entropy(factors),
        "errors": sap_matrix(codes, factors, test_codes, test_factors),
        "importance": dci(codes, factors, test_codes, test_factors, seed).importance,
    }
    return {
        f"{name}_{kind}": aggregate(matrix)
        for name, matrix in matrices.items()
        for kind, aggregate in AGGREGATES.items()
    }


UNIFIED = Metric(
    of_points(unified, num_test=5_000),
    "Locatello et al. 2020, arXiv:2010.14766",
    samples_points=False,
    needs="discrete factors",
    label="Unified scores",
    labels={
        "information_disentanglement": "MI disent.",
        "information_completeness": "MI compl.",
        "errors_disentanglement": "SAP disent.",
        "errors_completeness": "SAP compl.",
        "importance_gap": "DCI gap",
    },
)
