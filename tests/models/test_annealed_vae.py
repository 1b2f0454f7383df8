import jax.numpy as jnp
import pytest

from teasel.models.annealed_vae import capacity


@pytest.mark.parametrize(
    ("step", "expected"),
    # c_max 25 over 100,000 steps: a quarter of a nat per thousand, then flat.
    [(0, 0.0), (1000, 0.25), (50_000, 12.5), (100_000, 25.0), (300_000, 25.0)],
)
def test_the_capacity_grows_linearly_and_stays_at_its_maximum(step, expected) -> None:
    assert float(capacity(jnp.float32(step), 25.0, 100_000.0)) == pytest.approx(expected)
