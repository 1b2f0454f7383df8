"""Packs and parameters as safetensors files, in memory; other modules write them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..storage import UNSEALED, read_tensors_header
from .networks import Parameters


def to_bytes(
    training: Mapping[str, Any], members: Sequence[Mapping[str, Any]], step: int, states: Sequence
) -> bytes:
    """A safetensors file of the states of a pack's models.

    Args:
        training: The shared method and settings, as JSON values.
        members: The identity of the model of each state, as JSON values.
        step: The number of steps that all models have taken.
        states: One pytree of arrays per member.
    """
    tensors = {
        f"{place}{path}": leaf
        for place, state in enumerate(states)
        for path, leaf in _leaves(state).items()
    }
    about = {"training": dict(training), "replicas": list(members), "step": step}
    texts = {name: json.dumps(value) for name, value in about.items()}
    return save(tensors, {"digest": UNSEALED} | texts)


def from_bytes(
    data: bytes, training: Mapping[str, Any], example: Any
) -> tuple[list[dict[str, Any]], int, list[Any]]:
    """The members, the step and the states (NumPy arrays) of a checkpoint.

    Args:
        data: The result of `to_bytes`.
        training: The expected training, as given to `to_bytes`.
        example: A pytree with the structure, shapes and types of one state.

    Raises:
        ValueError: If `data` is not a checkpoint, is of a different training, or has states unlike
            `example`.
    """
    try:
        metadata = read_tensors_header(lambda num: data[:num], len(data)).metadata
        found, members, step = (
            json.loads(metadata[name]) for name in ("training", "replicas", "step")
        )
    except (KeyError, ValueError) as error:
        raise ValueError("not a checkpoint of a pack") from error
    found.pop("learning_rate", None)  # each member has its own; older files have it here too
    for name in {**training, **found}:
        if found.get(name) != training.get(name):
            raise ValueError(
                f"the checkpoint is of a different training: {name} is {found.get(name)!r}, "
                f"expected {training.get(name)!r}"
            )
    tensors = _load(data)
    expected = _leaves(example, as_arrays=False)
    states = []
    for place in range(len(members)):
        leaves = []
        for path, leaf in expected.items():
            found = tensors.get(f"{place}{path}")
            if found is None or found.shape != leaf.shape or found.dtype != leaf.dtype:
                had = "nothing" if found is None else f"{found.dtype}{list(found.shape)}"
                raise ValueError(
                    "the checkpoint is of a different method or network: "
                    f"{path} is {had}, expected {leaf.dtype}{list(leaf.shape)}"
                )
            leaves.append(found)
        states.append(jax.tree.unflatten(jax.tree.structure(example), leaves))
    return members, step, states


def parameters_to_bytes(models: Mapping[str, Parameters], image_shape: Sequence[int]) -> bytes:
    """One safetensors file of the parameters of several models, by trial ID.

    Args:
        models: The parameters.
        image_shape: The (H, W, C) of their images.
    """
    about = {"digest": UNSEALED, "image_shape": json.dumps([*image_shape])}
    return save(flatten(dict(models)), about)


def image_shape_of(data: bytes) -> tuple[int, ...] | None:
    """The (H, W, C) given to `parameters_to_bytes`; None for an older file without it.

    Raises:
        ValueError: If `data` is not a safetensors file.
    """
    metadata = read_tensors_header(lambda num: data[:num], len(data)).metadata
    return tuple(json.loads(metadata["image_shape"])) if "image_shape" in metadata else None


def parameters_from_bytes(data: bytes) -> dict[str, Parameters]:
    """The parameters by trial ID, from the result of `parameters_to_bytes`.

    Raises:
        ValueError: If `data` is not a safetensors file.
    """
    return unflatten_dict(_load(data), sep="/")


def flatten(parameters: Parameters) -> dict[str, np.ndarray]:
    """The leaves of nested dicts as NumPy arrays, by their names joined with "/"."""
    return {name: np.asarray(leaf) for name, leaf in flatten_dict(parameters, sep="/").items()}


def _leaves(tree: Any, *, as_arrays: bool = True) -> dict[str, Any]:
    """The leaves of a pytree by path, e.g. ".parameters['encoder']['mean']['bias']"."""
    flat, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path): np.asarray(leaf) if as_arrays else leaf for path, leaf in flat
    }


def _load(data: bytes) -> dict[str, np.ndarray]:
    try:
        return load(data)
    except SafetensorError as error:
        raise ValueError(f"not a safetensors file: {error}") from error
