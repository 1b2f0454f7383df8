"""Metrics: scores of codes against the factors that generated the images.

Each file holds one paper's metric twice: as arithmetic on arrays (`mig(codes, factors)`), and as an
entry of `METRICS` that samples points from a `Representation` as in the paper
(`METRICS["mig"](representation, rng, num_train=10_000)`) and returns a dict of scores. Codes are
(N, D) floats. Factors are (N, K) integers, or for some metrics any numbers; a factor with
non-integer values is continuous. This room knows no models or data sets.
"""

from ..catalogue import Bounds, Catalogue
from .arrays import check_codes, check_points
from .beta_vae_score import BETA_VAE_SCORE, beta_vae_score
from .bounds import ELBO_SURGERY, IMPORTANCE_BOUND, BoundedModel, importance_bound, surgery
from .dci import DCI, DCI_SCORES, completeness, dci, disentanglement
from .dci_es import DCI_ES, DCIES, dci_es
from .dcimig import DCIMIG, dcimig
from .downstream import DOWNSTREAM_GBT, DOWNSTREAM_LR, Accuracies, downstream_gbt, downstream_lr
from .explicitness import EXPLICITNESS, Explicitness, explicitness
from .factor_vae_score import FACTOR_VAE_SCORE, factor_vae_score
from .few_labels import FEW_LABELS
from .infomec import INFOMEC, InfoMEC, infomec, latent_information
from .irs import IRS, irs, irs_matrix
from .mcc import MCC, MCC_SCORES, mcc
from .metric import NEEDS, Count, Metric, adopt_metric, is_enough
from .mig import MIG, mig
from .mig_sup import MIG_SUP, mig_sup
from .modularity import MODULARITY, modularity
from .mutual_information import discretize, mutual_information_matrix
from .paper import PAPER_PARAMETERS, PAPER_SEEDS
from .reduced_downstream import REDUCED_DOWNSTREAM, ReducedDownstream, reduced_downstream
from .regression import LINEAR_R2, linear_r2
from .representation import (
    Representation,
    Rng,
    TableRepresentation,
    sample_factors,
    sample_integers,
)
from .sap import SAP, sap, sap_matrix
from .strong_generalization import (
    STRONG_GENERALIZATION,
    StrongGeneralization,
    strong_generalization,
)
from .udr import UDR, udr
from .undefined import UndefinedScoreError
from .unfairness import UNFAIRNESS, Unfairness, unfairness, unfairness_matrix
from .unified import UNIFIED, unified
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
        "unified": UNIFIED,
        "few_labels": FEW_LABELS,
        "elbo_surgery": ELBO_SURGERY,
        "importance_bound": IMPORTANCE_BOUND,
        "infomec": INFOMEC,
        "mig_sup": MIG_SUP,
        "dcimig": DCIMIG,
        "mcc": MCC_SCORES,
        "linear_r2": LINEAR_R2,
        "dci_es": DCI_ES,
        "unfairness": UNFAIRNESS,
        "reduced_downstream": REDUCED_DOWNSTREAM,
        "strong_generalization": STRONG_GENERALIZATION,
    },
    adopt=adopt_metric,
)

COMPARISONS = {"udr": UDR}
"""Metrics that compare a model with others. A grid cannot name them, but `teasel rescore` can.

They take the codes of several models, while other metrics take a `Representation`.
"""


def find_metric(name: str) -> Metric:
    """The metric with a name, of one model or a comparison."""
    return COMPARISONS[name] if name in COMPARISONS else METRICS[name]


__all__ = [
    "COMPARISONS",
    "DCI",
    "DCIES",
    "MCC",
    "METRICS",
    "NEEDS",
    "PAPER_PARAMETERS",
    "PAPER_SEEDS",
    "Accuracies",
    "BoundedModel",
    "Bounds",
    "Count",
    "Explicitness",
    "InfoMEC",
    "Metric",
    "ReducedDownstream",
    "Representation",
    "Rng",
    "StrongGeneralization",
    "TableRepresentation",
    "UndefinedScoreError",
    "Unfairness",
    "UnsupervisedScores",
    "beta_vae_score",
    "check_codes",
    "check_points",
    "completeness",
    "dci",
    "dci_es",
    "dcimig",
    "discretize",
    "disentanglement",
    "downstream_gbt",
    "downstream_lr",
    "explicitness",
    "factor_vae_score",
    "find_metric",
    "importance_bound",
    "infomec",
    "irs",
    "irs_matrix",
    "is_enough",
    "latent_information",
    "linear_r2",
    "mcc",
    "mig",
    "mig_sup",
    "modularity",
    "mutual_information_matrix",
    "reduced_downstream",
    "sample_factors",
    "sample_integers",
    "sap",
    "sap_matrix",
    "strong_generalization",
    "surgery",
    "udr",
    "unfairness",
    "unfairness_matrix",
    "unified",
    "unsupervised_scores",
]
