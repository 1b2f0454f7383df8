"""Explicitness and size, which extend DCI (Eastwood et al. 2023, arXiv:2210.00364, section 4)."""

from typing import Annotated, Any, NamedTuple

import numpy as np

from ..catalogue import Bounds
from .arrays import are_continuous, check_split
from .metric import Count, Metric, of_points
from .regression import in_units_of
from .undefined import UndefinedScoreError


class DCIES(NamedTuple):
    """Explicitness in [-1, 1], size above 0, informativeness at most 1; more is better for each."""

    explicitness: float
    size: float
    informativeness: float


def dci_es(
    train_codes: np.ndarray,
    train_factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    seed: int = 0,
    num_trees: Count = 10,
    max_depth: Annotated[int, Bounds(ge=2)] = 16,
) -> DCIES:
    """Explicitness E and size S of the DCI-ES framework (Eastwood et al. 2023).

    Probes of increasing capacity predict a factor: forests whose trees choose among all latents and
        end at depths 1 to T. Their loss on the test points is the error rate, or the squared error
        for a
    non-integer factor. It falls with depth; a rise is ignored, because less capacity did better. E
    is 1 minus the area between that curve and its lowest value, divided by the triangle below a
    straight line from the loss of a constant to 0 at depth T. It is 1 if the least capacity reaches
    the lowest loss, and 0 for the straight line. E does not measure how low the loss is.
    Informativeness does: it is 1 minus the lowest loss divided by that of a constant. Uninformative
    codes have an E of about 1. S is K / D.

    The depths of a forest share their trees: a tree that ends at depth t is the top of a deeper
        one.

    Args:
        train_codes: (N, D).
        train_factors: (N, K).
        test_codes: (M, D).
        test_factors: (M, K).
        seed: The seed of the forests' bootstrap samples and choices between equal splits.
        num_trees: The number of trees in each forest.
        max_depth: T, the largest capacity, at least 2.

    Raises:
        UndefinedScoreError: If no factor takes two values in training and testing, or the codes
            are not finite.
        ValueError: If the arrays are malformed.
    """
    train_codes, train_factors, test_codes, test_factors = check_split(
        train_codes, train_factors, test_codes, test_factors, continuous=True
    )
    train, test = (in_units_of(train_codes, codes) for codes in (train_codes, test_codes))
    continuous, scores = are_continuous(train_factors, test_factors), []
    for factor, (targets, truth) in enumerate(zip(train_factors.T, test_factors.T, strict=True)):
        if min(np.ptp(targets), np.ptp(truth)) == 0:
            continue
        if continuous[factor]:
            targets, truth = in_units_of(targets, targets), in_units_of(targets, truth)
        losses = _losses(
            (train, targets, test, truth), bool(continuous[factor]), seed, num_trees, max_depth
        )
        constant, losses = losses[0], losses[1:]
        lowest = np.minimum.accumulate(losses)  # what that capacity or less can do
        area = np.trapezoid(lowest - lowest[-1])
        scores.append((1 - 2 * area / ((max_depth - 1) * constant), 1 - lowest[-1] / constant))
    if not scores:
        raise UndefinedScoreError(
            "dci_es needs a factor with two values in training and testing, got one value of each"
        )
    explicitness, informativeness = np.mean(scores, axis=0)
    return DCIES(float(explicitness), len(scores) / train.shape[1], float(informativeness))


def _losses(
    points: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    continuous: bool,
    seed: int,
    num_trees: int,
    max_depth: int,
) -> np.ndarray:
    """The test loss of a constant, and of forests that end at depth 1 to T: (T + 1,)."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    train, targets, test, truth = points
    kind: Any = RandomForestRegressor if continuous else RandomForestClassifier
    forest = kind(num_trees, max_depth=max_depth, max_features=1.0, random_state=seed)
    trees = [fitted.tree_ for fitted in forest.fit(train, targets).estimators_]
    inputs = test.astype(np.float32)
    nodes = [np.zeros(len(test), np.intp) for _ in trees]

    def loss(votes: np.ndarray) -> float:
        if continuous:
            return float(np.mean((votes[:, 0] - truth) ** 2))
        return float(np.mean(forest.classes_[votes.argmax(axis=1)] != truth))

    labels = targets[:, None] if continuous else targets[:, None] == forest.classes_
    losses = [loss(np.tile(labels.mean(axis=0), (len(test), 1)))]
    for _ in range(max_depth):
        votes = np.zeros(1)
        for tree, node in zip(trees, nodes, strict=True):
            inner = np.flatnonzero(tree.children_left[node] >= 0)
            at = node[inner]
            left = inputs[inner, tree.feature[at]] <= tree.threshold[at]
            node[inner] = np.where(left, tree.children_left[at], tree.children_right[at])
            votes = votes + tree.value[node, 0]
        losses.append(loss(votes / len(trees)))
    return np.array(losses)


DCI_ES = Metric(
    of_points(dci_es, num_test=5_000),
    "Eastwood et al. 2023, arXiv:2210.00364",
    samples_points=False,
    needs="factors",
    label="DCI-ES",
    labels={"explicitness": "DCI-ES expl.", "size": "DCI-ES size"},
)
