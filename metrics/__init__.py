"""Scores of codes against the factors that made the images.

Each file holds one paper's metric twice: as arithmetic on arrays (`mig(codes, factors)`), and as
an entry of `METRICS` that draws its points from a `Representation` as the paper did
(`METRICS["mig"](representation, rng, num_train=10_000)`) and gives a dict of scores. Codes are
(N, D) floats, factors (N, K) integers. Nothing here knows of models or data sets.
"""

from ..catalogue import Bounds, Catalogue
from .arrays import check_codes, check_points
from .beta_vae_score import BETA_VAE_SCORE
from .dci import DCI, DCI_SCORES, completeness, dci, disentanglement
from .downstream import DOWNSTREAM_GBT, DOWNSTREAM_LR
from .explicitness import EXPLICITNESS, Explicitness, explicitness
from .factor_vae_score import FACTOR_VAE_SCORE
from .irs import IRS, irs, irs_matrix
from .metric import Count, Metric, adopt_metric
from .mig import MIG, mig
from .modularity import MODULARITY, modularity
from .mutual_information import discretize, mutual_information_matrix
from .paper_seeds import PAPER_SEEDS
from .representation import (
    Representation,
    Rng,
    TableRepresentation,
    sample_factors,
    sample_in_turns,
    sample_integers,
)
from .sap import SAP, sap, sap_matrix
from .udr import udr
from .undefined import UndefinedScoreError
from .unsupervised import UNSUPERVISED, UnsupervisedScores, unsupervised_scores

METRICS: Catalogue[Metric] = Catalogue(
    "metrics",
    {
        "beta_vae_score": BETA_VAE_SCORE,
        "factor_vae_score": FACTOR_VAE_SCORE,
        "mig": MIG,
        "dci": DCI_SCORES,
        "modularity": MODULARITY,
        "explicitness": EXPLICITNESS,
        "sap": SAP,
        "unsupervised": UNSUPERVISED,
        "downstream_lr": DOWNSTREAM_LR,
        "downstream_gbt": DOWNSTREAM_GBT,
        "irs": IRS,
    },
    adopt=adopt_metric,
)

__all__ = [
    "DCI",
    "METRICS",
    "PAPER_SEEDS",
    "Bounds",
    "Count",
    "Explicitness",
    "Metric",
    "Representation",
    "Rng",
    "TableRepresentation",
    "UndefinedScoreError",
    "UnsupervisedScores",
    "check_codes",
    "check_points",
    "completeness",
    "dci",
    "discretize",
    "disentanglement",
    "explicitness",
    "irs",
    "irs_matrix",
    "mig",
    "modularity",
    "mutual_information_matrix",
    "sample_factors",
    "sample_in_turns",
    "sample_integers",
    "sap",
    "sap_matrix",
    "udr",
    "unsupervised_scores",
]
