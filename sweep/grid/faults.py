"""Describes what is wrong with a grid: turns pydantic's errors into faults of a YAML file."""

import reprlib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ...errors import INSTALL, hint
from ...metrics import COMPARISONS
from .source import MOST_FAULTS, Fault, KeyPath


def faults(error: ValidationError, root: type[BaseModel]) -> list[Fault]:
    """One fault for each pydantic error about a value checked against `root`."""
    found: list[Fault] = []
    for detail in error.errors(include_url=False)[: MOST_FAULTS + 1]:
        path, kind = detail["loc"], detail["type"]
        key = path[-1] if path else ""
        if kind == "extra_forbidden":
            known = list(_model_at(root, path[:-1]).model_fields)
            otherwise = INSTALL if path[:-1] in (("methods",), ("metrics",)) else ""
            if path[:-1] == ("metrics",) and key in COMPARISONS:
                otherwise = (
                    f"; once models are trained, `teasel rescore DIR --metrics {key}` compares them"
                )
            what = f"unknown {_noun(path)} '{key}'{hint(str(key), known, otherwise)}"
            found.append(Fault(path, what, at_key=True))
        elif kind == "missing":
            *_, owner = ("", *_names(path[:-1]))
            where = f" of {owner}" if owner else ""
            found.append(Fault(path[:-1], f"'{key}'{where} is missing", at_key=True))
        else:
            place = ".".join(_names(path))
            what = _EXPECTED.get(kind) or detail["msg"][:1].lower() + detail["msg"][1:]
            given = "" if kind in _SAYS_ENOUGH else f", got {reprlib.repr(detail['input'])}"
            found.append(Fault(path, f"{place or 'the file'}: {what}{given}"))
    return found


_EXPECTED = {
    "model_type": "expected a mapping of keys to values",
    "dict_type": "expected a mapping of keys to values",
    "list_type": "expected a list",
    "string_type": "expected a text",
}
"""Replacements for pydantic messages that use Python's terms."""

_SAYS_ENOUGH = {"unknown_name", "unreadable", "taken", "repeated", "seeds", "pack", "secret"}


def _names(path: KeyPath) -> list[str]:
    """The keys of a path, without indices in lists."""
    return [part for part in path if isinstance(part, str)]


def _noun(path: KeyPath) -> str:
    if path[:-1] == ("methods",):
        return "method"
    if path[:-1] == ("metrics",):
        return "metric"
    if path[0] == "methods":
        return f"hyper-parameter or setting of {path[1]}"
    if path[0] == "metrics":
        return f"parameter of {path[1]}"
    return "key"


def _model_at(root: type[BaseModel], path: KeyPath) -> type[BaseModel]:
    """The model that describes the mapping at `path`."""
    model = root
    for key in path:
        if isinstance(key, str):  # else the place in a list, whose model is found already
            model = next(_models_in(model.model_fields[key].annotation))
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation, at any depth in lists, unions and `Annotated`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
