"""Separated Attribute Predictability (Kumar et al. 2018, arXiv:1711.00848, section 3)."""

import warnings

import numpy as np

from .arrays import are_continuous, check_split, check_varied
from .metric import Metric, of_points
from .mig import top_two_gap
from .regression import correlations


def sap(
    train_codes: np.ndarray,
    train_factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
) -> float:
    """The SAP score in [0, 1] (Kumar et al. 2018): best minus second best latent, averaged.

    Args:
        train_codes: (N, D).
        train_factors: (N, K).
        test_codes: (M, D).
        test_factors: (M, K).

    Raises:
        UndefinedScoreError: If no factor takes two values in training, or the codes are not
            finite.
        ValueError: If the arrays are malformed.
    """
    matrix = sap_matrix(train_codes, train_factors, test_codes, test_factors)
    # Differs from the original: a factor with one value, an error there, is left out of the mean.
    varied = np.asarray(train_factors).min(axis=0) < np.asarray(train_factors).max(axis=0)
    check_varied("sap", varied)
    return float(np.mean(top_two_gap(matrix[:, varied])))


def sap_matrix(
    train_codes: np.ndarray,
    train_factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
) -> np.ndarray:
    """Test accuracy (D, K) of predicting each factor from each latent alone, by a linear SVM.

    The SVM is the paper's: squared hinge, C = 0.01, balanced classes, one-vs-rest, on the unscaled
    latent. Its intercept is penalised, so the score depends on the latent's scale. A factor with
    one training value gets zeros. For a non-integer factor it is the squared correlation with each
    latent on the training points, as in the paper.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    train_codes, train_factors, test_codes, test_factors = check_split(
        train_codes, train_factors, test_codes, test_factors, continuous=True
    )
    continuous = are_continuous(train_factors, test_factors)
    matrix = np.zeros((train_codes.shape[1], train_factors.shape[1]))
    for latent, factor in np.ndindex(*matrix.shape):
        train_values, column = train_factors[:, factor], slice(latent, latent + 1)
        if continuous[factor] or train_values.min() == train_values.max():
            continue
        machine = LinearSVC(C=0.01, class_weight="balanced", dual="auto", random_state=0)
        with warnings.catch_warnings():
            # The paper scores whatever a thousand iterations give.
            warnings.simplefilter("ignore", ConvergenceWarning)
            machine.fit(train_codes[:, column], train_values)
        predicted = machine.predict(test_codes[:, column])
        matrix[latent, factor] = np.mean(predicted == test_factors[:, factor])
    matrix[:, continuous] = correlations(train_codes, train_factors[:, continuous]) ** 2
    return matrix


SAP = Metric(
    of_points(sap, num_test=5_000),
    "Kumar et al. 2018, arXiv:1711.00848",
    needs="factors",
    label="SAP",
)
