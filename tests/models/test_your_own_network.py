"""A network of somebody else's: plain flax layers with their own names and initialisers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import (
    METHODS,
    NETWORKS,
    Model,
    Network,
    Replica,
    Settings,
    Sizes,
    TrainedModel,
    Trainer,
    pack_memory,
)
from teasel.models.networks import Posterior

SHAPE = (16, 16, 2)
SETTINGS = Settings(steps=2, batch_size=4, num_latents=3, learning_rate=1e-2, network="own")
REPLICAS = [Replica({"beta": beta}, seed, f"{seed}") for seed, beta in enumerate((1.0, 4.0, 2.0))]


class Encoder(nn.Module):
    sizes: Sizes

    @nn.compact
    def __call__(self, images):
        activation = self.sizes.activation or nn.softplus
        hidden = nn.Conv(self.sizes.units(4), (3, 3), (4, 4), bias_init=nn.initializers.ones)(
            images
        )
        hidden = activation(hidden).reshape(len(images), -1)
        means = nn.Dense(2 * self.sizes.num_latents, kernel_init=nn.initializers.normal(0.01))
        return Posterior(*jnp.split(means(hidden), 2, axis=-1))


class Decoder(nn.Module):
    sizes: Sizes

    @nn.compact
    def __call__(self, codes):
        side, _, channels = self.sizes.image_shape
        hidden = nn.Dense(side * side)(codes).reshape(len(codes), side, side, 1)
        return nn.Conv(channels, (3, 3), use_bias=False)(hidden)


def _draw(data, key, batch_size):
    return data[jax.random.randint(key, (batch_size,), 0, len(data))]


@pytest.fixture(autouse=True)
def _offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS.own, "own", Network(Encoder, Decoder))


def _trainer(method: str = "beta_vae", **changes) -> Trainer:
    data = np.random.default_rng(0).random((8, *SHAPE), np.float32)
    return Trainer(METHODS[method], SETTINGS._replace(**changes), SHAPE, _draw, data)


def test_its_layers_start_by_their_own_initialisers() -> None:
    params = jax.jit(Model.of(SETTINGS, SHAPE).initial_parameters)(jax.random.key(0))
    assert np.all(params["encoder"]["Conv_0"]["bias"] == 1)
    heads = params["encoder"]["Dense_0"]["kernel"]
    assert np.std(heads) == pytest.approx(0.01, rel=0.15)
    assert list(params["decoder"]["Conv_0"]) == ["kernel"]
    # lecun_normal: of 3 inputs.
    assert np.std(params["decoder"]["Dense_0"]["kernel"]) == pytest.approx(3**-0.5, rel=0.1)
    wide = Model.of(SETTINGS._replace(width=2.0), SHAPE)
    wider = jax.eval_shape(lambda: wide.initial_parameters(jax.random.key(0)))
    assert wider["encoder"]["Conv_0"]["bias"].shape == (8,)


def test_it_trains_the_same_alone_and_packed_and_is_encoded_by() -> None:
    trainer = _trainer()
    start = trainer.parameters(trainer.start(REPLICAS))
    packed, curves = trainer.advance(trainer.start(REPLICAS), 2)
    assert np.isfinite(curves["loss"]).all()
    trained = trainer.parameters(packed)
    for place, replica in enumerate(REPLICAS):
        alone, _ = trainer.advance(trainer.start([replica]), 2)
        jax.tree.map(np.testing.assert_array_equal, trainer.parameters(alone)[0], trained[place])
    moved = jax.tree.map(lambda one, other: not np.array_equal(one, other), start, trained)
    assert all(jax.tree.leaves(moved))
    resumed = trainer.restore(trainer.save(packed), ["2", "0"])
    jax.tree.map(np.testing.assert_array_equal, trainer.parameters(resumed)[1], trained[0])
    model = TrainedModel(METHODS["beta_vae"], {"beta": 1.0}, Model.of(SETTINGS, SHAPE), trained[0])
    assert model.encode(np.zeros((5, *SHAPE))).mean.shape == (5, 3)


def test_its_size_counts_in_a_packs_memory() -> None:
    memory = pack_memory(METHODS["beta_vae"], SETTINGS, SHAPE, 0, 1, platform="cpu")
    # Encoder: 3 x 3 x 2 x 4 + 4, 64 x 6 + 6. Decoder: 3 x 256 + 256, 3 x 3 x 2.
    assert memory.parameters == 4 * (76 + 390 + 1024 + 18)
    wider = pack_memory(
        METHODS["beta_vae"], SETTINGS._replace(width=2.0), SHAPE, 0, 1, platform="cpu"
    )
    assert wider.activations > memory.activations


def test_a_network_that_is_one_bare_layer_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Flat(nn.Dense):
        def __call__(self, inputs):
            means, log_variances = jnp.split(
                super().__call__(inputs.reshape(len(inputs), -1)), 2, -1
            )
            return Posterior(means, log_variances)

    monkeypatch.setitem(
        NETWORKS.own, "own", Network(lambda sizes: Flat(6), lambda sizes: Decoder(sizes))
    )
    memory = pack_memory(METHODS["beta_vae"], SETTINGS, SHAPE, 0, 1, platform="gpu")
    assert memory.parameters == 4 * (512 * 6 + 6 + 1024 + 18)


def test_an_unknown_network_is_named_beside_the_known_ones() -> None:
    with pytest.raises(ValueError, match="network is 'resnet'; expected one of conv, mlp"):
        _trainer(network="resnet")
