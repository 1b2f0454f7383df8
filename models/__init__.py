"""The paper's networks, the methods' objectives and packed training.

A method is a factory: its named arguments are its hyper-parameters, and it returns pure functions
(`Method`). An entry of `METHODS` is a factory with its label, reference, colour and cost. `Trainer`
trains many models of one method together; `encode` and `decode` use what it leaves. Nothing here
knows a data set: images come from a function.
"""

from ..catalogue import Bounds, Catalogue
from ..settings import Settings
from .allocator import keep_freed_memory
from .annealed_vae import ANNEALED_VAE
from .beta_tc_vae import BETA_TC_VAE
from .beta_vae import BETA_VAE
from .checkpoint import parameters_from_bytes, parameters_to_bytes
from .dip_vae import DIP_VAE_I, DIP_VAE_II
from .encoding import decode, encode, encode_all
from .factor_vae import FACTOR_VAE
from .memory import PACK_SIZES, Memory, device_memory, pack_memory, pack_size
from .method import (
    Factory,
    Info,
    Method,
    MethodEntry,
    Weight,
    adopt_method,
    check_hyperparameters,
)
from .networks import Posterior
from .objective import forward, regularized
from .randomness import Purpose
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
        "untrained": UNTRAINED,
    },
    adopt=adopt_method,
)

__all__ = [
    "METHODS",
    "PACK_SIZES",
    "Bounds",
    "Factory",
    "Info",
    "Memory",
    "Method",
    "MethodEntry",
    "Pack",
    "Posterior",
    "Purpose",
    "Replica",
    "Settings",
    "Trainer",
    "Weight",
    "adopt_method",
    "check_hyperparameters",
    "decode",
    "device_memory",
    "encode",
    "encode_all",
    "forward",
    "keep_freed_memory",
    "pack_memory",
    "pack_size",
    "parameters_from_bytes",
    "parameters_to_bytes",
    "regularized",
]
