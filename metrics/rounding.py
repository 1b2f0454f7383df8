"""Sums and sorts in the same order as scikit-learn, compiled.

Gains of equally good splits differ only in their last bits, which depend on this order.
"""

import numpy as np

from .compiled import compiled
from .presorted import SAME_VALUE


@compiled
def find_residuals(scores, labels, residuals):
    """Fills `residuals` (T, N): 1 or 0 minus the probability of each class, or the second of two.

    It uses division, not multiplication by a reciprocal, and the C library's exponential.
    """
    num_trees, num_samples = scores.shape
    if num_trees == 1:
        for i in range(num_samples):
            power = np.exp(-scores[0, i])
            residuals[0, i] = (power if labels[i] else -1.0) / (1 + power)
        return
    highest, totals = np.full(num_samples, -np.inf), np.zeros(num_samples)
    for row in scores:
        for i in range(num_samples):
            highest[i] = max(highest[i], row[i])
    for c in range(num_trees):
        for i in range(num_samples):
            residuals[c, i] = np.exp(scores[c, i] - highest[i])
        for i in range(num_samples):
            totals[i] += residuals[c, i]
    for c in range(num_trees):
        for i in range(num_samples):
            residuals[c, i] = (labels[i] == c) - residuals[c, i] / totals[i]


@compiled
def pairwise_sum(numbers):
    """The sum in NumPy's order, by eights and halves."""
    num = len(numbers)
    if num > 128:
        half = num // 2 - num // 2 % 8
        return pairwise_sum(numbers[:half]) + pairwise_sum(numbers[half:])
    total, whole = 0.0, num - num % 8
    if whole:
        parts = numbers[:8].copy()
        for begin in range(8, whole, 8):
            for j in range(8):
                parts[j] += numbers[begin + j]
        total = ((parts[0] + parts[1]) + (parts[2] + parts[3])) + (
            (parts[4] + parts[5]) + (parts[6] + parts[7])
        )
    for k in range(whole, num):
        total += numbers[k]
    return total


@compiled
def best_split(keys, members, total, residuals):
    """The gain up to a constant, the position and the left sum of the first best split of a node.

    The samples `members` are sorted by `keys`. Sums continue from each position where keys can be
    split to the next, or start at the end if that is nearer.
    """
    best, place, best_sum = -1.0, 0, 0.0
    begin, left, count = 0, 0.0, len(keys)
    for end in range(1, count):
        if keys[end] <= keys[end - 1] + SAME_VALUE:
            continue
        if end - begin <= count - end:
            for k in range(begin, end):
                left += residuals[members[k]]
        else:
            left = total
            for k in range(count - 1, end - 1, -1):
                left -= residuals[members[k]]
        begin, right = end, total - left
        gain = left * left / end + right * right / (count - end)
        if gain > best:
            best, place, best_sum = gain, end, left
    return best, place, best_sum


@compiled
def sort(keys, members):
    """Sorts both by `keys` with a three-way quicksort, which orders equal keys in its own way."""
    parts = [(0, len(keys))]
    while parts:
        begin, end = parts.pop()
        while end - begin > 15:
            first, middle, last = keys[begin], keys[begin + (end - begin) // 2], keys[end - 1]
            pivot = max(min(first, middle), min(max(first, middle), last))
            place, low, high = begin, begin, end
            while place < high:
                key = keys[place]
                if key < pivot:
                    swap(keys, members, place, low)
                    place, low = place + 1, low + 1
                elif key > pivot:
                    high -= 1
                    swap(keys, members, place, high)
                else:
                    place += 1
            parts.append((high, end))
            end = low
        for place in range(begin + 1, end):
            key, member, free = keys[place], members[place], place
            while free > begin and keys[free - 1] > key:
                keys[free], members[free] = keys[free - 1], members[free - 1]
                free -= 1
            keys[free], members[free] = key, member


@compiled
def swap(keys, members, one, other):
    """Swaps two positions in both arrays."""
    keys[one], keys[other] = keys[other], keys[one]
    members[one], members[other] = members[other], members[one]
