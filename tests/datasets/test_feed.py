"""A device that can't hold a data set sees the same batches."""

import threading
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from teasel.datasets import Dataset, load
from teasel.datasets.feed import fits, windows


@pytest.fixture
def dataset() -> Dataset:
    return load("color_dsprites_mini")


def keys(chunk: int) -> jax.Array:
    """Keys of two replicas for three steps."""
    return jax.random.split(jax.random.key(chunk), (3, 2))


def test_batches_from_windows_equal_batches_from_the_whole(
    dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "teasel")

    def draw(data: object, keys: jax.Array) -> jax.Array:
        return jax.vmap(jax.vmap(lambda key: dataset.sample_batch(data, key, 5)))(keys)

    draw_from_whole, draw_from_window = jax.jit(draw), jax.jit(draw)
    whole = jnp.asarray(dataset.device_data())
    fed = windows(dataset, map(keys, range(4)), 5, jax.devices()[0])
    for chunk, window in enumerate(fed):
        assert window.rows.shape == (3 * 2 * 5, 512)
        np.testing.assert_array_equal(
            draw_from_window(window, keys(chunk)), draw_from_whole(whole, keys(chunk))
        )
    assert chunk == 3
    assert "color_dsprites_mini: 24 MB stay on the host" in caplog.text


def test_where_jax_has_no_cpu_the_device_chooses_the_same_images(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    (expected,) = windows(dataset, [keys(0)], 5, jax.devices()[0])
    local_devices = jax.local_devices

    def without_cpu(*, backend: str | None = None) -> list[jax.Device]:
        if backend == "cpu":  # as with JAX_PLATFORMS=cuda
            raise RuntimeError("Unknown backend cpu")
        return local_devices(backend=backend)

    monkeypatch.setattr(jax, "local_devices", without_cpu)
    (found,) = windows(dataset, [keys(0)], 5, jax.devices()[0])
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_a_window_serves_observations_by_index(dataset: Dataset) -> None:
    plain = load("dsprites_mini")
    indices = np.array([40, 7, 40, 46_079])
    seen = plain.observe(plain.window(indices), jnp.asarray(indices), jax.random.key(0))
    np.testing.assert_array_equal(seen, plain.images(indices))


def test_the_next_window_is_gathered_while_one_is_in_use(dataset: Dataset) -> None:
    gathered = [threading.Event() for _ in range(3)]

    class Watched(np.ndarray):
        def __getitem__(self, item):
            next(event for event in gathered if not event.is_set()).set()
            return np.asarray(self)[item]

    watched = replace(dataset, store=np.asarray(dataset.store).view(Watched))
    fed = windows(watched, map(keys, range(3)), 5, jax.devices()[0])
    next(fed)
    assert gathered[1].wait(timeout=10)
    assert not gathered[2].is_set()
    fed.close()


def test_a_data_set_fits_in_half_of_the_memory_a_device_has() -> None:
    assert [fits(10, memory) for memory in (20, 19, None)] == [True, False, True]
