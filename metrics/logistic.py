"""Multinomial logistic regression as the study's metrics use it."""

import warnings
from typing import Any

import numpy as np


def logistic_regression(inputs: np.ndarray, labels: np.ndarray) -> Any:
    """A fitted scikit-learn classifier: L2 with C = 1, an intercept, at most 100 iterations."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # The study scores whatever a hundred iterations give.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression().fit(inputs, labels)


def cross_validated_logistic_regression(inputs: np.ndarray, labels: np.ndarray) -> Any:
    """A fitted scikit-learn classifier, its strength of L2 chosen among ten by five folds."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import KFold

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return LogisticRegressionCV(Cs=10, cv=KFold(5)).fit(inputs, labels)
