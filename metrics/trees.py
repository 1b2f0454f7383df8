"""Boosted trees as used by DCI and the downstream task."""

from typing import NamedTuple

import numpy as np

from .undefined import UndefinedScoreError

_LEARNING_RATE = 0.1


class BoostedTrees(NamedTuple):
    """A fitted classifier of C classes with T trees per round; T = C, or T = 1 for two classes.

    A regression has no classes, one tree per round, and numbers as labels.
    """

    classes: np.ndarray  # (C,) labels
    importance: np.ndarray  # (D,) the features' shares of the decrease in squared error
    fitted: np.ndarray  # (N,) predicted labels of the training points
    start: np.ndarray  # (T,) scores before the first round
    features: np.ndarray  # (rounds, T, 7) of the inner nodes; the children of v are 2v+1, 2v+2
    thresholds: np.ndarray  # (rounds, T, 7) larger values go right; infinite where all go left
    leaves: np.ndarray  # (rounds, T, 8)

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Labels (N,) of inputs (N, D).

        Raises:
            ValueError: If D is not that of the training inputs.
        """
        from .boosting import add_trees

        if inputs.ndim != 2 or inputs.shape[1] != len(self.importance):
            # Compiled code checks no bounds: it would read what lies beside the inputs.
            raise ValueError(f"expected (N, {len(self.importance)}), got shape {inputs.shape}")
        scores = np.repeat(self.start[:, None], len(inputs), axis=1)
        columns = np.ascontiguousarray(inputs.T, dtype=np.float32)
        add_trees(columns, self.features, self.thresholds, self.leaves, _LEARNING_RATE, scores)
        return _decide(scores, self.classes)


def boosted_trees(
    inputs: np.ndarray, labels: np.ndarray, seed: int = 0, num_rounds: int = 100
) -> BoostedTrees:
    """Trees of depth 3 boosted at a rate of 0.1 (Friedman 2001), scikit-learn's defaults.

    Splits, leaves and importances are those of its `GradientBoostingClassifier`. If several
    features split a node equally well, one is drawn, as there.

    Args:
        inputs: (N, D); cast to float32, as there.
        labels: Integers (N,).
        seed: For the draws between equal splits.
        num_rounds: Trees per class.

    Raises:
        UndefinedScoreError: If there is one label only.
    """
    classes, indices = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise UndefinedScoreError("a classifier needs two labels, got one")
    shares = np.bincount(indices) / len(indices)
    if len(classes) > 2:
        start = np.log(shares / np.exp(np.mean(np.log(shares))))
    else:
        start = np.log(shares[1:] / shares[:1])
    return _boost(inputs, indices.astype(np.int32), classes, start, seed, num_rounds)


def boosted_regression(
    inputs: np.ndarray, targets: np.ndarray, seed: int = 0, num_rounds: int = 100
) -> BoostedTrees:
    """Trees of depth 3 boosted at a rate of 0.1 on the squared error, scikit-learn's defaults.

    They equal those of its `GradientBoostingRegressor`, as `boosted_trees` equal its classifier's.

    Args:
        inputs: (N, D); cast to float32, as there.
        targets: Floats (N,).
        seed: For the draws between equal splits.
        num_rounds: The number of trees.
    """
    targets = np.ascontiguousarray(targets, np.float64)
    start = targets.mean(keepdims=True)
    return _boost(inputs, targets, np.empty(0), start, seed, num_rounds)


def _boost(
    inputs: np.ndarray,
    labels: np.ndarray,
    classes: np.ndarray,
    start: np.ndarray,
    seed: int,
    num_rounds: int,
) -> BoostedTrees:
    """Trees grown from the scores `start` (T,), for a regression if there are no classes."""
    from .boosting import boost
    from .presorted import presort, workspace

    data = presort(inputs)
    scores = np.repeat(start[:, None], len(labels), axis=1)
    work, squared = workspace(inputs.shape[1], data.starts.shape[1] - 1), not len(classes)
    features, thresholds, leaves, gains = boost(
        data, work, labels, scores, _LEARNING_RATE, num_rounds, seed, squared
    )
    importance = gains / gains.sum() if gains.sum() > 0 else gains
    fitted = _decide(scores, classes)
    return BoostedTrees(classes, importance, fitted, start, features, thresholds, leaves)


def _decide(scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The label with the highest of the scores (T, N), or for T = 1 whether they are positive.

    Without classes, it is the scores.
    """
    if not len(classes):
        return scores[0]
    if len(scores) == 1:
        return classes[(scores[0] >= 0).astype(int)]
    return classes[np.argmax(scores, axis=0)]
