"""Gradient boosting of regression trees of depth 3 (Friedman 2001), compiled.

The results equal those of scikit-learn's `GradientBoostingClassifier` and
`GradientBoostingRegressor` with their defaults. Equally good splits are chosen by the same rule and
with the same rounding, but with other random numbers.

The best split of a node is found exactly without visiting every sample. The samples of each feature
are sorted once and cut into bins of equal population. A node sums the residuals in each bin. The
sums give the gain of a split at every edge between bins, and an upper bound of the gain of any
split inside a bin. Only bins whose bound exceeds the best gain so far are searched sample by
sample, so the result is the same as trying every split.
"""

import numpy as np

from .compiled import compiled
from .presorted import SAME_VALUE
from .rounding import best_split, find_residuals, pairwise_sum, sort, swap

INNER = 7  # nodes that may split: 0, then 1 and 2, then 3 to 6; the children of v are 2v+1, 2v+2
LEAVES = 8  # nodes 7 to 14
_TOGETHER = 8  # classes whose root histograms are made in one go
_PURE = np.finfo(np.float64).eps  # a node whose residuals vary less is not split
_TIE = 1e-9  # gains whose ratio is closer to 1 are equal but for rounding
_SLACK = 1 + 1e-9  # keeps rounding from making a bound too small

# What a node knows of its samples, with D features of B bins each:
#
#                     feature 0                               feature 1
#                     bin 0       bin 1             bin B-1   bin 0
#   histograms[node]  sum count | sum count | ... | sum count | sum count | ...    (2 D B,)
#   ups[node]         up        | up        | ... | up        | up        | ...    (D B,)
#
# sum and count are of the residuals of the node's samples in a bin, and up is the sum of the
# positive ones: any of a bin's samples add up to at most up and at least sum - up, which bounds the
# gain of a split inside the bin. `data.slots[sample, feature]` is where a histogram holds the
# sample's bin, so slot >> 1 is its place in `ups`. The root's rows are counted for 8 classes in one
# go; of two children the smaller's row is counted, and the larger's is the parent's less that.


@compiled
def boost(data, work, labels, scores, learning_rate, num_rounds, seed, squared):
    """Grows `num_rounds` trees for each row of `scores` (T, N), and adds them to it.

    T is the number of classes, or 1 for two classes. If `squared`, the labels are numbers, the loss
    is the squared error, and T is 1. Returns the feature and the threshold of each inner node
    (rounds, T, 7), the value of each leaf (rounds, T, 8), and the sum of the gains of each feature
    (D,). A node without a split sends everything left: its threshold is infinite.
    """
    num_trees, num_samples = scores.shape
    size = work.sums_below.size
    features = np.zeros((num_rounds, num_trees, INNER), np.int32)
    thresholds = np.full((num_rounds, num_trees, INNER), np.inf, np.float64)
    leaves = np.zeros((num_rounds, num_trees, LEAVES))
    importance = np.zeros(len(data.order))
    residuals_of = np.empty(scores.shape)
    block = np.zeros((num_samples, _TOGETHER))
    root_sums = np.empty((_TOGETHER, 2 * size))
    root_ups = np.empty((_TOGETHER, size))
    histograms, ups = np.empty((INNER, 2 * size)), np.empty((INNER, size))
    node_of = np.empty(num_samples, np.int8)
    random = np.uint64(seed)
    for step in range(num_rounds):
        if squared:
            residuals_of[0] = labels - scores[0]
        else:
            find_residuals(scores, labels, residuals_of)
        for tree in range(num_trees):
            residuals = residuals_of[tree]
            if tree % _TOGETHER == 0:
                for j in range(min(_TOGETHER, num_trees - tree)):
                    for i in range(num_samples):
                        block[i, j] = residuals_of[tree + j, i]
                root_histograms(block, data, root_sums, root_ups)
            histograms[0] = root_sums[tree % _TOGETHER]
            ups[0] = root_ups[tree % _TOGETHER]
            splits = features[step, tree], thresholds[step, tree], importance
            random = grow(data, residuals, histograms, ups, node_of, work, *splits, random)
            values = leaves[step, tree]
            newton_steps(residuals, node_of, num_trees, values, squared)
            for i in range(num_samples):
                scores[tree, i] += learning_rate * values[node_of[i] - INNER]
    return features, thresholds, leaves, importance


@compiled
def grow(data, residuals, histograms, ups, node_of, work, features, thresholds, importance, random):
    """Grows one tree level by level: fills `features` and `thresholds` (7,) and each sample's leaf.

    The first histogram is given. Of two children, the smaller one's histogram is counted, and the
    larger one's is the parent's minus the smaller one's.
    """
    num_samples = len(residuals)
    counts, totals = np.zeros(INNER + LEAVES, np.int64), np.zeros(INNER + LEAVES)
    counts[0] = num_samples
    for slot in range(0, 2 * (data.starts.shape[1] - 1), 2):
        totals[0] += histograms[0, slot]
    highest, lowest = residuals.max(), residuals.min()
    node_of[:] = 0
    members = np.empty(num_samples + 1, np.int32)
    for node in range(INNER):
        left, right = 2 * node + 1, 2 * node + 2
        count, total = counts[node], totals[node]
        best = -1.0
        if count > 1:
            mean = total / count
            largest = max(highest - mean, mean - lowest)
            best = find_split(
                node, count, total, residuals, node_of, data, histograms, ups, largest, work
            )
            if best <= count * _PURE and variance(residuals, node_of, node) <= _PURE:
                best = -1.0
        if best < 0:
            cut, feature = num_samples, 0
            counts[left], totals[left] = count, total
        else:
            random = random * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
            feature = choose_feature(
                best, node, count, residuals, node_of, data, work, random >> np.uint64(33)
            )
            importance[feature] += best
            cut = work.cut[feature]
            features[node] = feature
            thresholds[node] = threshold(node, feature, cut, node_of, data)
            counts[left], totals[left] = work.left_count[feature], work.left_sum[feature]
        counts[right], totals[right] = count - counts[left], total - totals[left]
        ranks = data.ranks[feature]
        for i in range(num_samples):
            child = left + (ranks[i] >= cut)
            node_of[i] = child if node_of[i] == node else node_of[i]
        if right < INNER:
            small, large = (left, right) if counts[left] <= counts[right] else (right, left)
            num_members = 0
            for i in range(num_samples):
                members[num_members] = i
                num_members += node_of[i] == small
            histograms[small] = 0
            ups[small] = 0
            add_to_histogram(
                members[:num_members], residuals, data.slots, histograms[small], ups[small]
            )
            histograms[large] = histograms[node] - histograms[small]
            ups[large] = ups[node] - ups[small]
    return random


@compiled
def variance(residuals, node_of, node):
    """The variance of the residuals of one node."""
    count, total, squares = 0, 0.0, 0.0
    for i in range(len(residuals)):
        if node_of[i] == node:
            count += 1
            total += residuals[i]
            squares += residuals[i] ** 2
    return squares / count - (total / count) ** 2


@compiled
def newton_steps(residuals, node_of, num_trees, values, squared):
    """Mean of r over mean of p (1 - p) of each leaf's samples: one Newton step of the log loss.

    For the squared error it is the mean of r.
    """
    ends = np.zeros(LEAVES + 1, np.int64)
    for node in node_of:
        ends[node - INNER + 1] += 1
    ends = np.cumsum(ends)
    free = ends.copy()
    own, slopes = np.empty(len(residuals)), np.empty(len(residuals))
    for i in range(len(residuals)):
        place = free[node_of[i] - INNER]
        free[node_of[i] - INNER] += 1
        p = (residuals[i] > 0) - residuals[i]
        own[place], slopes[place] = residuals[i], 1.0 if squared else p * (1 - p)
    for leaf in range(LEAVES):
        begin, end = ends[leaf], ends[leaf + 1]
        num = max(end - begin, 1)
        numerator = pairwise_sum(own[begin:end]) / num
        denominator = pairwise_sum(slopes[begin:end]) / num
        if num_trees > 1:
            numerator *= (num_trees - 1) / num_trees
        if denominator >= 1e-150:
            values[leaf] = numerator / denominator


@compiled
def root_histograms(residuals, data, histograms, ups):
    """Sums over each bin of 8 columns of residuals (N, 8), all and positive ones, at the root."""
    order, starts, num_bins = data.order, data.starts, data.num_bins
    most_bins = starts.shape[1] - 1
    histograms[:] = 0
    ups[:] = 0
    for feature in range(len(order)):
        for b in range(num_bins[feature]):
            s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
            for rank in range(starts[feature, b], starts[feature, b + 1]):
                i = order[feature, rank]
                s0 += residuals[i, 0]
                s1 += residuals[i, 1]
                s2 += residuals[i, 2]
                s3 += residuals[i, 3]
                s4 += residuals[i, 4]
                s5 += residuals[i, 5]
                s6 += residuals[i, 6]
                s7 += residuals[i, 7]
            slot = 2 * (feature * most_bins + b)
            for j, s in enumerate((s0, s1, s2, s3, s4, s5, s6, s7)):
                histograms[j, slot] = s
                histograms[j, slot + 1] = starts[feature, b + 1] - starts[feature, b]
    for i in range(len(residuals)):
        for j in range(8):
            if residuals[i, j] > 0:
                for feature in range(len(order)):
                    ups[j, data.slots[i, feature] >> 1] += residuals[i, j]


@compiled
def add_to_histogram(members, residuals, slots, histogram, ups):
    """Adds (residual, 1) of each member to its bin of every feature, and residuals > 0 to `ups`."""
    for i in members:
        residual = residuals[i]
        for feature in range(slots.shape[1]):
            slot = slots[i, feature]
            histogram[slot] += residual
            histogram[slot + 1] += 1.0
        if residual > 0:
            for feature in range(slots.shape[1]):
                ups[slots[i, feature] >> 1] += residual


@compiled
def find_split(node, count, total, residuals, node_of, data, histograms, ups, largest, work):
    """The largest gain of a split of `node`, or -1 if it has none; details by feature in `work`.

    The gain is the decrease of the sum of squared errors, t^2 n / (k (n - k)), where k of the
    node's n samples go left and t is the sum of their residuals minus the node's mean. Inside a
    bin, t stays between its value at the lower edge plus all negative residuals and that value plus
    all positive ones. Because no residual is further than `largest` from the mean, |t| <= largest
    min(k, n - k).
    """
    num_bins, starts = data.num_bins, data.starts
    most_bins = starts.shape[1] - 1
    mean, best = total / count, -1.0
    histogram, ups = histograms[node], ups[node]
    for feature in range(len(num_bins)):
        bins = num_bins[feature]
        sums_below, counts_below = work.sums_below[feature], work.counts_below[feature]
        weights, gains, bounds = work.weights, work.gains, work.bounds[feature]
        base = feature * most_bins
        left_sum = left_count = 0.0
        for b in range(bins):
            sums_below[b] = left_sum
            counts_below[b] = left_count
            left_sum += histogram[2 * (base + b)]
            left_count += histogram[2 * (base + b) + 1]
        for b in range(bins):
            k = counts_below[b]
            weights[b] = count / (k * (count - k))
            t = sums_below[b] - mean * k
            gains[b] = t * t * weights[b]
        weights[bins] = np.inf
        for b in range(bins):
            k, end = counts_below[b], counts_below[b] + histogram[2 * (base + b) + 1]
            up = ups[base + b]
            down = up - histogram[2 * (base + b)]
            high = sums_below[b] + up - min(mean * k, mean * end)
            low = max(mean * k, mean * end) - sums_below[b] + down
            t = max(high, low)
            steep = largest * count / max(k + 1, count - end + 1)
            bounds[b] = _SLACK * t * min(t * max(weights[b], weights[b + 1]), steep)
            if end - k < 2 or not data.splits_inside[feature, b]:
                bounds[b] = -1.0
        work.gain[feature] = -1.0
        for b in range(1, bins):
            if gains[b] > work.gain[feature] and 0 < counts_below[b] < count:
                work.gain[feature] = gains[b]
                work.cut[feature] = starts[feature, b]
                work.left_count[feature] = counts_below[b]
                work.left_sum[feature] = sums_below[b]
        best = max(best, work.gain[feature])
    for feature in range(len(num_bins)):
        for b in range(num_bins[feature]):
            if work.bounds[feature, b] >= best * (1 - _TIE):
                search_bin(feature, b, node, count, mean, residuals, node_of, data, work)
                best = max(best, work.gain[feature])
    return best


@compiled
def search_bin(feature, b, node, count, mean, residuals, node_of, data, work):
    """Tries every split of `node` inside one bin of one feature, and keeps the best in `work`."""
    order, values = data.order[feature], data.values[feature]
    k, total = int(work.counts_below[feature, b]), work.sums_below[feature, b]
    previous = np.float32(np.inf)
    for rank in range(data.starts[feature, b], data.starts[feature, b + 1]):
        i = order[rank]
        if node_of[i] != node:
            continue
        if values[rank] > previous + SAME_VALUE:
            t = total - mean * k
            gain = t * t * (count / (k * (count - k)))
            if gain > work.gain[feature]:
                work.gain[feature] = gain
                work.cut[feature] = rank
                work.left_count[feature] = k
                work.left_sum[feature] = total
        previous = values[rank]
        total += residuals[i]
        k += 1


@compiled
def threshold(node, feature, cut, node_of, data):
    """Half-way between the node's last value of lower rank than `cut` and its next."""
    below, above = cut - 1, cut
    while node_of[data.order[feature, below]] != node:
        below -= 1
    while node_of[data.order[feature, above]] != node:
        above += 1
    return data.values[feature, below] / 2.0 + data.values[feature, above] / 2.0


@compiled
def choose_feature(best, node, count, residuals, node_of, data, work, random):
    """A feature with an equally good best split, chosen as scikit-learn does.

    scikit-learn visits the features in random order, and takes a split that is better than earlier
    ones, even in the last bit only. The last bit depends on the order in which it sums residuals:
    it sorts the node's samples in place by one feature after another.
    """
    tied = work.gain >= best * (1 - _TIE)
    chosen = np.argmax(tied)
    if tied.sum() == 1:
        return chosen
    visited = np.arange(len(tied))
    for left in range(len(tied), 0, -1):
        random = random * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        drawn = (random >> np.uint64(33)) % left
        visited[left - 1], visited[drawn] = visited[drawn], visited[left - 1]
    last = (random >> np.uint64(16)) % len(tied)
    members = members_in_order(node, data.order[last], node_of)
    keys, total, most = np.empty(count, np.float32), 0.0, -1.0
    for i in members:
        total += residuals[i]
    for feature in visited:
        for place in range(count):
            keys[place] = data.values[feature, data.ranks[feature, members[place]]]
        sort(keys, members)
        if tied[feature]:
            gain, place, left_sum = best_split(keys, members, total, residuals)
            if gain > most:
                most, chosen = gain, feature
                work.cut[feature] = np.searchsorted(data.values[feature], keys[place])
                work.left_count[feature], work.left_sum[feature] = place, left_sum
    return chosen


@compiled
def members_in_order(node, order, node_of):
    """The samples of a node in the order left by splitting its parent, whose order is given.

    From the first on, samples that go right are swapped with samples at the end. The root's samples
    are in their original order.
    """
    if node == 0:
        return np.arange(len(order)).astype(np.int32)
    right = node + node % 2
    found, is_right = np.empty(len(order), np.int32), np.empty(len(order), np.bool_)
    num = 0
    for i in order:
        v = node_of[i]
        while v > right:
            v = (v - 1) // 2
        found[num], is_right[num] = i, v == right
        num += v >= right - 1
    begin, end = 0, num
    while begin < end:
        if is_right[begin]:
            end -= 1
            swap(found, is_right, begin, end)
        else:
            begin += 1
    return found[end:num] if node == right else found[:end]


@compiled
def add_trees(inputs, features, thresholds, leaves, learning_rate, scores):
    """Adds the trees' predictions for `inputs` (D, N) float32 to `scores` (T, N)."""
    for step in range(len(features)):
        for tree in range(len(scores)):
            for i in range(inputs.shape[1]):
                node = 0
                while node < INNER:
                    feature = features[step, tree, node]
                    node = 2 * node + 1 + (inputs[feature, i] > thresholds[step, tree, node])
                scores[tree, i] += learning_rate * leaves[step, tree, node - INNER]
