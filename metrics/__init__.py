"""Scores of codes against the factors that made the images.

Each file holds one paper's metric twice: as arithmetic on arrays (`mig(codes, factors)`), and as
an entry of `METRICS` that draws its points from a `Representation` as the study did
(`METRICS["mig"](representation, rng, num_train=10_000)`) and gives a dict of scores. Codes are
(N, D) floats, factors (N, K) integers. Nothing here knows of models or data sets.
"""

from ..catalogue import Bounds, Catalogue
from .beta_vae_score import score_beta_vae
from .dci import DCI, completeness, dci, disentanglement, score_dci
from .downstream import score_downstream_gbt, score_downstream_lr
from .explicitness import Explicitness, explicitness, score_explicitness
from .factor_vae_score import score_factor_vae
from .irs import irs, irs_matrix, score_irs
from .metric import Metric, check_metric
from .mig import mig, score_mig
from .modularity import modularity, score_modularity
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
from .sap import sap, sap_matrix, score_sap
from .udr import udr
from .unsupervised import UnsupervisedScores, score_unsupervised, unsupervised_scores

METRICS: Catalogue[Metric] = Catalogue(
    "metrics",
    {
        "beta_vae_score": Metric(
            score_beta_vae, "Higgins et al. 2017, openreview.net/forum?id=Sy2fzU9gl"
        ),
        "factor_vae_score": Metric(score_factor_vae, "Kim and Mnih 2018, arXiv:1802.05983"),
        "mig": Metric(score_mig, "Chen et al. 2018, arXiv:1802.04942"),
        "dci": Metric(score_dci, "Eastwood and Williams 2018, openreview.net/forum?id=By-7dz-AZ"),
        "modularity": Metric(score_modularity, "Ridgeway and Mozer 2018, arXiv:1802.05312"),
        "explicitness": Metric(score_explicitness, "Ridgeway and Mozer 2018, arXiv:1802.05312"),
        "sap": Metric(score_sap, "Kumar et al. 2018, arXiv:1711.00848"),
        "unsupervised": Metric(score_unsupervised, "Locatello et al. 2019, arXiv:1811.12359"),
        "downstream_lr": Metric(score_downstream_lr, "Locatello et al. 2019, arXiv:1811.12359"),
        "downstream_gbt": Metric(score_downstream_gbt, "Locatello et al. 2019, arXiv:1811.12359"),
        "irs": Metric(score_irs, "Suter et al. 2019, arXiv:1811.00007"),
    },
    check=check_metric,
)

__all__ = [
    "DCI",
    "METRICS",
    "PAPER_SEEDS",
    "Bounds",
    "Explicitness",
    "Metric",
    "Representation",
    "Rng",
    "TableRepresentation",
    "UnsupervisedScores",
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
