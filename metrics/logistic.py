"""Logistic regression as used by the paper's metrics."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .undefined import UndefinedScoreError

_FOLDS = 5
_FEW_POINTS = 100
_BLOCK = 1_000  # points whose scores fit into a core's cache
_STRENGTHS = np.logspace(-4, 4, 10)  # C: the weight of the data against the penalty


class LinearClassifier(NamedTuple):
    """The class with the highest of C linear scores."""

    classes: np.ndarray  # (C,)
    weights: np.ndarray  # (C, D + 1), the intercept last
    one_vs_rest: bool = False  # each score stands for itself, not against the others

    def scores(self, inputs: np.ndarray) -> np.ndarray:
        """Scores (N, C) of inputs (N, D)."""
        return inputs @ self.weights[:, :-1].T + self.weights[:, -1]

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Labels (N,) of inputs (N, D)."""
        return self.classes[np.argmax(self.scores(inputs), axis=1)]

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """Probabilities (N, C) of the labels given inputs (N, D)."""
        from scipy.special import expit, softmax

        if not self.one_vs_rest:
            return softmax(self.scores(inputs), axis=1)
        alone = expit(self.scores(inputs))
        return alone / alone.sum(axis=1, keepdims=True)


@contextmanager
def _paper_settings() -> Iterator[None]:
    """Allows unconverged fits of a hundred iterations, as in the paper, on one core, unwarned."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(), threadpool_limits(1):  # small matrices: more only wait
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield


def logistic_regression(
    inputs: np.ndarray, labels: np.ndarray, one_vs_rest: bool = False
) -> LinearClassifier:
    """scikit-learn's classifier with its defaults: L2 with C = 1, at most 100 iterations.

    Args:
        inputs: (N, D).
        labels: Integers (N,), at least two different ones.
        one_vs_rest: Whether to fit one classifier per class with liblinear, scikit-learn's default
            before version 0.22 and in the paper, instead of one softmax.
    """
    from sklearn.linear_model import LogisticRegression

    classes = np.unique(labels)
    with _paper_settings():
        if one_vs_rest:
            fits = [
                LogisticRegression(solver="liblinear", random_state=0).fit(inputs, labels == label)
                for label in classes
            ]
        else:
            fits = [LogisticRegression().fit(inputs, labels)]
    return _gather(classes, fits)


def balanced_logistic_regression(inputs: np.ndarray, labels: np.ndarray) -> LinearClassifier:
    """One softmax without a penalty, with at most 100 iterations and equal weights of classes.

    Args:
        inputs: (N, D).
        labels: Integers (N,), at least two different ones.
    """
    from sklearn.linear_model import LogisticRegression

    with _paper_settings():
        fit = LogisticRegression(C=np.inf, class_weight="balanced").fit(inputs, labels)
    return _gather(np.unique(labels), [fit])


def cross_validated_logistic_regression(
    inputs: np.ndarray, labels: np.ndarray, one_vs_rest: bool = False
) -> LinearClassifier:
    """scikit-learn's `LogisticRegressionCV(Cs=10, cv=KFold(5))`: C has the best mean accuracy.

    A softmax's path of solutions is computed with the same optimizer from the same starts, but with
    a loss that is several times faster. With few points the last solutions depend on rounding and
    scikit-learn itself costs little, so it computes those, and those of two classes.

    Args:
        inputs: (N, D), N >= 5.
        labels: Integers (N,), at least two different ones.
        one_vs_rest: Whether to fit one classifier per class with its own C, scikit-learn's default
            before version 0.22; by L-BFGS, as there.
    """
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import KFold

    if len(labels) < _FOLDS:
        raise UndefinedScoreError(f"cross-validation needs {_FOLDS} points, got {len(labels)}")
    inputs, classes = np.asarray(inputs, np.float64), np.unique(labels)
    if not one_vs_rest and len(classes) > 2 and len(labels) > _FEW_POINTS:
        with _paper_settings():
            weights = _cross_validated_softmax(inputs, labels, classes)
        return LinearClassifier(classes, weights)
    targets = [labels == label for label in classes] if one_vs_rest else [labels]
    with _paper_settings():
        fits = [
            LogisticRegressionCV(Cs=len(_STRENGTHS), cv=KFold(_FOLDS), scoring="accuracy").fit(
                inputs, target
            )
            for target in targets
        ]
    return _gather(classes, fits)


def _gather(classes: np.ndarray, fits: list[Any]) -> LinearClassifier:
    """The classifier from one multinomial, one binary or several one-vs-rest classifiers."""
    weights = np.concatenate(
        [np.column_stack([fit.coef_, fit.intercept_]) for fit in fits], dtype=np.float64
    )
    if len(weights) == 1:
        weights = np.concatenate([np.zeros_like(weights), weights])
    return LinearClassifier(classes, weights, one_vs_rest=len(fits) > 1)


def _cross_validated_softmax(
    inputs: np.ndarray, labels: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """Weights (C, D + 1) at the strength with the best mean accuracy, refitted to all points."""
    indices = np.searchsorted(classes, labels)
    shape = (len(classes), inputs.shape[1] + 1)
    paths, accuracies = [], []
    for held_out in np.array_split(np.arange(len(labels)), _FOLDS):
        kept = np.delete(np.arange(len(labels)), held_out)
        weights, path, accuracy = np.zeros(shape), [], []
        for strength in _STRENGTHS:
            weights = fit_softmax(inputs[kept], indices[kept], strength, weights)
            predicted = LinearClassifier(classes, weights).predict(inputs[held_out])
            path.append(weights)
            accuracy.append(np.mean(predicted == labels[held_out]))
        paths.append(path)
        accuracies.append(accuracy)
    best = int(np.argmax(np.sum(accuracies, axis=0)))
    start = np.mean([path[best] for path in paths], axis=0)
    return fit_softmax(inputs, indices, _STRENGTHS[best], start)


def fit_softmax(
    inputs: np.ndarray, indices: np.ndarray, strength: float, start: np.ndarray
) -> np.ndarray:
    """Weights (C, D + 1) from 100 steps of L-BFGS or until no gradient exceeds 1e-4.

    Args:
        inputs: (N, D).
        indices: The class indices (N,).
        strength: C, infinite for no penalty.
        start: The initial weights (C, D + 1).
    """
    from scipy.optimize import minimize

    from .softmax import log_loss

    num = len(indices)
    columns = np.column_stack([inputs, np.ones(num)]).T
    blocks = [
        (np.ascontiguousarray(columns[:, begin : begin + _BLOCK]), indices[begin : begin + _BLOCK])
        for begin in range(0, num, _BLOCK)
    ]
    penalty = np.full(start.shape, 1 / (strength * num))
    penalty[:, -1] = 0

    def loss_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(start.shape, order="F")
        loss, gradient = 0.5 * np.sum(penalty * weights**2), penalty * weights
        for block, targets in blocks:
            scores = weights @ block
            residuals = np.empty_like(scores)
            loss += log_loss(scores, targets, residuals) / num
            gradient += residuals @ block.T / num
        return loss, gradient.ravel(order="F")

    found = minimize(
        loss_and_gradient,
        start.ravel(order="F"),
        method="L-BFGS-B",
        jac=True,
        options={"maxiter": 100, "maxls": 50, "gtol": 1e-4, "ftol": 64 * np.finfo(float).eps},
    )
    return found.x.reshape(start.shape, order="F")
