"""Packed training on both paths: one step of one model (CPU) and all at once (accelerators)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.models import METHODS, Pack, Replica, Settings, Trainer, training
from teasel.models.checkpoint import to_bytes
from teasel.models.program import State

FORMS = ["direct", pytest.param("products", marks=pytest.mark.slow)]
SHAPE = (64, 64, 1)
SETTINGS = Settings(steps=10, batch_size=4, num_latents=3, learning_rate=1e-3)
REPLICAS = [
    Replica({"beta": 4.0}, seed=0, trial_id="a"),
    Replica({"beta": 1.0}, seed=0, trial_id="b"),
    Replica({"beta": 4.0}, seed=7, trial_id="c"),
]


def _draw(data, key, batch_size):
    index_key, noise_key = jax.random.split(key)
    indices = jax.random.randint(index_key, (batch_size,), 0, len(data))
    return jnp.minimum(data[indices] + jax.random.uniform(noise_key, (batch_size, *SHAPE)), 1)


DATA = np.random.default_rng(0).integers(0, 2, (16, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module", params=FORMS)
def trainer(request) -> Trainer:
    return Trainer(METHODS["beta_vae"], SETTINGS, SHAPE, _draw, DATA, form=request.param)


def _alike(one, other) -> None:
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_a_pack_trains_and_reports_each_model(trainer) -> None:
    pack, first = trainer.advance(trainer.start(REPLICAS), 2)
    assert pack.step == 2
    pack, last = trainer.advance(pack, 8)
    assert set(last) == {"loss", "reconstruction", "kl", "regularizer"}
    assert last["loss"].shape == (3,)
    assert np.all(last["reconstruction"] < first["reconstruction"])
    np.testing.assert_allclose(last["loss"], last["reconstruction"] + last["regularizer"])
    np.testing.assert_allclose(last["regularizer"], [4, 1, 4] * last["kl"], rtol=1e-5)


def test_one_seed_gives_the_same_weights_whatever_the_hyperparameters(trainer) -> None:
    a, b, c = trainer.parameters(trainer.start(REPLICAS))
    _alike(a, b)
    kernels = [params["encoder"]["dense"]["kernel"] for params in (a, c)]
    assert not np.array_equal(*kernels)


def test_one_program_serves_all_values_and_any_number_of_steps() -> None:
    trainer = Trainer(METHODS["beta_vae"], SETTINGS, SHAPE, _draw, DATA)
    assert trainer.num_programs == 0
    for replicas in (REPLICAS, REPLICAS[:1], [Replica({"beta": 9.5}, seed=123)]):
        pack, _ = trainer.advance(trainer.start(replicas), 1)
        trainer.advance(pack, 2)
    assert trainer.num_programs == 1


@pytest.mark.slow
@pytest.mark.parametrize(("few", "num_programs"), [(1, 1), (2, 2)])
def test_a_mapped_pack_compiles_once_for_all_values_and_a_small_one_for_each_number_of_steps(
    monkeypatch: pytest.MonkeyPatch, few: int, num_programs: int
) -> None:
    monkeypatch.setattr(training, "FEW", few)
    trainer = Trainer(METHODS["beta_vae"], SETTINGS, SHAPE, _draw, DATA, form="products")
    for seed in (0, 5):
        replicas = [Replica({"beta": seed + 1.0}, seed), Replica({"beta": 2.0}, seed + 1)]
        pack, _ = trainer.advance(trainer.start(replicas), 1)
        trainer.advance(pack, 2)
    assert trainer.num_programs == num_programs


@pytest.mark.parametrize(("num", "loop", "other"), [(8, "scan[", "while["), (9, "while[", "scan[")])
def test_the_loop_of_a_small_pack_has_a_known_length(
    monkeypatch: pytest.MonkeyPatch, num: int, loop: str, other: str
) -> None:
    trainer = Trainer(METHODS["beta_vae"], SETTINGS, SHAPE, _draw, DATA, form="products")
    traced = []

    def trace(program):
        def instead(states, *arguments):
            traced.append(str(program.trace(states, *arguments).jaxpr))
            return states, np.zeros((num, 4))

        return instead

    for name in ("_advance", "_advance_few"):
        monkeypatch.setattr(trainer, name, trace(getattr(trainer, name)))
    trainer.advance(trainer.start([Replica({"beta": 1.0}, seed) for seed in range(num)]), 17)
    assert traced[0].count(loop) == traced[0].count(other) + 1
    assert ("length=17" in traced[0]) == (num == 8)


@pytest.mark.slow
def test_the_length_of_a_loop_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for few in (0, 8):
        monkeypatch.setattr(training, "FEW", few)
        trainer = Trainer(METHODS["beta_vae"], SETTINGS, SHAPE, _draw, DATA, form="products")
        pack, one = trainer.advance(trainer.start(REPLICAS), 1)
        pack, three = trainer.advance(pack, 3)
        found.append((one, three, trainer.parameters(pack)))
    _alike(*found)


@pytest.mark.parametrize("form", FORMS)
def test_data_from_anywhere_and_a_checkpoint_need_no_other_program(form) -> None:
    compiled = []

    def listen(event: str, seconds: float, **about: object) -> None:
        if event.endswith("backend_compile_duration"):
            compiled.append(about.get("fun_name"))

    jax.monitoring.register_event_duration_secs_listener(listen)
    trainer = Trainer(METHODS["beta_vae"], SETTINGS, SHAPE, _draw, DATA, form=form)
    pack = trainer.start(REPLICAS)
    for data in (None, DATA, jnp.asarray(DATA), jax.device_put(DATA, jax.devices()[0])):
        pack, _ = trainer.advance(pack, 2, data)
    trainer.advance(trainer.restore(trainer.save(pack)), 2)
    assert compiled.count("jit(counted)") == 1


def test_a_model_trains_the_same_alone_and_in_any_pack() -> None:
    trainer = Trainer(METHODS["beta_vae"], SETTINGS, SHAPE, _draw, DATA, form="direct")
    alone, _ = trainer.advance(trainer.start(REPLICAS[1:2]), 5)
    packed, _ = trainer.advance(trainer.start(REPLICAS[::-1]), 5)
    _alike(alone.states[0], packed.states[1])


@pytest.mark.slow
def test_a_mapped_model_trains_as_it_does_alone_up_to_rounding() -> None:
    mapped = Trainer(METHODS["beta_vae"], SETTINGS, SHAPE, _draw, DATA, form="products")
    single = Trainer(METHODS["beta_vae"], SETTINGS, SHAPE, _draw, DATA, form="direct")
    for replicas, num_steps in ((REPLICAS, 100), (REPLICAS[1:2], 10)):
        found, expected = mapped.start(replicas), single.start(replicas)
        _alike(mapped.parameters(found), single.parameters(expected))
        _, found_curves = mapped.advance(found, num_steps)
        _, expected_curves = single.advance(expected, num_steps)
        np.testing.assert_allclose(found_curves["loss"], expected_curves["loss"], rtol=1e-4)


def test_training_interrupted_and_resumed_elsewhere_is_bit_identical(trainer) -> None:
    through, _ = trainer.advance(trainer.start(REPLICAS), 6)
    saved = trainer.save(trainer.advance(trainer.start(REPLICAS), 2)[0])
    first = trainer.restore(saved, ["c"])
    second = trainer.restore(saved, ["b", "a"])
    assert first.step == 2
    expected = [REPLICAS[place]._replace(learning_rate=1e-3) for place in (1, 0)]
    assert list(second.replicas) == expected
    resumed, _ = trainer.advance(trainer.join([first, second]), 1)
    resumed, _ = trainer.advance(resumed, 3)
    assert [replica.trial_id for replica in resumed.replicas] == ["c", "b", "a"]
    c, b, a = trainer.parameters(resumed)
    _alike([a, b, c], trainer.parameters(through))


@pytest.mark.parametrize(
    "name",
    [
        name if name == "beta_vae" else pytest.param(name, marks=pytest.mark.slow)
        for name in METHODS
        if name != "untrained"
    ],
)
def test_every_method_compiles_once_and_resumes_to_the_bit(name) -> None:
    def replicas(first: float) -> list[Replica]:
        return [
            Replica(dict.fromkeys(METHODS[name].parameters, value), seed, f"{seed}")
            for seed, value in enumerate((first, 3.5))
        ]

    trainer = Trainer(METHODS[name], SETTINGS, SHAPE, _draw, DATA)
    through, _ = trainer.advance(trainer.start(replicas(1.0)), 2)
    halfway, _ = trainer.advance(trainer.start(replicas(1.0)), 1)
    resumed, _ = trainer.advance(trainer.restore(trainer.save(halfway), ["1", "0"]), 1)
    _alike(trainer.parameters(through)[::-1], trainer.parameters(resumed))
    _, curves = trainer.advance(trainer.start(replicas(20.0)), 1)
    assert np.isfinite(curves["loss"]).all()
    assert trainer.num_programs == 1


def test_a_factor_vae_has_a_bound_too(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(METHODS["factor_vae"], SETTINGS, SHAPE, _draw, DATA)
    row = np.array([10.0, 3.0, 2.0, 7.0, 1.0, 0.5, 0.5])  # `CURVES`, and the KL of three latents
    monkeypatch.setattr(trainer, "_evaluate", lambda *given: row)
    pack = Pack((Replica({"gamma": 1.0}, 0, learning_rate=1e-3),), 0, [State({}, ())])
    (found,) = trainer.evaluate(pack, 1)
    assert found["elbo"] == -(3 + 2)


def test_a_mapped_pack_is_taken_apart_and_put_together_on_the_host() -> None:
    trainer = Trainer(METHODS["beta_vae"], SETTINGS, SHAPE, _draw, DATA, form="products")
    replicas = [Replica({"beta": 1.0}, seed, str(seed)) for seed in range(16)]
    trainer.start(replicas[:1])
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **about: (
            compiled.append(about.get("fun_name"))
            if event.endswith("backend_compile_duration")
            else None
        )
    )
    pack = trainer.join([trainer.start(replicas[:12]), trainer.start(replicas[12:])])
    pack = trainer.shrink(trainer.restore(trainer.save(pack)), [15, *range(5)])
    assert [each.trial_id for each in pack.replicas] == ["0", "1", "2", "3", "4", "5", "6", "15"]
    _alike(trainer.parameters(pack)[7], trainer.parameters(trainer.start(replicas[15:]))[0])
    assert compiled == []  # on the device nothing is sliced or stacked, leaf for leaf
    states = pack.states
    bias = states.parameters["decoder"]["dense_1"]["bias"]
    states.parameters["decoder"]["dense_1"]["bias"] = bias.at[3, 0].set(jnp.nan)
    assert [place for place in range(8) if trainer.is_broken(pack, place)] == [3]


def test_packs_at_different_steps_are_not_joined(trainer) -> None:
    later, _ = trainer.advance(trainer.start(REPLICAS[:1]), 1)
    with pytest.raises(ValueError, match=r"different steps can't be joined: \[0, 1\]"):
        trainer.join([trainer.start(REPLICAS[:1]), later])


def test_a_checkpoint_says_which_trials_it_lacks_and_of_what_it_is(trainer) -> None:
    saved = trainer.save(trainer.start(REPLICAS))
    with pytest.raises(ValueError, match="the checkpoint lacks trials x, y"):
        trainer.restore(saved, ["x", "a", "y"])
    wider = Trainer(METHODS["beta_vae"], SETTINGS._replace(num_latents=4), SHAPE, _draw, DATA)
    with pytest.raises(ValueError, match=r"a different training: num_latents is 3, expected 4"):
        wider.restore(saved)
    other = Trainer(METHODS["beta_tc_vae"], SETTINGS, SHAPE, _draw, DATA)
    with pytest.raises(ValueError, match=r"method is 'beta_vae', expected 'beta_tc_vae'"):
        other.restore(saved)
    with pytest.raises(ValueError, match="not a checkpoint"):
        trainer.restore(b"nonsense")


@pytest.mark.parametrize(
    "change",
    [
        {"schedule": "cosine"},
        {"warmup_steps": 5},
        {"activation": "elu"},
        {"likelihood": "gaussian"},
        {"likelihood_scale": 0.5},
        {"optimizer": "adamw"},
        {"network": "mlp"},
        {"precision": "tensorfloat32"},
    ],
)
def test_a_checkpoint_of_other_settings_is_refused_both_ways(change) -> None:
    paper = Settings(batch_size=4, num_latents=3, width=0.1)
    ((name, value),) = change.items()
    trainers = [
        Trainer(METHODS["beta_vae"], settings, SHAPE, _draw, DATA)
        for settings in (paper, paper._replace(**change))
    ]
    for one, other in (trainers, trainers[::-1]):
        saved = to_bytes(one._training, [], 0, [])
        assert one.restore(saved).step == 0
        with pytest.raises(ValueError, match=f"of a different training: {name} is") as raised:
            other.restore(saved)
        assert repr(value) in str(raised.value)


def test_how_long_a_checkpoint_trains_may_change_unless_the_learning_rate_depends_on_it() -> None:
    def trainer(**changes):
        settings = SETTINGS._replace(width=0.1, **changes)
        return Trainer(METHODS["beta_vae"], settings, SHAPE, _draw, DATA)

    saved = to_bytes(trainer()._training, [], 0, [])
    trainer(steps=20, evaluation_batches=2, learning_rate=0.5).restore(saved)
    older = to_bytes(trainer()._training | {"learning_rate": 1e-3}, [], 0, [])
    assert trainer().restore(older).replicas == ()
    saved = to_bytes(trainer(schedule="cosine")._training, [], 0, [])
    with pytest.raises(ValueError, match="a different training: steps is 10, expected 20"):
        trainer(schedule="cosine", steps=20).restore(saved)


@pytest.mark.slow
def test_models_of_two_learning_rates_train_in_one_program_as_each_does_alone() -> None:
    def draw(data, key, batch_size):
        return data[jax.random.randint(key, (batch_size,), 0, len(data))]

    settings = SETTINGS._replace(width=0.25, warmup_steps=2, schedule="cosine")
    data = np.random.default_rng(0).random((8, 16, 16, 1), np.float32)
    trainer = Trainer(METHODS["beta_vae"], settings, (16, 16, 1), draw, data)
    replicas = [Replica({"beta": 1.0}, 0, str(rate), rate) for rate in (1e-2, None, 1e-4)]
    packed, _ = trainer.advance(trainer.start(replicas), 4)
    trained = trainer.parameters(packed)
    assert [replica.learning_rate for replica in packed.replicas] == [1e-2, 1e-3, 1e-4]
    for replica, expected in zip(replicas, trained, strict=True):
        alone, _ = trainer.advance(trainer.start([replica]), 4)
        _alike(trainer.parameters(alone)[0], expected)
    own = Trainer(
        METHODS["beta_vae"], settings._replace(learning_rate=1e-4), (16, 16, 1), draw, data
    )
    alone, _ = own.advance(own.start([Replica({"beta": 1.0}, 0)]), 4)
    _alike(own.parameters(alone)[0], trained[2])
    assert trainer.num_programs == 1
    kernels = [params["encoder"]["dense"]["kernel"] for params in trained]
    start = trainer.parameters(trainer.start(replicas[:1]))[0]["encoder"]["dense"]["kernel"]
    moved = [float(np.abs(kernel - start).mean()) for kernel in kernels]
    assert moved[0] > 3 * moved[1] > 9 * moved[2] > 0
    restored = trainer.restore(trainer.save(packed))
    assert restored.replicas == packed.replicas


@pytest.mark.parametrize("rate", [0, -1e-3, float("nan"), float("inf"), "1e-4"])
def test_a_bad_learning_rate_of_one_model_is_named(trainer, rate) -> None:
    with pytest.raises(
        ValueError, match=f"learning_rate is {rate!r}; it must be a finite number a"
    ):
        trainer.start([Replica({"beta": 1.0}, 0, learning_rate=rate)])


def test_a_model_that_breaks_does_not_touch_the_others(trainer) -> None:
    def broken(replicas):
        pack = trainer.start(replicas)
        saved = trainer.restore(trainer.save(pack))
        spoil = lambda leaf: leaf.at[1].set(jnp.nan)  # noqa: E731
        if isinstance(pack.states, list):
            spoiled = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), pack.states[1])
            states = [pack.states[0], spoiled._replace(optimizer=pack.states[1].optimizer)]
            states.append(pack.states[2])
        else:
            states = pack.states._replace(parameters=jax.tree.map(spoil, pack.states.parameters))
        return pack._replace(states=states), saved

    spoiled, sound = broken(REPLICAS)
    spoiled, curves = trainer.advance(spoiled, 3)
    sound, expected = trainer.advance(sound, 3)
    assert np.isnan(curves["loss"][1])
    assert curves["loss"][[0, 2]] == pytest.approx(expected["loss"][[0, 2]], rel=0)
    for place in (0, 2):
        _alike(trainer.parameters(spoiled)[place], trainer.parameters(sound)[place])


def test_only_a_parameter_that_is_nan_makes_a_model_broken(trainer) -> None:
    pack = trainer.start(REPLICAS)
    assert not any(trainer.is_broken(pack, place) for place in range(3))
    spoil = lambda leaf: leaf.at[0].set(jnp.nan)  # noqa: E731
    if isinstance(pack.states, list):
        bias = pack.states[1].parameters["decoder"]["dense_1"]
        bias["bias"] = spoil(bias["bias"])
    else:
        bias = pack.states.parameters["decoder"]["dense_1"]
        bias["bias"] = bias["bias"].at[1, 0].set(jnp.nan)
    assert [trainer.is_broken(pack, place) for place in range(3)] == [False, True, False]


@pytest.mark.parametrize(
    ("form", "num", "sound", "kept"),
    [
        ("direct", 5, [0, 2, 3, 4], [0, 2, 3, 4]),
        ("direct", 5, [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
        pytest.param("products", 5, [0, 2, 3, 4], [0, 2, 3, 4], marks=pytest.mark.slow),
        pytest.param("products", 5, [1, 3, 4], [0, 1, 3, 4], marks=pytest.mark.slow),
        ("products", 4, [1, 2, 3], [0, 1, 2, 3]),
        ("products", 4, [1, 3], [1, 3]),
        pytest.param("products", 3, [2], [2], marks=pytest.mark.slow),
    ],
)
def test_a_pack_shrinks_to_the_sound_models_or_to_the_next_size_of_a_mapped_program(
    form, num, sound, kept
) -> None:
    trainer = Trainer(METHODS["beta_vae"], SETTINGS, SHAPE, _draw, DATA, form=form)
    pack = trainer.start([Replica({"beta": 1.0}, seed, str(seed)) for seed in range(num)])
    smaller = trainer.shrink(pack, sound)
    assert [replica.seed for replica in smaller.replicas] == kept
    every = trainer.parameters(pack)
    _alike(trainer.parameters(smaller), [every[place] for place in kept])


def test_evaluation_depends_on_the_trial_alone_and_leaves_the_pack_as_it_is(trainer) -> None:
    pack = trainer.start(REPLICAS)
    found = trainer.evaluate(pack, 3)
    assert trainer.evaluate(pack, 3) == found
    assert len(found) == 3
    first = found[0]
    assert first["elbo"] == pytest.approx(-(first["reconstruction"] + first["kl"]))
    assert len(first["kl_per_latent"]) == 3
    assert sum(first["kl_per_latent"]) == pytest.approx(first["kl"], rel=1e-5)
    alone = trainer.evaluate(trainer.start(REPLICAS[2:]), 3)[0]
    assert alone["loss"] == pytest.approx(found[2]["loss"], rel=1e-6)


def test_the_untrained_reference_takes_no_steps() -> None:
    trainer = Trainer(METHODS["untrained"], SETTINGS, SHAPE, _draw, DATA)
    assert trainer.steps == 0
    pack = trainer.start([Replica({}, seed=0)])
    assert trainer.evaluate(pack, 1)[0]["reconstruction"] > 0
    assert Trainer(METHODS["beta_vae"], SETTINGS, SHAPE, _draw, DATA).steps == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0; it must be a whole number of at least 2"),
        ({"steps": -1}, "steps is -1"),
        ({"num_latents": 2.5}, "num_latents is 2.5"),
        ({"batch_size": True}, "batch_size is True"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": "1e-4"}, "learning_rate is '1e-4'; it must be a finite number above 0"),
        ({"network": "vit"}, "network is 'vit'; expected one of conv, mlp"),
        ({"width": 0}, "width is 0; it must be a finite number above 0 and of at most 16"),
        ({"activation": "swish"}, "activation is 'swish'; expected one of default, relu, leaky"),
        ({"likelihood_scale": -1.0}, "likelihood_scale is -1.0; it must be a finite number above"),
        ({"optimizer": "lion"}, "optimizer is 'lion'; expected one of adam, adamw, rmsprop, sgd"),
        ({"schedule": "step"}, "schedule is 'step'; expected one of constant, cosine"),
        ({"warmup_steps": 0.5}, "warmup_steps is 0.5; it must be a whole number of at least 0"),
    ],
)
def test_bad_settings_are_named(change, message) -> None:
    with pytest.raises(ValueError, match=message):
        Trainer(METHODS["beta_vae"], SETTINGS._replace(**change), SHAPE, _draw, DATA)


def test_images_unlike_the_declared_shape_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"sample_batch gives float32 images of shape \(4, 64, 64, 1\)"
    ):
        Trainer(METHODS["beta_vae"], SETTINGS, (64, 64, 3), _draw, DATA)


def test_bad_packs_and_counts_are_named(trainer) -> None:
    with pytest.raises(ValueError, match="at least one replica"):
        trainer.start([])
    for seed in (-1, 1.5, True, "a", None):
        with pytest.raises(ValueError, match=f"seed is {seed!r}; it must be a whole number"):
            trainer.start([Replica({"beta": 1.0}, seed=seed)])
    with pytest.raises(ValueError, match="beta is -2"):
        trainer.start([Replica({"beta": -2.0}, seed=0)])
    with pytest.raises(ValueError, match="num_steps is 0"):
        trainer.advance(trainer.start(REPLICAS), 0)
    with pytest.raises(ValueError, match="num_batches is 0"):
        trainer.evaluate(trainer.start(REPLICAS), 0)
