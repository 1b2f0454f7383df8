"""The shapes of the JSON files in a results folder, and a check of values against them.

Files may come from other people, other versions or damaged disks. A shape is a type, a tuple of
alternative shapes, ``[shape]``, ``{str: shape}`` or a record. A key of a record that ends in a
question mark is optional. Other keys are allowed unless the record is `Only`.
"""

from typing import Any

from ...settings import Settings


class Only(dict[str, Any]):
    """A record that allows no other keys."""


_ALWAYS_SET = ("steps", "batch_size", "learning_rate", "num_latents")
_SETTINGS = Only(
    {
        name if name in _ALWAYS_SET else f"{name}?": type(default)
        for name, default in Settings._field_defaults.items()
    }
)
_REQUEST = Only(
    {"representation": str, "metric": str, "parameters": {str: object}}
    | {"metric_seed": int, "metric_version": str}
)
_CELL = {"hyperparameters": {str: float}, "training": _SETTINGS, "version?": int}
_GRID = {
    "study": str,
    "description?": (str, None),
    "datasets": [
        {"name": str, "npz?": str, "sha256?": str, "images?": str, "factors?": str}
        | {"factor_names?": [str], "continuous?": (bool, [str]), "resize?": int}
        | {"channels_first?": bool, "of?": str, "held_out?": [{str: [int]}]}
        | {"correlated?": [{"factors": [str], "strength": float}]}
    ],
    "seeds": [int],
    "methods": {str: [_CELL]},
    "metric_seeds?": int,
    "exclude": [{str: object}],
    "metrics": [_REQUEST],
    "requests_of?": {str: [int]},  # by method the places in `metrics`; since version 2
    "requests_on?": {str: [int]},  # the same by data set, of those that do not get all
    "save_models": bool,
}
_CATALOGUE = {  # of a study without grids it may be short
    "methods": {str: {"label?": str, "colour?": str, "trained?": bool, "keeps?": [str]}},
    "metrics": {
        str: {
            "label?": str,
            "defaults?": {str: object},
            "labels?": {str: str},
            "lower_is_better?": [str],
        }
    },
    "datasets": {str: {"label?": str, "factors?": [str]}},
}
SHAPES: dict[str, Any] = {
    "study.json": {
        "study": str,
        "schema_version": int,
        "grids?": [_GRID],  # one that was made by hand may have none
        "latest?": int,
        "catalogue?": _CATALOGUE,
    },
    "tables/_columns.json": {str: [str]},
    "_manifest.json": {"files": {str: [str]}},
    "checkpoints": {"step": int, "trial_ids": [str], "train_seconds": float},
    "running": {"at": float, "trials": [str], "step": int, "steps": int, "failed?": [str]}
    | {"host?": str, "doing?": str, "loss?": [(float, None)]},
    "running/drivers": {"host": str, "pid": int, "since": str, "beat": int, "at": float}
    | {"shard?": ([int], None), "share?": ([int], None)},
}
"""The shapes of JSON files, by file name, suffix or folder."""


def shape_of(name: str) -> Any:
    """The shape of the JSON file of this name; any object if the name is unknown."""
    folder, _, last = name.rpartition("/")
    return next((SHAPES[each] for each in (name, last, folder) if each in SHAPES), {})


def misfit(value: Any, shape: Any, place: str = "it") -> str | None:
    """The first place where a JSON value does not match a shape; None if it matches.

    >>> misfit({"a": [1, "b"]}, {"a": [int], "c?": str})
    'it.a.1 is not int'
    """
    if isinstance(shape, tuple):
        found = [misfit(value, each, place) for each in shape]
        return None if None in found else found[0]
    if isinstance(value, list) and isinstance(shape, list):
        shapes = dict.fromkeys(range(len(value)), shape[0])
    elif isinstance(value, dict) and isinstance(shape, dict):
        shapes = {key.rstrip("?"): shape[key] for key in shape if key is not str}
        shapes |= dict.fromkeys(value, shape[str]) if str in shape else {}
        lacks = {key for key in shapes if key not in value and f"{key}?" not in shape}
        if wrong := sorted(lacks | (value.keys() - shapes if isinstance(shape, Only) else set())):
            return f"{place} lacks {wrong[0]}, or should not have it"
        shapes = {key: each for key, each in shapes.items() if key in value}
    else:
        kind: Any = type(shape) if isinstance(shape, list | dict) else shape or type(None)
        fits = isinstance(value, (int, float) if kind is float else kind)
        fits = fits and (kind in (bool, object) or not isinstance(value, bool))  # which is an int
        return None if fits else f"{place} is not {kind.__name__}"
    wrong = (misfit(value[key], each, f"{place}.{key}") for key, each in shapes.items())
    return next(filter(None, wrong), None)
