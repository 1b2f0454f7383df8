"""The softmax function, compiled."""

import numpy as np

from .compiled import compiled


@compiled
def softmax(scores, probabilities):
    """The log normalizers (N,) of `scores` (C, N); fills `probabilities` (C, N)."""
    num_classes, num_samples = scores.shape
    highest, totals = np.full(num_samples, -np.inf), np.zeros(num_samples)
    powers = np.empty(num_samples, np.int64)
    for row in scores:
        for i in range(num_samples):
            highest[i] = max(highest[i], row[i])
    for c in range(num_classes):
        exponentials(scores[c], highest, powers, probabilities[c])
        for i in range(num_samples):
            totals[i] += probabilities[c, i]
    shares = 1 / totals
    for c in range(num_classes):
        for i in range(num_samples):
            probabilities[c, i] *= shares[i]
    return highest + np.log(totals)


@compiled
def log_loss(scores, targets, gradient):
    """The sum of -log p of the targets (N,) under softmax `scores` (C, N); fills its gradient."""
    normalizers = softmax(scores, gradient)
    loss = 0.0
    for i in range(len(targets)):
        loss += normalizers[i] - scores[targets[i], i]
        gradient[targets[i], i] -= 1
    return loss


@compiled
def exponentials(exponents, highest, powers, out):
    """exp(exponents - highest) to one unit in the last place, in vector instructions.

    exp(x) = 2^k exp(y) with |y| <= log(2) / 2, where 13 terms of the series are enough.
    """
    for i in range(len(out)):
        x = max(exponents[i] - highest[i], -708.0)
        k = np.floor(x * 1.4426950408889634 + 0.5)
        # log(2) in two parts, the first with zeros at its end, so that y loses nothing
        y = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10
        series = 1 / 479001600.0
        series = series * y + 1 / 39916800.0
        series = series * y + 1 / 3628800.0
        series = series * y + 1 / 362880.0
        series = series * y + 1 / 40320.0
        series = series * y + 1 / 5040.0
        series = series * y + 1 / 720.0
        series = series * y + 1 / 120.0
        series = series * y + 1 / 24.0
        series = series * y + 1 / 6.0
        series = series * y + 0.5
        series = series * y + 1
        out[i] = series * y + 1
        powers[i] = (np.int64(k) + 1023) << 52  # the bits of 2^k
    factors = powers.view(np.float64)
    for i in range(len(out)):
        out[i] *= factors[i]
