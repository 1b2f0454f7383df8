"""The networks at their initial weights: a reference for every score."""

from .beta_vae import beta_vae
from .method import Method


def untrained() -> Method:
    """Returns the method that is never trained; its loss is that of a beta-VAE with beta = 1."""
    return beta_vae(beta=1.0)._replace(trainable=False)
