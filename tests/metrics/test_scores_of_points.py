"""The BetaVAE, FactorVAE and downstream scores as arithmetic on arrays."""

from collections.abc import Callable

import numpy as np
import pytest

from teasel.metrics import (
    UndefinedScoreError,
    beta_vae_score,
    downstream_gbt,
    downstream_lr,
    factor_vae_score,
)

LABELS = np.arange(40) % 2
POINTS = np.stack([LABELS, 1 - LABELS], axis=1) + np.linspace(0, 0.1, 40)[:, None]


def test_beta_vae_score_tells_the_shared_factor_and_counts_what_it_gets_wrong() -> None:
    assert beta_vae_score(POINTS, LABELS, POINTS[:4], np.array([0, 1, 0, 0])) == (0.75, 1.0)
    with pytest.raises(UndefinedScoreError, match="one factor in 40 training points"):
        beta_vae_score(POINTS, np.zeros(40, int), POINTS, LABELS)


def test_factor_vae_score_lets_each_latent_vote_for_one_factor() -> None:
    train = np.array([[0.1, 1.0], [0.1, 1.0], [0.1, 1.0], [1.0, 0.1]])  # latents 0, 0, 0, 1
    found = factor_vae_score(train, np.array([0, 0, 1, 1]), train[1:], np.array([0, 0, 2]))
    assert found == (2 / 3, 3 / 4)


@pytest.mark.parametrize("downstream", [downstream_lr, downstream_gbt])
def test_downstream_accuracies_are_by_factor(downstream: Callable) -> None:
    constant = np.zeros(40, int)
    factors = np.stack([LABELS, constant], axis=1)
    wrong = np.stack([1 - LABELS, constant], axis=1)
    found = downstream(POINTS, factors, POINTS, wrong)
    assert (found.train.tolist(), found.test.tolist()) == ([1.0, 1.0], [0.0, 1.0])
    with pytest.raises(ValueError, match="40 codes and 39 factors"):
        downstream(POINTS, factors[1:], POINTS, wrong)
