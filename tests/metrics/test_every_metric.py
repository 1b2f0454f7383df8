"""All that holds of every metric, and a score of each that follows with pen and paper.

A new metric adds a row to `HAND_COMPUTED`.
"""

import numpy as np
import pytest

from teasel.metrics import METRICS, PAPER_SEEDS, Rng, TableRepresentation
from teasel.testing import check_metric
from teasel.testing.metrics import missing_pieces
from teasel.testing.require import require_pieces
from teasel.words import readable

SIZES = (2, 2)
GRID = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
COPIED = GRID * 2.0 - 1.0  # a latent of each factor
TWICE = COPIED[:, [0, 0, 1]]  # two latents of factor 0, one of factor 1
SUM = GRID.sum(axis=1, keepdims=True)  # one latent of both


class EvenTable(TableRepresentation):
    """Draws every image equally often, so that frequencies are probabilities."""

    def __init__(self, codes: np.ndarray) -> None:
        super().__init__(
            codes.astype(float), None, SIZES, lambda factors, rng: factors @ np.array([2, 1])
        )

    def sample(self, rng: Rng, num: int) -> tuple[np.ndarray, np.ndarray]:
        factors = np.tile(GRID, (num // 4, 1))
        return self.encode(factors, rng), factors


class DrawnTable(TableRepresentation):
    """Draws images as they come, and leaves the codes in the type they have."""

    def __init__(self, codes: np.ndarray) -> None:
        super().__init__(codes, None, SIZES, lambda factors, rng: factors @ np.array([2, 1]))


FEW = {"num_train": 200, "num_test": 100}
SIZES_OF_TASK = {"num_train": (20, 100), "num_test": 100}

HAND_COMPUTED = {
    # Only the shared factor's latent is the same in every pair: its mean difference is 0.
    "beta_vae_score": (COPIED, FEW, {"beta_vae_score": 1.0}),
    # The fixed factor's latent is the one that does not vary.
    "factor_vae_score": (
        COPIED,
        {**FEW, "num_variance": 200},
        {"factor_vae_score": 1.0, "num_active_dims": 2.0},
    ),
    # The gap of factor 0, which has two latents, is 0; of factor 1 it is 1.
    "mig": (TWICE, {"num_train": 200}, {"mig": 0.5}),
    "dci": (COPIED, FEW, {"disentanglement": 1.0, "completeness": 1.0, "informativeness_test": 1}),
    # It tells the same about either factor: 1 - (sum - max) / max.
    "modularity": (SUM, {"num_train": 200}, {"modularity": 0.0}),
    "explicitness": (np.zeros((4, 2)), FEW, {"train": 0.5, "test": 0.5}),
    # The other latent, independent of the factor, predicts half of the points.
    "sap": (COPIED, FEW, {"sap": 0.5}),
    # A fair coin has log 2 nats. Of v [[1, 1], [1, 1]] see test_hand_computed.py.
    "unsupervised": (
        COPIED[:, [0, 0]],
        {"num_train": 200},
        {"mutual_info_score": np.log(2), "gaussian_wasserstein_correlation_norm": 2 - np.sqrt(2)},
    ),
    "downstream_lr": (COPIED, SIZES_OF_TASK, {"20": 1.0, "100_min_test": 1.0}),
    "downstream_gbt": (COPIED, SIZES_OF_TASK, {"20": 1.0, "100_min_test": 1.0}),
    # Either value of a factor leaves the sum 1/2 from its mean, of at most 1.
    "irs": (SUM, {"num_train": 200}, {"irs": 0.5}),
    # Two latents share factor 0 evenly, factor 1 has one: the mean share of 1/2 and 1 is 3/4, where
    # an even share of three latents is 1/3.
    "infomec": (
        TWICE,
        {"num_train": 200},
        {"modularity": 1.0, "compactness": (3 / 4 - 1 / 3) / (1 - 1 / 3)},
    ),
    # Each latent of TWICE tells about one factor; that of SUM tells half a bit of either.
    "mig_sup": (TWICE, {"num_train": 200}, {"mig_sup": 1.0}),
    # A latent tells all of factor 0, and none of factor 1.
    "dcimig": (COPIED[:, [0, 0]], {"num_train": 200}, {"dcimig": 0.5}),
    # The sum of two fair coins varies twice as much as either; the other factor has no latent.
    "mcc": (SUM, {"num_train": 200}, {"pearson": np.sqrt(1 / 2) / 2}),
    # Half of a coin's variance follows from the sum.
    "linear_r2": (SUM, FEW, {"linear_r2": 0.5, "min": 0.5}),
    # Whatever a factor's value, the other is 0 and 1 equally often.
    "unfairness": (COPIED, FEW, {"mean": 0.0, "max": 0.0}),
    # Without its latents a factor is guessed.
    "reduced_downstream": (TWICE, {**FEW, "num_dropped": 2}, {"accuracy": 0.5, "lost": 0.5}),
    # The rule that holds at one value of the other factor takes half of the points at the other.
    "strong_generalization": (SUM, FEW, {"accuracy": 0.5}),
    "unified": (
        COPIED,
        FEW,
        {
            **dict.fromkeys(("information_gap", "information_modularity"), 1.0),
            "errors_gap": 0.5,
            "importance_disentanglement": 1.0,
        },
    ),
    "few_labels": (COPIED, {"num_train": 100}, {"mig": 1.0, "dci": 1.0, "sap": 0.5}),
    # The least capacity, a single split, is enough.
    "dci_es": (COPIED, FEW, {"explicitness": 1.0, "size": 1.0, "informativeness": 1.0}),
}
"""name -> codes (4, D) of `GRID`, parameters, some of the scores."""


@pytest.mark.parametrize("name", METRICS.own)
def test_a_metric_lacks_nothing_and_does_what_every_metric_must(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = missing_pieces(METRICS[name])
    if METRICS[name].label == readable(name):
        missing.append("a label: Metric(..., label='MIG')")
    if name not in HAND_COMPUTED and not METRICS[name].of_model:
        missing.append(
            "scores worked by hand: a row of HAND_COMPUTED in tests/metrics/test_every_metric.py"
        )
    require_pieces(f"the metric {name}", missing)
    # Of ten penalties three will do: a logistic regression is fitted with each, six times over.
    monkeypatch.setattr("teasel.metrics.logistic._STRENGTHS", np.logspace(-4, 4, 3))
    check_metric(name)


@pytest.mark.parametrize("name", HAND_COMPUTED)
def test_a_score_is_the_one_worked_by_hand(name: str) -> None:
    codes, parameters, expected = HAND_COMPUTED[name]
    scores = METRICS[name](EvenTable(codes), np.random.default_rng(0), **parameters)
    assert {score: scores[score] for score in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("scale", [1, 1e18, 1e-18])
@pytest.mark.parametrize("name", HAND_COMPUTED)
def test_a_score_is_that_of_the_codes_in_float64(name: str, scale: float) -> None:
    parameters = HAND_COMPUTED[name][1]
    if name == "downstream_lr":
        parameters = {"num_train": (20,), "num_test": 20}  # its fits are the slowest
    rng = np.random.default_rng(0)
    # A third between two values: neither type holds it, and sums of such depend on precision.
    drawn = (GRID @ [[1, 0, 1], [0, 1, 1]] - 1 / 3 + 0.1 * rng.normal(size=(4, 3))) * scale
    for kind in (np.float32, np.float16) if scale == 1 else (np.float32,):
        codes = drawn.astype(kind)
        given, exact = (
            METRICS[name](DrawnTable(each), np.random.RandomState(1), **parameters)
            for each in (codes, codes.astype(np.float64))
        )
        assert given == exact


def test_perfect_codes_of_any_scale_have_the_best_factor_vae_score() -> None:
    # The squares of 1e30 are beyond float32, but not beyond float64.
    for scale in (1, 1e18, 1e30):
        table = DrawnTable((COPIED * scale).astype(np.float32))
        scores = METRICS["factor_vae_score"](table, np.random.RandomState(0), **FEW)
        assert scores["factor_vae_score"] == 1


def test_labels_are_of_scores_that_a_metric_gives() -> None:
    for name, (codes, parameters, _) in HAND_COMPUTED.items():
        if not name.startswith("downstream"):  # its scores are named by the sizes
            scores = METRICS[name](EvenTable(codes), np.random.default_rng(0), **parameters)
            assert set(METRICS[name].labels) <= set(scores), name


def test_a_single_factor_has_no_pair_to_tell_apart() -> None:
    single = TableRepresentation(COPIED, None, (4,), lambda factors, rng: factors[:, 0])
    with pytest.raises(ValueError, match="two factors"):
        METRICS["beta_vae_score"](single, np.random.default_rng(0), **FEW)


def test_the_papers_seeds_are_those_of_its_harness() -> None:
    # The original draws a seed for each representation, then for its nine metrics in the order of
    # their names (spec, evaluation harness), all from RandomState(0).
    draws = np.random.RandomState(0)
    draws.randint(2**32, size=2)
    names = "beta_vae_score dci downstream_gbt downstream_lr factor_vae_score mig modularity sap"
    for representation in ("mean", "sampled"):
        for name in [*names.split(), "unsupervised"]:
            assert PAPER_SEEDS[representation][name] == draws.randint(2**32), name
