"""Scores from a few labelled points, for choosing models (Locatello et al. 2020)."""

from .dci import dci
from .metric import Count, Metric
from .mig import mig
from .modularity import modularity
from .representation import Representation, Rng, sample_seed
from .sap import sap


def score_few_labels(
    representation: Representation, rng: Rng, *, num_train: Count = 100
) -> dict[str, float]:
    """MIG, DCI, SAP and Modularity of `num_train` points, the only ones with labels.

    Metrics that need test points get the same points. Each score is in [0, 1], and more is better.
    With so few points they can rank models, but do not estimate the scores of many points.
    """
    codes, factors = representation.sample(rng, num_train)
    seed = sample_seed(rng)
    return {
        "mig": mig(codes, factors),
        "dci": dci(codes, factors, codes, factors, seed).disentanglement,
        "sap": sap(codes, factors, codes, factors),
        "modularity": modularity(codes, factors),
    }


FEW_LABELS = Metric(
    score_few_labels,
    "Locatello et al. 2020, arXiv:1905.01258",
    samples_points=False,
    needs="discrete factors",
    label="Few labels",
    labels={
        "mig": "MIG, few labels",
        "dci": "DCI, few labels",
        "sap": "SAP, few labels",
        "modularity": "Modularity, few labels",
    },
)
