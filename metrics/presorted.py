"""Inputs sorted once by feature, for the trees of `boosting`."""

from typing import NamedTuple

import numpy as np

from .undefined import UndefinedScoreError

_MOST_BINS = 128
SAME_VALUE = np.float32(1e-7)  # neighbours no further apart are never split, as in scikit-learn


class Presorted(NamedTuple):
    """Inputs of N samples and D features, each feature sorted and cut into at most B bins."""

    order: np.ndarray  # (D, N) int32: samples by value
    ranks: np.ndarray  # (D, N) int32: the inverse of `order`
    values: np.ndarray  # (D, N) float32: sorted
    slots: np.ndarray  # (N, D) uint16: where each sample's bin stands in a flat histogram
    starts: np.ndarray  # (D, B + 1) int32: the first rank of each bin, then N
    num_bins: np.ndarray  # (D,) int32
    splits_inside: np.ndarray  # (D, B) bool: whether a bin's extremes may be parted


def presort(inputs: np.ndarray) -> Presorted:
    """The samples (N, D), cast to float32, by feature. Bins separate only values that can be split.

    Raises:
        UndefinedScoreError: If they are not finite in float32.
    """
    with np.errstate(over="ignore"):
        inputs = np.ascontiguousarray(inputs.T, dtype=np.float32)
    if not np.isfinite(inputs).all():
        raise UndefinedScoreError(
            "trees need inputs that are finite as float32, got NaN, infinity or 1e39"
        )
    num_features, num_samples = inputs.shape
    most_bins = max(1, min(_MOST_BINS, 2**15 // num_features))
    order = np.argsort(inputs, axis=1, kind="stable").astype(np.int32)
    values = np.take_along_axis(inputs, order, axis=1)
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(num_samples, dtype=np.int32)[None], axis=1)
    slots = np.empty((num_samples, num_features), np.uint16)
    starts = np.full((num_features, most_bins + 1), num_samples, np.int32)
    num_bins = np.empty(num_features, np.int32)
    splits_inside = np.zeros((num_features, most_bins), bool)
    for feature, column in enumerate(values):
        may_start = np.flatnonzero(column[1:] > column[:-1] + SAME_VALUE) + 1
        wished = np.arange(most_bins) * num_samples // most_bins
        firsts = np.searchsorted(may_start, wished[1:])
        begins = np.unique(np.append(0, may_start[firsts[firsts < len(may_start)]]))
        num_bins[feature] = len(begins)
        starts[feature, : len(begins)] = begins
        bin_of_rank = np.searchsorted(begins, np.arange(num_samples), side="right") - 1
        slots[order[feature], feature] = 2 * (feature * most_bins + bin_of_rank)
        ends = np.append(begins[1:], num_samples) - 1
        splits_inside[feature, : len(begins)] = column[ends] > column[begins] + SAME_VALUE
    return Presorted(order, ranks, values, slots, starts, num_bins, splits_inside)


class Workspace(NamedTuple):
    """Working memory of `find_split` by feature and bin, with its best split of each feature."""

    sums_below: np.ndarray  # (D, B) of the residuals of the node in the bins below each bin
    counts_below: np.ndarray  # (D, B) of its samples there
    weights: np.ndarray  # (B + 1,)
    gains: np.ndarray  # (B,) at the lower edge of each bin
    bounds: np.ndarray  # (D, B) of the gain inside each bin
    gain: np.ndarray  # (D,) of the best split, -1 if there is none
    cut: np.ndarray  # (D,) the samples of lower rank go left
    left_count: np.ndarray  # (D,) how many of the node's samples those are
    left_sum: np.ndarray  # (D,) the sum of their residuals


def workspace(num_features: int, most_bins: int) -> Workspace:
    """A new workspace for `find_split`."""
    return Workspace(
        sums_below=np.empty((num_features, most_bins)),
        counts_below=np.empty((num_features, most_bins)),
        weights=np.empty(most_bins + 1),
        gains=np.empty(most_bins),
        bounds=np.empty((num_features, most_bins)),
        gain=np.empty(num_features),
        cut=np.empty(num_features, np.int64),
        left_count=np.empty(num_features, np.int64),
        left_sum=np.empty(num_features),
    )
