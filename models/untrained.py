"""The networks at their initial weights, a reference for every score."""

from .beta_vae import beta_vae
from .method import Method, MethodEntry


def untrained() -> Method:
    """The method that is never trained; its loss is that of beta-VAE with beta = 1."""
    return beta_vae(beta=1.0)._replace(trainable=False)


UNTRAINED = MethodEntry(
    untrained,
    label="Untrained networks",
    reference="the networks of Locatello et al. 2019, arXiv:1811.12359",
)
