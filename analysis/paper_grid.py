"""The paper's grid (Locatello et al. 2019), its order and its scores."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

DISENTANGLEMENT = (
    *("beta_vae_score", "factor_vae_score", "mig", "dci_disentanglement", "modularity", "sap"),
)
UNSUPERVISED = (
    *("reconstruction", "kl", "elbo", "gaussian_total_correlation"),
    *("gaussian_wasserstein_correlation", "mutual_info_score"),
)
LATER_RULES = ("udr", *(f"few_labels_{name}" for name in ("mig", "dci", "sap", "modularity")))
"""Rules for choosing models from later work: by agreement of seeds, or with few labels."""
DOWNSTREAM = (
    *(f"downstream_{model}_{size}" for model in ("lr", "gbt") for size in (10, 100, 1000, 10000)),
    *("efficiency_lr", "efficiency_gbt"),
)
PREDICTION = ("explicitness_test", "dci_informativeness_test")
PAPER_SCORES = (*DISENTANGLEMENT, "dci_completeness", *PREDICTION, *UNSUPERVISED, *DOWNSTREAM)
"""Wide columns, in the paper's order."""


@cache
def paper_grid() -> dict[str, Any]:
    """Data sets, methods with their swept values and constants, seeds, steps and settings."""
    return json.loads((files("teasel.analysis") / "paper_grid.json").read_text(encoding="utf-8"))
