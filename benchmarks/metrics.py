"""CPU seconds of every metric at the paper's size, with ratios to scikit-learn if it has one.

    .venv/bin/python benchmarks/metrics.py [--layout cars3d] [--only mig,dci] [--compare trees]

One core, process time. The codes are noisy copies of the factors (ten latents), looked up in a
table as a trained model's are. Ratios come from turns taken in one process.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from teasel.metrics import (
    METRICS,
    PAPER_PARAMETERS,
    Representation,
    TableRepresentation,
    completeness,
    dci,
    disentanglement,
)
from teasel.metrics.logistic import cross_validated_logistic_regression
from teasel.metrics.trees import boosted_regression, boosted_trees

LAYOUTS = {"dsprites": (3, 6, 40, 32, 32), "cars3d": (4, 24, 183)}
NUM_LATENTS = 10
DEPTH = 3


def noisy_copies(factor_sizes: tuple[int, ...]) -> TableRepresentation:
    """Each factor in one latent with noise of 0.3 standard deviations, the other latents dead."""
    num_images = int(np.prod(factor_sizes))
    factors = np.stack(np.unravel_index(np.arange(num_images), factor_sizes), axis=1)
    codes = np.zeros((num_images, NUM_LATENTS), np.float32)
    codes[:, : len(factor_sizes)] = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    scale = np.where(np.arange(NUM_LATENTS) < len(factor_sizes), 0.3, 0.01)
    codes += (scale * np.random.default_rng(0).normal(size=codes.shape)).astype(np.float32)
    return TableRepresentation(
        codes,
        None,
        factor_sizes,
        lambda drawn, rng: np.ravel_multi_index(tuple(drawn.T), factor_sizes),
    )


def seconds(function: Callable[[], Any]) -> float:
    begin = time.process_time()
    function()
    return time.process_time() - begin


def measure_metrics(representation: Representation, names: list[str]) -> None:
    print(f"{'metric':20} {'CPU s':>8}")
    paper = newer = 0.0
    for name in names:
        spent = seconds(lambda name=name: METRICS[name](representation, np.random.RandomState(0)))
        paper += spent if name in PAPER_PARAMETERS else 0.0
        newer += spent if name not in (*PAPER_PARAMETERS, "irs", "dci_es") else 0.0
        print(f"{name:20} {spent:8.2f}", flush=True)
    print(f"{'the paper, together':20} {paper:8.2f}")
    print(f"{'newer, but for dci_es':20} {newer:7.2f}")


def compare_trees(representation: Representation, num_rounds: int) -> None:
    """Milliseconds per tree, ours and scikit-learn's in turns, and the share of a bound."""
    codes, factors = representation.sample(np.random.RandomState(0), 10_000)
    ours = theirs = full = 0.0
    num_trees = 0
    for labels in factors.T:
        num_classes = len(np.unique(labels))
        num_trees += num_rounds * (num_classes if num_classes > 2 else 1)
        model = GradientBoostingClassifier(n_estimators=num_rounds, random_state=0)
        ours += seconds(lambda labels=labels: boosted_trees(codes, labels, 0, num_rounds))
        theirs += seconds(lambda labels=labels, model=model: model.fit(codes, labels))
        full += seconds(lambda labels=labels: boosted_trees(codes, labels))
    scale = 1e3 / num_trees
    ours, theirs, full = ours * scale, theirs * scale, full * scale * num_rounds / 100
    print(f"\ntrees of 10,000 x {NUM_LATENTS}, {num_trees // num_rounds} a round: ms per tree")
    print(f"scikit-learn, first {num_rounds} rounds  {theirs:8.3f}")
    print(f"ours, first {num_rounds} rounds          {ours:8.3f}  {theirs / ours:.0f} times")
    print(f"ours, all 100 rounds         {full:8.3f}  {theirs / full:.0f} times")
    labels = factors[:, 0]
    model = GradientBoostingClassifier(random_state=0)
    own = seconds(lambda: boosted_trees(codes, labels))
    other = seconds(lambda: model.fit(codes, labels))
    print(f"first factor, {len(np.unique(labels))} classes, all rounds: {other / own:.0f} times")
    targets = factors[:, -1] + np.random.default_rng(0).normal(size=len(factors))
    boosted_regression(codes[:100], targets[:100], 0, 1)  # compiles
    own = seconds(lambda: boosted_regression(codes, targets))
    other = seconds(lambda: GradientBoostingRegressor(random_state=0).fit(codes, targets))
    print(f"regression, all rounds: {own:.3f} s, {other / own:.0f} times")
    # Trying every split visits each sample once per feature and level, to add its residual and to
    # compare a gain: at best one visit per cycle, as each waits for a residual out of order.
    bound = DEPTH * NUM_LATENTS * 10_000 / gigahertz() * 1e-6
    print(f"one visit a cycle, all visits {bound:7.3f}  ours reaches {bound / full:.0%}")


def compare_ties(num_seeds: int = 12) -> None:
    """Mean and spread of DCI over seeds, ours and with scikit-learn's trees, on tied codes."""
    rng = np.random.RandomState(5)
    sizes = np.array([2, 3, 4])
    factors = np.stack([rng.randint(size, size=1_500) for size in sizes], axis=1)
    z = (factors - (sizes - 1) / 2) / np.sqrt((sizes**2 - 1) / 12)
    mixed = z @ np.random.RandomState(7).normal(size=(3, 6))
    cases = {
        "ground_truth": factors,
        "duplicated": np.column_stack([z, z[:, :1]]),
        "mixed": mixed,
        "quantised": np.round(2 * mixed + 0.6 * rng.normal(size=mixed.shape)),
    }
    print(
        f"\n{'tied codes':13} D, C, I: ours, scikit-learn's, standard errors apart, spreads' ratio"
    )
    for name, codes in cases.items():
        train, test = slice(1_000), slice(1_000, None)
        ours, theirs = [], []
        for seed in range(num_seeds):
            found = dci(codes[train], factors[train], codes[test], factors[test], seed)
            ours.append((found.disentanglement, found.completeness, found.informativeness_test))
            models = [
                GradientBoostingClassifier(random_state=seed).fit(codes[train], labels[train])
                for labels in factors.T
            ]
            importance = np.stack([model.feature_importances_ for model in models], axis=1)
            hits = [
                np.mean(model.predict(codes[test]) == labels[test])
                for model, labels in zip(models, factors.T, strict=True)
            ]
            theirs.append((disentanglement(importance), completeness(importance), np.mean(hits)))
        means, spreads = np.mean([ours, theirs], axis=1), np.std([ours, theirs], axis=1, ddof=1)
        apart = (means[0] - means[1]) / np.maximum(np.hypot(*spreads) / num_seeds**0.5, 1e-12)
        ratio = spreads[0] / np.maximum(spreads[1], 1e-12)
        print(f"{name:13} {means.round(4)} {apart.round(1)} {ratio.round(2)}", flush=True)


def gigahertz() -> float:
    """Cycles per nanosecond, from a chain of three shifts and three exclusive ors a link."""

    @njit
    def chain(links: int) -> int:
        x = np.uint64(1)
        for _ in range(links):
            x ^= x << np.uint64(13)
            x ^= x >> np.uint64(7)
            x ^= x << np.uint64(17)
        return x

    chain(1)
    return 6 * 1e8 / seconds(lambda: chain(100_000_000)) * 1e-9


def compare_logistic_regression(representation: Representation) -> None:
    """CPU seconds of the cross-validated paths, ours and scikit-learn's in turns.

    And how far apart the accuracies of a factor are at most: ours from scikit-learn's, and
    scikit-learn's from its own with codes moved by one part in 10^13, which only rounding notices.
    """
    test_codes, test_factors = representation.sample(np.random.RandomState(1), 5_000)
    print("\ncross-validated logistic regression, all factors")
    for size in (10, 100, 1_000, 10_000):
        codes, factors = representation.sample(np.random.RandomState(0), size)
        moved = codes * (1 + 1e-13 * np.random.default_rng(0).normal(size=codes.shape))
        ours = theirs = 0.0
        accuracies = []
        for factor, labels in enumerate(factors.T):
            model: Any = LogisticRegressionCV(Cs=10, cv=KFold(5), scoring="accuracy")
            fitted: list[Any] = []
            ours += seconds(
                lambda x=codes, y=labels, to=fitted: to.append(
                    cross_validated_logistic_regression(x, y)
                )
            )
            theirs += seconds(lambda x=codes, y=labels, model=model: model.fit(x, y))
            models = (fitted[0], model, clone(model).fit(moved, labels))
            truth = test_factors[:, factor]
            accuracies.append([np.mean(m.predict(test_codes) == truth) for m in models])
        own, other, _ = np.mean(accuracies, axis=0)
        apart = np.abs(np.array(accuracies)[:, [0, 2]] - np.array(accuracies)[:, [1]]).max(axis=0)
        print(f"{size:6} points {ours:6.2f} s, scikit-learn {theirs:6.2f} s, ", end="")
        print(f"{theirs / ours:.1f} times; accuracy {own:.4f}, {other:.4f}; ", end="")
        print(f"a factor's apart by {apart[0]:.4f}, by rounding {apart[1]:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layout", choices=LAYOUTS, default="dsprites")
    parser.add_argument("--only", default=",".join(METRICS), help="metrics, separated by commas")
    parser.add_argument("--rounds", type=int, default=3, help="boosting rounds of scikit-learn")
    parser.add_argument("--compare", default="trees,logistic", help="with scikit-learn")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    threadpool_limits(1)
    representation = noisy_copies(LAYOUTS[arguments.layout])
    codes, factors = representation.sample(np.random.RandomState(0), 100)
    boosted_trees(codes, factors[:, 0], 0, 1).predict(codes)  # compiles
    cross_validated_logistic_regression(np.tile(codes, (2, 1)), np.tile(factors[:, 0], 2))
    measure_metrics(representation, arguments.only.split(","))
    if "trees" in arguments.compare:
        compare_trees(representation, arguments.rounds)
    if "ties" in arguments.compare:
        compare_ties()
    if "logistic" in arguments.compare:
        compare_logistic_regression(representation)


if __name__ == "__main__":
    main()
