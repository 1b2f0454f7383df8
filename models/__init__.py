"""The paper's networks, the methods' objectives and packed training.

A method is a factory: its named arguments are its hyper-parameters, and it returns pure functions
(`Method`). An entry of `METHODS` is a factory with its label, reference, colour and cost. `Trainer`
trains many models of one method together; a `TrainedModel` is the result. Networks and likelihoods
have names (`NETWORKS`, `LIKELIHOODS`). This room knows no data set: images come from a function.
"""

from ..catalogue import Bounds, Catalogue
from ..settings import Settings
from .ada_vae import ADA_GVAE, ADA_ML_VAE, GVAE, ML_VAE
from .allocator import keep_freed_memory
from .annealed_vae import ANNEALED_VAE
from .beta_tc_vae import BETA_TC_VAE
from .beta_vae import BETA_VAE
from .checkpoint import image_shape_of, parameters_from_bytes, parameters_to_bytes
from .dip_vae import DIP_VAE_I, DIP_VAE_II
from .factor_vae import FACTOR_VAE
from .infogan import INFOGAN
from .iwae import IWAE
from .likelihoods import LIKELIHOODS, Likelihood
from .memory import PACK_SIZES, Memory, device_memory, pack_memory, pack_size
from .method import (
    READERS,
    Batch,
    Factory,
    Info,
    Method,
    MethodEntry,
    Weight,
    adopt_method,
    check_hyperparameters,
    misfit,
    unread,
)
from .model import Model
from .networks import NETWORKS, Network, Posterior, Sizes
from .objective import forward, pass_on, regularized
from .optimizer import OPTIMIZERS
from .priors import PRIORS, Prior
from .randomness import Purpose
from .trained import TrainedModel
from .training import Pack, Replica, Trainer
from .untrained import UNTRAINED

METHODS: Catalogue[MethodEntry] = Catalogue(
    "methods",
    {
        "beta_vae": BETA_VAE,
        "factor_vae": FACTOR_VAE,
        "dip_vae_i": DIP_VAE_I,
        "dip_vae_ii": DIP_VAE_II,
        "beta_tc_vae": BETA_TC_VAE,
        "annealed_vae": ANNEALED_VAE,
        "iwae": IWAE,
        "ada_gvae": ADA_GVAE,
        "ada_ml_vae": ADA_ML_VAE,
        "gvae": GVAE,
        "ml_vae": ML_VAE,
        "infogan": INFOGAN,
        "untrained": UNTRAINED,
    },
    adopt=adopt_method,
)

__all__ = [
    "LIKELIHOODS",
    "METHODS",
    "NETWORKS",
    "OPTIMIZERS",
    "PACK_SIZES",
    "PRIORS",
    "READERS",
    "Batch",
    "Bounds",
    "Factory",
    "Info",
    "Likelihood",
    "Memory",
    "Method",
    "MethodEntry",
    "Model",
    "Network",
    "Pack",
    "Posterior",
    "Prior",
    "Purpose",
    "Replica",
    "Settings",
    "Sizes",
    "TrainedModel",
    "Trainer",
    "Weight",
    "adopt_method",
    "check_hyperparameters",
    "device_memory",
    "forward",
    "image_shape_of",
    "keep_freed_memory",
    "misfit",
    "pack_memory",
    "pack_size",
    "parameters_from_bytes",
    "parameters_to_bytes",
    "pass_on",
    "regularized",
    "unread",
]
