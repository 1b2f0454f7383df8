"""A trained model: images to codes and back, on any backend."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import unflatten_dict
from safetensors.numpy import load, save

from ..storage import UNSEALED, is_sound, read_tensors_header, replace_file, seal
from . import pictures
from .checkpoint import flatten
from .convolution import arithmetic
from .likelihoods import LIKELIHOODS
from .method import MethodEntry
from .model import Model
from .networks import NETWORKS, Parameters, Posterior
from .objective import log_terms
from .priors import PRIORS

Observe = Callable[[Any, jax.Array], jax.Array]
"""(data, indices (B,)) -> (B, H, W, C) images; pure, for jit."""

_BATCH = 256


class LogTerms(NamedTuple):
    """The terms for estimating the likelihood of N images, with K codes of each, in nats.

    Attributes:
        codes: (N, K, D), samples of the posteriors.
        log_likelihood: Log p(x | z), (N, K).
        log_prior: Log p(z), (N, K).
        log_posterior: Log q(z | x), (N, K).
    """

    codes: np.ndarray
    log_likelihood: np.ndarray
    log_prior: np.ndarray
    log_posterior: np.ndarray


_LAYOUT = (
    "NHWC images; convolution kernels (height, width, in, out), stride 2, SAME padding; transposed "
    "ones are the gradient of the convolution with the kernel (height, width, out, in); dense "
    "kernels (in, out); 4 x 4 maps are flattened row by row, channels last"
)


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model and its parameters.

    Attributes:
        entry: Its method.
        hyperparameters: The method's hyper-parameters, by name.
        model: The networks and the likelihood.
        parameters: The result of `Trainer.parameters`.
        name: Its name: the trial ID.
    """

    entry: MethodEntry
    hyperparameters: Mapping[str, float]
    model: Model
    parameters: Parameters
    name: str = ""

    def encode(self, images: np.ndarray) -> Posterior:
        """Mean and log variance, (B, D) float32 each, of images (B, H, W, C).

        Args:
            images: uint8, or numbers in [0, 1]. The axis of a single channel may be missing.

        Raises:
            ValueError: If they are neither, or their shape is not the model's.
        """
        found = self._in_batches(_encode, _unit_interval(images, self.model.image_shape))
        means, log_variances = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return Posterior(cast(Any, means), cast(Any, log_variances))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """The images (B, H, W, C), float32 in [0, 1], for codes (B, D).

        Raises:
            ValueError: If the codes have a different D.
        """
        codes = np.asarray(codes, np.float32)
        if codes.ndim != 2 or codes.shape[1] != self.model.num_latents or not len(codes):
            raise ValueError(
                f"codes have shape {codes.shape}; expected (B, {self.model.num_latents}), B of "
                "at least 1"
            )
        return np.concatenate(self._in_batches(_decode, codes))

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Images decoded from the mean codes of images: (B, H, W, C), float32 in [0, 1]."""
        return self.decode(np.asarray(self.encode(images).mean))

    def sample(self, num: int, seed: int = 0) -> np.ndarray:
        """Images (num, H, W, C), float32 in [0, 1], for codes sampled from the prior."""
        return np.asarray(_sample(*self._arguments(), num, jax.random.key(seed)))

    def traverse(
        self, image: np.ndarray, path: Path | str | None = None, *, span: float = 2.0, num: int = 9
    ) -> np.ndarray:
        """Images decoded from an image's mean code as each latent goes from -span to span.

        Args:
            image: (H, W, C), or a batch of one, as for `encode`.
            path: The file for a picture: a .png with a row for each latent, or a .gif with all side
                by side.
            span: The largest absolute value of the latent.
            num: The number of steps.

        Returns:
            (D, num, H, W, C), float32 in [0, 1].

        Raises:
            ValueError: If `path` has another suffix, or as `encode`.
        """
        suffix = Path(path).suffix.lower() if path is not None else ""
        if path is not None and suffix not in (".png", ".gif"):
            raise ValueError(f"the picture is {path}; expected a name ending in .png or .gif")
        code = np.asarray(self.encode(np.asarray(image)[None]).mean)[0]
        values = np.linspace(-span, span, num, dtype=np.float32)
        images = pictures.traverse(code, self.decode, values)
        if path is not None:
            made = (
                pictures.traversals(images)
                if suffix == ".png"
                else pictures.animation(images.swapaxes(0, 1))
            )
            with replace_file(Path(path)) as file:
                file.write(made)
        return images

    @property
    def has_bound(self) -> bool:
        """Whether encoder, decoder and prior are the model's own, so that its bound is known."""
        method = self.entry(**self.hyperparameters)
        own = (method.encode, method.decode) == (Model.encode, Model.decode)
        return own and LIKELIHOODS[self.model.likelihood].density

    def log_terms(self, images: np.ndarray, num: int, seed: int = 0) -> LogTerms:
        """The terms of the log likelihood of images, for `num` codes of each.

        Args:
            images: As for `encode`.
            num: K.
            seed: The seed of the codes.

        Raises:
            ValueError: If the model has no bound, or as `encode`.
        """
        if not self.has_bound:
            raise ValueError(f"{self.name or 'the model'}, of {self.entry.name}, has no bound")
        images = _unit_interval(images, self.model.image_shape)
        traced = self._arguments()[2:]
        at_once = max(1, _BATCH // num)
        parts = [
            _log_terms(self.model, traced[1], images[first : first + at_once], num, key)
            for first, key in zip(range(0, len(images), at_once), _keys(seed), strict=False)
        ]
        return LogTerms(*map(np.concatenate, zip(*parts, strict=True)))

    def save(self, path: Path | str) -> None:
        """Writes one safetensors file, whose header has everything needed to rebuild the model."""
        about = {
            "method": self.entry.name,
            "hyperparameters": dict(self.hyperparameters),
            "model": asdict(self.model),
            "layout": _LAYOUT,
            "name": self.name,
        }
        content = save(flatten(self.parameters), {"digest": UNSEALED, "teasel": json.dumps(about)})
        with replace_file(Path(path)) as file:
            file.write(seal(content))

    @classmethod
    def load(cls, path: Path | str, methods: Mapping[str, MethodEntry]) -> "TrainedModel":
        """The model that `save` wrote.

        Args:
            path: The file.
            methods: The catalogue of its method.

        Raises:
            ValueError: If the file is not a saved model or is damaged, or needs something that is
                not installed.
        """
        content = Path(path).read_bytes()
        try:
            metadata = read_tensors_header(lambda num: content[:num], len(content)).metadata
            if not is_sound(content):
                raise ValueError("it is damaged")
            about = json.loads(metadata["teasel"])
            found: dict[str, Any] = dict(about["model"])
            found["image_shape"] = tuple(found["image_shape"])
            model = Model(**found)
            method, values = about["method"], about["hyperparameters"]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a model written by TrainedModel.save") from error
        for kind, name, known in (
            ("method", method, methods),
            ("network", model.network, NETWORKS),
            ("likelihood", model.likelihood, LIKELIHOODS),
            ("prior", model.prior, PRIORS),
        ):
            if name not in known:
                raise ValueError(f"{path} needs the {kind} {name}, which is not installed")
        parameters = unflatten_dict(load(content), sep="/")
        return cls(methods[method], values, model, parameters, about.get("name", ""))

    def encode_all(
        self, observe: Observe, data: Any, num_images: int, *, batch: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean and log variance, (N, D) float32 each, of images 0 to N - 1, each seen once.

        Args:
            observe: Returns the images at some indices, whatever the other indices of the batch.
            data: The data for `observe`, or a function that returns it for the indices of a batch.
            num_images: N.
            batch: The number of images at a time; by default 256 on a CPU and 2,048 elsewhere.

        Raises:
            ValueError: If num_images or batch is below 1.
        """
        if batch is None:
            batch = 256 if jax.default_backend() == "cpu" else 2048
        if num_images < 1 or batch < 1:
            raise ValueError(
                f"num_images is {num_images} and batch {batch}; both must be at least 1"
            )
        entry, model, *traced = self._arguments()
        if not callable(data):
            data = jax.tree.map(jnp.asarray, data)
        codes = np.empty((2, num_images, model.num_latents), np.float32)
        for first in range(0, num_images, batch):
            # The last batch overlaps the one before, so that one program serves all.
            start = max(0, min(first, num_images - batch))
            indices = np.arange(start, start + min(batch, num_images), dtype=np.int32)
            read = data(indices) if callable(data) else data
            posterior = _encode_indices(entry, model, observe, *traced, read, indices)
            codes[:, start : start + len(indices)] = posterior
        return codes[0], codes[1]

    def _in_batches(self, function: Callable[..., Any], inputs: np.ndarray) -> list[Any]:
        """The results of a compiled function, applied to some inputs at a time."""
        arguments = self._arguments()
        return [
            function(*arguments, inputs[first : first + _BATCH])
            for first in range(0, len(inputs), _BATCH)
        ]

    def _arguments(self) -> tuple[Any, ...]:
        """The arguments of the compiled functions: two static ones, and two put on the device."""
        values = {name: np.float32(value) for name, value in self.hyperparameters.items()}
        return self.entry, self.model, *jax.device_put((values, self.parameters))


@partial(jax.jit, static_argnums=(0, 1))
@arithmetic()
def _encode(entry, model, values, parameters, images) -> Posterior:
    return entry(**values).encode(model, parameters, images)


@partial(jax.jit, static_argnums=(0, 1))
@arithmetic()
def _decode(entry, model, values, parameters, codes) -> jax.Array:
    return entry(**values).decode(model, parameters, codes)


@partial(jax.jit, static_argnums=(0, 1, 4))
@arithmetic()
def _sample(entry, model, values, parameters, num, key) -> jax.Array:
    return entry(**values).sample(model, parameters, key, num)


@partial(jax.jit, static_argnums=(0, 1, 2))
@arithmetic()
def _encode_indices(entry, model, observe, values, parameters, data, indices) -> jax.Array:
    return jnp.stack(entry(**values).encode(model, parameters, observe(data, indices)))


@partial(jax.jit, static_argnums=(0, 3))
@arithmetic()
def _log_terms(model, parameters, images, num, key) -> tuple[jax.Array, ...]:
    normal = model.infer(parameters, images)
    noise = jax.random.normal(key, (num, *normal.mean.shape), normal.mean.dtype)
    codes, *terms = log_terms(model, parameters, images, noise, normal)
    return jnp.swapaxes(codes, 0, 1), *(term.T for term in terms)


def _keys(seed: int) -> Iterator[jax.Array]:
    return map(partial(jax.random.fold_in, jax.random.key(seed)), itertools.count())


def _unit_interval(images: Any, shape: tuple[int, int, int]) -> np.ndarray:
    """Images (B, H, W, C) as float32 in [0, 1].

    Raises:
        ValueError: If they are neither uint8 nor in [0, 1], or have a different shape.
    """
    images = np.asarray(images)
    if images.shape[1:] == shape[:2] and shape[2] == 1:
        images = images[..., None]
    if images.ndim != 4 or images.shape[1:] != shape or not len(images):
        raise ValueError(
            f"images have shape {images.shape}; expected (B, {', '.join(map(str, shape))}), B of "
            "at least 1"
        )
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    within = images.dtype.kind in "fb" and images.min() >= 0 and images.max() <= 1
    if not within:
        spread = f"from {images.min():g} to {images.max():g}" if images.dtype.kind in "iuf" else ""
        raise ValueError(f"images are {images.dtype} {spread}; expected uint8, or floats in [0, 1]")
    return images.astype(np.float32)
