import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import METHODS, Batch, Model
from teasel.models.factor_vae import Adversary, adversary_loss, permute_latents, total_correlation
from teasel.models.networks import shapes_of

IMAGES = np.random.default_rng(0).integers(0, 2, (4, 64, 64, 1)).astype(np.float32)
STEP = jnp.int32(0)
MODEL = Model((64, 64, 1), num_latents=3)


def _adversary(bias: tuple[float, float]):
    """An adversary that answers with the same two logits whatever the codes."""
    shapes = shapes_of(Adversary(), (1, 3))
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes)
    params["logits"]["bias"] = jnp.asarray(bias)
    return params


def test_the_adversary_has_the_papers_number_of_parameters() -> None:
    shapes = shapes_of(Adversary(), (1, 10))
    # 11,000 + 5 * 1,001,000 + 2,002
    assert sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)) == 5_018_002


def test_the_layers_leak_a_fifth() -> None:
    params = _adversary((0.0, 0.0))
    params["dense_1"]["bias"] = params["dense_1"]["bias"].at[0].set(-1.0)
    for index in range(2, 7):
        layer = params[f"dense_{index}"]
        layer["kernel"] = layer["kernel"].at[0, 0].set(1.0)
    params["logits"]["kernel"] = params["logits"]["kernel"].at[0, 0].set(1.0)
    logits = Adversary().apply({"params": params}, jnp.zeros((1, 3)))
    np.testing.assert_allclose(logits, [[-(0.2**6), 0]], rtol=1e-5)


def test_total_correlation_is_the_difference_of_the_logits() -> None:
    found = total_correlation(_adversary((1.5, -0.25)), jnp.zeros((4, 3)))
    assert float(found) == pytest.approx(1.75)


def test_the_adversarys_loss_is_half_of_each_cross_entropy() -> None:
    # p0 = 3/4, p1 = 1/4 on codes and on permuted codes alike.
    codes = jnp.zeros((4, 3))
    found = adversary_loss(_adversary((np.log(3.0), 0.0)), codes, codes)
    assert float(found) == pytest.approx(-0.5 * (np.log(3 / 4) + np.log(1 / 4)), rel=1e-5)


def test_probabilities_are_clipped_and_then_have_no_gradient() -> None:
    codes = jnp.zeros((4, 3))
    params = _adversary((50.0, 0.0))
    found, gradient = jax.value_and_grad(adversary_loss)(params, codes, codes)
    assert float(found) == pytest.approx(-0.5 * (np.log(1 - 1e-6) + np.log(1e-6)), rel=1e-3)
    np.testing.assert_array_equal(gradient["logits"]["bias"], [0, 0])


def test_every_latent_is_shuffled_by_itself_within_the_batch() -> None:
    codes = jnp.arange(64 * 3, dtype=jnp.float32).reshape(64, 3)
    permuted = np.asarray(permute_latents(codes, jax.random.key(0)))
    np.testing.assert_array_equal(np.sort(permuted, axis=0), codes)
    rows = (permuted // 3).astype(int)  # where each entry came from
    assert not np.array_equal(rows[:, 0], rows[:, 1])
    assert not np.array_equal(rows[:, 1], rows[:, 2])


@pytest.fixture(scope="module")
def parameters():
    method = METHODS["factor_vae"](gamma=10.0)
    return method.initial_parameters(MODEL, jax.random.key(0))


@jax.jit
def _gradient(parameters, gamma):
    loss = METHODS["factor_vae"](gamma=gamma).loss
    batch = Batch(jnp.asarray(IMAGES))
    return jax.grad(lambda p: loss(MODEL, p, batch, jax.random.key(1), STEP)[0])(parameters)


def test_the_adversarys_loss_never_reaches_the_networks(parameters) -> None:
    # At gamma 0 the adversary counts in its own loss alone, and other weights change that one.
    scaled = jax.tree.map(lambda leaf: 1.25 * leaf, parameters["adversary"])
    found = _gradient(parameters, 0.0)
    others = _gradient(parameters | {"adversary": scaled}, 0.0)
    for part in ("encoder", "decoder"):
        jax.tree.map(np.testing.assert_array_equal, found[part], others[part])
        assert any(np.any(leaf) for leaf in jax.tree.leaves(found[part]))
    biases = [gradient["adversary"]["logits"]["bias"] for gradient in (found, others)]
    assert not np.array_equal(*biases)


def test_the_weight_of_the_networks_loss_never_reaches_the_adversary(parameters) -> None:
    small, large = _gradient(parameters, 0.0), _gradient(parameters, 100.0)
    jax.tree.map(np.testing.assert_array_equal, small["adversary"], large["adversary"])
    assert any(np.any(leaf) for leaf in jax.tree.leaves(small["adversary"]))
    encoders = [jax.tree.leaves(gradient["encoder"]) for gradient in (small, large)]
    assert not all(np.array_equal(*pair) for pair in zip(*encoders, strict=True))
