"""Names as a reader of the paper knows them."""

import numpy as np

MINUS, DASH, TIMES = "\u2212", "\u2013", "\u00d7"

LABELS = {
    "beta_vae": "β-VAE",
    "factor_vae": "FactorVAE",
    "dip_vae_i": "DIP-VAE-I",
    "dip_vae_ii": "DIP-VAE-II",
    "beta_tc_vae": "β-TC-VAE",
    "annealed_vae": "AnnealedVAE",
    "untrained": "Untrained networks",
    "random_codes": "Random codes",
    "raw_pixels": "Raw pixels",
    "pca": "PCA",
    "ica": "ICA",
    "ground_truth": "Ground truth",
    "dsprites": "dSprites",
    "dsprites_mini": "dSprites (mini)",
    "color_dsprites": "Color-dSprites",
    "noisy_dsprites": "Noisy-dSprites",
    "scream_dsprites": "Scream-dSprites",
    "smallnorb": "SmallNORB",
    "cars3d": "Cars3D",
    "shapes3d": "Shapes3D",
    "beta_vae_score": "BetaVAE score",
    "factor_vae_score": "FactorVAE score",
    "mig": "MIG",
    "dci_disentanglement": "DCI disent.",
    "dci_completeness": "DCI compl.",
    "dci_informativeness_test": "DCI inform.",
    "modularity": "Modularity",
    "explicitness_test": "Explicitness",
    "sap": "SAP",
    "irs": "IRS",
    "udr": "UDR (later work)",
    "reconstruction": "Reconstruction",
    "kl": "KL",
    "elbo": "ELBO",
    "gaussian_total_correlation": "Total corr.",
    "gaussian_wasserstein_correlation": "Wasserstein corr.",
    "gaussian_wasserstein_correlation_norm": "Wasserstein corr. (norm.)",
    "mutual_info_score": "Mutual info.",
    "efficiency_lr": "Efficiency (LR)",
    "efficiency_gbt": "Efficiency (GBT)",
    **{
        f"downstream_{model}_{size}": f"{model.upper()} {size}"
        for model in ("lr", "gbt")
        for size in (10, 100, 1000, 10000)
    },
    "same_dataset": "same data set",
    "other_dataset": "other data set",
    "lambda_od": "λ_od",
    "beta": "β",
    "gamma": "\u03b3",
    "c_max": "C_max",
}


def label(name: str) -> str:
    """The name to show for a method, data set, score or hyper-parameter.

    >>> label("beta_tc_vae"), label("my_own_score")
    ('β-TC-VAE', 'my own score')
    """
    return LABELS.get(name, name.replace("_", " "))


def setting_label(setting: str) -> str:
    """A setting such as "lambda_od=5, steps=1000" with the names a reader knows.

    >>> setting_label("lambda_od=5")
    'λ_od = 5'
    """
    parts = [part.split("=") for part in setting.split(", ") if part]
    return ", ".join(f"{label(name)} = {value}" for name, value in parts)


def strength(value: float) -> str:
    """A hyper-parameter with all its digits, so that no two print alike.

    >>> strength(4.0), strength(1e-4), strength(1_000_001)
    ('4', '0.0001', '1000001')
    """
    return np.format_float_positional(value, trim="-")


def counted(count: int, word: str) -> str:
    """So many of something.

    >>> counted(1, "seed"), counted(1800, "model")
    ('1 seed', '1,800 models')
    """
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def percent(share: float, digits: int = 0) -> str:
    """A share as a reader sees it.

    >>> percent(0.07), percent(-0.125, 1)
    ('7 %', '−12.5 %')
    """
    return f"{100 * share:.{digits}f} %".replace("-", MINUS)
