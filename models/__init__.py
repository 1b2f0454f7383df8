"""The study's networks, the methods' objectives and packed training.

A method is a factory: its named arguments are its hyper-parameters, and it returns pure functions
(`Method`). `Trainer` trains many models of one method together; `encode` and `decode` use what it
leaves. Nothing here knows a data set: images come from a function.
"""

from ..catalogue import Bounds, Catalogue
from ..settings import Settings
from .allocator import keep_freed_memory
from .annealed_vae import annealed_vae
from .beta_tc_vae import beta_tc_vae
from .beta_vae import beta_vae
from .checkpoint import parameters_from_bytes, parameters_to_bytes
from .dip_vae import dip_vae_i, dip_vae_ii
from .encoding import decode, encode, encode_all
from .factor_vae import factor_vae
from .memory import PACK_SIZES, Memory, device_memory, pack_memory, pack_size
from .method import (
    Factory,
    Info,
    Method,
    Weight,
    check_hyperparameters,
    hyperparameters,
)
from .networks import Posterior
from .objective import forward, regularized
from .randomness import Purpose
from .training import Pack, Replica, Trainer
from .untrained import untrained

METHODS: Catalogue[Factory] = Catalogue(
    "methods",
    {
        "beta_vae": beta_vae,
        "factor_vae": factor_vae,
        "dip_vae_i": dip_vae_i,
        "dip_vae_ii": dip_vae_ii,
        "beta_tc_vae": beta_tc_vae,
        "annealed_vae": annealed_vae,
        "untrained": untrained,
    },
    check=hyperparameters,
)

__all__ = [
    "METHODS",
    "PACK_SIZES",
    "Bounds",
    "Factory",
    "Info",
    "Memory",
    "Method",
    "Pack",
    "Posterior",
    "Purpose",
    "Replica",
    "Settings",
    "Trainer",
    "Weight",
    "check_hyperparameters",
    "decode",
    "device_memory",
    "encode",
    "encode_all",
    "forward",
    "hyperparameters",
    "keep_freed_memory",
    "pack_memory",
    "pack_size",
    "parameters_from_bytes",
    "parameters_to_bytes",
    "regularized",
]
