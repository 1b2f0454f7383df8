"""The checks that every data set must pass, as a function for tests."""

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from ..datasets import DATASETS, Dataset, Definition
from ..errors import hint
from .require import require, require_pieces


def check_dataset(dataset: str | Definition, data_dir: Path | None = None) -> None:
    """Checks everything that Teasel expects of a data set, which is made first if needed.

    Images must be float32 in the unit interval and factors whole numbers below their sizes. A seed
    or a key must determine the observations, on a device as in NumPy. Values out of range must be
    refused.

    Args:
        dataset: A name in `DATASETS`, or a definition.
        data_dir: The folder of publishers' files; by default TEASEL_DATA_DIR, if set.

    Raises:
        AssertionError: If something is missing or wrong; the message says what, and how to fix it.
        DataError: If its files cannot be obtained.
    """
    if isinstance(dataset, str):
        known = list(DATASETS)
        require(dataset in known, f"there is no data set {dataset!r}{hint(dataset, known)}")
        definition = DATASETS[dataset]
        require(
            definition.name == dataset,
            f"the data set {dataset} has the name {definition.name}: use one name",
        )
    else:
        definition = dataset
    require_pieces(f"the data set {definition.name}", missing_pieces(definition))
    data = definition(data_dir)
    some = np.random.default_rng(0).integers(len(data), size=200)
    indices = np.concatenate([[0, len(data) - 1], some])
    _check_images(data, indices)
    _check_factors(data, indices)
    _check_seeds(data, indices)
    _check_device(data, indices)
    _check_batches(data)
    _check_refusals(data)


def missing_pieces(definition: Definition) -> list[str]:
    """What the definition of a data set still lacks, with how to add each."""
    missing = []
    publication = definition.publication
    if publication is None and definition.render is None:
        missing.append("the source of its images: a publication, or render")
    if publication and not publication.licence:
        missing.append("a licence: Publication(..., licence='Apache-2.0')")
    if publication and not publication.homepage:
        missing.append("a homepage: Publication(..., homepage='https://...')")
    names = [factor.name for factor in definition.grid]
    if len(set(names)) < len(names):
        missing.append(f"a different name for each factor, not {', '.join(names)}")
    return missing


def _rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def _check_images(data: Dataset, indices: np.ndarray) -> None:
    images = data.images(indices, _rng())
    expected = (len(indices), *data.image_shape)
    require(
        images.shape == expected and images.dtype == np.float32,
        f"{data.name} gives {images.dtype} images {images.shape}; expected float32 {expected}",
    )
    low, high = float(images.min()), float(images.max())
    require(
        low >= 0 and high <= 1, f"pixels of {data.name} go from {low} to {high}, not from 0 to 1"
    )
    require(
        float(images.std()) > 0.01,
        f"the pixels of 202 images of {data.name} hardly differ: their standard deviation is "
        f"{images.std():.2g}; are they uint8 from 0 to 255?",
    )


def _check_factors(data: Dataset, indices: np.ndarray) -> None:
    factors, sizes = data.factors(indices), np.array(data.factor_sizes)
    kind = np.dtype(np.int64) if data.table is None else data.table.dtype
    require(
        factors.shape == (len(indices), len(sizes)) and factors.dtype == kind,
        f"{data.name} gives factors {factors.dtype} {factors.shape}; expected {kind} "
        f"({len(indices)}, {len(sizes)})",
    )
    require(
        data.table is not None or (not factors[0].any() and bool((factors[1] == sizes - 1).all())),
        f"the first and the last image of {data.name} have the factors {factors[0]} and "
        f"{factors[1]}; expected zeros and {sizes - 1}: the images are in the grid's order",
    )
    sampled = data.sample_indices(factors, _rng())
    require(
        bool((data.factors(sampled) == factors).all()),
        f"images of {data.name} sampled for given factors have different factors",
    )
    if data.table is None and len(data) == np.prod(sizes):
        require(
            bool((sampled == indices).all()),
            f"{data.name} has no hidden factor, but several images of the same factors",
        )


def _check_seeds(data: Dataset, indices: np.ndarray) -> None:
    first, second = (data.images(indices, _rng()) for _ in range(2))
    require(bool((first == second).all()), f"{data.name} gives different images with the same seed")
    same = bool((first == data.images(indices, _rng(2))).all())
    require(
        same != data.stochastic,
        f"{data.name} is {'' if data.stochastic else 'not '}stochastic, but another seed shows "
        f"{'the same' if same else 'other'} images",
    )
    require(
        bool((data.images(indices)[1:2] == data.images(indices[1:2])).all()),
        f"an image of {data.name} without a seed depends on the other images of its batch",
    )


def _check_device(data: Dataset, indices: np.ndarray) -> None:
    stored, observe = jax.device_put(data.device_data()), jax.jit(data.observe)
    seen, expected = observe(stored, indices), data.images(indices)
    require(
        seen.shape == expected.shape and seen.dtype == np.float32,
        f"a device sees {seen.dtype} images {seen.shape} of {data.name}; expected float32 "
        f"{expected.shape}",
    )
    require(
        bool(np.allclose(seen, expected, rtol=0, atol=1e-6 if data.stochastic else 0)),
        f"a device gives different images of {data.name} than NumPy",
    )
    fresh = observe(stored, indices, jax.random.key(0)), data.images(indices, _rng())
    found, wanted = (np.asarray(images).mean(axis=(0, 1, 2)) for images in fresh)
    require(
        bool(np.allclose(found, wanted, atol=0.06)),
        f"the colours of {data.name} are {found} on a device on average, and {wanted} in NumPy",
    )


def _check_batches(data: Dataset) -> None:
    stored = jax.device_put(data.device_data())
    keys = jax.random.split(jax.random.key(3), 3)

    def sample(stored: jax.Array, key: jax.Array) -> jax.Array:
        return data.sample_batch(stored, key, 4)

    batches = jax.jit(jax.vmap(sample, in_axes=(None, 0)))(stored, keys)
    expected = (3, 4, *data.image_shape)
    require(
        batches.shape == expected and batches.dtype == np.float32,
        f"batches of {data.name} are {batches.dtype} {batches.shape}; expected float32 {expected}",
    )
    require(bool((batches[0] != batches[1]).any()), f"two keys give the same batch of {data.name}")
    require(
        bool((batches[2] == jax.jit(sample)(stored, keys[2])).all()),
        f"a batch of {data.name} depends on more than its key",
    )


def _check_refusals(data: Dataset) -> None:
    sizes = data.factor_sizes
    lacks = "not all in" if data.table is None else "no image has the factors"
    cases: list[tuple[str, str, Callable[[], object]]] = [
        (
            "not all in [0, ",
            "an index behind the last",
            lambda: data.images(np.array([0, len(data)]), _rng()),
        ),
        ("from -1 to 0", "a negative index", lambda: data.factors(np.array([0, -1]))),
        ("vector of integers", "fractional indices", lambda: data.images(np.array([0.5]), _rng())),
        (
            "one column for each of",
            "factors of another number",
            lambda: data.sample_indices(np.zeros((2, len(sizes) + 1), int), _rng()),
        ),
        (
            "factors are complex128",
            "complex factors",
            lambda: data.sample_indices(np.zeros((2, len(sizes)), complex), _rng()),
        ),
    ]
    if sizes:
        beyond = np.array([sizes]) if data.table is None else data.table[:1] + 10**6
        cases.append(
            (lacks, "factors that there are not", lambda: data.sample_indices(beyond, _rng()))
        )
    for reason, what, call in cases:
        try:
            call()
        except (IndexError, ValueError) as error:
            require(
                reason in str(error),
                f"{data.name} refuses {what} by {error!r}; expected a message with {reason!r}",
            )
        else:
            raise AssertionError(f"{data.name} takes {what}; expected an error")
