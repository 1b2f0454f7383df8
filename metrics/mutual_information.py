"""Mutual information of discretised codes and factors, by counting; in nats."""

import numpy as np

from .arrays import are_continuous, check_codes, check_factors, check_points


def discretize(codes: np.ndarray, num_bins: int = 20) -> np.ndarray:
    """Bin numbers 0 .. num_bins - 1 of each code (N, D), with equal widths between extremes.

    The edges are NumPy's, and a value on an edge belongs to the bin above. Discrete codes lie
    exactly on edges, so a formula such as `floor((x - min) / width)` would move whole classes to
    another bin. A constant latent is in one bin.

    >>> discretize(np.array([[0.0], [0.5], [1.0]]), num_bins=2).ravel()
    array([0, 1, 1])
    """
    codes = check_codes(codes)
    bins = np.empty(codes.shape, np.int64)
    for latent, column in enumerate(codes.T):
        edges = _edges(column, num_bins)
        bins[:, latent] = np.digitize(column, edges[:-1]) - 1
    return bins


def classes_of(factors: np.ndarray, num_bins: int = 20) -> np.ndarray:
    """Factors (N, K) as int64 classes; non-integer factors are binned like codes.

    >>> classes_of(np.array([[7.0, 0.5], [9.0, 2.5]]), num_bins=2)
    array([[7, 0],
           [9, 1]])
    """
    factors = check_factors(factors, continuous=True)
    if factors.dtype.kind == "i":
        return factors
    continuous, classes = are_continuous(factors), factors.copy()
    classes[:, continuous] = discretize(factors[:, continuous], num_bins)
    return classes.astype(np.int64)


def _edges(column: np.ndarray, num_bins: int) -> np.ndarray:
    try:
        return np.histogram_bin_edges(column, num_bins)
    except ValueError:
        # Differs from the original: values too close for so many edges between them, an error
        # there, have edges some of which are alike.
        return np.linspace(column.min(), column.max(), num_bins + 1)


def mutual_information(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Plug-in mutual information of every pair of columns of two tables of labels, in nats.

    Args:
        first: Integers (N, A).
        second: Integers (N, B).

    Returns:
        (A, B), non-negative.
    """
    first, second = check_factors(first), check_factors(second)
    first, second = _ranks(first), _ranks(second)
    num_first, num_second = first.max(axis=0) + 1, second.max(axis=0) + 1
    information = np.empty((first.shape[1], second.shape[1]))
    for a, b in np.ndindex(*information.shape):
        pairs = first[:, a] * num_second[b] + second[:, b]
        counts = np.bincount(pairs, minlength=num_first[a] * num_second[b])
        joint = counts.reshape(num_first[a], num_second[b]) / len(first)
        product = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
        seen = joint > 0
        information[a, b] = np.sum(joint[seen] * np.log(joint[seen] / product[seen]))
    return np.maximum(information, 0)


def _ranks(labels: np.ndarray) -> np.ndarray:
    """Each column's labels renumbered 0, 1, 2 ... in order."""
    return np.stack([np.unique(column, return_inverse=True)[1] for column in labels.T], axis=1)


def entropy(labels: np.ndarray) -> np.ndarray:
    """Entropy of each column of labels (N, K), (K,) in nats.

    >>> entropy(np.array([[0, 0], [0, 1]])).round(4)
    array([0.    , 0.6931])
    """
    labels = check_factors(labels)
    values = []
    for column in labels.T:
        share = np.unique(column, return_counts=True)[1] / len(labels)
        values.append(-np.sum(share * np.log(share)))
    return np.maximum(values, 0)


def mutual_information_matrix(
    codes: np.ndarray, factors: np.ndarray, num_bins: int = 20
) -> np.ndarray:
    """Mutual information (D, K) of each discretised latent with each factor, in nats.

    Args:
        codes: (N, D).
        factors: (N, K); non-integer factors are binned, too.
        num_bins: Equal-width bins of each latent.
    """
    codes, factors = check_points(codes, factors, continuous=True)
    return mutual_information(discretize(codes, num_bins), classes_of(factors, num_bins))
