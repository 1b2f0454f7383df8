"""A user's own images, networks and likelihoods, from the grid to the report.

Six methods through two networks at three sizes; a Gaussian likelihood; images without every
combination, with a continuous factor; images without factors; pairs and labels. Each is trained and
scored where that is possible, goes on after an interruption to the same numbers, and is reported.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.analysis import scores, write_report
from teasel.errors import ConfigError
from teasel.models import METHODS, Batch, Method, MethodEntry, Model, forward, regularized
from teasel.sweep.commands.run import run
from teasel.sweep.grid.grid import load_grid
from teasel.sweep.schedule.in_process import InProcess
from teasel.sweep.store.results import Results
from teasel.sweep.work import train as worker
from teasel.sweep.work.control import Control

SIX = """\
  beta_vae: {beta: 4}
  annealed_vae: {c_max: 5}
  factor_vae: {gamma: 10}
  beta_tc_vae: {beta: 4}
  dip_vae_i: {lambda_od: 2}
  dip_vae_ii: {lambda_od: 2}
"""
TRAINING = "steps: 4, batch_size: 4, num_latents: 3, evaluation_batches: 2"
RNG = np.random.default_rng(0)


def grid(folder: Path, methods: str, training: str = "", metrics: str = "{mig: {num_train: 60}}"):
    path = folder / "grid.yaml"
    path.write_text(
        "study: own\ndatasets: {name: mine, file: mine.npz}\nseeds: 1\nmethods:\n"
        f"{methods}training: {{{TRAINING}{training}}}\nmetrics: {metrics}\n"
        "representations: mean\nresources: {pack: 2}\n"
    )
    return path


def save(folder: Path, images: np.ndarray, **factors: np.ndarray) -> None:
    np.savez(folder / "mine.npz", images=images, **factors)


def complete(folder: Path, side: int, channels: int = 1) -> None:
    """Two squares of four greys each, alone on their halves."""
    factors = np.stack(np.unravel_index(np.arange(16), (4, 4)), axis=1)
    images = np.zeros((16, side, side, channels), np.uint8)
    images[:, : side // 2] = 60 + 60 * factors[:, :1, None, None]
    images[:, side // 2 :] = 60 + 60 * factors[:, 1:, None, None]
    save(folder, images, factors=factors)


def numbers(results: Results) -> dict[str, Any]:
    """The losses and the scores of each model."""
    rows = results.table("trials").to_pylist()
    assert {row["status"] for row in rows} == {"done"}
    found = {(row["trial_id"], "loss"): row["loss"] for row in rows}
    rows = results.table("scores").to_pylist()
    return found | {(row["trial_id"], row["score"]): row["value"] for row in rows}


def study(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    """The results of a run; those of another that was interrupted half-way are the same."""
    results = Results(folder / "whole")
    summary = run([str(path)], results=results.uri, executor=InProcess())
    assert (summary.failed, summary.missing) == (0, 0)
    looks = iter([False, True])
    with monkeypatch.context() as patch:
        patch.setattr(worker, "_LOOK_SECONDS", 0.0)
        patch.setattr(worker, "_chunk_size", lambda: 1)
        patch.setattr(Control, "draining", property(lambda self: next(looks, True)))
        assert run([str(path)], results=str(folder / "cut"), executor=InProcess()).missing
    again = Results(folder / "cut")
    run([str(path)], results=again.uri, executor=InProcess())
    expected = numbers(results)
    assert numbers(again) == expected
    page = write_report(results.uri).read_text()
    methods = [row["method"] for row in results.table("trials").to_pylist()]
    if num := len(methods) - methods.count("untrained"):  # which stands among references
        cell = f'<td class="number " data-sort="{num}.0">{num}</td>'
        assert 2 * cell in page  # trained, and with every score
    return results


@pytest.mark.slow
@pytest.mark.parametrize("side", [32, 64, 128])
@pytest.mark.parametrize("network", ["conv", "mlp"])
def test_six_methods_train_through_any_network_at_any_size(
    network: str, side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete(tmp_path, side, channels=2)
    narrow = f", network: {network}, width: {0.1 if network == 'mlp' else 0.5}"
    results = study(grid(tmp_path, SIX, narrow), tmp_path, monkeypatch)
    table = scores(results.uri, wide=True)
    assert len(table) == 6
    assert table["mig"].notna().all()
    model = results.model(table["trial_id"].iloc[0])
    assert model.decode(np.zeros((1, 3))).shape == (1, side, side, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "training"),
    [
        ("beta_vae: {beta: 1}", ", prior: vamp, prior_components: 3, posterior: autoregressive"),
        ("beta_vae: {beta: 1}", ", prior: coupling, kl_annealing_steps: 3, free_bits: 0.1"),
        ("factor_vae: {gamma: 2}", ", prior: mixture, prior_components: 3"),
        ("iwae: {importance_samples: 3}", ", prior: autoregressive"),
        ("ada_gvae: {beta: [1, 2]}", ", kl_estimate: sampled"),
        ("ml_vae: {beta: [1, 2]}", ""),
        ("infogan: {code_categories: 2}", ""),
    ],
)
def test_later_models_train_and_go_on_like_the_six(
    method: str, training: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete(tmp_path, 32)
    few = "{mig: {num_train: 60}, elbo_surgery: {}, importance_bound: {num_samples: 3}}"
    small = training + ", network: mlp, width: 0.1"
    results = study(grid(tmp_path, f"  {method}\n", small, few), tmp_path, monkeypatch)
    rows = results.table("scores").to_pylist()
    assert all(row["error"] is None for row in rows if row["metric"] == "mig")
    errors = {row["metric"]: row["error"] for row in rows if row["error"]}
    if "infogan" in method:
        assert "infogan with likelihood bernoulli has no bound" in errors["elbo_surgery"]
    elif "posterior" in training:
        assert errors == {"elbo_surgery": "the posterior is autoregressive, not a diagonal normal"}
    else:
        assert not errors
        found = {row["score"]: row["value"] for row in rows if row["metric"] == "elbo_surgery"}
        assert 0 <= found["mutual_information"] <= np.log(16) + 1e-6
    row = results.table("trials").to_pylist()[0]
    assert (row["elbo"] is None) == ("infogan" in method)
    model = results.model(row["trial_id"])
    assert model.sample(2).shape == (2, 32, 32, 1)


@pytest.mark.slow
def test_packs_and_models_alone_are_the_same(tmp_path: Path) -> None:
    """Bit for bit, with learning rates, hyper-parameters and seeds of their own."""
    complete(tmp_path, 32)
    together = grid(
        tmp_path,
        "  beta_vae: {beta: [1, 4]}\n  factor_vae: {gamma: [1, 4]}\n",
        ", likelihood: gaussian_learned, likelihood_scale: 0.3, learning_rate: [1e-3, 1e-2]"
        ", schedule: cosine, warmup_steps: 2, optimizer: adamw, activation: elu",
    )
    alone = tmp_path / "alone.yaml"
    alone.write_text(together.read_text().replace("pack: 2", "pack: 1"))
    with jax.numpy_dtype_promotion("standard"):  # optax's AdamW mixes types
        run([str(together)], results=str(tmp_path / "pack"), executor=InProcess())
        run([str(alone)], results=str(tmp_path / "alone"), executor=InProcess())
    packed, single = Results(tmp_path / "pack"), Results(tmp_path / "alone")
    assert {row["pack_size"] for row in packed.table("trials").to_pylist()} == {2}
    assert len(numbers(packed)) == 8 * 2
    assert numbers(packed) == numbers(single)
    bits = [row["bits_per_dimension"] for row in packed.table("trials").to_pylist()]
    elbos = [row["elbo"] for row in packed.table("trials").to_pylist()]
    np.testing.assert_allclose(bits, -np.array(elbos) / (1024 * np.log(2)))


@pytest.mark.slow
def test_images_without_every_combination_and_with_continuous_factors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factors = np.stack([RNG.integers(0, 3, 50), RNG.random(50)], axis=1)
    save(tmp_path, RNG.integers(0, 256, (50, 32, 32, 3), np.uint8), factors=factors)
    path = grid(tmp_path, "  beta_vae: {beta: [1, 4]}\n", metrics="all")
    text = path.read_text().replace("file: mine.npz", "file: mine.npz, continuous: [factor_1]")
    path.write_text(text)
    results = study(path, tmp_path, monkeypatch)
    found = {row["metric"] for row in results.table("scores").to_pylist()}
    assert found == {"mig", "dci", "modularity", "sap", "unsupervised"}
    path.write_text(text.replace("metrics: all", "metrics: [irs]"))
    with pytest.raises(ConfigError, match=r"grid\.yaml:\d+:\d+: irs needs discrete factors, and m"):
        load_grid(path)


@pytest.mark.slow
def test_images_without_factors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, RNG.integers(0, 256, (40, 16, 16), np.uint8))
    methods = "  beta_vae: {beta: [1, 4]}\n"
    path = grid(tmp_path, methods, ", likelihood: discretized_logistic", "all")
    results = study(path, tmp_path, monkeypatch)
    assert {row["metric"] for row in results.table("scores").to_pylist()} == {"unsupervised"}
    path = grid(tmp_path, methods, metrics="[mig]")
    with pytest.raises(ConfigError, match="mig needs factors, and mine has no factors"):
        load_grid(path)


def of_pairs() -> Method:
    """A model whose codes of two views are drawn to each other where they share factors."""

    def loss(
        model: Model, params: Any, batch: Batch, key: jax.Array, step: jax.Array
    ) -> tuple[jax.Array, Any]:
        assert batch.views is not None
        assert batch.shared is not None
        passed = forward(model, params, batch.images, key, step)
        other = model.encode(params, batch.views)
        apart = jnp.sum(jnp.square(passed.posterior.mean - other.mean), axis=1)
        return regularized(passed, passed.kl + jnp.mean(apart * jnp.mean(batch.shared, axis=1)))

    return Method(loss)


def of_labels() -> Method:
    """A model whose first codes are drawn to the factors of every second image."""

    def loss(
        model: Model, params: Any, batch: Batch, key: jax.Array, step: jax.Array
    ) -> tuple[jax.Array, Any]:
        assert batch.labels is not None
        assert batch.indices is not None
        passed = forward(model, params, batch.images, key, step)
        known = (batch.indices % 2 == 0)[:, None]
        apart = jnp.square(
            passed.posterior.mean[:, :2] - batch.labels.astype(float)
        ) * known.astype(float)
        return regularized(passed, passed.kl + jnp.mean(apart))

    return Method(loss)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "factory"), [("pairs", of_pairs), ("labels", of_labels)])
def test_a_method_that_asks_for_pairs_or_labels(
    kind: Any, factory: Callable[[], Method], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete(tmp_path, 32)
    path = grid(tmp_path, "  beta_vae: {beta: 1}\n")
    entry = MethodEntry(factory, batch=kind)
    monkeypatch.setitem(METHODS.own, "untrained", entry)  # a name that the grid knows
    path.write_text(path.read_text().replace("beta_vae: {beta: 1}", "untrained:"))
    results = study(path, tmp_path, monkeypatch)
    (row,) = results.table("trials").to_pylist()
    assert row["steps"] == 4
    # Where the device cannot hold the data set, the host sends the same batches.
    monkeypatch.setattr("teasel.sweep.work.batches.fits", lambda *_: False)
    run([str(path)], results=str(tmp_path / "fed"), executor=InProcess())
    assert numbers(Results(tmp_path / "fed")) == numbers(results)
